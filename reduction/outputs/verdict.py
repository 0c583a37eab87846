"""Can this be trusted? Time, tracking, saturation and noise, each judged by the figures.

The thresholds stand here and nowhere else; ``docs/outputs.md`` repeats them and a test compares.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from reduction.caveats import Caveat
from reduction.outputs.words import all_notes, duration, figure, percent, plural, sentence
from reduction.result import Flag, LightCurve, ReductionResult
from reduction.timing import UNKNOWN_NS

State = Literal["good", "caution", "bad"]
Topic = Literal["time", "tracking", "saturation", "noise"]

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "time sigma, in units of the cadence": (0.5, 3.0),
        "fraction of points without a sure time": (0.0, 0.10),
        "fraction of frames lost": (0.002, 0.10),
        "fraction of points with the target off the frame": (0.0, 0.10),
        "fraction of points with weak tracking": (0.05, 0.50),
        "predicted position error, in units of the FWHM": (0.10, 0.30),
        "fraction of points with a saturated target": (0.0, 0.01),
        "fraction of points with a saturated reference": (0.0, 0.10),
        "fraction of points without a usable reference": (0.002, 0.10),
        "departure of the reduced chi-square from 1": (0.15, 0.50),
        "factor applied to the sigmas": (1.0, 2.0),
    }
)
"""Largest value that is still good, and largest that is still a caution."""

FEW_BASELINE_POINTS = 30
"""With fewer out-of-event points the noise cannot be judged."""

LOW_SNR = 3.0
"""Median signal-to-noise below which single points mean little."""

CAUTIONS: Mapping[Topic, Mapping[Caveat, str]] = MappingProxyType(
    {
        "time": {
            Caveat.TIME_MEANING_ASSUMED: "whether stamps mark start, middle or end is assumed",
            Caveat.EXPOSURE_ASSUMED: "the exposure is assumed",
            Caveat.CLOCK_UNKNOWN: "the clock behind the stamps is not known",
            Caveat.CLOCK_UNSTATED: "how sure the clock was is not stated",
            Caveat.NETWORK_TIME: "they are of a computer, set by network time",
            Caveat.DATE_UNSET: "the recorder knew no date",
            Caveat.CAMERA_UNKNOWN: "the camera's internal delay is not known",
            Caveat.WHOLE_SECONDS: "the clock wrote whole seconds only",
            Caveat.TIMES_COMPUTED: "they are computed from a start and a cadence",
            Caveat.TIMES_NOT_MONOTONIC: "they run backwards in places",
            Caveat.LEAP_SECOND: "a leap second falls inside",
            Caveat.FRAMES_DROPPED: "frames were dropped while recording",
            Caveat.GPS_ALMANAC: "the GPS receiver was not sure of whole seconds",
            Caveat.BURNT_IN_UNSURE: "the burnt-in time is not sure on some frames",
            Caveat.GPS_FIX: "the GPS receiver had no fix on some frames",
        },
        "tracking": {
            Caveat.ONE_GUIDE: "one guide star alone cannot show rotation",
            Caveat.FIELD_ROTATES: "the field rotates",
        },
        "saturation": {},
        "noise": {
            Caveat.NO_REFERENCE: "no reference star, so clouds are not removed",
            Caveat.GAIN_UNCERTAIN: "the gain is uncertain",
            Caveat.TARGET_NOT_SEEN: "the target's light never stands out",
            Caveat.SCATTER_UNEXPLAINED: "the scatter is not explained by the noise model",
            Caveat.LOSSY_VIDEO: "lossy compression has altered the noise",
            Caveat.INTER_FRAME_VIDEO: "inter-frame compression smears faint changes over frames",
            Caveat.AUTOMATIC_GAIN: "the camera changed its gain by itself",
        },
    }
)
"""Caveats that make an item a caution, in the words of its sentence."""

_ORDER: tuple[State, ...] = ("good", "caution", "bad")


@dataclass(frozen=True, slots=True)
class Item:
    """One of the four questions: its state and one sentence with the figures."""

    topic: Topic
    state: State
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The four items and the worst of their states."""

    items: tuple[Item, ...]

    @property
    def state(self) -> State:
        """Worst state of the items."""
        return worst(item.state for item in self.items)

    @property
    def headline(self) -> str:
        """The answer in one line."""
        if self.state == "good":
            return "Yes: time, tracking, saturation and noise are all in order."
        bad = [i.topic for i in self.items if i.state == "bad"]
        caution = [i.topic for i in self.items if i.state == "caution"]
        if bad:
            tail = f", with care for {_listed(caution)}" if caution else ""
            return f"Not as it stands: see {_listed(bad)}{tail}."
        return f"With care: see {_listed(caution)}."


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states; good when there are none."""
    return _ORDER[max((_ORDER.index(s) for s in states), default=0)]


def judge(result: ReductionResult) -> Verdict:
    """Judge a result by its figures and caveats.

    Parameters
    ----------
    result : ReductionResult
        A whole reduction.

    Returns
    -------
    Verdict
        Four items, in the order time, tracking, saturation, noise.
    """
    return Verdict((_time(result), _tracking(result), _saturation(result), _noise(result)))


class _Case:
    """Collects the clauses and the worst state of one item."""

    def __init__(self, topic: Topic, result: ReductionResult) -> None:
        self.topic: Topic = topic
        self.state: State = "good"
        self.clauses: list[str] = []
        seen = {note.caveat for note in all_notes(result)}
        self.cautions = [text for caveat, text in CAUTIONS[topic].items() if caveat in seen]

    def say(self, clause: str, state: State = "good") -> None:
        self.clauses.append(clause)
        self.state = worst((self.state, state))

    def weigh(self, limit: str, value: float, clause: str) -> None:
        """Say `clause` if `value` is past the good limit of `LIMITS[limit]`."""
        state = grade(limit, value)
        if state != "good":
            self.say(clause, state)

    def item(self) -> Item:
        for clause in self.cautions:
            self.say(clause, "caution")
        return Item(self.topic, self.state, sentence(self.clauses))


def grade(limit: str, value: float) -> State:
    """State of `value` by ``LIMITS[limit]``; a value that is not a number is a caution."""
    if math.isnan(value):
        return "caution"
    good, caution = LIMITS[limit]
    return "good" if value <= good else "caution" if value <= caution else "bad"


def flag_count(lightcurve: LightCurve, flag: Flag) -> int:
    """Number of points with `flag`."""
    return int(np.count_nonzero(lightcurve.flags & np.uint32(flag)))


def _time(result: ReductionResult) -> Item:
    case = _Case("time", result)
    curve = result.lightcurve
    known = curve.mid_ns != UNKNOWN_NS
    n = curve.frame.size
    if not known.any():
        case.cautions = []
        case.say("there are no times: the curve is against frame numbers and no event can be timed", "bad")
        return case.item()
    sigmas = curve.utc_sigma_s[known]
    sigmas = sigmas[np.isfinite(sigmas)]
    sigma = float(np.median(sigmas)) if sigmas.size else math.nan
    case.say(f"times are UTC of mid-exposure from {result.times.source}, ±{duration(sigma)}")
    steps = np.diff(curve.mid_ns)[known[1:] & known[:-1]]
    cadence = float(np.median(steps)) * 1e-9 if steps.size else math.nan
    if math.isnan(sigma):
        case.say("their uncertainty is unknown", "caution")
    elif cadence > 0:
        limit = "time sigma, in units of the cadence"
        case.weigh(limit, sigma / cadence, f"that is {figure(sigma / cadence, 2)} of the cadence")
    unsure = max(flag_count(curve, Flag.TIME_UNSURE), n - int(np.count_nonzero(known)))
    limit = "fraction of points without a sure time"
    case.weigh(limit, unsure / n, f"{plural(unsure, 'point')} of {n:,} without a sure time")
    for flag, noun in ((Flag.TIME_GAP, "gap"), (Flag.REPEATED, "repeated frame")):
        if count := flag_count(curve, flag):
            case.say(plural(count, noun), "caution")
    return case.item()


def _tracking(result: ReductionResult) -> Item:
    case = _Case("tracking", result)
    curve, alignment = result.lightcurve, result.alignment
    n = curve.frame.size
    stars = plural(alignment.guides, "guide star") if alignment.guides else "correlation alone"
    error, fwhm = alignment.shift_sigma_px, result.photometry.fwhm_px
    case.say(f"position from {stars}, ±{figure(error, 2)} px (FWHM {figure(fwhm, 2)} px)")
    limit = "predicted position error, in units of the FWHM"
    case.weigh(limit, error / fwhm if fwhm > 0 else math.nan, "that is much for so sharp an image")
    if alignment.guides == 0:
        case.state = worst((case.state, "caution"))
    lost = alignment.lost_frames
    case.say(
        f"{plural(lost, 'frame')} of {n:,} lost" if lost else "no frame lost",
        grade("fraction of frames lost", lost / n),
    )
    weak = flag_count(curve, Flag.WEAK_TRACKING)
    case.weigh("fraction of points with weak tracking", weak / n, f"weak on {plural(weak, 'frame')}")
    off = flag_count(curve, Flag.OFF_FRAME)
    limit = "fraction of points with the target off the frame"
    case.weigh(limit, off / n, f"the target's aperture leaves the frame on {off:,}")
    return case.item()


def _saturation(result: ReductionResult) -> Item:
    case = _Case("saturation", result)
    curve, level = result.lightcurve, result.photometry.saturation_adu
    n = curve.frame.size
    target = flag_count(curve, Flag.SATURATED)
    reference = flag_count(curve, Flag.REFERENCE_SATURATED)
    where = "no saturation level found" if level is None else f"level {level:,.6g} ADU"
    if not target and not reference:
        case.say(f"no saturated pixel in the target's or a reference's aperture ({where})")
        return case.item()
    case.say(
        f"the target is saturated on {plural(target, 'frame')} of {n:,} ({where})",
        grade("fraction of points with a saturated target", target / n),
    )
    limit = "fraction of points with a saturated reference"
    case.weigh(limit, reference / n, f"a reference star on {plural(reference, 'frame')}")
    return case.item()


def _noise(result: ReductionResult) -> Item:
    case = _Case("noise", result)
    curve, quality = result.lightcurve, result.quality
    n = curve.frame.size
    base = int(np.count_nonzero(curve.baseline))
    case.say(f"scatter {percent(quality.scatter)}, predicted {percent(quality.predicted_scatter)}")
    gain = f"gain from {result.photometry.gain_source}"
    if base < FEW_BASELINE_POINTS:
        case.say(f"with {plural(base, 'out-of-event point')} it cannot be judged", "caution")
    else:
        off = abs(quality.chi2_reduced - 1)
        if off <= 3 * math.sqrt(2 / base):
            off = 0.0  # as near to 1 as so many points allow
        state = grade("departure of the reduced chi-square from 1", off)
        case.say(f"reduced chi-square {figure(quality.chi2_reduced)} ({gain})", state)
    scale = quality.sigma_scale
    if scale != 1.0:
        limit = "factor applied to the sigmas"
        case.say(f"sigmas were multiplied by {figure(scale)}", grade(limit, max(scale, 1 / scale)))
    bad = flag_count(curve, Flag.BAD_REFERENCE)
    limit = "fraction of points without a usable reference"
    case.weigh(limit, bad / n, f"no usable reference on {plural(bad, 'frame')}")
    if quality.median_snr < LOW_SNR:
        case.say(f"median signal-to-noise only {figure(quality.median_snr, 2)}", "caution")
    return case.item()


def _listed(words: list[Topic]) -> str:
    if len(words) == 1:
        return words[0]
    return ", ".join(words[:-1]) + " and " + words[-1]
