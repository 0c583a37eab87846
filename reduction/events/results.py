"""What event search and event fit say of a curve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reduction.caveats import Note

Status = Literal["positive", "negative", "inconclusive"]
LEVELS = (0.68, 0.95, 0.997)
"""Probabilities of the intervals that every fitted figure is given with."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A fitted figure: value, one-sigma error, and its intervals at `LEVELS`.

    `sigma` is half the width of the 0.68 interval.
    """

    value: float
    sigma: float
    intervals: tuple[tuple[float, float], ...]  # (low, high) at each of LEVELS


@dataclass(frozen=True, slots=True)
class Edge:
    """A disappearance or a reappearance.

    Attributes
    ----------
    kind : "D" or "R"
    seconds : Figure
        Seconds after the curve's reference at which the geometric limb passes the star's centre; its
        errors are those of the fit alone.
    utc_ns : int
        The same as UTC, POSIX nanoseconds; `UNKNOWN_NS` in an undated curve.
    timing_sigma_s : float
        Of the recording's times there against UTC, seconds; NaN where nobody knows.
    utc : Figure
        `seconds` with the timing sigma added in quadrature to each half-width (equal to `seconds` where
        it is unknown).
    gradual_s : float or None
        Time from 10 to 90 % of the drop, of a gradual flank; None of a sharp one.
    """

    kind: Literal["D", "R"]
    seconds: Figure
    utc_ns: int
    timing_sigma_s: float
    utc: Figure
    gradual_s: float | None = None


@dataclass(frozen=True, slots=True)
class Dip:
    """A run of low samples that the search found; samples ``first`` to ``last``, both in the run."""

    first: int
    last: int
    depth: float  # mean loss, in units of the out-of-event level
    snr: float  # integrated signal-to-noise under the curve's correlated noise
    false_alarm_probability: float  # of the whole search
    kind: Literal["dip", "step"] = "dip"


@dataclass(frozen=True, slots=True)
class ModelScore:
    """How well one model of the event describes the curve."""

    model: str
    parameters: int
    log_likelihood: float
    aic: float
    bic: float
    chi2_reduced: float


@dataclass(frozen=True, slots=True)
class Event:
    """One fitted event; `d` or `r` is None where it lies outside the recording.

    Attributes
    ----------
    label : str
        ``"square"``, ``"diffraction"``, ``"disc"``, ``"gradual"`` or ``"graze"``: what the curve says it is.
    depth : Figure
        Share of the out-of-event light that goes, 1 for all of it.
    duration : Figure or None
        R less D, seconds.
    dip : Dip
        What the search had found.
    scores : tuple of ModelScore
        Every model tried, the one that is reported first.
    parameters : mapping
        Further fitted figures of the reported model by name (``star_diameter_km``, ``flank_s``...).
    """

    label: str
    d: Edge | None
    r: Edge | None
    depth: Figure
    duration: Figure | None
    dip: Dip
    scores: tuple[ModelScore, ...] = ()
    parameters: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Noise of a curve out of events.

    Attributes
    ----------
    sigma : float
        Robust sigma of one sample, in units of the out-of-event level.
    ar : tuple of float
        Coefficients of the autoregression, of the sample before, the one before that, ...; empty: white.
    innovation : float
        Sigma of one sample given those before it, in units of `sigma`.
    longest_s : float
        Longest time over which samples are correlated, seconds; 0 for white noise.
    bad_share : float
        Share of bad samples: those of a second, wider Gaussian, without memory.
    bad_ratio : float
        Its sigma, in units of `sigma`.
    weighted : bool
        Whether the curve's own sigmas say how the noise varies from sample to sample; else it is even.
    """

    sigma: float
    ar: tuple[float, ...]
    innovation: float
    longest_s: float
    bad_share: float = 0.0
    bad_ratio: float = 1.0
    weighted: bool = True


@dataclass(frozen=True, slots=True)
class Detectable:
    """The shortest event that would have been seen.

    Attributes
    ----------
    depth : float
        For which it holds.
    shortest_s : float
        Duration that is recovered at the probability `recovered`; inf where even the longest tried is not.
    recovered : float
        Share of injected events that the search finds.
    trials : int
        Injections at each duration.
    """

    depth: float
    shortest_s: float
    recovered: float
    trials: int


@dataclass(frozen=True, slots=True)
class EventAnalysis:
    """Everything said about the events of one curve.

    Attributes
    ----------
    status : Status
    false_alarm_probability : float
        Of the most significant dip, over all starts, lengths and stars searched.
    events : tuple of Event
        In order of time; empty unless positive.
    dips : tuple of Dip
        What the search found, the most significant first; of a negative too.
    noise : NoiseModel
    detectable : Detectable or None
        Of a negative or an inconclusive curve.
    reason : str
        One sentence for people: why this status.
    notes : tuple of Note
        Caveats.
    """

    status: Status
    false_alarm_probability: float
    events: tuple[Event, ...]
    dips: tuple[Dip, ...]
    noise: NoiseModel
    detectable: Detectable | None
    reason: str
    notes: tuple[Note, ...] = ()
