"""How many frames are in memory at once: below 1 GiB, whatever their size and however many cores work."""

from reduction.cores import cores
from reduction.stack import SourceInfo

BLOCK_BYTES = 16 * 2**20
"""Recorded pixels that are read at a time, at most."""
BLOCK_FRAMES = 256
UNDER_WAY_BYTES = 448 * 2**20
"""Frames under way in pass 2, images made of them included; libraries and pass 1's findings come on top."""
LIGHT_BLOCK_BYTES = 40 * 2**20
LIGHT_BLOCK_FRAMES = 128
"""Of frames that are looked at in place around stars only: mapped, and mostly not in memory."""
BLOCKS_ALIVE = 3
"""Of each thread: one that is measured, one that is ready, one that is read."""


def frame_cost(info: SourceInfo, light: bool = False) -> int:
    """Bytes that a frame takes while it is measured: as recorded, and as images.

    A mono frame may be developed to float32; of colour, luminance, peaks and planes are made. Of a `light`
    one no image is made.
    """
    pixels = info.height * info.width
    made = 0 if light else pixels * (4 if info.colour == "mono" else 16)
    return max(1, info.frame_bytes + made)


def block_frames(info: SourceInfo, threads: int | None = None, light: bool = False) -> int:
    """Frames that each of some threads (`cores`) reads at a time, at least one."""
    share = UNDER_WAY_BYTES // (BLOCKS_ALIVE * (threads or cores()))
    most, size = (LIGHT_BLOCK_FRAMES, LIGHT_BLOCK_BYTES) if light else (BLOCK_FRAMES, BLOCK_BYTES)
    return max(1, min(most, size // max(info.frame_bytes, 1), share // frame_cost(info, light)))


def threads_for(info: SourceInfo, block: int, light: bool = False) -> int:
    """Threads that measure blocks of `block` frames: `cores`, fewer where frames are large."""
    return max(1, min(cores(), UNDER_WAY_BYTES // (BLOCKS_ALIVE * block * frame_cost(info, light))))
