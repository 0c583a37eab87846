"""The options about events that a verb takes, defined once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from reduction.errors import RequestError

Words = dict[str, float]
"""Values of the options by name; without those that were not given."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option: flag, what stands for its value, a line of help, its field, and whether of the geometry."""

    flag: str
    metavar: str
    text: str
    field: str
    geometry: bool = False


OPTIONS: dict[str, Option] = {
    "event_depth": Option("--event-depth", "SHARE", "Light expected to go, 0 to 1.", "expected_depth"),
    "star_mag": Option("--star-mag", "MAG", "Star; with --body-mag: expected depth.", "star_magnitude"),
    "body_mag": Option("--body-mag", "MAG", "Occulting body.", "body_magnitude"),
    "false_alarm": Option("--false-alarm", "P", "Probability below which a dip is an event.", "false_alarm"),
    "distance": Option("--distance", "AU", "Of the body: flanks by diffraction.", "distance_au", True),
    "velocity": Option("--velocity", "KM/S", "Of the shadow; with --distance.", "velocity_km_s", True),
    "star_diameter": Option("--star-diameter", "KM", "Of the star, at the body.", "star_diameter_km", True),
    "wavelength": Option("--wavelength", "UM", "Centre of the band (0.7).", "wavelength_um", True),
}


def event_fields(words: Words, earlier: dict[str, Any] | None = None) -> dict[str, Any]:
    """Fields of the plan's `event` that options set, over those that were there.

    Parameters
    ----------
    words : dict
        Values of the options that were given.
    earlier : dict, optional
        What a plan file says.

    Raises
    ------
    RequestError
        Part of the geometry is given without distance and velocity, or one magnitude without the other.
    """
    fields = dict(earlier or {})
    geometry = dict(fields.get("geometry") or {})
    for name, value in words.items():
        option = OPTIONS[name]
        (geometry if option.geometry else fields)[option.field] = value
    if geometry:
        for name in ("distance", "velocity"):
            if OPTIONS[name].field not in geometry:
                raise RequestError(
                    f"{OPTIONS[name].flag} is missing: distance and velocity are needed to know the flanks"
                )
        fields["geometry"] = geometry
    if ("star_mag" in words) != ("body_mag" in words) and not (
        "star_magnitude" in fields and "body_magnitude" in fields
    ):
        raise RequestError("--star-mag and --body-mag are given together: the depth follows from both")
    return fields


def with_event_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it takes them as its parameter `event`, a `Words`."""
    own = inspect.signature(function)

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        words = {name: kwargs.pop(name, None) for name in OPTIONS}
        function(*args, event={k: v for k, v in words.items() if v is not None}, **kwargs)

    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "event":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=None,
                annotation=Annotated[
                    float | None, typer.Option(option.flag, metavar=option.metavar, help=option.text)
                ],
            )
            for name, option in OPTIONS.items()
        ]
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
