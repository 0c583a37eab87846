"""From a dialect's own words to a curve: star chosen, times settled, flux over its out-of-event level."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.curves.curve_table import CurveTable
from ingest.curves.raw import RawCurve, chosen
from ingest.instants import parse_date, parse_utc
from ingest.stamps import Stamps, solve
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.events.curve import Floats
from reduction.lightcurve import out_of_event, robust_sigma, time_flags
from reduction.result import Flag
from reduction.timing import UNKNOWN_NS, Instant, TimeSolution

Flags = NDArray[np.uint32]

MOST_CLIPS = 30
LEAST_LEVEL = 5.0
"""Errors by which the out-of-event level must exceed zero for the curve to be divided by it."""


@dataclass(frozen=True, slots=True)
class CurveOptions:
    """What a person says of a curve that its file does not.

    Attributes
    ----------
    column : str or None
        The target's flux: name, end of a name, or number among the flux columns from 1.
    reference : str or None
        The comparison star's, the same way; ``none``: do not divide, even where the file names one.
    tref : str or None
        UTC that seconds count from, ISO-8601.
    date : str or None
        UTC date of the first sample, where the file holds times of day.
    exposure_s : float or None
        Instead of the file's own, seconds.
    meaning : Instant or None
        Which instant of the exposure the times name.
    """

    column: str | None = None
    reference: str | None = None
    tref: str | None = None
    date: str | None = None
    exposure_s: float | None = None
    meaning: Instant | None = None

    def __post_init__(self) -> None:
        if self.meaning not in (None, "start", "mid", "end"):
            raise RequestError(f"--time-is {self.meaning}: give start, mid or end")
        if self.exposure_s is not None and not 0 < self.exposure_s < 86_400:
            raise RequestError(f"--exposure {self.exposure_s}: give seconds above 0 and below a day")


def settle(raw: RawCurve, options: CurveOptions, name: str) -> CurveTable:
    """The curve that a file and a person say.

    Raises
    ------
    RequestError
        The options name what is not there, or are no dates.
    """
    target, reference, notes = _stars(raw, options, name)
    flux, sigma, flags = _divided(raw, target, reference)
    times, dated, said = _times(raw, options, name)
    if raw.flags is not None:
        flags = flags | raw.flags
    if times.known.any():
        flags |= time_flags(times, np.zeros(flags.size, bool))
        flags[_repeated(raw)] |= np.uint32(Flag.REPEATED.value)
    flags[~np.isfinite(flux)] |= np.uint32(Flag.NOT_FINITE.value)
    order = np.argsort(times.mid_ns, kind="stable")
    level, unseen = _level(flux[order], flags[order], raw.level, raw.program)
    return CurveTable(
        name=name,
        program=raw.program,
        frame=raw.frame,
        mid_ns=times.mid_ns,
        dated=dated,
        exposure_s=times.exposure_s,
        utc_sigma_s=times.sigma_s,
        flux=flux / level,
        sigma=sigma / level,
        flags=flags,
        level=level,
        notes=tuple(dict.fromkeys((*raw.notes, *notes, *said, *unseen))),
        provenance={
            **raw.provenance,
            "target": target,
            **({"reference": reference} if reference else {}),
            "times": times.source,
        },
    )


def _stars(raw: RawCurve, options: CurveOptions, name: str) -> tuple[str, str | None, list[Note]]:
    """Names of the target's and the comparison star's columns, and what must be said of the choice."""
    there = tuple(raw.fluxes)
    notes = []
    if options.column is not None:
        target = chosen(options.column, there, name, "--column")
    else:
        target = raw.target or there[0]
        if raw.target is None and len(there) > 1:
            others = ", ".join(there[1:6]) + (", ..." if len(there) > 6 else "")
            text = f"{name}: {target} is taken as the target; --column names another of {others}"
            notes.append(Note(Caveat.TARGET_CHOSEN, text))
    if options.reference is None:
        reference = raw.reference if raw.reference != target else None
    elif options.reference.strip().lower() == "none":
        reference = None
    else:
        reference = chosen(options.reference, there, name, "--reference")
        if reference == target:
            raise RequestError(f"{name}: --reference {options.reference}: that is the target itself")
    return target, reference, notes


def _divided(raw: RawCurve, target: str, reference: str | None) -> tuple[Floats, Floats, Flags]:
    """Flux and sigma of the target, over the comparison star where there is one; flags of bad ones."""
    flux = raw.fluxes[target].astype(np.float64)
    nothing = np.full(flux.size, np.nan)
    sigma = raw.sigmas.get(target, nothing).astype(np.float64)
    flags = np.zeros(flux.size, np.uint32)
    if reference is None:
        return flux, sigma, flags
    star = raw.fluxes[reference]
    bad = ~(star > 0)
    middle = float(np.median(star[~bad])) if (~bad).any() else 1.0
    safe = np.where(bad, np.nan, star) / middle
    star_sigma = np.nan_to_num(raw.sigmas.get(reference, nothing)) / middle
    divided = flux / safe
    flags[bad] |= np.uint32(Flag.BAD_REFERENCE.value)
    return divided, np.sqrt((sigma / safe) ** 2 + (divided * star_sigma / safe) ** 2), flags


def _times(raw: RawCurve, options: CurveOptions, name: str) -> tuple[TimeSolution, bool, list[Note]]:
    """Mid-exposure times, whether they are tied to UTC, and the caveats about them."""
    stamp, dated = _dated(raw, options, name)
    known = stamp != UNKNOWN_NS
    exposure = raw.exposure_s
    if options.exposure_s is not None:
        exposure = np.full(stamp.size, options.exposure_s)
    stated = raw.time_sigma_s is not None
    sigma = raw.resolution_s if raw.time_sigma_s is None else raw.time_sigma_s
    stamps = Stamps(
        stamp_ns=stamp,
        exposure_s=exposure,
        sigma_s=np.where(known, sigma, np.nan),
        meaning=raw.meaning,
        source=raw.program,
        sigma_stated=stated,
        inserted=None if options.meaning else raw.inserted,
        included=raw.included,
        said_by=raw.said_by,
    )
    times = solve(stamps, options.meaning)
    notes = list(times.notes)
    if not known.any():
        text = f"{name}: {raw.program} without any time: samples are laid out by frame"
        notes = [Note(Caveat.TIMES_ABSENT, text)]
    if known.any() and not dated:
        notes = [note for note in notes if note.caveat is not Caveat.LEAP_SECOND]
        what = "times of day and no date; give --date YYYY-MM-DD of the first sample"
        if raw.dating == "seconds":
            what = "seconds after an instant that it does not name; give --tref, its UTC"
        notes.append(Note(Caveat.DATE_UNSET, f"{name}: {raw.program} with {what}"))
    if known.any() and not stated:
        finest = float(np.nanmedian(raw.resolution_s[known]))
        text = (
            f"{raw.program}: how sure its clock was is not stated; its times count as sure to {finest:.2g} s"
        )
        notes.append(Note(Caveat.CLOCK_UNSTATED, f"{text}, half their last digit"))
    return times, dated and bool(known.any()), notes


def _dated(raw: RawCurve, options: CurveOptions, name: str) -> tuple[NDArray[np.int64], bool]:
    """Stamps with the date or the reference that options give, and whether they now are UTC."""
    known = raw.stamp_ns != UNKNOWN_NS
    day = None
    if options.date is not None and (day := parse_date(options.date)) is None:
        raise RequestError(f"--date {options.date}: give YYYY-MM-DD")
    zero = day
    if options.tref is not None:
        parsed = parse_utc(options.tref)
        zero = parsed[0] if parsed else parse_date(options.tref)
        if zero is None:
            raise RequestError(f"--tref {options.tref}: give a UTC date and time, YYYY-MM-DDTHH:MM:SS")
        if raw.dating in {"utc", "clock"}:
            raise RequestError(f"{name}: --tref is for seconds; {raw.program} holds times of their own")
    if raw.dating == "utc" and day is not None:
        raise RequestError(f"{name}: --date: {raw.program} holds dates of its own")
    if raw.dating == "utc" or not known.any():
        return raw.stamp_ns, True
    origin = zero if raw.dating == "seconds" else day
    if origin is None:
        return raw.stamp_ns, False
    return np.where(known, raw.stamp_ns + np.where(known, origin, 0), UNKNOWN_NS), True


def _repeated(raw: RawCurve) -> NDArray[np.bool_]:
    """Rows whose frame or time is that of the row before: the same sample twice."""
    same = np.zeros(raw.frame.size, bool)
    known = (raw.stamp_ns[1:] != UNKNOWN_NS) & (raw.stamp_ns[1:] == raw.stamp_ns[:-1])
    same[1:] = known | (raw.frame[1:] == raw.frame[:-1])
    return same


def _level(flux: Floats, flags: Flags, stated: float | None, program: str) -> tuple[float, list[Note]]:
    """Out-of-event level: stated, or the median of what is not in a run of low samples."""
    if stated is not None:
        return stated, []
    usable = np.isfinite(flux) & ((flags & np.uint32(Flag.REPEATED.value)) == 0)
    values = flux[usable]
    if not values.size:
        return 1.0, []
    spread = robust_sigma(np.diff(values)) / np.sqrt(2.0) if values.size > 2 else 0.0
    spread = max(spread, 1e-12 * float(np.max(np.abs(values))))
    baseline = out_of_event(flux, np.full(flux.size, spread), usable)
    outside = _clipped(flux[baseline] if baseline.any() else values, spread)
    level = float(np.median(outside))
    if level > LEAST_LEVEL * 1.2533 * robust_sigma(outside) / np.sqrt(outside.size) and level > 0:
        return level, []
    text = f"{program}: the star's light does not stand above zero; the flux is left as the file has it"
    return 1.0, [Note(Caveat.TARGET_NOT_SEEN, text)]


def _clipped(values: Floats, spread: float) -> Floats:
    """Values within three of the points' own scatter of their median: what is left are no flanks.

    A curve that wanders by more than its scatter keeps a quarter of its points at least.
    """
    kept = values
    for _ in range(MOST_CLIPS):
        near = np.abs(values - np.median(kept)) <= 3.0 * spread
        if 4 * np.count_nonzero(near) < values.size or np.array_equal(values[near], kept):
            break
        kept = values[near]
    return kept
