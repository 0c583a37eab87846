"""Side files of a recording: named by --times, or found beside it.

What stands beside a recording under its own name, or names it, is offered in a note. It is used without being
asked only where nothing else can be meant: a recorder's log of the same name gives the exposure that the
recording lacks, and the times of all its frames if the recording has none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ingest.instants import DAY_NS
from ingest.side_times import SideTimes, read_side, recognise_side, side_stamps
from ingest.stamps import Stamps, recover_stamps, solve
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.timing import TimeSolution

SUFFIXES = (".txt", ".csv", ".log")
MOST_FILES = 64
MOST_BYTES = 64 << 20
HEAD_BYTES = 1 << 16
LONGEST_EXPOSURE = 1.05
"""Cadences that an exposure from a log may last and still be that of this recording."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A side file that belongs to a recording; `own`: it bears the recording's name."""

    path: Path
    program: str
    own: bool


def find_beside(paths: Sequence[Path]) -> tuple[Beside, ...]:
    """Side files of the one file that is a recording; nothing is searched beyond its folder's first files."""
    if len(paths) != 1 or not paths[0].is_file():
        return ()
    recording = paths[0]
    found = []
    try:
        members = sorted(p for p in recording.parent.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError:
        return ()  # a folder that cannot be listed has nothing to offer
    for member in members[:MOST_FILES]:
        own = member.name.lower().startswith(f"{recording.stem.lower()}.")
        text = _head(member)
        program = recognise_side(text)
        if program is not None and (own or recording.name in text):
            found.append(Beside(member, program, own))
    return tuple(found)


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def read_side_file(path: Path) -> SideTimes | None:
    """Read a side file; None if it is of no program that is known here.

    Raises
    ------
    RequestError
        It cannot be read, is damaged, or is too long for such a file.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        raise RequestError(f"{path}: cannot read the times: {error.strerror}") from error
    if size > MOST_BYTES:
        raise RequestError(f"{path.name}: {size} bytes are too many for a file of times")
    return read_side(data.decode("utf-8", "replace"), path.name)


def stamps_of_side(
    side: SideTimes, name: str, native: TimeSolution, frames: int, date_ns: int | None
) -> Stamps:
    """Stamps from a side file, dated by the option, else by the recording's own times.

    Raises as `ingest.side_times.side_stamps`.
    """
    if date_ns is None and not side.dated and native.known.any() and side.clock:
        frame, clock, _ = side.clock[0]
        own = int(native.mid_ns[min(frame, frames - 1)])
        if native.known[min(frame, frames - 1)]:
            date_ns = round((own - clock) / DAY_NS) * DAY_NS
    stamps = side_stamps(side, name, frames, date_ns)
    assumed = any(note.caveat is Caveat.EXPOSURE_ASSUMED for note in native.notes)
    if side.exposure_s is None and not assumed:
        stamps = replace(stamps, exposure_s=native.exposure_s)
    return stamps


def with_beside(native: TimeSolution, frames: int, beside: Sequence[Beside]) -> TimeSolution:
    """Times of a recording with what its side files add, and a note of each.

    Parameters
    ----------
    native : TimeSolution
        The container's.
    frames : int
    beside : sequence of Beside
    """
    own = [file for file in beside if file.own and file.program in {"FireCapture log", "SharpCap settings"}]
    used = ""
    if len(own) == 1:
        native, used = _with_log(native, frames, own[0])
    notes = []
    for file in beside:
        name, what = file.path.name, file.program
        if used and file is own[0]:
            notes.append(Note(Caveat.SIDE_FILE, f"{name} ({what}) beside the recording: {used}"))
        elif what != "SharpCap settings":
            text = f"{name} ({what}) stands beside the recording; --times {name} uses it"
            notes.append(Note(Caveat.SIDE_FILE, text))
    return native.with_notes(notes)


def _with_log(native: TimeSolution, frames: int, file: Beside) -> tuple[TimeSolution, str]:
    """Times with a recorder's log of the same name; what was taken from it, in words."""
    try:
        side = read_side_file(file.path)
    except RequestError:
        return native, ""  # nobody asked for it: a damaged log is offered, and says so when it is named
    if side is None:
        return native, ""
    if not native.known.any() and len(side.clock) == frames:
        return solve(side_stamps(side, file.path.name, frames, None)), "gives the times of all frames"
    return _with_exposure(native, side.exposure_s)


def _with_exposure(native: TimeSolution, exposure_s: float | None) -> tuple[TimeSolution, str]:
    """Times with a logged exposure in the place of an assumed one."""
    assumed = any(note.caveat is Caveat.EXPOSURE_ASSUMED for note in native.notes)
    cadence = native.cadence_s()
    found = recover_stamps(native) if assumed else None
    if found is None or exposure_s is None or cadence is None or exposure_s > LONGEST_EXPOSURE * cadence:
        return native, ""
    stamps, shifts = found
    kept = tuple(note for note in stamps.notes if note.caveat is not Caveat.EXPOSURE_ASSUMED)
    stamps = replace(stamps, exposure_s=np.full(native.mid_ns.size, exposure_s), notes=kept)
    return solve(stamps, None, shifts), f"gives the exposure, {exposure_s:.6g} s"
