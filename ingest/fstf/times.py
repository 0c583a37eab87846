"""What the stamps of an FSTF recording mean.

ADV version 1 names the middle of the exposure (AdvLib: "timestamp for the middle of the frame"), version 2
its start. AAV version 1 has the middle of the integration, from the recorder's reading of the inserter's
digits; version 2 leaves it to the writer: OccuRec puts the middle there too, against the definition of the
field, so the digits that it read settle it where they are kept. Without digits the arrival of the last frame
of an integration by the computer's network time stands for the end of the exposure (as in Tangra).
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ingest.fstf.chains import Chains
from ingest.fstf.container import Container
from ingest.fstf.frames import FrameTable
from ingest.fstf.status import StatusTable
from ingest.gps_status import LEAST_LEAP_SECONDS, Almanac, Fix, GpsStatus, review_gps
from ingest.instants import DAY_NS, SECOND_NS
from ingest.stamps import SHOWN, Stamps, applied
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS, Correction, Instant, utc_text

EPOCH_NS = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()) * SECOND_NS
LAST_NS = 130 * 365 * DAY_NS
"""After the epoch; later stamps are no stamps."""

MS_NS = 1_000_000
WRAP_S = 2**32 * 1e-9
"""Exposures of version 2 are counted in nanoseconds of 32 bits: they begin again here."""

SHUTTER_AGREES = 0.005
AGREES_S = 0.003
COMPARED = 200
PAL_FIELD_S = 0.02

_DIGITS = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:[.,](\d{1,7}))?(.*)", re.DOTALL)


def gps_status(status: StatusTable) -> GpsStatus:
    """The receiver's state in the common form.

    Almanac 0 is uncertain, 1 good, 2 certain; fix 0 none, 1 kept by the clock, 2 time, 3 position. An offset
    of a good almanac is in the stamps already. Of an uncertain one it is not, nor is the offset that the
    receiver found by the end of the recording: the later one is then taken as what is missing. Writers put
    the whole count of leap seconds there too, which is no offset.
    """
    almanac, offset, fix = (status.number(name) for name in ("almanac", "almanac_offset", "fix"))
    offset = np.where(np.abs(offset) < LEAST_LEAP_SECONDS, offset, 0.0)
    good, uncertain = np.isin(almanac, (1, 2)), almanac == 0
    found = offset[good][-1] if good.any() and np.isfinite(offset[good][-1]) else 0.0
    missing = np.where(offset != 0, offset, found)
    seconds = np.where(uncertain & np.isfinite(missing), missing, 0.0)
    codes = {0: Fix.NONE, 1: Fix.HELD, 2: Fix.TIME, 3: Fix.POSITION}
    fixes = np.full(fix.size, int(Fix.UNKNOWN), np.int8)
    for code, meaning in codes.items():
        fixes[fix == code] = int(meaning)
    known = np.where(good, int(Almanac.CERTAIN), np.where(uncertain, int(Almanac.UNCERTAIN), -1))
    satellites = status.number("satellites")
    return GpsStatus(
        satellites=np.where(np.isfinite(satellites), satellites, -1).astype(np.int16),
        almanac=known.astype(np.int8),
        leap_seconds=np.full(fix.size, -1, np.int16),
        offset_s=seconds.astype(np.int16),
        fix=fixes,
    )


def recorded_stamps(container: Container, chains: Chains) -> Stamps:
    """Stamps of the frames of a recording as recorded, with their meaning and how sure they are."""
    frames, status = chains.frames.only(chains.shown), chains.status
    found = _header_stamps(container, frames, status)
    if container.analogue and not (found.stamp_ns != UNKNOWN_NS).any():
        found = _network_stamps(container, status) or found
    stamp, notes = _dated(found.stamp_ns, status, found.source)
    review = review_gps(gps_status(status), stamp, found.source)
    late_s = _shown_late_s(container, status, found)
    return replace(
        found,
        stamp_ns=stamp,
        sigma_s=np.hypot(found.sigma_s, review.sigma_s),
        notes=(*found.notes, *notes, *review.notes),
        doubt_s=late_s,
    )


def _shown_late_s(container: Container, status: StatusTable, found: Stamps) -> float:
    """By how much pictures may have been shown after their exposure: a camera that integrates does that.

    Frames that the recorder itself added up (``FRAME-STACKING-RATE``) were shown at once.
    """
    if not container.analogue or integrated_frames(container, status) < 2:
        return 0.0
    stacked = _positive(container.tags.get("FRAME-STACKING-RATE")) or 1.0
    known = found.exposure_s[np.isfinite(found.exposure_s)]
    return float(np.median(known)) if known.size and stacked < 2 else 0.0


def _header_stamps(container: Container, frames: FrameTable, status: StatusTable) -> Stamps:
    """Stamps of the frames themselves."""
    kind = "AAV" if container.analogue else "ADV"
    source = f"{kind} version {container.version} stamps"
    notes: list[Note] = []
    if container.version == 1:
        since_ns, sigma, stated = frames.stamp_ms * MS_NS, 0.5e-3, False
        exposure = (frames.exposure_tenths * 1e-4).astype(np.float64)
        plain = (frames.stamp_ms > 0) & (frames.stamp_ms < LAST_NS // MS_NS)
    else:
        since_ns, stated = status.stamp_ns, container.status.accuracy_ns > 0
        sigma = container.status.accuracy_ns * 1e-9 if stated else 0.0
        exposure, notes = _unwrapped(status, source)
        plain = (since_ns > 0) & (since_ns < LAST_NS)
        if not stated and plain.any():
            text = f"{source}: the recorder does not state how accurate they are; none is assumed"
            notes = [*notes, Note(Caveat.CLOCK_UNSTATED, text)]
    stamp = np.where(plain, since_ns + EPOCH_NS, UNKNOWN_NS)
    exposure = np.where(exposure > 0, exposure, np.nan).astype(np.float64)
    meaning: Instant = "mid" if container.version == 1 else "start"
    reason = ""
    if container.analogue:
        meaning, reason = _analogue_meaning(container, status, stamp, meaning)
    if reason.endswith(SHOWN) and plain.any():
        text = (
            f"{source}: they are the {SHOWN}; an integrating camera shows it late, by about the integration, "
            "which is the uncertainty taken: say --camera NAME"
        )
        notes = [*notes, Note(Caveat.CAMERA_UNKNOWN, text)]
    return Stamps(
        stamp_ns=stamp,
        exposure_s=exposure,
        sigma_s=np.full(stamp.size, sigma),
        meaning=meaning,
        source=source,
        sigma_stated=stated,
        notes=tuple(notes),
        said_by=reason,
    )


def _unwrapped(status: StatusTable, source: str) -> tuple[NDArray[np.float64], list[Note]]:
    """Exposures of version 2, seconds; those that began again from zero are put right by the shutter."""
    exposure = (status.exposure_ns * 1e-9).astype(np.float64)
    shutter = status.number("shutter")
    turns = np.rint((shutter - exposure) / WRAP_S)
    whole = exposure + turns * WRAP_S
    wrapped = (turns >= 1) & (np.abs(whole - shutter) < SHUTTER_AGREES * shutter)
    if not wrapped.any():
        return exposure, []
    text = (
        f"{source}: exposures are counted up to {WRAP_S:.3f} s only; {int(wrapped.sum())} longer ones are "
        "completed by the camera's shutter"
    )
    return np.where(wrapped, whole, exposure).astype(np.float64), [Note(Caveat.EXPOSURE_ASSUMED, text)]


def _analogue_meaning(
    container: Container, status: StatusTable, stamp: NDArray[np.int64], default: Instant
) -> tuple[Instant, str]:
    """Which instant of an integration its stamp names, and why."""
    seen = _meaning_by_digits(container, status, stamp)
    if seen is not None:
        return seen, f"by the digits that the recorder read: {SHOWN}" if seen == "mid" else "by its digits"
    if container.version == 2 and container.tags.get("RECORDER-SOFTWARE", "").startswith("OccuRec"):
        return "mid", f"as OccuRec writes it: {SHOWN}"
    return default, f"AAV version 1: {SHOWN}" if default == "mid" else "AAV version 2"


def _meaning_by_digits(container: Container, status: StatusTable, stamp: NDArray[np.int64]) -> Instant | None:
    """Compare stamps with the times of the first and the last field, each of which names that field's end."""
    first, last = (status.words.get(name, []) for name in ("start_text", "end_text"))
    known = np.flatnonzero(stamp != UNKNOWN_NS)[:COMPARED].tolist()
    if not first or not last or not known:
        return None
    field_s = _field_s(container)
    votes: dict[Instant, int] = {"start": 0, "mid": 0, "end": 0}
    for number in known:
        begin, end = parse_digits(first[number]), parse_digits(last[number])
        if begin is None or end is None:
            continue
        length = (end - begin) % 86_400 + field_s
        since = (stamp[number] % DAY_NS * 1e-9 - (begin - field_s)) % 86_400
        places: dict[Instant, float] = {"start": 0.0, "mid": length / 2, "end": length}
        for name, place in places.items():
            votes[name] += abs((since - place + 43_200) % 86_400 - 43_200) < min(AGREES_S, length / 8)
    best = max(votes, key=lambda name: votes[name])
    return best if votes[best] > sum(votes.values()) / 2 else None


def _field_s(container: Container) -> float:
    """Length of a video field by the recorder's frame rate."""
    rate = _positive(container.tags.get("NATIVE-FRAME-RATE"))
    return 0.5 / rate if rate else PAL_FIELD_S


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) < 1e6 else None


def _positive(text: str | None) -> float | None:
    value = _number(text)
    return value if value is not None and value > 0 else None


def parse_digits(text: str) -> float | None:
    """Seconds of the day of an inserter's line as a recorder read it; None where it is not all there.

    ``P8   20:44:27 1234     0012345``: hours, minutes and seconds, then ten-thousandths in one of two places;
    or ``20:44:27.1234``.
    """
    match = _DIGITS.search(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part) for part in match.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    digits = match.group(4)
    if digits is None:
        groups = re.match(r"\s*(\d{4})", match.group(5))
        if groups is None:
            return None
        digits = groups.group(1)
    return hours * 3600 + minutes * 60 + seconds + float(f"0.{digits}")


def _network_stamps(container: Container, status: StatusTable) -> Stamps | None:
    """Stamps by the computer's network time: the arrival of the last frame of each integration."""
    since = status.number("ntp_end_ms")
    known = np.isfinite(since) & (since > 0) & (since < LAST_NS / MS_NS)
    if not known.any():
        return None
    stamp = np.full(since.size, UNKNOWN_NS, np.int64)
    stamp[known] = since[known].astype(np.int64) * MS_NS + EPOCH_NS
    error = status.number("ntp_error_tenths") * 1e-4
    rate = _positive(container.tags.get("EFFECTIVE-FRAME-RATE"))
    source = "AAV network time (arrival of the last frame of an integration)"
    said = container.tags.get("CAPHNTP-TIMING-CORRECTION", "")
    delay_ms = _number(said)
    included: tuple[Correction, ...] = ()
    if delay_ms:
        included = (applied("acquisition", -1e-3 * delay_ms, f"CAPHNTP-TIMING-CORRECTION {said} ms"),)
        text = f"{source}: the recorder has taken off {said} ms for the way of a frame to the computer"
    else:
        text = (
            f"{source}: the way of a frame from the end of its exposure to the computer is still in them, "
            "some tens of milliseconds; give --acquisition-delay where it is known"
        )
    return Stamps(
        stamp_ns=stamp,
        exposure_s=np.full(since.size, 1 / rate if rate else np.nan),
        sigma_s=np.where(np.isfinite(error), np.maximum(error, 0.5e-3), 0.5e-3),
        meaning="end",
        source=source,
        sigma_stated=bool(np.isfinite(error[known]).all()),
        notes=(Note(Caveat.NETWORK_TIME, text),),
        included=included,
    )


def _dated(
    stamp: NDArray[np.int64], status: StatusTable, source: str
) -> tuple[NDArray[np.int64], list[Note]]:
    """Stamps of a recorder that knew no date stand on the first day of the format's epoch.

    The date is then that of the computer's clock, where the recording has it: whole days are added.
    """
    known = stamp != UNKNOWN_NS
    unset = known & (stamp < EPOCH_NS + DAY_NS)
    if not unset.any():
        return stamp, []
    system = status.number("system_time_ms")
    dated = unset & np.isfinite(system) & (system > DAY_NS // MS_NS) & (system < LAST_NS / MS_NS)
    if not dated.any():
        text = (
            f"{source}: the recorder knew no date: the day is that of the format's epoch, 2010-01-01; only "
            "the time of day is meant; give the times by --times or --start-utc"
        )
        return stamp, [Note(Caveat.DATE_UNSET, text)]
    first = int(np.flatnonzero(dated)[0])
    clock = EPOCH_NS + int(system[first]) * MS_NS
    days = round((clock - int(stamp[first])) / DAY_NS)
    text = (
        f"{source}: the recorder knew no date (its stamps stand on 2010-01-01); the day is taken from the "
        f"computer's clock, {utc_text(clock, 0)}: check it"
    )
    return np.where(unset, stamp + days * DAY_NS, stamp), [Note(Caveat.DATE_UNSET, text)]


@dataclass(frozen=True, slots=True)
class Integration:
    """Video frames in each frame of an AAV recording.

    Attributes
    ----------
    length : int
        The usual number; 0 where none is recorded.
    notes : tuple of Note
        Frames of another number, and video frames lost between them.
    """

    length: int
    notes: tuple[Note, ...] = ()


def integrated_frames(container: Container, status: StatusTable) -> int:
    """Video frames that most frames hold; 0 where the recording does not say."""
    counts = status.number("integrated")
    known = counts[np.isfinite(counts) & (counts > 0)].astype(np.int64)
    if known.size:
        return int(np.bincount(np.minimum(known, 65_536)).argmax())
    native, effective = (
        _positive(container.tags.get(f"{which}-FRAME-RATE")) for which in ("NATIVE", "EFFECTIVE")
    )
    return round(native / effective) if native and effective else 0


def integration(name: str, container: Container, status: StatusTable) -> Integration:
    """How many video frames each frame holds, and whether they follow each other."""
    counts = status.number("integrated")
    usual = integrated_frames(container, status)
    if not (counts > 0).any():
        return Integration(usual)
    other = np.flatnonzero(np.isfinite(counts) & (counts != usual))
    notes = []
    if other.size:
        text = (
            f"{name}: {other.size} frames do not hold {usual} video frames as the others do, the first is "
            f"frame {other[0]} with {counts[other[0]]:g}: its light is of another length"
        )
        notes.append(Note(Caveat.INTEGRATION_VARIES, text))
    first, last = status.number("first_video_frame"), status.number("last_video_frame")
    gaps = np.flatnonzero((first[1:] > 0) & (last[:-1] > 0) & (first[1:] - last[:-1] > usual))
    if gaps.size:
        lost = int((first[1:] - last[:-1] - 1)[gaps].sum())
        text = f"{name}: {lost} video fields or frames are missing between frames, first before {gaps[0] + 1}"
        notes.append(Note(Caveat.FRAMES_DROPPED, text))
    return Integration(usual, tuple(notes))
