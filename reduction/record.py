"""One record of one observation, from which every report form is written."""

import unicodedata
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from reduction.plan import Settings
from reduction.sites import Site
from reduction.utc import SECOND_NS, UtcNs, utc_date

LEVELS = (0.68, 0.95, 0.997)
"""Probabilities of the intervals of a timing."""

RecordStatus = Literal["positive", "negative", "overcast", "technical failure", "unknown", "planned"]
TelescopeType = Literal[
    "refractor", "newtonian", "schmidt-cassegrain", "dobsonian", "binoculars", "other", "none", "evscope"
]
Method = Literal["video", "dslr video", "photometer", "sequential images", "drift scan", "visual", "other"]
TimeSource = Literal["gps", "ntp", "telephone", "radio", "internal clock", "stopwatch", "other"]
Transparency = Literal[
    "clear", "fog", "thin cloud", "thick cloud", "broken cloud", "star faint", "averted vision"
]
Stability = Literal["steady", "slight flickering", "strong flickering"]
Component = Literal["main star", "second star", "satellite", "satellite, second star", "ring"]

Day = date
"""A UTC date; under this name because a record has a field ``date``."""


def _as_line(value: object) -> object:
    """Text on one line; a number that a person wrote without quotation marks is text too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return clean_line(value) if isinstance(value, str) else value


def clean_line(text: str) -> str:
    """Text on one line without what no form can hold: control characters, halves of surrogate pairs."""
    return " ".join("".join(" " if c.isspace() else c for c in text if _holds(c)).split())


def _clean_text(value: object) -> object:
    """Text of several lines, cleaned as `clean_line`."""
    if not isinstance(value, str):
        return value
    return "\n".join(map(clean_line, value.splitlines())).strip()


def _holds(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) not in {"Cc", "Cs", "Cn"}


Line = Annotated[str, BeforeValidator(_as_line), Field(max_length=500)]
Positive = Annotated[float, Field(gt=0, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
Span = tuple[NotNegative, NotNegative]


class Asteroid(Settings):
    """The body: number and name, or provisional designation."""

    number: Line = ""
    name: Line = ""
    diameter_km: Positive | None = None
    diameter_sigma_km: NotNegative | None = None
    magnitude: Annotated[float, Field(ge=-30, le=60)] | None = None


class Star(Settings):
    """The occulted star; right ascension and declination ICRS, and apparent ones of date, degrees."""

    catalogue: Line = ""
    designation: Line = ""
    ra_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    dec_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    apparent_ra_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    apparent_dec_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    magnitude: Annotated[float, Field(ge=-30, le=60)] | None = None
    gaia_id: Line = ""
    diameter_mas: NotNegative | None = None
    ruwe: NotNegative | None = None

    @property
    def name(self) -> str:
        """Catalogue and designation, as ``UCAC4 350-187717``."""
        return " ".join(part for part in (self.catalogue, self.designation) if part)


class Prediction(Settings):
    """What was predicted for the place.

    Attributes
    ----------
    utc : UtcNs
        Of closest approach at the site (or at the Earth's centre, where only that is known).
    source : str
        Orbit and star catalogue, or whose prediction.
    """

    utc: UtcNs | None = None
    duration_s: Positive | None = None
    source: Line = ""


class Observer(Settings):
    """A person; the first of a record is who reports."""

    name: Line
    e_mail: Line = ""
    address: Line = ""
    city: Line = ""
    state: Line = ""
    country: Line = ""
    phone: Line = ""
    affiliation: Line = ""
    orcid: Line = ""


class Telescope(Settings):
    """The optics; two of aperture, focal length and focal ratio give the third."""

    type: TelescopeType | None = None
    model: Line = ""
    aperture_cm: Positive | None = None
    focal_length_cm: Positive | None = None
    focal_ratio: Positive | None = None
    mount: Line = ""
    drive: Line = ""

    @property
    def focal_cm(self) -> float | None:
        """Focal length, cm: stated, or from aperture and ratio."""
        if self.focal_length_cm is None and self.aperture_cm is not None and self.focal_ratio is not None:
            return self.aperture_cm * self.focal_ratio
        return self.focal_length_cm

    @property
    def ratio(self) -> float | None:
        """Focal ratio: stated, or from aperture and focal length."""
        if self.focal_ratio is None and self.aperture_cm is not None and self.focal_length_cm is not None:
            return self.focal_length_cm / self.aperture_cm
        return self.focal_ratio


class Recording(Settings):
    """How it was recorded.

    Attributes
    ----------
    started, stopped : UtcNs
        When observation began and ended.
    exposure_s : float
        Of one sample, seconds, integration included.
    cadence_s : float
        From one sample to the next, seconds.
    integrated_frames : int
        Frames or fields that the camera added up into one sample.
    timing_device : str
        What stamped the frames (``IOTA-VTI 3``).
    """

    started: UtcNs | None = None
    stopped: UtcNs | None = None
    camera: Line = ""
    detector: Line = ""
    video_format: Line = ""
    exposure_s: Positive | None = None
    cadence_s: Positive | None = None
    integrated_frames: Annotated[int, Field(ge=1, le=100_000)] | None = None
    filter: Line = ""
    method: Method | None = None
    time_source: TimeSource | None = None
    timing_device: Line = ""
    recorder: Line = ""
    software: Line = ""
    interrupted: tuple[tuple[UtcNs, UtcNs], ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> "Recording":
        if self.started is not None and self.stopped is not None and self.stopped < self.started:
            raise ValueError("stopped is before started")
        if any(end < begin for begin, end in self.interrupted):
            raise ValueError("an interruption ends before it begins")
        return self


class Conditions(Settings):
    """The sky."""

    transparency: Transparency | None = None
    stability: Stability | None = None
    clouds: Line = ""
    wind: Line = ""
    temperature_c: Annotated[float, Field(ge=-90, le=70)] | None = None
    limiting_magnitude: Annotated[float, Field(ge=-5, le=40)] | None = None
    body_visible: bool | None = None


class EdgeTime(Settings):
    """When the star went or came back.

    Attributes
    ----------
    utc : UtcNs
        The limb over the star's centre, with every correction of the record applied.
    sigma_s : float or None
        One sigma, timing of the recording included, seconds.
    intervals_s : tuple of (before, after) or None
        Reach of the intervals at `LEVELS` before and after `utc`, seconds, both positive.
    gradual_s : float or None
        Time from 10 to 90 % of the drop of a gradual flank; None of a sharp one.
    """

    utc: UtcNs
    sigma_s: NotNegative | None = None
    intervals_s: tuple[Span, Span, Span] | None = None
    gradual_s: NotNegative | None = None

    @model_validator(mode="after")
    def _nested(self) -> "EdgeTime":
        spans = self.intervals_s or ()
        for inner, outer in pairwise(spans):
            if outer[0] < inner[0] or outer[1] < inner[1]:
                raise ValueError("intervals_s: 0.95 holds 0.68, and 0.997 holds 0.95; they do not")
        return self

    def error_s(self, level: int) -> float | None:
        """Half-width at ``LEVELS[level]``: larger side of the interval, else the sigma, seconds."""
        if self.intervals_s is not None:
            return max(self.intervals_s[level])
        return self.sigma_s if level == 0 else None


class Timing(Settings):
    """One event: D and R, or one of them where the other was not recorded."""

    d: EdgeTime | None = None
    r: EdgeTime | None = None
    component: Component = "main star"
    depth: Annotated[float, Field(ge=-1, le=2)] | None = None
    depth_sigma: NotNegative | None = None
    snr: NotNegative | None = None
    model: Line = ""

    @model_validator(mode="after")
    def _in_order(self) -> "Timing":
        if self.d is None and self.r is None:
            raise ValueError("a timing has neither d nor r")
        if self.d is not None and self.r is not None and self.r.utc < self.d.utc:
            raise ValueError("r is before d")
        return self

    @property
    def duration_s(self) -> float | None:
        """R less D, seconds; None where one of them is missing."""
        if self.d is None or self.r is None:
            return None
        return (self.r.utc - self.d.utc) / SECOND_NS


class AppliedCorrection(Settings):
    """A correction that the times of the record already contain, with its sign.

    Attributes
    ----------
    what : str
        As in the ledger of times: ``acquisition``, ``camera``, ``inserter``, ``stamp meaning``, ...
    value_s, sigma_s : float
        What was added (negative: earlier), and its uncertainty, seconds.
    included : bool
        Whoever wrote the recording had applied it.
    """

    what: Line
    value_s: Annotated[float, Field(ge=-1e6, le=1e6)]
    sigma_s: NotNegative = 0.0
    source: Line = ""
    included: bool = False


class ObservationRecord(Settings):
    """Everything that a report form of an occultation asks for; what nobody stated is None or empty.

    Attributes
    ----------
    date : date or None
        UTC, of the event.
    site : Site or None
        `altitude_m` is stated only where it is among the site's fields set.
    altitude_of : {"ellipsoid", "sea level"} or None
        What the altitude is counted from.
    snr : float or None
        Of one sample, out of the event: level over scatter.
    corrections : tuple of AppliedCorrection
        What the times contain already; a form's place for corrections still to apply stays empty.
    caveats : tuple of str
        What the reduction warns of, ``code: sentence``; forms name the codes in their comments.
    """

    status: RecordStatus = "unknown"
    date: Day | None = None
    asteroid: Asteroid = Asteroid()
    star: Star = Star()
    prediction: Prediction = Prediction()
    observers: tuple[Observer, ...] = ()
    site: Site | None = None
    altitude_of: Literal["ellipsoid", "sea level"] | None = None
    telescope: Telescope = Telescope()
    recording: Recording = Recording()
    conditions: Conditions = Conditions()
    timings: Annotated[tuple[Timing, ...], Field(max_length=100)] = ()
    snr: NotNegative | None = None
    corrections: tuple[AppliedCorrection, ...] = ()
    caveats: Annotated[tuple[Line, ...], Field(max_length=200)] = ()
    reduction_software: Line = ""
    comments: Annotated[str, BeforeValidator(_clean_text), Field(max_length=20_000)] = ""

    @model_validator(mode="after")
    def _consistent(self) -> "ObservationRecord":
        if self.timings and self.status not in {"positive", "unknown"}:
            raise ValueError(
                f"status is {self.status!r}, yet there are timings; make it positive, or drop them"
            )
        return self

    @property
    def event_date(self) -> Day | None:
        """UTC date of the event: stated, else of the first timing, prediction or start of observation."""
        if self.date is not None:
            return self.date
        edges = [edge.utc for timing in self.timings for edge in (timing.d, timing.r) if edge is not None]
        for ns in (min(edges, default=None), self.prediction.utc, self.recording.started):
            if ns is not None:
                return utc_date(ns)
        return None

    def document(self) -> dict[str, Any]:
        """The record as plain values, only what is stated; `make_record` reads it again."""
        return _stated(self.model_dump(mode="json", exclude_unset=True, exclude_none=True))


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in ({}, (), [])}
