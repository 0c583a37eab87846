"""Whether the two fields of each frame were exposed one after the other, and which came first.

Stars that move from frame to frame tell: between the rows of the two fields they have moved by half of
that (or back by half, when the other field is first), or not at all, when the frame is whole. Burnt-in
digits, which outshine the stars and stand still, are not looked at.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import SEEN
from gpu_kernels.align import fit_stars
from gpu_kernels.detect import find_stars
from gpu_kernels.planes import whole_frames
from reduction.caveats import Caveat, Note
from reduction.overlay import MOST_FRAMES, Line, find_overlay, masked
from reduction.sampling import Fields
from reduction.stack import SourceInfo, Stack
from reduction.timing import FirstField

Floats = NDArray[np.float64]
RUNS = 24
RUN_FRAMES = 5
MOST_STARS = 12
LEAST_SNR = 10.0
ROW_ERROR_PX = 0.15
"""What interpolation between rows may do to a place across them."""

SURE_SIGMA = 3.0
"""Errors by which the motion must tell the cases apart."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Fields as they were found; `share` is the part of a frame's motion between its fields.

    `share` is 0 for whole frames, 0.5 where the top field is first, -0.5 where the bottom one is; `sigma`
    is its error.
    """

    fields: Fields | None  # None: nothing moved enough
    share: float
    sigma: float


def may_be_interlaced(info: SourceInfo) -> bool:
    """Whether a recording can hold two fields a frame: video, or what was converted from it."""
    known = info.metadata.get("source_format", info.format)
    return known == "video" and info.colour in {"mono", "rgb"} and info.height >= 16


def judge_fields(stack: Stack) -> Judgement:
    """Judge by the motion of stars in runs of frames, evenly spread over the recording."""
    frames = stack.info.frames
    if frames < RUN_FRAMES:
        return Judgement(None, 0.0, float("inf"))
    starts = np.unique(np.round(np.linspace(0, frames - RUN_FRAMES, RUNS)).astype(int))
    weight = product = 0.0
    digits = _digits(stack)
    for start in starts:
        images = _mono(stack.read(int(start), int(start) + RUN_FRAMES))
        if digits.size:
            images = np.where(digits, images.dtype.type(np.median(images)), images)
        w, p = _run(whole_frames(images, 0))
        weight, product = weight + w, product + p
    if weight <= 0.0:
        return Judgement(None, 0.0, float("inf"))
    share, sigma = product / weight, weight**-0.5
    if sigma * SURE_SIGMA > 0.25:
        return Judgement(None, share, sigma)
    first: Fields = "off" if abs(share) < 0.25 else "top" if share > 0.0 else "bottom"
    return Judgement(first, share, sigma)


def _digits(stack: Stack) -> NDArray[np.bool_]:
    """Pixels under burnt-in digits, ``(y, x)``; size 0 where there are none."""
    info = stack.info
    numbers = np.unique(np.round(np.linspace(0, info.frames - 1, MOST_FRAMES)).astype(int))
    seen = find_overlay([_mono(stack.read(int(k), int(k) + 1))[0] for k in numbers])
    return masked((*(Line(*box) for box in info.burnt_in), *seen), (info.height, info.width))


def _mono(pixels: NDArray[Any]) -> NDArray[Any]:
    """Frames as one plane."""
    summed: NDArray[Any] = pixels.sum(axis=1, dtype=np.float32) if pixels.ndim == 4 else pixels
    return summed


def _run(fields: NDArray[np.float32]) -> tuple[float, float]:
    """Sums of weighted motion squared, and of motion between fields times motion, over a run of frames.

    `fields` holds top and bottom field of each frame in turn.
    """
    middle = fields.shape[0] // 2
    stars = find_stars(fields[middle], 2.0 * LEAST_SNR, MOST_STARS)
    keep = ~stars.saturated
    if not keep.any():
        return 0.0, 0.0
    x, y = stars.x[keep], stars.y[keep]
    places = np.full((fields.shape[0], 2), np.nan)
    error = np.full((fields.shape[0], 2), np.inf)
    for k, field in enumerate(fields):
        fits = fit_stars(field, x, y, 4, stars.sigma, stars.noise**2, 0.0, np.inf)
        good = (fits.status == SEEN) & (fits.snr > LEAST_SNR)
        if 2 * good.sum() < x.size:
            continue
        n = int(good.sum())
        off = np.stack([fits.x - x, fits.y - y])[:, good]
        places[k] = np.median(off, axis=1)
        own = float(np.median(fits.error[good])) * 1.25 / np.sqrt(n)
        spread = 1.4826 * np.median(np.abs(off - places[k][:, None]), axis=1) * 1.25 / np.sqrt(n)
        error[k] = np.maximum(spread, own) + np.array([0.01, ROW_ERROR_PX / np.sqrt(n)])
    top, bottom = places[0::2], places[1::2]
    between = (bottom - top)[1:-1]
    motion = 0.25 * ((top + bottom)[2:] - (top + bottom)[:-2])
    variance = (error[0::2] ** 2 + error[1::2] ** 2)[1:-1] + 1e-4
    good = np.isfinite(between) & np.isfinite(motion) & (motion**2 > variance)
    w = np.where(good, np.where(good, motion, 0.0) ** 2 / variance, 0.0)
    ratio = np.divide(between, motion, out=np.zeros_like(between), where=good)
    return float(w.sum()), float((w * ratio).sum())


def settled_fields(
    asked: Literal["auto", "off", "top", "bottom"], stack: Stack
) -> tuple[Fields, tuple[Note, ...]]:
    """Which field comes first, as asked or judged; with ``auto``, frames are whole where nothing tells.

    Stars that move as one over whole frames say that the fields were exposed together, whatever their times.
    Else the field that bears the earlier time is first, and without such times the motion decides.
    """
    if asked != "auto":
        return asked, ()
    if not may_be_interlaced(stack.info):
        return "off", ()
    found, told = judge_fields(stack), stack.times.fields
    if told is not None and found.fields != "off":
        return told, (Note(Caveat.FIELDS_BY_TIMES, _said_by_times(told, found)),)
    if found.fields is not None:
        return found.fields, ()
    text = (
        "Whether frames hold two fields cannot be told: the stars move too little, or are too few. Frames "
        "are measured whole; state --fields top or bottom if the video is interlaced, else --fields off."
    )
    return "off", (Note(Caveat.FIELDS_UNDECIDED, text),)


def _said_by_times(told: FirstField, found: Judgement) -> str:
    """Why fields are taken as their times say, for people."""
    if found.fields is None:
        agrees = "the stars move too little to confirm it"
    elif found.fields == told:
        agrees = "the motion of the stars agrees"
    else:
        agrees = "the motion of the stars says the other: check with --fields"
    return f"Frames are measured as two fields, {told} field first, as their burnt-in times show; {agrees}."
