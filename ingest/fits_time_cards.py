"""Times of a frame as FITS keywords (FITS standard 4.0, chapter 9): what is known, and nothing else.

Keywords of unknown times are absent, and a comment says so. Dates have microseconds, MJD a tenth of one.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ingest.fits_cards import Card, commentary
from ingest.instants import DAY_NS, MJD_OF_UNIX_EPOCH, SECOND_NS
from reduction.timing import UNKNOWN_NS, TimeSolution, utc_text

MJD_DIGITS = 12


def date_text(ns: int) -> str:
    """ISO-8601 as FITS has it: microseconds, no zone."""
    return utc_text(ns).rstrip("Z")


def mjd(ns: int) -> float:
    """Modified Julian date, UTC; a double holds it to 0.6 microseconds."""
    ticks = (ns * 10**MJD_DIGITS + DAY_NS // 2) // DAY_NS
    days, part = divmod(ticks, 10**MJD_DIGITS)
    return float(MJD_OF_UNIX_EPOCH + days) + float(part) * 10.0**-MJD_DIGITS


def scale_cards() -> tuple[Card, ...]:
    """Scale, place and unit of all times of a header."""
    return (
        Card("TIMESYS", "UTC", "scale of all times here"),
        Card("TREFPOS", "TOPOCENT", "times are those at the telescope"),
        Card("TIMEUNIT", "s", "unit of durations and errors"),
    )


def frame_cards(times: TimeSolution, frame: int) -> Iterator[Card]:
    """Keywords of one frame's exposure.

    Parameters
    ----------
    times : TimeSolution
        Of the recording.
    frame : int
        Which.
    """
    exposure = float(times.exposure_s[frame])
    if math.isfinite(exposure):
        yield Card("EXPTIME", exposure, "[s] exposure")
        yield Card("XPOSURE", exposure, "[s] exposure")
    mid = int(times.mid_ns[frame])
    if mid == UNKNOWN_NS:
        yield from commentary("COMMENT", "The time of this frame is not known: it has no time keywords.")
        return
    if math.isfinite(exposure):
        half = round(exposure * SECOND_NS / 2)
        yield Card("DATE-OBS", date_text(mid - half), "UTC, start of exposure")
        yield Card("DATE-BEG", date_text(mid - half), "UTC, start of exposure")
        yield Card("DATE-AVG", date_text(mid), "UTC, middle of exposure")
        yield Card("DATE-END", date_text(mid + half), "UTC, end of exposure")
        yield Card("MJD-BEG", mjd(mid - half), "[d] start of exposure")
    else:
        yield Card("DATE-AVG", date_text(mid), "UTC, middle of exposure")
        text = "The exposure of this frame is not known: its start and end are not stated."
        yield from commentary("COMMENT", text)
    yield Card("MJD-AVG", mjd(mid), "[d] middle of exposure")
    common, own = (float(part[0]) for part in errors_of(times, slice(frame, frame + 1)))
    if math.isfinite(own):
        yield Card("TIMSYER", common, "[s] one sigma, the same for all frames")
        yield Card("TIMRDER", own, "[s] one sigma, of this frame alone")


def errors_of(times: TimeSolution, part: slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Systematic and random error of times, one sigma each, seconds; NaN where the time is not known.

    The systematic one is that of the corrections in the ledger, which are wrong alike on all frames (FITS
    4.0, 9.4.2: TIMSYER and TIMRDER). Where a frame's own sigma is smaller than that, all of it is systematic.
    """
    sigma = times.sigma_s[part]
    ledger = math.sqrt(sum(entry.sigma_s**2 for entry in times.ledger if math.isfinite(entry.sigma_s)))
    common = np.minimum(sigma, ledger)
    return common, np.sqrt(np.maximum(sigma**2 - common**2, 0.0))


def history_cards(times: TimeSolution) -> Iterator[Card]:
    """How the times came about: their source, the ledger of corrections, the caveats."""
    yield Card("TIMESRC", times.source, "where the times come from")
    yield Card("TIMDIGST", times.digest)
    for entry in times.ledger:
        text = (
            f"Time: {entry.what}, from {entry.start} to {entry.end}: {entry.value_s:+.9g} s "
            f"(sigma {entry.sigma_s:.3g} s), {entry.source}"
        )
        yield from commentary("HISTORY", text)
    if times.rows is not None:
        place = f"{times.rows.reference:g} of the height from the top"
        text = f"Rows differ in time by {times.rows.per_row_s:.6g} s; times are those of the row at {place}."
        yield from commentary("COMMENT", text)
    for note in times.notes:
        yield from commentary("COMMENT", f"Caveat {note.caveat.value}: {note.message}")
