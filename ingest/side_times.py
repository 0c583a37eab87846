"""Files of other programs that tell times: recorders' logs, and light curves of PyMovie, Tangra and LiMovie.

They are recognised by content. What each says:

FireCapture log (.txt)
    ``Shutter=20.00ms``, ``LT=UT +1h``, ``Date_format``; a line ``Frame n: UT ddmmyy hhmmss.fff`` for each
    frame, counted from 1. Which instant of the exposure that is, it does not say.
SharpCap settings (.CameraSettings.txt)
    ``Exposure``, ``StartCapture``, ``EndCapture``, ``FrameCount``; no time for each frame.
PyMovie CSV
    ``FrameNum,timeInfo,...`` with ``[hh:mm:ss.ffff]``, as read from the frame: of a video the inserter's
    first field; of fields (n and n + 0.5) the whole numbers are the first.
Tangra CSV
    ``FrameNo,Time (UT),...``; whether instrumental or acquisition delays were applied stands in its settings.
    Applied, the times are mid-exposure, and nothing of the kind is corrected again; not applied, those read
    from a video are its first field's.
LiMovie CSV
    ``No.`` with hours, minutes and seconds in columns 4 to 6.

The CSV files hold no date, or that of the first frame; midnight is unwrapped.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ingest.instants import DAY_NS, parse_clock, parse_date, parse_utc
from ingest.stamps import Insertion, Stamps, applied
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.timing import UNKNOWN_NS, Correction, Instant

MOST_FRAMES = 20_000_000
VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".m4v", ".mpg", ".wmv")
_FRAME = re.compile(r"Frame (\d{1,9}):\s*(UT)?\s*(\d{6})\s+(\d{6})\.(\d{1,9})")
_SHORT_SECONDS = re.compile(r"(?<=\d:\d\d):(\d)(?=\.|$)")
_DATES = {"ddmmyy": (4, 2, 0), "mmddyy": (4, 0, 2), "yymmdd": (0, 2, 4)}
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0}


@dataclass(frozen=True, slots=True)
class SideTimes:
    """What a side file says.

    Attributes
    ----------
    program : str
        ``FireCapture log``, ``SharpCap settings``, ``PyMovie CSV``, ``Tangra CSV``, ``LiMovie CSV``.
    clock : tuple of (frame, ns, half digit)
        Times of frames; within the first day where `dated` is not, seconds of resolution halved.
    dated : bool
        Times carry their date.
    exposure_s : float or None
    meaning : Instant or None
    inserted : Insertion or None
    included : tuple of Correction
    start_ns, end_ns : int
        Of the capture, where only these are known.
    frames : int
        Counted by the recorder; 0 where it does not say.
    """

    program: str
    clock: tuple[tuple[int, int, float], ...] = ()
    dated: bool = False
    exposure_s: float | None = None
    meaning: Instant | None = None
    inserted: Insertion | None = None
    included: tuple[Correction, ...] = ()
    start_ns: int = UNKNOWN_NS
    end_ns: int = UNKNOWN_NS
    frames: int = 0


def recognise_side(text: str) -> str | None:
    """Which program wrote a file, by its first lines; None for another."""
    head = text.lstrip("\ufeff")[:4096]
    first = head.partition("\n")[0]
    if first.startswith("FireCapture") or _FRAME.search(head):
        return "FireCapture log"
    if "SharpCapVersion=" in text[:65536] or ("StartCapture=" in head and "Colour Space=" in head):
        return "SharpCap settings"
    if "Tangra" in first:
        return "Tangra CSV"
    if "limovie" in first.lower():
        return "LiMovie CSV"
    if "PyMovie" in first or re.search(r"^FrameNum,timeInfo", head, re.MULTILINE):
        return "PyMovie CSV"
    return None


def read_side(text: str, name: str) -> SideTimes | None:
    """Read a side file; None if no program that is known here wrote it.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.

    Raises
    ------
    RequestError
        It is of such a program, but damaged, or tells no times of frames.
    """
    program = recognise_side(text)
    readers = {
        "FireCapture log": _firecapture,
        "SharpCap settings": _sharpcap,
        "PyMovie CSV": _pymovie,
        "Tangra CSV": _tangra,
        "LiMovie CSV": _limovie,
    }
    return None if program is None else readers[program](text.lstrip("\ufeff"), name)


def side_stamps(side: SideTimes, name: str, frames: int, date_ns: int | None) -> Stamps:
    """Stamps of a recording of `frames` frames.

    Parameters
    ----------
    side : SideTimes
    name : str
        Of the file, for messages.
    frames : int
    date_ns : int or None
        Midnight of the day of the first frame, where the file has no date.

    Raises
    ------
    RequestError
        The file has no date and none is given, or frames that the recording has not.
    """
    if not side.clock:
        return _computed(side, name, frames)
    if not side.dated and date_ns is None:
        raise RequestError(
            f"{name}: {side.program} without a date; give --date YYYY-MM-DD of the first frame"
        )
    stamp = np.full(frames, UNKNOWN_NS, np.int64)
    sigma = np.full(frames, np.nan)
    day, before = 0 if side.dated else int(date_ns or 0), None
    for frame, ns, half in side.clock:
        if not 0 <= frame < frames:
            raise RequestError(f"{name}: frame {frame} is beyond the recording, which has {frames} frames")
        if not side.dated and before is not None and ns < before - DAY_NS // 2:
            day += DAY_NS
        before = ns
        stamp[frame], sigma[frame] = day + ns, half
    exposure = np.full(frames, np.nan if side.exposure_s is None else side.exposure_s)
    return Stamps(
        stamp, exposure, sigma, side.meaning, side.program, inserted=side.inserted, included=side.included
    )


def _computed(side: SideTimes, name: str, frames: int) -> Stamps:
    """Stamps between a start and an end, if the recorder counted as many frames."""
    span = side.end_ns - side.start_ns
    if UNKNOWN_NS in (side.start_ns, side.end_ns) or span <= 0 or side.frames != frames:
        raise RequestError(
            f"{name}: {side.program} without times of frames (it counts {side.frames or 'no'} frames, the "
            f"recording has {frames}); keep it beside the recording, or give --start-utc and --cadence"
        )
    step = span / frames
    note = Note(
        Caveat.TIMES_COMPUTED,
        f"{side.program}: times are computed from its StartCapture, EndCapture and FrameCount; "
        "dropped frames stay unseen",
    )
    return Stamps(
        stamp_ns=side.start_ns + np.rint(np.arange(frames) * step).astype(np.int64),
        exposure_s=np.full(frames, np.nan if side.exposure_s is None else side.exposure_s),
        sigma_s=np.full(frames, step * 1e-9),
        meaning=None,
        source=f"{side.program}, StartCapture and EndCapture",
        sigma_stated=True,
        notes=(note,),
    )


def _settings(text: str) -> dict[str, str]:
    """Lines ``key=value``."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _duration(text: str) -> float | None:
    """Seconds of ``20.00ms``, ``0.5s``, ``0.02``."""
    match = re.match(r"\s*(\d+(?:[.,]\d*)?)\s*(us|µs|ms|s|)", text)
    if match is None:
        return None
    seconds = float(match.group(1).replace(",", ".")) * _UNITS[match.group(2)]
    return seconds if 0 < seconds < 86_400 else None


def _firecapture(text: str, name: str) -> SideTimes:
    settings = _settings(text)
    order = settings.get("date_format", "ddMMyy").lower()
    if order not in _DATES:
        raise RequestError(f"{name}: FireCapture log with dates as {order!r}; known are {', '.join(_DATES)}")
    offset = re.match(r"UT\s*([+-]?\d+(?:\.\d+)?)", settings.get("lt", ""))
    rows = []
    for frame, ut, date, clock, fraction in _FRAME.findall(text):
        year, month, day = (int(date[at : at + 2]) for at in _DATES[order])
        midnight = parse_date(f"{2000 + year}-{month}-{day}")
        time = parse_clock(f"{clock[:2]}:{clock[2:4]}:{clock[4:]}.{fraction}")
        if midnight is None or time is None:
            raise RequestError(f"{name}: frame {frame}: {date} {clock} is no date and time ({order})")
        if not ut and offset is None:
            raise RequestError(f"{name}: frame {frame}: local time, and no line `LT=UT +1h` tells its offset")
        local = 0 if ut or offset is None else round(float(offset.group(1)) * 3600) * 10**9
        rows.append((int(frame) - 1, midnight + time[0] - local, 0.5 * 10.0 ** -time[1]))
    exposure = _duration(settings.get("shutter", settings.get("exposure", "")))
    return SideTimes("FireCapture log", tuple(rows), dated=True, exposure_s=exposure)


def _sharpcap(text: str, _name: str) -> SideTimes:
    settings = _settings(text)
    start, end = (parse_utc(settings.get(key, "")[:26].rstrip("Z")) for key in ("startcapture", "endcapture"))
    count = settings.get("framecount", "")
    return SideTimes(
        "SharpCap settings",
        exposure_s=_duration(settings.get("exposure", "")),
        start_ns=UNKNOWN_NS if start is None else start[0],
        end_ns=UNKNOWN_NS if end is None else end[0],
        frames=int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 0,
    )


def cells_below(text: str, name: str, header: str) -> tuple[list[str], Iterator[list[str]]]:
    """Cells of the row that begins with `header`, and the rows below it."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.lstrip().startswith(header):
            return next(csv.reader([line])), csv.reader(lines)
    raise RequestError(f"{name}: no row begins with {header!r}")


def clock_of(name: str, row: int, text: str) -> tuple[int, float] | None:
    """Nanoseconds since midnight of ``[hh:mm:ss.fff]`` and half its last digit; None where it is empty."""
    bare = text.strip().strip("[]").strip()
    if not bare:
        return None
    parsed = parse_clock(_SHORT_SECONDS.sub(r":0\1", bare))  # PyOTE writes 00:00:0.0344
    if parsed is None:
        raise RequestError(f"{name}: row {row}: {text.strip()!r} is no time of day such as [21:08:40.123]")
    return parsed[0], 0.5 * 10.0 ** -parsed[1]


def _number(name: str, row: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < MOST_FRAMES:
        raise RequestError(f"{name}: row {row}: frame {text!r} is no number from 0")
    return value


def _pymovie(text: str, name: str) -> SideTimes:
    _, rows = cells_below(text, name, "FrameNum")
    found = []
    for row, cells in enumerate(rows, 1):
        if len(cells) < 2 or cells[0].lstrip().startswith("#"):
            continue
        frame = _number(name, row, cells[0])
        time = clock_of(name, row, cells[1])
        if time is not None and frame == int(frame):
            found.append((int(frame), *time))
    return _of_clock("PyMovie CSV", text, name, found, "first field" if of_video(text) else None)


def of_video(text: str) -> bool:
    """Whether a PyMovie CSV was measured in a video, so that an inserter's times were read from it."""
    source = re.search(r"^#\s*source:\s*(.+)$", text, re.MULTILINE)
    return source is not None and source.group(1).strip().lower().endswith(VIDEO_SUFFIXES)


def first_day(text: str) -> int | None:
    """Midnight, nanoseconds, of the first frame's day where the file tells it and its recorder knew it."""
    date = re.search(r"^#\s*date at frame 0:\s*(\d{4}-\d{2}-\d{2})", text, re.MULTILINE)
    midnight = parse_date(date.group(1)) if date else None
    return None if midnight == parse_date("2010-01-01") else midnight  # an epoch that nobody set is no date


def _tangra(text: str, name: str) -> SideTimes:
    if "\nBinNo" in text:
        raise RequestError(f"{name}: Tangra CSV of bins, not frames; export it without binning")
    header, rows = cells_below(text, name, "FrameNo")
    if len(header) < 2 or header[1].strip() != "Time (UT)":
        seen = header[1].strip() if len(header) > 1 else "nothing"
        raise RequestError(f"{name}: its times are {seen!r}; export them from Tangra as Time (UT)")
    found = []
    for row, cells in enumerate(rows, 1):
        if len(cells) > 1 and (time := clock_of(name, row, cells[1])) is not None:
            found.append((int(_number(name, row, cells[0])), *time))
    inserted, meaning, included = tangra_statement(text)
    return _of_clock("Tangra CSV", text, name, found, inserted, meaning, included)


def tangra_statement(text: str) -> tuple[Insertion | None, Instant | None, tuple[Correction, ...]]:
    """What Tangra's times are: of which field, or which instant, and what it has corrected."""
    delays, delay_ms = _tangra_delays(text)
    said = f"Tangra CSV: Instrumental Delay Corrections: {delays or 'not said'}"
    if delays == "Applied":
        return None, "mid", (applied("camera", 0.0, said),)
    if delay_ms is not None:  # stated: Tangra has taken it off
        said = f"{said}, Acquisition Delay {delay_ms:g} ms"
        return None, "mid", (applied("acquisition", -delay_ms * 1e-3, said),)
    if "Time: Timestamp Saving" not in text[:4096]:
        return "first field", None, ()
    return None, "mid", ()


def _tangra_delays(text: str) -> tuple[str, float | None]:
    """What its settings say of delays, and the acquisition delay in milliseconds where one is stated."""
    for names, values in pairwise(text.splitlines()):
        if "Instrumental Delay Corrections" in names:
            cells = dict(zip((n.strip() for n in names.split(",")), values.split(","), strict=False))
            delay = re.match(r"\s*-?\d+(\.\d+)?", cells.get("Acquisition Delay (ms)", ""))
            said = cells.get("Instrumental Delay Corrections", "").strip()
            return said, float(delay.group()) if delay else None
    return "", None


def _limovie(text: str, name: str) -> SideTimes:
    _, rows = cells_below(text, name, "No.")
    found = []
    for row, cells in enumerate(rows, 1):
        if len(cells) < 6 or not all(cell.strip() for cell in cells[3:6]):
            continue
        hours, minutes, seconds = (cell.strip() for cell in cells[3:6])
        time = clock_of(name, row, f"{hours}:{minutes.zfill(2)}:{seconds}")
        if time is not None:
            found.append((int(_number(name, row, cells[0])), *time))
    return _of_clock("LiMovie CSV", text, name, found, "first field")


def _of_clock(
    program: str,
    text: str,
    name: str,
    rows: list[tuple[int, int, float]],
    inserted: Insertion | None,
    meaning: Instant | None = None,
    included: tuple[Correction, ...] = (),
) -> SideTimes:
    """Times of day; with the date of the first frame where the file tells it."""
    if not rows:
        raise RequestError(f"{name}: {program} without any time")
    midnight = first_day(text)
    side = SideTimes(program, tuple(rows), inserted=inserted, meaning=meaning, included=included)
    if midnight is None:
        return side
    days, before, dated = midnight, rows[0][1], []
    for frame, ns, half in rows:
        if ns < before - DAY_NS // 2:
            days += DAY_NS
        before = ns
        dated.append((frame, days + ns, half))
    return SideTimes(program, tuple(dated), True, None, meaning, inserted, included)
