"""Traps of FITS times: local time as UT, whole seconds, a date that misses midnight, keywords at odds.

Each is a caveat. Stamps are changed only where the headers prove what is meant: local time, where a Julian
date and a stated offset agree on it; midnight, where the cadence goes on through it; places within a second,
where whole-second stamps keep to one regular cadence, and then no better than the second allows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ingest.fits_header import FitsHeader
from ingest.instants import DAY_NS, SECOND_NS
from ingest.stamps import HALF_SECOND, Stamps
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS

Times = NDArray[np.int64]
OtherTimes = tuple[Times, float]
"""Times of another keyword, nanoseconds UTC, and half their last digit, seconds."""

OFFSET_KEYS = ("TIMEZONE", "TZ", "UTOFFSET", "UT-OFFS", "UTCOFFS", "GMTOFFS", "LT-UT", "TZOFFSET")
LOCAL_KEYS = ("DATE-LOC", "LOCTIME", "LT")
TRAP_KEYS = frozenset({*OFFSET_KEYS, *LOCAL_KEYS})
QUARTER_NS = 900 * SECOND_NS
LARGEST_ZONE_NS = 15 * 3600 * SECOND_NS
ZONE_TOLERANCE_NS = 2 * SECOND_NS
SLACK_NS = 2_000_000
LEAST_FRAMES = 8


def reviewed_stamps(
    stamps: Stamps, headers: Sequence[FitsHeader], key: str, others: Mapping[str, OtherTimes]
) -> Stamps:
    """Stamps of a sequence after the traps.

    Parameters
    ----------
    stamps : Stamps
        As read from the keyword `key`.
    headers : sequence of FitsHeader
        Of the frames.
    key : str
    others : mapping of str to (array, (t,), int64; float)
        Times of other keywords that all headers have, nanoseconds UTC, and half their last digit, seconds.
    """
    if not (stamps.stamp_ns != UNKNOWN_NS).all():
        return _local_by_comment(stamps, headers[0], key)
    stamps = _through_midnight(stamps, key)
    before = stamps
    stamps = _against_others(stamps, headers[0], key, others)
    if stamps is before:
        stamps = _local_by_comment(stamps, headers[0], key)
    return _within_seconds(stamps)


def _noted(stamps: Stamps, caveat: Caveat, text: str, stamp_ns: Times | None = None) -> Stamps:
    kept = stamps.stamp_ns if stamp_ns is None else stamp_ns
    return replace(stamps, stamp_ns=kept, notes=(*stamps.notes, Note(caveat, text)))


def _local_by_comment(stamps: Stamps, header: FitsHeader, key: str) -> Stamps:
    """A comment that calls the times local: said, but nothing tells the offset for sure."""
    if not re.search(r"\blocal\b(?! oscillator| standard of rest)", header.comment(key)):
        return stamps
    text = (
        f"FITS {key}: its comment calls it local time; it is taken as UT: shift it by --clock-offset S, "
        "local minus UT"
    )
    return _noted(stamps, Caveat.LOCAL_TIME, text)


def _through_midnight(stamps: Stamps, key: str) -> Stamps:
    """A date that stays while the clock passes midnight: one step of a day back, the cadence goes on."""
    steps = np.diff(stamps.stamp_ns)
    back = np.flatnonzero(steps < -DAY_NS // 2)
    if back.size != 1 or steps.size < 2:
        return stamps
    others = np.delete(steps, back)
    usual = float(np.median(others))
    if not usual >= 0 or abs(float(steps[back[0]]) + DAY_NS - usual) > max(2 * usual, 2 * SECOND_NS):
        return stamps
    moved = stamps.stamp_ns.copy()
    moved[back[0] + 1 :] += DAY_NS
    text = f"FITS {key}: the date stays the same past midnight; a day is added from frame {back[0] + 1} on"
    return _noted(stamps, Caveat.TIMES_CONFLICT, text, moved)


def _against_others(stamps: Stamps, header: FitsHeader, key: str, others: Mapping[str, OtherTimes]) -> Stamps:
    """Compare with what other keywords say: by a time zone, by a frame, or by something else."""
    exposure_ns = float(np.nanmedian(stamps.exposure_s)) * SECOND_NS if stamps.exposure_known else 0.0
    step = float(np.median(np.diff(stamps.stamp_ns))) if stamps.stamp_ns.size > 1 else 0.0
    for name, (times, half_digit_s) in others.items():
        slack = SLACK_NS + (4 * float(np.median(stamps.sigma_s)) + 2 * half_digit_s) * SECOND_NS
        apart = float(np.median(times - stamps.stamp_ns))
        if min(abs(abs(apart) - part * exposure_ns) for part in (0.0, 0.5, 1.0)) <= slack:
            continue
        zone = round(apart / QUARTER_NS) * QUARTER_NS
        rest = abs(apart - zone)
        if 0 < abs(zone) <= LARGEST_ZONE_NS and rest <= ZONE_TOLERANCE_NS + slack + exposure_ns:
            return _zone(stamps, header, key, name, zone)
        frame = step > 4 * slack and abs(abs(apart) - step) <= slack
        if frame or abs(apart) > 2 * exposure_ns + slack + SECOND_NS:
            text = (
                f"FITS {name} is {apart * 1e-9:+.6g} s from {key}{', one frame' if frame else ''}: no "
                f"instant of the exposure explains it; {key} is used"
            )
            return _noted(stamps, Caveat.TIMES_CONFLICT, text)
    return stamps


def _zone(stamps: Stamps, header: FitsHeader, key: str, name: str, zone_ns: int) -> Stamps:
    """Two keywords a time zone apart; changed where a third one tells the same zone."""
    hours = zone_ns / (3600 * SECOND_NS)
    for offset in OFFSET_KEYS:
        stated = header.number(offset)
        if stated is not None and abs(abs(stated) - abs(hours)) < 0.01:
            text = (
                f"FITS {key} is local time: {name} is {hours:+g} h from it, and {offset} = {stated:g} says "
                f"the same; {hours:+g} h are added"
            )
            return _noted(stamps, Caveat.LOCAL_TIME_CORRECTED, text, stamps.stamp_ns + zone_ns)
    text = (
        f"FITS {name} is {hours:+g} h from {key}: one of them is local time, and nothing says which; {key} "
        "is taken as UT; shift it by --clock-offset S, local minus UT"
    )
    return _noted(stamps, Caveat.LOCAL_TIME, text)


def _within_seconds(stamps: Stamps) -> Stamps:
    """Whole-second stamps that keep to one regular cadence, put in their places on it.

    The line is right within the second: whether the writer cut or rounded is not known, so each time
    stays half a second uncertain, but intervals are those of the cadence.
    """
    whole, n = stamps.stamp_ns, stamps.stamp_ns.size
    if n < LEAST_FRAMES or stamps.sigma_stated or bool(np.any(whole % SECOND_NS)):
        return stamps
    seconds = (whole - whole[0]) // SECOND_NS
    number = np.arange(n, dtype=np.float64)
    slope, level = np.polyfit(number, seconds.astype(np.float64), 1)
    rest = seconds - (level + slope * number)
    if slope <= 0 or abs(slope - round(slope)) * n < 1 or float(rest.max() - rest.min()) > 1.02:
        return stamps
    line = whole[0] + np.rint((level + slope * number) * SECOND_NS).astype(np.int64)
    text = (
        f"{stamps.source}: all stamps are whole seconds; they keep to a cadence of {slope:.6g} s, which "
        f"gives the places of frames within a second; each time is taken as {HALF_SECOND} s uncertain"
    )
    stamps = replace(stamps, sigma_s=np.full(n, HALF_SECOND), sigma_stated=True)
    return _noted(stamps, Caveat.WHOLE_SECONDS, text, line)
