"""``FIELD=VALUE`` words of the command line as fields of a request."""

import json
from collections.abc import Sequence
from typing import Any

from reduction.errors import RequestError

STARS = ("target", "references", "guides")
"""Fields of the plan that may be named without ``plan.``, as in manifests: X,Y;X,Y."""


def fields_of(words: Sequence[str]) -> dict[str, Any]:
    """Nested fields: ``plan.aperture_px=4.5`` is ``{"plan": {"aperture_px": 4.5}}``.

    A value that is JSON is taken so, any other is text.

    Raises
    ------
    RequestError
        A word is no field.
    """
    fields: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name or not all(name.split(".")):
            raise RequestError(f"{word!r:.200}: give FIELD=VALUE, as times.meaning=start")
        value = _stars(name, text) if name in STARS else _value(text)
        *outer, last = ["plan", name] if name in STARS else name.split(".")
        place = fields
        for step in outer:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                raise RequestError(f"{word!r:.200}: {step} has a value already")
        place[last] = value
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _stars(name: str, text: str) -> Any:
    places = []
    for part in text.split(";"):
        try:
            x, y = (float(number) for number in part.split(","))
        except ValueError as error:
            raise RequestError(f"{name}={text!r:.200}: give X,Y in pixels, with ; between stars") from error
        places.append({"x": x, "y": y})
    return places[0] if name == "target" and len(places) == 1 else places
