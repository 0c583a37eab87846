"""The form of a reduction: the same request as `POST /reductions`, its stars as text."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from api.results.requests import ReductionBody
from cluster.requests import positions
from reduction.errors import RequestError

STARS = ("target", "references", "guides")

EXTRACTIONS = (
    ("auto", "best by predicted error"),
    ("aperture", "aperture"),
    ("optimal", "optimal weights (Naylor 1998)"),
    ("mask", "free-form mask"),
    ("psf", "fit of the point spread function"),
)
SKIES = (("mean", "clipped mean"), ("median", "median"), ("mode", "mode"))
DEVICES = (("auto", "what the worker has"), ("cpu", "processor"))
GPU = ("cuda:0", "GPU")
MEANINGS = (
    ("", "as the recording says"),
    ("start", "start of exposure"),
    ("mid", "middle of exposure"),
    ("end", "end of exposure"),
)
CLOCKS = (("", "as the recording says"), ("gps", "GPS"), ("ntp", "network time (NTP)"), ("none", "nothing"))
FIELDS = (
    ("off", "whole frames"),
    ("auto", "fields, found out which first"),
    ("top", "fields, top first"),
    ("bottom", "fields, bottom first"),
)
CHANNELS = (("L", "luminance"), ("R", "red"), ("G", "green"), ("B", "blue"))
PRIORITIES = (("0", "ordinary"), ("5", "before others"), ("-5", "after others"))


def devices(gpus: float) -> tuple[tuple[str, str], ...]:
    """What a reduction may be computed on: a GPU only where one is offered."""
    return (*DEVICES, GPU) if gpus else DEVICES


class ReductionForm(ReductionBody):
    """What was filled in; `act`: do it, or tell what it would be; `once`: sent twice it is one job."""

    act: Literal["start", "check"] = "start"
    once: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_stars(cls, value: Any) -> Any:
        """Places of ``X,Y; X,Y``."""
        if not isinstance(value, Mapping) or not isinstance(value.get("plan"), Mapping):
            return value
        plan = dict(value["plan"])
        for name in STARS:
            if isinstance(plan.get(name), str):
                plan[name] = _places(name, plan[name])
        return {**value, "plan": plan}

    @property
    def body(self) -> ReductionBody:
        """The request."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude={"act", "once"})
        return ReductionBody.model_validate(said | {"dry_run": self.act == "check"})


def _places(name: str, text: str) -> Any:
    try:
        listed = positions([part for part in text.replace("\n", ";").split(";") if part.strip()], name)
    except RequestError as error:
        raise ValueError(str(error)) from error
    if name != "target":
        return listed
    if len(listed) != 1:
        raise ValueError("give one place, X,Y")
    return listed[0]


def typed_of(request: Mapping[str, Any]) -> dict[str, str]:
    """A request as its form is filled in: to begin again from an earlier one."""
    found: dict[str, str] = {}
    _flatten(request, "", found)
    return found


def _flatten(value: Any, name: str, found: dict[str, str]) -> None:
    if isinstance(value, Mapping) and set(value) == {"x", "y"}:
        found[name] = f"{value['x']:g},{value['y']:g}"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else str(key), found)
    elif isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
        found[name] = "; ".join(f"{one['x']:g},{one['y']:g}" for one in value if {"x", "y"} <= set(one))
    elif isinstance(value, bool):
        found[name] = "true" if value else "false"
    elif value is not None and not isinstance(value, list | tuple):
        found[name] = str(value)
