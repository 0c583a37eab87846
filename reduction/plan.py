"""The reduction plan: everything a person decides, frozen, with a digest."""

import hashlib
import json
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from reduction.errors import RequestError
from reduction.events.settings import EventSettings
from reduction.settings import Settings

__all__ = [
    "MOST_RESPONSE_POINTS", "Position", "ReductionPlan", "Response", "Settings", "Sky", "fault_of_response",
    "load_plan", "make_plan",
]  # fmt: skip


class Position(Settings):
    """A place on the plan's frame: X right, Y down, pixel centres at integers, first pixel 0,0."""

    x: float
    y: float


class Sky(Settings):
    """Sky annulus, pixels."""

    inner: Annotated[float, Field(gt=0)]
    outer: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.outer < self.inner + 1:
            raise ValueError("the sky annulus must be at least one pixel wide (ROUT >= RIN + 1)")
        return self


MOST_RESPONSE_POINTS = 4096

Response = tuple[tuple[float, float], ...]
"""A camera's response: recorded level and linear value, both rising; between them it is interpolated."""


def fault_of_response(points: Response) -> str | None:
    """What is wrong with a table of the response; None where it is sound."""
    if not 2 <= len(points) <= MOST_RESPONSE_POINTS:
        return f"{len(points)} points of a response; give 2 to {MOST_RESPONSE_POINTS}"
    for before, after in pairwise(points):
        if not (after[0] > before[0] and after[1] > before[1]):
            return (
                f"after level {before[0]:g} (linear {before[1]:g}) comes level {after[0]:g} (linear "
                f"{after[1]:g}); both columns must rise"
            )
    return None


class ReductionPlan(Settings):
    """How one recording is reduced.

    Positions hold on frame `frame`. What is None is chosen from the recording, by rules that look
    only at predicted uncertainties, and stands in the result.
    """

    target: Position | None = None
    references: tuple[Position, ...] = ()
    guides: tuple[Position, ...] = ()
    frame: Annotated[int, Field(ge=0)] = 0
    aperture_px: Annotated[float, Field(ge=0.5, le=60)] | None = None
    sky_px: Sky | None = None
    gain_e_per_adu: Annotated[float, Field(gt=0)] | None = None
    read_noise_e: Annotated[float, Field(ge=0)] | None = None
    gamma: Annotated[float, Field(ge=0.1, le=4)] | None = None
    response: Response | None = None
    row_noise: Literal["auto", "on", "off"] = "auto"
    channel: Literal["L", "R", "G", "B"] = "L"
    fields: Literal["auto", "off", "top", "bottom"] = "off"
    integration: Literal["auto", "off"] | Annotated[int, Field(ge=1, le=512)] = "auto"
    segment: Annotated[int, Field(ge=1, le=65536)] = 1024
    follow: bool = True
    survey_frames: Annotated[int, Field(ge=8, le=4096)] = 400
    max_stars: Annotated[int, Field(ge=2, le=400)] = 24
    extract: Literal["aperture", "optimal", "mask", "psf", "auto"] = "auto"
    sky_estimate: Literal["mean", "median", "mode"] = "mean"
    roi_px: Annotated[float, Field(ge=1, le=200)] = 20.0
    detection_sigma: Annotated[float, Field(ge=3, le=100)] = 5.0
    find_overlay: bool = True
    find_defects: bool = True
    event: EventSettings = EventSettings()

    @model_validator(mode="after")
    def _one_response(self) -> Self:
        if self.response is not None:
            if self.gamma is not None:
                raise ValueError("gamma and response exclude each other")
            fault = fault_of_response(self.response)
            if fault is not None:
                raise ValueError(fault)
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the plan as sorted JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_plan(path: Path) -> ReductionPlan:
    """Read a plan from a TOML file.

    Raises
    ------
    RequestError
        The file is missing, is not TOML, or has a field that a plan does not know.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{path}: cannot read the plan: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"{path}: not a TOML plan: {error}") from error
    return make_plan(raw, str(path))


def make_plan(raw: dict[str, object], where: str) -> ReductionPlan:
    """Validate a plan; `where` names its origin in the message."""
    try:
        return ReductionPlan.model_validate(raw)
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(p) for p in e['loc']) or 'plan'}: {e['msg']} (got {e['input']!r})"
            for e in error.errors()
        )
        raise RequestError(f"{where}: {lines}") from error
