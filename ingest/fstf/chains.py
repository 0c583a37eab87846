"""Which frames of a file make the recording, and which frames the others stand as differences to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.fstf.container import Container
from ingest.fstf.frames import DIFFERENCE, FrameTable
from ingest.fstf.status import StatusTable
from reduction.caveats import Caveat, Note
from reduction.errors import DataError

REFERENCE_TYPES = {"VTI-OSD-CALIBRATION", "FIELD-CALIBRATION"}


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Frames with a picture, and those of them that make the recording.

    Attributes
    ----------
    frames : FrameTable
        All frames with a picture: others may stand as differences to one that is not shown.
    shown : array, (t,), int64
        Rows of `frames` that make the recording.
    base : array, (rows,), int64
        Row that a frame stands as differences to; -1 where it stands alone.
    status : StatusTable
        Of the frames shown.
    notes : tuple of Note
        What was left out.
    """

    frames: FrameTable
    shown: NDArray[np.int64]
    base: NDArray[np.int64]
    status: StatusTable
    notes: tuple[Note, ...]


def chain_frames(name: str, container: Container, frames: FrameTable, status: StatusTable) -> Chains:
    """Sort out frames without a picture, reference frames, and differences to frames that are lost.

    Raises
    ------
    DataError
        No frame is left.
    """
    pictureless = [number for number, layout in container.image.layouts.items() if layout.pictureless]
    bare = np.isin(frames.layout, pictureless)
    if bare.all():
        raise DataError(
            f"{name}: none of its {frames.frames} frames has a picture: the recorder kept the status alone "
            "(STATUS-CHANNEL-ONLY)"
        )
    notes = _note(name, bare, "have a status and no picture")
    frames, status = frames.only(~bare), status.only(~bare)
    base, lost = _bases(container, frames)
    reference = _reference(container, status) & ~lost
    if (reference | lost).all():
        raise DataError(f"{name}: none of its {frames.frames} frames can be used: the file is damaged")
    notes += _note(name, reference, "are the recorder's reference frames, not integrated ones")
    notes += _note(name, lost, "stand as differences to frames that are lost")
    wanted = ~(reference | lost)
    shown = np.flatnonzero(wanted).astype(np.int64)
    return Chains(frames, shown, base, status.only(wanted), tuple(notes))


def _note(name: str, left_out: NDArray[np.bool_], why: str) -> list[Note]:
    if not left_out.any():
        return []
    first = int(np.flatnonzero(left_out)[0])
    text = f"{name}: {int(left_out.sum())} frames {why} and are left out, the first is number {first}"
    return [Note(Caveat.FRAMES_EXCLUDED, text)]


def _reference(container: Container, status: StatusTable) -> NDArray[np.bool_]:
    """Frames that tell fields and digits apart and are no samples of the light."""
    types = status.words.get("frame_type")
    found = np.zeros(status.stamp_ns.size, np.bool_)
    if types is not None:
        found |= np.isin(np.array(types), sorted(REFERENCE_TYPES))
    counts = status.number("integrated")
    if container.analogue and (counts > 0).any():
        found |= counts == 0
    return found


def _bases(container: Container, frames: FrameTable) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Row that each frame stands as differences to, and whether that is lost."""
    base = np.full(frames.frames, -1, np.int64)
    lost = np.zeros(frames.frames, np.bool_)
    layouts = container.image.layouts
    differential = [number for number, layout in layouts.items() if layout.differential]
    if not (np.isin(frames.layout, differential) & (frames.mode == DIFFERENCE)).any():
        return base, lost
    key: dict[int, int] = {}
    last: dict[int, int] = {}
    columns = (frames.layout.tolist(), frames.mode.tolist(), frames.follows.tolist())
    for row, (number, mode, follows) in enumerate(zip(*columns, strict=True)):
        if not follows:
            key, last = {}, {}
        if not layouts[number].differential:
            continue
        if mode != DIFFERENCE:
            key[number] = last[number] = row
            continue
        at = (key if layouts[number].from_key else last).get(number, -1)
        base[row], lost[row] = at, at < 0
        if at >= 0:
            last[number] = row
    return base, lost
