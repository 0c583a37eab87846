"""What the light-curve page says in words and numbers, from a result's ``summary.json``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from api.web.advice import STATES, TOPIC_HELP, Advice, advice_on
from reduction.events.curve import EventCurve
from reduction.events.document import digits_of, edge_text, probability, value_text
from reduction.events.results import EventAnalysis, Figure
from reduction.outputs.event_summary import leading
from reduction.outputs.tables import FLAG_MEANINGS
from reduction.outputs.words import duration, figure, percent
from reduction.result import UNUSABLE, LightCurve
from reduction.timing import UNKNOWN_NS, utc_text

Summary = Mapping[str, Any]

MODELS: Mapping[str, str] = {
    "square": "sharp edge",
    "diffraction": "diffraction fringes",
    "disc": "the star's disc",
    "gradual": "gradual, as by an atmosphere",
}
EVENT_TITLES: Mapping[str, tuple[str, str]] = {
    "positive": ("●", "An event"),
    "negative": ("▼", "No event"),
    "inconclusive": ("◆", "No event shown, none excluded"),
}
FREE_WIDTHS: Mapping[str, str] = {
    "star_radius_s": "time to cross the star's radius",
    "scale_height_s": "time to cross a scale height",
    "fresnel_unit_s": "time to cross a Fresnel unit",
}
MOST_RUNS = 30
"""Runs of excluded samples that are listed; of more, the number."""


class Item(NamedTuple):
    """One of the four questions of the verdict."""

    topic: str
    state: str
    sign: str
    sentence: str
    help: str


class Warned(NamedTuple):
    """A caveat and what to do about it."""

    code: str
    message: str
    advice: Advice | None


class Verdict(NamedTuple):
    """The answer to "can this be trusted?"."""

    state: str
    sign: str
    answer: str
    headline: str
    means: str
    items: tuple[Item, ...]
    warned: tuple[Warned, ...]
    noted: tuple[Warned, ...]


class Fitted(NamedTuple):
    """A fitted figure: D, R or nothing; name, value and three intervals as text; where the help has it."""

    kind: str
    name: str
    value: str
    intervals: tuple[str, ...]
    help: str


class Score(NamedTuple):
    """A model of the flanks: how much worse it is than the best, and what that means."""

    name: str
    parameters: int
    bic: float
    aic: float
    chi2: float
    evidence: str
    used: bool


class EventShown(NamedTuple):
    """One fitted event."""

    rows: tuple[Fitted, ...]
    scores: tuple[Score, ...]


class FlagCount(NamedTuple):
    """A flag that some samples bear."""

    name: str
    meaning: str
    samples: int
    excluded: bool


class Run(NamedTuple):
    """Neighbouring samples without a usable flux, by their frames."""

    first: float
    last: float
    samples: int
    why: str


def verdict_of(summary: Summary) -> Verdict:
    """The verdict: caveats that made it first, those that only note something last."""
    said = summary["verdict"]
    sign, answer, means = STATES.get(said["state"], STATES["caution"])
    items = tuple(
        Item(
            topic=one["topic"],
            state=one["state"],
            sign=STATES.get(one["state"], STATES["caution"])[0],
            sentence=one["sentence"],
            help=TOPIC_HELP.get(one["topic"], "curves#verdict"),
        )
        for one in said["items"]
    )
    notes = [Warned(str(n["code"]), str(n["message"]), advice_on(str(n["code"]))) for n in summary["caveats"]]
    idle = [n for n in notes if n.advice is None or n.advice.text.startswith("Nothing to do")]
    return Verdict(
        state=said["state"],
        sign=sign,
        answer=answer,
        headline=said["headline"],
        means=means,
        items=items,
        warned=tuple(n for n in notes if n not in idle),
        noted=tuple(idle),
    )


def events_of(analysis: EventAnalysis | None, curve: EventCurve | None) -> tuple[EventShown, ...]:
    """Every fitted event with its figures, and the models that were compared."""
    if analysis is None or curve is None:
        return ()
    shown = []
    for event in analysis.events:
        rows = [
            Fitted(
                edge.kind, _name(edge.kind), edge_text(edge, curve), _intervals(edge.utc, "s"), "events#d-r"
            )
            for edge in (event.d, event.r)
            if edge is not None
        ]
        for kind, edge in (("D", event.d), ("R", event.r)):
            if edge is None:
                rows.append(Fitted(kind, _name(kind), "outside the recording", (), "events#d-r"))
            elif edge.gradual_s is not None:
                text = f"10 to 90 % in {duration(edge.gradual_s)}"
                rows.append(Fitted("", f"flank at {kind}", text, (), "events#models"))
        if event.duration is not None:
            text = value_text(event.duration, "s")
            rows.append(Fitted("", "duration", text, _intervals(event.duration, "s"), "events#duration"))
        rows.append(Fitted("", "depth", value_text(event.depth), _intervals(event.depth), "events#depth"))
        for name, value in event.parameters.items():
            text = value_text(value, "s" if name[:-2].endswith("_s") else "")
            rows.append(Fitted("", _parameter(name), text, _intervals(value), "events#models"))
        shown.append(EventShown(tuple(rows), _scores(event.scores, event.label)))
    return tuple(shown)


def found_rows(analysis: EventAnalysis | None, curve: EventCurve | None) -> list[tuple[str, str, str]]:
    """The leading event in short: name, value, and D or R or nothing."""
    first = None if analysis is None else leading(analysis)
    if first is None or curve is None:
        return []
    rows: list[tuple[str, str, str]] = []
    rows += [(e.kind, edge_text(e, curve), e.kind) for e in (first.d, first.r) if e is not None]
    if first.duration is not None:
        rows.append(("duration", value_text(first.duration, "s"), ""))
    return [*rows, ("depth", value_text(first.depth), "")]


def _name(kind: str) -> str:
    return "disappearance" if kind == "D" else "reappearance"


def _parameter(name: str) -> str:
    stem, _, end = name.rpartition("_")
    return f"{FREE_WIDTHS[stem]}, at {end.upper()}" if stem in FREE_WIDTHS else name.replace("_", " ")


def _intervals(value: Figure, unit: str = "") -> tuple[str, ...]:
    digits = digits_of(value.sigma)
    tail = f" {unit}" if unit else ""
    return tuple(
        f"−{value.value - low:.{digits}f} +{high - value.value:.{digits}f}{tail}"
        for low, high in value.intervals
    )


def _scores(scores: Sequence[Any], label: str) -> tuple[Score, ...]:
    if not scores:
        return ()
    best = {key: min(getattr(score, key) for score in scores) for key in ("aic", "bic")}
    return tuple(
        Score(
            name=MODELS.get(score.model, score.model),
            parameters=score.parameters,
            bic=score.bic - best["bic"],
            aic=score.aic - best["aic"],
            chi2=score.chi2_reduced,
            evidence=evidence(score.bic - best["bic"]),
            used=score.model == label,
        )
        for score in scores
    )


def evidence(bic: float) -> str:
    """What a difference of BIC says against a model (Kass and Raftery 1995, section 4.1)."""
    if not math.isfinite(bic):
        return "cannot be said"
    for least, words in ((10, "very strong"), (6, "strong"), (2, "positive")):
        if bic > least:
            return f"{words} evidence against it"
    return "the best" if bic == 0 else "as good as the best"


def event_rows(summary: Summary) -> list[tuple[str, str, str]]:
    """Figures of the search: name, value, where the help explains it."""
    said = summary["event"]
    rows = [
        ("false-alarm probability of the whole search", probability(_number(said["false_alarm_probability"])),
         "events#false-alarm")
    ]  # fmt: skip
    seen = said["detectable"]
    if seen is not None:
        length = "none" if seen["shortest_s"] is None else duration(seen["shortest_s"])
        name = f"shortest event of depth {figure(seen['depth'], 2)} that would have been seen"
        rows.append((name, length, "events#detectable"))
    noise = said["noise"]
    if noise["sigma"] is not None:
        words = f"σ {figure(noise['sigma'])}"
        words += f", correlated over {duration(noise['longest_s'])}" if noise["longest_s"] else ", white"
        if noise["bad_share"]:
            words += f", {100.0 * noise['bad_share']:.2g} % bad samples"
        rows.append(("noise of a sample, out of event", words, "events#noise"))
    return rows


def quality_rows(summary: Summary) -> list[tuple[str, str, str]]:
    """Figures of the curve: name, value, where the help explains it."""
    curve, photometry, source = summary["lightcurve"], summary["photometry"], summary["input"]
    sky = photometry["sky_px"]
    return [
        ("samples, of these good", f"{curve['points']:,}, {curve['good_points']:,}", "photometry#flags"),
        ("scatter, out of event", percent(_number(curve["scatter"])), "photometry#scatter"),
        ("scatter that the noise model predicts", percent(_number(curve["predicted_scatter"])),
         "photometry#scatter"),
        ("reduced χ², out of event", figure(curve["chi2_reduced"]), "photometry#chi2"),
        ("factor applied to the sigmas", figure(curve["sigma_scale"]), "photometry#sigma-scale"),
        ("median signal-to-noise of the target", figure(curve["median_snr"]), "photometry#snr"),
        ("cadence", _seconds(source["cadence_s"]), "times#exposure"),
        ("exposure", _seconds(source["exposure_s"]), "times#exposure"),
        ("σ of a time", _seconds(source["time_sigma_s"]), "times#uncertainty"),
        ("times from", str(source["time_source"]), "times#sources"),
        ("extraction", str(photometry["extraction"]), "photometry#extraction"),
        ("aperture, sky annulus",
         f"{photometry['aperture_px']:.2f} px, {sky[0]:.2f} to {sky[1]:.2f} px", "photometry#aperture"),
        ("image width (FWHM)", f"{figure(photometry['fwhm_px'])} px", "photometry#fwhm"),
        ("gain", f"{figure(photometry['gain'])} ± {figure(photometry['gain_sigma'], 2)} e⁻/ADU",
         "photometry#gain"),
    ]  # fmt: skip


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else duration(value)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def flag_counts(summary: Summary) -> list[FlagCount]:
    """Flags that some samples bear, those first with which a sample has no usable flux."""
    counts = summary["lightcurve"]["flags"]
    found = []
    for flag, meaning in FLAG_MEANINGS.items():
        name = str(flag.name).lower()
        if counts.get(name):
            found.append(FlagCount(name.replace("_", " "), meaning, counts[name], bool(flag & UNUSABLE)))
    return sorted(found, key=lambda one: not one.excluded)


def excluded_runs(curve: LightCurve) -> tuple[list[Run], int]:
    """Runs of samples without a usable flux, in order of the recording; and how many there are in all."""
    out = np.flatnonzero((curve.flags & np.uint32(UNUSABLE)) != 0)
    if not out.size:
        return [], 0
    parts = np.split(out, np.flatnonzero(np.diff(out) > 1) + 1)
    runs = [
        Run(
            float(curve.frame[part[0]]),
            float(curve.frame[part[-1]]),
            part.size,
            flag_words(_any(curve, part)),
        )
        for part in parts[:MOST_RUNS]
    ]
    return runs, len(parts)


def _any(curve: LightCurve, part: NDArray[np.intp]) -> int:
    return int(np.bitwise_or.reduce(curve.flags[part]) & np.uint32(UNUSABLE))


def flag_words(bits: int) -> str:
    """Names of flags, comma between; empty for none."""
    return ", ".join(str(flag.name).lower().replace("_", " ") for flag in FLAG_MEANINGS if bits & int(flag))


TIME_DIGITS = 6
"""A light curve has its times to a microsecond."""


class Sample(NamedTuple):
    """The values of one sample, as text; and its neighbours in order of time."""

    frame: float
    utc: str
    after: str
    rows: tuple[tuple[str, str, str, str], ...]
    flags: str
    before_frame: float | None
    after_frame: float | None


def sample_at(curve: LightCurve, frame: float | None, middle_ns: int | None) -> Sample:
    """The sample nearest to a frame; without one, that in the middle of the event, or of the recording."""
    k = index = _index(curve, frame, middle_ns)
    mid = int(curve.mid_ns[index])
    known = mid != UNKNOWN_NS
    after = ""
    if known and middle_ns is not None:
        after = f"{(mid - middle_ns) * 1e-9:+.4f} s".replace("-", "−")
    sigma = float(curve.utc_sigma_s[index])
    when = (
        f"{utc_text(mid, digits_of(sigma, TIME_DIGITS))[:-1].replace('T', ' ')} UTC" if known else "unknown"
    )
    if known and math.isfinite(sigma):
        when += f" ± {duration(sigma)}"
    rows = (
        ("normalised", "F_N, target over reference", _pm(curve.flux_norm[k], curve.flux_norm_sigma[k]),
         "curves#normalised"),
        ("target", "target, ADU", _pm(curve.target_flux[k], curve.target_sigma[k]), "curves#target-flux"),
        ("reference", "reference, ADU", _pm(curve.reference_flux[k], curve.reference_sigma[k]),
         "curves#reference-flux"),
        ("", "sky, ADU per pixel", figure(float(curve.target_sky[index]), 4), "photometry#sky"),
        ("", "place on the frame, px", f"{curve.target_x[index]:.2f}, {curve.target_y[index]:.2f}",
         "photometry#tracking"),
    )  # fmt: skip
    last = curve.frame.size - 1
    return Sample(
        frame=float(curve.frame[index]),
        utc=when,
        after=after,
        rows=rows,
        flags=flag_words(int(curve.flags[index])) or "none: good",
        before_frame=float(curve.frame[index - 1]) if index else None,
        after_frame=float(curve.frame[index + 1]) if index < last else None,
    )


def _index(curve: LightCurve, frame: float | None, middle_ns: int | None) -> int:
    if frame is not None:
        return int(np.argmin(np.abs(curve.frame - frame)))
    known = curve.mid_ns != UNKNOWN_NS
    if middle_ns is not None and known.any():
        distance = np.where(known, np.abs(curve.mid_ns - middle_ns), np.iinfo(np.int64).max)
        return int(np.argmin(distance))
    return curve.frame.size // 2


def _pm(value: float, sigma: float) -> str:
    """``0.981 ± 0.023``, to two digits of the sigma."""
    if not math.isfinite(value):
        return "not measured"
    if not (math.isfinite(sigma) and sigma > 0):
        return f"{figure(float(value), 4)} (± unknown)"
    digits = digits_of(float(sigma))
    return f"{value:.{digits}f} ± {sigma:.{digits}f}"
