"""What FITS headers say about time: which keyword, which instant, which scale, how finely.

Order of trust: keywords whose meaning the standard fixes (DATE-BEG, DATE-AVG, DATE-END; FITS 4.0, 9.5),
then DATE-OBS (start of the observation unless its comment says otherwise), then Julian dates. With the option
--time-is the person speaks about DATE-OBS, so that it comes first. One keyword serves a whole recording: the
first that all files have, else the one that most have.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.fits_header import FitsHeader
from ingest.fits_traps import TRAP_KEYS, OtherTimes, reviewed_stamps
from ingest.instants import DAY_NS, SECOND_NS, days_to_ns, parse_clock, parse_date, parse_utc, utc_from_scale
from ingest.stamps import Stamps
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS, Instant

JD_EPOCH_MJD = -2_400_000.5
JD_DOUBLE_S = 2.0e-5  # half the spacing of doubles near 2.46 million days
CLOCK_KEYS = ("TIME-OBS", "UT-OBS", "UTC-OBS", "UTSTART", "UT", "UTC", "UTTIME")
EXPOSURE_KEYS = ("EXPTIME", "EXPOSURE", "XPOSURE", "EXP_TIME", "EXPOSUR")
CADENCE_KEYS = ("CADENCE", "FRMTIME", "KCT")
ERROR_KEYS = ("TIMSYER", "TIMRDER")
TIME_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0, "h": 3600.0, "d": 86_400.0}
FRACTION = 0.1  # of the span, within which a stated cadence must agree with a stated end


@dataclass(frozen=True, slots=True)
class Reading:
    """One time as written: nanoseconds of the header's scale, and half its last digit in seconds."""

    ns: int
    half_digit_s: float


def _iso(header: FitsHeader, key: str) -> Reading | None:
    """An ISO date and time; or a date alone with the time of day in a keyword beside it."""
    text = header.text(key)
    if text is None:
        return None
    parsed = parse_utc(text)
    if parsed is None and key == "DATE-OBS":
        parsed = _date_and_clock(header, text)
    return None if parsed is None else Reading(parsed[0], 0.5 * 10.0 ** -parsed[1])


def _date_and_clock(header: FitsHeader, text: str) -> tuple[int, int] | None:
    midnight = parse_date(text)
    if midnight is None:
        return None
    for key in CLOCK_KEYS:
        clock = parse_clock(header.text(key) or "")
        if clock is not None:
            return midnight + clock[0], clock[1]
    return None


def _days(epoch_mjd: float) -> Callable[[FitsHeader, str], Reading | None]:
    def read(header: FitsHeader, key: str) -> Reading | None:
        parsed = days_to_ns(header.text(key) or "", epoch_mjd)
        if parsed is None:
            return None
        floor = JD_DOUBLE_S if epoch_mjd else 0.0
        return Reading(parsed[0], max(parsed[1] / 2, floor))

    return read


@dataclass(frozen=True, slots=True)
class TimeKey:
    """A keyword, how it is read, and the instant that it names by the standard (None: it does not say)."""

    name: str
    read: Callable[[FitsHeader, str], Reading | None]
    meaning: Instant | None


_mjd, _jd = _days(0.0), _days(JD_EPOCH_MJD)
DATE_OBS = TimeKey("DATE-OBS", _iso, "start")
TIME_KEYS = (
    TimeKey("DATE-BEG", _iso, "start"),
    TimeKey("DATE-AVG", _iso, "mid"),
    TimeKey("DATE-END", _iso, "end"),
    DATE_OBS,
    TimeKey("MJD-BEG", _mjd, "start"),
    TimeKey("MJD-AVG", _mjd, "mid"),
    TimeKey("MJD-END", _mjd, "end"),
    TimeKey("MJD-OBS", _mjd, "start"),
    TimeKey("JD-OBS", _jd, None),
    TimeKey("JD_UTC", _jd, None),
    TimeKey("JD", _jd, None),
    TimeKey("MJD", _mjd, None),
)
WANTED = frozenset(
    {key.name for key in TIME_KEYS}
    | {*CLOCK_KEYS, *EXPOSURE_KEYS, *CADENCE_KEYS, *ERROR_KEYS, *TRAP_KEYS, "TIMESYS", "TIMEUNIT"}
)


def exposure_s(header: FitsHeader) -> float | None:
    """Exposure, seconds: from its keyword (unit as its comment says), else between DATE-BEG and DATE-END."""
    for key in EXPOSURE_KEYS:
        value = header.number(key)
        if value is not None and value >= 0:
            comment = header.comment(key)
            if re.search(r"\bms\b|milli", comment):
                return value * 1e-3
            return value * 1e-6 if re.search(r"\bus\b|µs|micro", comment) else value
    begin, end = _iso(header, "DATE-BEG"), _iso(header, "DATE-END")
    if begin is None or end is None or end.ns <= begin.ns:
        return None
    return (end.ns - begin.ns) / SECOND_NS


def sequence_stamps(headers: Sequence[FitsHeader], option: Instant | None) -> Stamps:
    """Stamps of a recording with one header per frame.

    Parameters
    ----------
    headers : sequence of FitsHeader
        In the order of the frames.
    option : Instant or None
        ``--time-is``; it makes DATE-OBS, which it is about, the first choice.
    """
    exposures = np.array([_or_nan(exposure_s(header)) for header in headers], np.float64)
    key, readings = _choose(headers, option)
    if key is None:
        return _without(exposures, "FITS headers")
    stamp = np.full(len(headers), UNKNOWN_NS, np.int64)
    half = 0.0
    errors = np.array([_stated_error(header) for header in headers])
    unknown_scale = ""
    for i, (header, reading) in enumerate(zip(headers, readings, strict=True)):
        if reading is None:
            continue
        scale = header.text("TIMESYS") or "UTC"
        utc = utc_from_scale(reading.ns, scale)
        if utc is None:
            unknown_scale = scale
            continue
        stamp[i] = utc
        half = reading.half_digit_s if not half else min(half, reading.half_digit_s)
    notes: tuple[Note, ...] = ()
    if unknown_scale:
        text = f"TIMESYS = {unknown_scale!r} cannot be converted to UTC; the times of that scale are not used"
        notes = (Note(Caveat.TIMES_ABSENT, text),)
    sigma = np.hypot(np.where(np.isfinite(errors), errors, 0.0), half)
    stated = bool(np.isfinite(errors).any())
    meaning = _stated_meaning(headers[0].comment(key.name), key.meaning)
    stamps = Stamps(stamp, exposures, sigma, meaning, f"FITS {key.name}", stated, notes=notes)
    return reviewed_stamps(stamps, headers, key.name, _other_times(headers, key))


def _other_times(headers: Sequence[FitsHeader], chosen: TimeKey) -> dict[str, OtherTimes]:
    """Times of the keywords beside the chosen one that every header has, and half their last digit."""
    found: dict[str, OtherTimes] = {}
    for key in TIME_KEYS:
        if key is chosen or key.name not in headers[0].cards:
            continue
        readings = [key.read(header, key.name) for header in headers]
        scales = [header.text("TIMESYS") or "UTC" for header in headers]
        times = [
            None if reading is None else utc_from_scale(reading.ns, scale)
            for reading, scale in zip(readings, scales, strict=True)
        ]
        if all(ns is not None for ns in times):
            half = max(reading.half_digit_s for reading in readings if reading is not None)
            found[key.name] = np.array(times, np.int64), half
    return found


def _stated_error(header: FitsHeader) -> float:
    """Uncertainty of the times by TIMSYER and TIMRDER (FITS 4.0, 9.4.2), seconds; NaN where not stated."""
    unit = TIME_UNITS.get(header.text("TIMEUNIT") or "s")
    errors = [header.number(key) for key in ERROR_KEYS]
    known = [error for error in errors if error is not None and error >= 0]
    return float(np.hypot.reduce(known)) * unit if known and unit is not None else float("nan")


def _choose(
    headers: Sequence[FitsHeader], option: Instant | None
) -> tuple[TimeKey | None, list[Reading | None]]:
    """Return the keyword of the recording, and its readings."""
    best: tuple[TimeKey | None, list[Reading | None]] = (None, [])
    most = 0
    for key in (DATE_OBS, *TIME_KEYS) if option else TIME_KEYS:
        readings = [key.read(header, key.name) for header in headers]
        found = sum(reading is not None for reading in readings)
        if found > most:
            best, most = (key, readings), found
        if found == len(headers):
            break
    return best


def _stated_meaning(comment: str, usual: Instant | None) -> Instant | None:
    """Which instant a comment names, if it names just one."""
    patterns: dict[Instant, str] = {
        "start": r"\b(start|begin|beginning)\b",
        "mid": r"\b(mid|middle|midpoint|mid-\w+|cent(er|re)|average|mean)\b",
        "end": r"\b(end|stop|finish)\b",
    }
    named: list[Instant] = [instant for instant, pattern in patterns.items() if re.search(pattern, comment)]
    return named[0] if len(named) == 1 else usual


def _without(exposures: NDArray[np.float64], source: str, notes: tuple[Note, ...] = ()) -> Stamps:
    count = exposures.size
    unknown = np.full(count, UNKNOWN_NS, np.int64)
    return Stamps(unknown, exposures, np.full(count, np.nan), None, source, notes=notes)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def cube_stamps(
    header: FitsHeader, frames: int, table: Mapping[str, NDArray[np.generic]], option: Instant | None
) -> Stamps:
    """Stamps of a cube: from a table of times beside it, else from frame 0 and a stated cadence, else none.

    Parameters
    ----------
    header : FitsHeader
        Of the cube.
    frames : int
        How many it has.
    table : mapping of str to array
        Columns, upper-case names, of a table with one row per frame; empty without one.
    option : Instant or None
        ``--time-is``.
    """
    if frames == 1:
        return sequence_stamps([header], option)
    exposure = exposure_s(header)
    exposures = _table_exposures(table, frames, exposure)
    if (stamps := _table_stamps(header, table, exposures)) is not None:
        return stamps
    first = sequence_stamps([header], option)
    cadence = _cadence(header, frames)
    if first.stamp_ns[0] == UNKNOWN_NS:
        return replace(_without(exposures, "FITS headers"), notes=first.notes)
    if cadence is None:
        text = (
            "the cube states the time of its beginning only, and no cadence: its frames have no times; "
            "give --start-utc with --cadence, or --times"
        )
        return _without(exposures, "FITS headers", (Note(Caveat.TIMES_ABSENT, text),))
    key, seconds = cadence
    offsets = np.rint(np.arange(frames) * (seconds * SECOND_NS)).astype(np.int64)
    text = (
        f"times are counted from {first.source} of the cube with {key} = {seconds:g} s; "
        "dropped frames stay unseen"
    )
    return Stamps(
        stamp_ns=first.stamp_ns[0] + offsets,
        exposure_s=exposures,
        sigma_s=np.full(frames, first.sigma_s[0]),
        meaning=first.meaning,
        source=f"{first.source} and {key}",
        sigma_stated=True,
        notes=(*first.notes, Note(Caveat.TIMES_COMPUTED, text)),
    )


def _cadence(header: FitsHeader, frames: int) -> tuple[str, float] | None:
    """A stated cadence, unless a stated end contradicts it."""
    begin = _iso(header, "DATE-BEG") or _iso(header, "DATE-OBS")
    end = _iso(header, "DATE-END")
    for key in CADENCE_KEYS:
        value = header.number(key)
        if value is None or value <= 0 or re.search(r"\bms\b|milli|\bus\b|micro|hz", header.comment(key)):
            continue
        if begin is not None and end is not None:
            span = (end.ns - begin.ns) / SECOND_NS
            if abs(span - frames * value) > FRACTION * frames * value + 2 * begin.half_digit_s:
                continue
        return key, value
    return None


def _table_exposures(
    table: Mapping[str, NDArray[np.generic]], frames: int, exposure: float | None
) -> NDArray[np.float64]:
    for key in EXPOSURE_KEYS:
        column = table.get(key)
        if column is not None and column.dtype.kind in "fiu":
            return column.astype(np.float64)
    return np.full(frames, _or_nan(exposure))


def _table_stamps(
    header: FitsHeader, table: Mapping[str, NDArray[np.generic]], exposures: NDArray[np.float64]
) -> Stamps | None:
    """Stamps from the first column that bears the name of a time keyword, or UTC."""
    scale = header.text("TIMESYS") or "UTC"
    for key in (*TIME_KEYS, TimeKey("UTC", _iso, None)):
        column = table.get(key.name, table.get(key.name.replace("-", "_")))
        if column is None:
            continue
        readings = [_cell(value, key) for value in column]
        if not any(readings):
            continue
        times = [None if item is None else utc_from_scale(item.ns, scale) for item in readings]
        stamp = np.array([UNKNOWN_NS if ns is None else ns for ns in times], np.int64)
        half = min(item.half_digit_s for item in readings if item is not None)
        columns = [table[name] for name in ERROR_KEYS if name in table]
        errors = [each for each in columns if each.dtype.kind == "f" and each.shape == stamp.shape]
        stated = bool(errors)
        sigma = np.full(stamp.size, half)
        for each in errors:
            sigma = np.hypot(np.nan_to_num(each.astype(np.float64)), sigma)
        return Stamps(stamp, exposures, sigma, key.meaning, f"FITS table column {key.name}", stated)
    return None


def _cell(value: np.generic, key: TimeKey) -> Reading | None:
    """One cell of a table column, text or a number of days."""
    if isinstance(value, np.floating):
        if key.read is _iso or not np.isfinite(value):
            return None
        days = float(value) + (JD_EPOCH_MJD if key.read is _jd else 0.0)
        whole = np.floor(days)
        spacing_s = float(np.spacing(np.asarray(value))) * DAY_NS / SECOND_NS
        ns = (int(whole) - 40_587) * DAY_NS + round((days - whole) * DAY_NS)
        return Reading(ns, spacing_s / 2) if abs(ns) < 2**62 else None
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return key.read(FitsHeader("", {key.name: f" '{text.strip()}'"}), key.name)
