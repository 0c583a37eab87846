"""What the headers of RAVF frames say besides pixels: times, state of the GPS receiver, dropped frames.

Facts, by the specification of version 1 and by the sources of Astrid (ChasinSpin, 2023-2024), its recorder:

* A stamp is the start of the exposure, nanoseconds since 2010-01-01 UTC.
* Almanac status: 0 certain, 1 uncertain; almanac offset: leap seconds between receiver and satellites.
  Astrid writes the status byte of its OTEStamper board instead (bit 0: a pulse per second was seen, 1: it is
  recent, 2 and 3: leap seconds from the satellites or kept from them, 4: a built-in default), and as offset
  the count of leap seconds.
  It asks the receiver before it records and writes the answer to every frame.
* Fix: 0 none, 1 kept without a fix, 2 time, 3 time and position. Astrid: 1 none, 2 two-, 3 three-dimensional.
* The counter has 32 bits in the format; Astrid counts to 255 and starts again.
* OTEStamper's clock counts at 8 MHz and exposures are whole microseconds, whatever accuracy is stated.
* Where frames were dropped, Astrid goes on with stamps as if there were none missing: the counter tells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.gps_status import LEAST_LEAP_SECONDS, UNKNOWN, Almanac, Fix, GpsStatus
from ingest.instants import DAY_NS, SECOND_NS
from ingest.ravf.frames import FrameTable
from ingest.ravf.header import RavfHeader
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS

EPOCH_2010_NS = 14_610 * DAY_NS
LATEST_NS = 100 * 366 * DAY_NS  # after 2010
LONGEST_EXPOSURE_NS = DAY_NS
OTESTAMPER_S = 5e-7
PPS_SEEN, PPS_RECENT, LEAP_FROM_GPS, LEAP_KEPT = 1, 2, 4, 8
PLACES = 5


def stamps_ns(table: FrameTable) -> NDArray[np.int64]:
    """Start of each exposure, UTC; of frames with a damaged header the index's, if it has one."""
    start = np.where(table.sound, table.rows["start"], table.indexed_start)
    given = (start > 0) & (start < LATEST_NS)
    return np.where(given, np.where(given, start, 0).astype(np.int64) + EPOCH_2010_NS, UNKNOWN_NS)


def exposures_s(table: FrameTable, header: RavfHeader) -> NDArray[np.float64]:
    """Exposures, seconds; the camera's shutter where a frame states none, NaN where neither does."""
    own = table.rows["exposure"]
    given = (own > 0) & (own < LONGEST_EXPOSURE_NS)
    shutter = header.whole("INSTRUMENT-SHUTTER")
    other = shutter / SECOND_NS if 0 < shutter < LONGEST_EXPOSURE_NS else np.nan
    return np.where(given, own / SECOND_NS, other)


def accuracy_s(header: RavfHeader) -> float:
    """Uncertainty of the stamps as stated, but never below what the recorder can know; seconds."""
    stated = header.whole("FRAME-TIMING-ACCURACY")
    accuracy = stated / SECOND_NS if 0 < stated < DAY_NS else 0.5 / SECOND_NS
    return max(accuracy, OTESTAMPER_S) if is_astrid(header) else accuracy


def accuracy_notes(header: RavfHeader) -> tuple[Note, ...]:
    """A caveat where the recorder does not say how sure its stamps are."""
    if header.whole("FRAME-TIMING-ACCURACY") > 0:
        return ()
    text = (
        f"{header.name}: how sure its stamps are is not stated (FRAME-TIMING-ACCURACY); sigmas hold their "
        "last digit alone"
    )
    return (Note(Caveat.ACCURACY_UNSTATED, text),)


def is_astrid(header: RavfHeader) -> bool:
    """Whether Astrid wrote the file, whose status bytes are its own."""
    return header.text("RECORDER-HARDWARE") == "OTEStamper" or header.text("RECORDER-SOFTWARE") == "Astrid"


def gps_status(table: FrameTable, header: RavfHeader) -> GpsStatus:
    """State of the receiver at every frame, unknown where a header is damaged."""
    rows = table.rows
    code, offset = rows["almanac"], rows["offset"].astype(np.int16)
    fix = np.where(rows["fix"] <= Fix.POSITION, rows["fix"], UNKNOWN).astype(np.int8)
    if is_astrid(header):
        certain = (code & (LEAP_FROM_GPS | LEAP_KEPT)) > 0
        almanac = np.where(certain, Almanac.CERTAIN, Almanac.UNCERTAIN)
        fix[rows["fix"] == Fix.HELD] = Fix.NONE
        seen, recent = (code & PPS_SEEN) > 0, (code & PPS_RECENT) > 0
        fix[~recent | (fix == Fix.NONE)] = Fix.NONE
        fix[seen & (fix == Fix.NONE)] = Fix.HELD
    else:
        almanac = np.select([code == 0, code == 1], [Almanac.CERTAIN, Almanac.UNCERTAIN], UNKNOWN)
    counts = np.abs(offset) >= LEAST_LEAP_SECONDS
    status = GpsStatus(
        satellites=rows["satellites"].astype(np.int16),
        almanac=almanac.astype(np.int8),
        leap_seconds=np.where(counts, np.abs(offset), UNKNOWN).astype(np.int16),
        offset_s=np.where(counts, 0, offset).astype(np.int16),
        fix=fix,
    )
    for column, absent in (
        (status.satellites, -1),
        (status.almanac, -1),
        (status.leap_seconds, -1),
        (status.offset_s, 0),
        (status.fix, -1),
    ):
        column[~table.sound] = absent
    return status


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """What the frame counter says.

    Attributes
    ----------
    missing : array, (t,), int64
        Frames that the counter says were dropped just before each.
    unshown_s : array, (t,), float64
        Time that dropped frames take and stamps do not show, seconds: how late the frame may be.
    notes : tuple of Note
        Caveats.
    """

    missing: NDArray[np.int64]
    unshown_s: NDArray[np.float64]
    notes: tuple[Note, ...]


def review_counter(
    table: FrameTable, stamps: NDArray[np.int64], taken: NDArray[np.intp], name: str
) -> Counter:
    """Find dropped frames by jumps of the counter, and compare them with the stamps.

    A counter that never moves is not kept. One below 256 counts in eight bits; by how many turns it went on
    in a long gap the stamps tell.

    Parameters
    ----------
    table : FrameTable
        All frames of the file.
    stamps : array, (t,), int64
        Their stamps, UTC nanoseconds.
    taken : array, (n,), int
        Which frames are those of the recording: caveats count these.
    name : str
        Of the file.
    """
    frames = np.flatnonzero(table.sound)
    missing, unshown = np.zeros(stamps.size, np.int64), np.zeros(stamps.size)
    counts = table.rows["sequence"][frames].astype(np.int64)
    if counts.size < 2 or not (counts != counts[0]).any():
        return Counter(missing, unshown, ())
    between = np.diff(frames)
    steps, turn = _steps(counts)
    known = (stamps[frames[1:]] != UNKNOWN_NS) & (stamps[frames[:-1]] != UNKNOWN_NS)
    passed = (
        np.where(known, np.diff(np.where(stamps[frames] == UNKNOWN_NS, 0, stamps[frames])), 0) / SECOND_NS
    )
    usual = (
        passed[known & (steps == between) & (passed > 0)] / between[known & (steps == between) & (passed > 0)]
    )
    cadence = float(np.median(usual)) if usual.size else 0.0
    elapsed = np.rint(passed / cadence) if cadence > 0 else np.zeros(steps.size)
    if turn == 256:
        steps = steps + turn * np.maximum(np.rint((elapsed - steps) / turn), 0).astype(np.int64) * (steps > 0)
    backward = steps > turn // 2 if turn > 256 else np.zeros(steps.size, np.bool_)
    dropped = np.where((steps > between) & ~backward, steps - between, 0)
    missing[frames[1:]] = dropped
    if cadence > 0:
        unshown = _unshown(stamps.size, frames, known, dropped, elapsed - between) * cadence
    return Counter(
        missing, unshown, _notes(name, taken, frames[1:][backward | (steps == 0)], missing, unshown)
    )


def _steps(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """From frame to frame, counted over the turn of the counter; and that turn."""
    steps = np.diff(counts)
    top = int(counts.max())
    if top < 1 << 8:
        turn = 1 << 8
    elif top < 1 << 16 and (steps < 0).any():
        turn = 1 << 16
    else:
        turn = 1 << 32
    return steps % turn, turn


def _unshown(
    size: int,
    frames: NDArray[np.intp],
    known: NDArray[np.bool_],
    dropped: NDArray[np.int64],
    gained: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cadences that dropped frames took and stamps have not gone on by, at each frame; never below zero."""
    lag = np.zeros(size)
    behind = 0.0
    for row in np.flatnonzero(known & ((dropped > 0) | (gained >= 1))):
        behind = max(0.0, behind + float(dropped[row]) - max(0.0, float(gained[row])))
        lag[frames[row + 1] :] = behind
    return lag


def _notes(
    name: str,
    taken: NDArray[np.intp],
    odd: NDArray[np.intp],
    missing: NDArray[np.int64],
    unshown: NDArray[np.float64],
) -> tuple[Note, ...]:
    notes = []
    gaps = np.flatnonzero(missing)
    if gaps.size:
        numbers = np.searchsorted(taken, gaps[:PLACES])
        places = ", ".join(f"{missing[k]} before frame {n}" for k, n in zip(gaps, numbers, strict=False))
        more = f" and at {gaps.size - PLACES} more places" if gaps.size > PLACES else ""
        total = int(missing.sum())
        text = f"{name}: frames dropped, by the frame counter: {total}: {places}{more}"
        if (unshown[taken] > 0).any():
            first = int(np.flatnonzero(unshown[taken])[0])
            text += (
                f"; the stamps go on as if none were missing, so from frame {first} times may be up to "
                f"{unshown.max():.6g} s early; their sigmas say so"
            )
        notes.append(Note(Caveat.FRAMES_DROPPED, text))
    if odd.size:
        text = (
            f"{name}: the frame counter stands still or goes back at {odd.size} frames, first at frame "
            f"{np.searchsorted(taken, odd[0])}: frames are repeated or out of order"
        )
        notes.append(Note(Caveat.COUNTER_BACKWARD, text))
    return tuple(notes)
