"""What recorded levels tell of the camera: where they saturate, and whether luma is coded from 16 to 235."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.detect import clipped_sigma
from reduction.caveats import Caveat
from reduction.stack import SourceInfo, Stack

LOOKED_AT = 24
"""Frames of a recording whose levels are looked at."""

ABOVE_SKY = 10.0
"""Samples this many sigma above the frame's middle are looked at for a pile-up."""

SPIKE = 5.0
"""Samples at a level over those at the levels just below, from which on they pile up."""

STRAY = 0.1
"""Samples above a pile-up (hot pixels, ringing), as a fraction of it, up to which it is still the top."""

FLAT = 0.3
"""Fraction of a pile-up's samples whose neighbour has the same level: a flat-topped star."""

LEAST = 4
LOSSY_LEVELS = 2
OUTSIDE_LUMA = 0.01
DEPTHS = (8, 10, 12, 14, 16)


@dataclass(frozen=True, slots=True)
class LumaRange:
    """Levels of black and white where luma is coded with room at both ends, and what tells so."""

    black: float
    white: float
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class TopSamples:
    """Samples well above the sky, ``(n,)``: their levels, and whether a neighbour has the same level.

    `unit` is the largest step of which all integer levels are multiples (0 for floats).
    """

    values: NDArray[Any]
    level_neighbour: NDArray[np.bool_]
    unit: float


def top_samples(frames: Iterable[NDArray[Any]]) -> TopSamples:
    """Samples of frames ``(h, w)`` or ``(c, h, w)`` that stand out of the sky."""
    values: list[NDArray[Any]] = []
    neighbours: list[NDArray[np.bool_]] = []
    unit = 0
    for frame in frames:
        for plane in frame.reshape(-1, *frame.shape[-2:]):
            part = plane[:: max(1, plane.shape[0] // 64), :: max(1, plane.shape[1] // 64)]
            finite = part[np.isfinite(part)]
            if finite.size == 0:
                continue
            reach = ABOVE_SKY * max(clipped_sigma(finite.astype(np.float32)), 0.3 * (plane.dtype.kind != "f"))
            level = float(np.median(finite)) + reach
            at = np.flatnonzero(
                (plane > level) & np.isfinite(plane) if plane.dtype.kind == "f" else plane > level
            )
            values.append(plane.reshape(-1)[at])
            neighbours.append(_has_equal_neighbour(plane, at))
            if plane.dtype.kind in "iu":
                kinds = np.unique(np.concatenate([values[-1], finite]))
                if kinds.size >= LEAST:
                    unit = int(np.gcd.reduce(kinds, initial=unit))
    if not values:
        return TopSamples(np.empty(0), np.empty(0, np.bool_), 0.0)
    return TopSamples(np.concatenate(values), np.concatenate(neighbours), float(unit))


def _has_equal_neighbour(plane: NDArray[Any], at: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether a pixel beside, above or below has the same level."""
    flat, width = plane.reshape(-1), plane.shape[1]
    column, here = at % width, flat[at]
    found = np.zeros(at.size, np.bool_)
    for step, inside in (
        (-1, column > 0),
        (1, column < width - 1),
        (-width, at >= width),
        (width, at < flat.size - width),
    ):
        found |= inside & (flat[np.clip(at + step, 0, flat.size - 1)] == here)
    return found


def joined(parts: Sequence[TopSamples]) -> TopSamples:
    """Samples of several frames as one."""
    if not parts:
        return top_samples(())
    return TopSamples(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.level_neighbour for part in parts]),
        float(np.gcd.reduce([int(part.unit) for part in parts])),
    )


def saturation_level(
    top: TopSamples, highest: float, bit_depth: int, dtype: np.dtype[Any], spread: int = 0
) -> tuple[float, str]:
    """Level at which a pixel is saturated, from where the histogram piles up.

    A pile-up is a level with many more samples than those just below, and hardly any above; further piles
    above it (a burnt-in overlay, hot pixels at the top of the digitiser) do not hide it.

    Parameters
    ----------
    top : TopSamples
        Of some frames.
    highest : float
        Largest sample of the whole recording.
    bit_depth : int
        Stated depth, 0 when unknown.
    dtype : dtype
        Of the recording.
    spread : int
        Levels by which lossy compression smears a pile-up either way.

    Returns
    -------
    level : float
        ADU; inf when nothing tells.
    source : str
        ``histogram``, ``bit depth`` or ``unknown``.
    """
    integer = dtype.kind in "iu"
    step = max(top.unit, 1.0) if integer else 0.0
    full = float("inf")
    if integer:
        full = float(2**bit_depth - 1 if 0 < bit_depth <= 8 * dtype.itemsize else np.iinfo(dtype).max)
        if highest <= full:
            full = full // step * step
    elif bit_depth > 0:  # means of recorded levels
        full = float(2**bit_depth - 1)
    level = _pile_up(top, step, 0)
    if level is None and spread:
        level = _pile_up(top, step, spread)
    if level is not None and level < full:
        return level, "histogram"
    if highest >= full:
        return full, "bit depth"
    if integer and any(highest == (2**bits - 1) * step for bits in DEPTHS):
        return highest, "bit depth"
    return full, "bit depth" if np.isfinite(full) else "unknown"


def _pile_up(top: TopSamples, step: float, spread: int) -> float | None:
    """Lowest level at which samples pile up with hardly any above; None where there is none."""
    levels, at, counts = np.unique(top.values, return_inverse=True, return_counts=True)
    levels = levels.astype(np.float64)
    flat = np.bincount(at, weights=top.level_neighbour, minlength=levels.size)
    total = np.concatenate([[0], np.cumsum(counts)])
    reach = spread * step
    loose = 0  # samples above that belong to no spike
    best: float | None = None
    end = levels.size
    most = max(2.0, STRAY * (2 * spread + 1) * int(counts.max(initial=0)))
    for k in np.flatnonzero(counts >= LEAST)[::-1]:
        if k >= end:
            continue
        if loose > most:
            break
        low = int(np.searchsorted(levels, levels[k] - 2 * reach, "left"))
        high = int(k) + 1
        loose += int(total[end] - total[high])
        n = int(total[high] - total[low])
        width = max(8.0 * max(step, 0.0), 0.05 * abs(levels[k]))
        under = int(np.searchsorted(levels, levels[low] - width, "left"))
        below, kinds = int(total[low] - total[under]), int(low - under)
        possible = width / step if step > 0 else max(1.0, float(kinds))
        share = float(flat[low:high].sum()) / n
        sure = share >= FLAT or (below >= 20 and kinds >= 5 and not spread)
        if sure and n > SPIKE * (2 * spread + 1) * max(below / possible, 0.5 / (2 * spread + 1)):
            if loose <= max(2, min(STRAY * n, below)):
                best = float(levels[low])
        else:
            loose += n
        end = int(low)
    return best


def luma_range(stack: Stack, lowest: float, highest: float) -> LumaRange | None:
    """Black and white of a recording whose luma has room at both ends (ITU-R BT.601: 16 to 235 of 255).

    The container's word holds unless a hundredth of the samples lie outside. Without one, 8-bit levels that
    never leave 16 to 235 and pile up at one of the two tell it.

    Parameters
    ----------
    stack : Stack
    lowest, highest : float
        Smallest and largest sample of the whole recording, ADU.
    """
    info = stack.info
    bits = info.bit_depth or 8 * np.dtype(info.dtype).itemsize
    if np.dtype(info.dtype).kind != "u" or bits < 8:
        return None
    black, white = 16.0 * 2 ** (bits - 8), 235.0 * 2 ** (bits - 8)
    stated = info.metadata.get("color_range", "unspecified")
    inside = lowest >= black and highest <= white
    if stated == "limited":
        if inside or _share_outside(stack, black, white) < OUTSIDE_LUMA:
            return LumaRange(black, white, "container")
        return None
    told = stated != "full" and bits == 8 and inside and _piles_at_ends(stack, lowest, highest, black, white)
    return LumaRange(black, white, "histogram") if told else None


def sampled_luma(stack: Stack) -> LumaRange | None:
    """`luma_range` by some frames, where the whole recording has not been read yet."""
    lowest, highest = float("inf"), float("-inf")
    if np.dtype(stack.info.dtype).kind == "u":
        for frame in looked_at(stack):
            lowest, highest = min(lowest, float(frame.min())), max(highest, float(frame.max()))
    return luma_range(stack, lowest, highest)


def _piles_at_ends(stack: Stack, lowest: float, highest: float, black: float, white: float) -> bool:
    if lowest == black and _piles_at_black(stack, black):
        return True
    if highest != white:
        return False
    top = saturation_level(top_samples(looked_at(stack)), highest, 8, np.dtype(stack.info.dtype))
    return top == (white, "histogram")


def looked_at(stack: Stack) -> Iterable[NDArray[Any]]:
    """Some frames, evenly spread over a recording."""
    frames = stack.info.frames
    for number in np.unique(np.linspace(0, frames - 1, LOOKED_AT).round().astype(int)):
        yield stack.read(int(number), int(number) + 1)[0]


def _share_outside(stack: Stack, black: float, white: float) -> float:
    outside = [float(((frame < black) | (frame > white)).mean()) for frame in looked_at(stack)]
    return float(np.mean(outside))


def _piles_at_black(stack: Stack, black: float) -> bool:
    """Whether far more samples lie at black than just above it: levels below were cut off."""
    counts = np.zeros(4, np.int64)
    for frame in looked_at(stack):
        counts += [int((frame == black + k).sum()) for k in range(4)]
    return bool(counts[0] >= LEAST and counts[0] > 1.5 * counts[1:].max())


def is_lossy(info: SourceInfo) -> bool:
    """Whether lossy compression has smeared the levels."""
    return any(note.caveat is Caveat.LOSSY_VIDEO for note in info.notes)
