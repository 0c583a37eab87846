"""A recording of an integrating camera, picture by picture: its stack, and the times of the pictures."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.repeats import Blocks
from reduction.stack import SourceInfo, Stack
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution

AT_ONCE = 32
END = "mid-exposure of the integration"
CAMERA_LAG_FRAMES = 0.5
"""Lag of the pictures beyond half the integration, where the camera is not named: a field, within a field.
The cameras that were measured have 0, 1, 1.5 and 2 fields."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """How video frames become pictures: which of them, and whether means are rounded to recorded levels."""

    blocks: Blocks
    whole_levels: bool = False


class IntegratedStack:
    """A recording with one frame per picture of its camera; fulfils `reduction.stack.Stack`.

    Parameters
    ----------
    stack : Stack
        The video frames; closed with this one.
    pictures : Pictures
        Which of them show one picture; means are float32 where they are not rounded.
    """

    def __init__(self, stack: Stack, pictures: Pictures) -> None:
        self.recorded = stack
        self.pictures = pictures
        self.blocks = blocks = pictures.blocks
        info = stack.info
        said = {
            "integration": f"{blocks.length} video frames per picture",
            "video_frames": str(info.frames),
        }
        self.info: SourceInfo = replace(
            info,
            shape=(blocks.starts.size, *info.shape[1:]),
            dtype=info.dtype if pictures.whole_levels else "float32",
            metadata={**info.metadata, **said},
        )
        self.times = times_of_blocks(stack.times, blocks)
        self.shard_size = max(1, stack.shard_size // blocks.length)
        self.known_digests: NDArray[np.uint8] | None = None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Pictures `start` to `stop` (excluded), each the mean of its frames."""
        out = np.empty((stop - start, *self.info.frame_shape), self.info.dtype)
        for k in range(start, stop):
            first, count = int(self.blocks.starts[k]), int(self.blocks.counts[k])
            total = np.zeros(self.info.frame_shape, np.float64)
            for at in range(first, first + count, AT_ONCE):
                total += self.recorded.read(at, min(at + AT_ONCE, first + count)).sum(
                    axis=0, dtype=np.float64
                )
            mean = total / count
            out[k - start] = np.rint(mean) if self.pictures.whole_levels else mean
        return out

    def close(self) -> None:
        """Release the recording."""
        self.recorded.close()


def by_recipe(stack: Stack, pictures: Pictures | None) -> tuple[Stack, Pictures | None]:
    """A stack by pictures, as a recipe says or as it is already, and how."""
    if isinstance(stack, IntegratedStack):
        return stack, stack.pictures
    return (stack, None) if pictures is None else (IntegratedStack(stack, pictures), pictures)


def times_of_blocks(times: TimeSolution, blocks: Blocks) -> TimeSolution:
    """Mid-exposure times of pictures from those of video frames.

    With a camera in the ledger a frame's time is that of the picture which begins with it; else the exposure
    is taken to have ended a field before the picture was first sent, within a field. A picture whose
    beginning was not recorded takes its time from its neighbour.
    """
    known = times.known
    cadence = times.cadence_s() or 0.0
    length_s = blocks.length * cadence
    entry, note = _entry(times, blocks, cadence)
    first = times.mid_ns[blocks.starts].copy()
    usable = first != UNKNOWN_NS
    whole = usable & ~blocks.partial
    if blocks.lead and blocks.starts.size > 1 and usable[1]:
        first[0] = first[1] - round(length_s * 1e9)
    anchors = np.flatnonzero(whole)
    if anchors.size and length_s > 0:
        for k in np.flatnonzero(usable & blocks.partial):
            near = anchors[np.argmin(np.abs(anchors - k))]
            pictures = round((first[k] - first[near]) * 1e-9 / length_s)
            first[k] = first[near] + round(pictures * length_s * 1e9)
    first[usable] += round(entry.value_s * 1e9)
    sigma = np.where(usable, np.hypot(times.sigma_s[blocks.starts], entry.sigma_s), np.nan)
    named = note is None
    exposure = times.exposure_s[blocks.starts] if named else np.full(first.size, length_s or np.nan)
    ledger = (*times.ledger, entry) if known.any() else times.ledger
    notes = tuple(n for n in times.notes if n.caveat not in {Caveat.INTEGRATED, Caveat.EXPOSURE_ASSUMED})
    said = f"{blocks.length} video frames show one picture: {blocks.starts.size} samples"
    if odd := int(blocks.partial.sum()):
        said += f", {odd} of them of fewer or more frames (the first begins with frame {_first_odd(blocks)})"
    extra = (Note(Caveat.INTEGRATED, said), *(() if note is None or not known.any() else (note,)))
    return replace(
        times, mid_ns=first, sigma_s=sigma, exposure_s=exposure, ledger=ledger, notes=(*notes, *extra),
        fields=None,
    )  # fmt: skip


def _first_odd(blocks: Blocks) -> int:
    return int(blocks.starts[np.flatnonzero(blocks.partial)[0]])


def _entry(times: TimeSolution, blocks: Blocks, cadence: float) -> tuple[Correction, Note | None]:
    """Step from a frame's time to its picture's, and what must be said of it."""
    start = times.ledger[-1].end if times.ledger else "mid-exposure"
    text = f"{blocks.length} video frames show one picture; the time of the first of them"
    if any(entry.what == "camera" for entry in times.ledger):
        return Correction("integration", start, END, 0.0, 0.0, text), None
    value = -(blocks.length / 2 + CAMERA_LAG_FRAMES) * cadence
    sigma = CAMERA_LAG_FRAMES * cadence
    assumed = f"{text}; the exposure is taken to end a field before, within a field"
    note = Note(
        Caveat.CAMERA_UNKNOWN,
        f"the camera integrates {blocks.length} video frames, its delay is not known: pictures are taken as "
        f"exposed until a field before they were sent, {sigma:.3g} s uncertain; say --camera NAME-PAL-x"
        f"{blocks.length} where it was measured",
    )
    return Correction("integration", start, END, value, sigma, assumed), note
