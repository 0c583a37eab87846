"""Calibration masters: one frame out of many, robustly, in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ingest.formats import identify, open_source
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat, Note
from reduction.cores import on_all_cores
from reduction.errors import DataError, RequestError
from reduction.response import LINEAR, Curve, linearise, step_at
from reduction.stack import Digest, FrameSource, frame_digest

Kind = Literal["bias", "dark", "flat"]
FEW = 5
CLIP_SIGMA = 5.0
MAD_TO_SIGMA = 1.4826
SAMPLE_BYTES = 256 << 20
SAMPLE_FRAMES = 64
BLOCK_BYTES = 32 << 20
BAND_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Master:
    """A combined calibration frame.

    Attributes
    ----------
    kind : Kind
        Bias, dark or flat.
    array : array, (y, x) or (c, y, x), float32
        ADU as recorded (a flat is not normalised); NaN where no frame has a finite value.
    digest : Digest
        Of the array.
    frames : int
        How many were combined.
    exposure_s : float or None
        Of the frames, where their header says so.
    notes : tuple of Note
        Caveats of the recording that it was made from.
    floats : bool
        Its frames were stored as floats.
    """

    kind: Kind
    array: NDArray[np.float32]
    digest: Digest
    frames: int
    exposure_s: float | None
    notes: tuple[Note, ...] = ()
    floats: bool = False


def load_master(
    kind: Kind,
    inputs: str | Path | Sequence[str | Path],
    frame_shape: tuple[int, ...],
    response: Curve = LINEAR,
) -> Master:
    """Combine calibration frames: a file, several, a folder, or a stack.

    Fewer than five frames give their median. More give the mean of the values within five sigma of the
    median, both estimated per pixel (sigma from the median absolute deviation, at least that of the typical
    pixel) on up to 64 frames spread over the recording. Flats are brought to one level first, because
    twilight fades.

    Parameters
    ----------
    kind : Kind
        What the frames are; FITS files whose header says another type are left out where some say this one.
    inputs : path, or sequence of paths
        As for `open_source`.
    frame_shape : tuple of int
        Shape of the recording's frames, ``(y, x)`` or ``(c, y, x)``.
    response : array, (levels,), float32
        The camera's response, through which each frame goes first (`reduction.response.response_of`).

    Raises
    ------
    RequestError
        An input does not exist, or the frames have another geometry than the recording.
    DataError
        An input is unreadable.
    """
    source = _open(kind, inputs)
    try:
        info = source.info
        if info.frame_shape != frame_shape:
            raise RequestError(
                f"{info.name}: the {kind} frames have {_size(info.frame_shape)} pixels, the recording has "
                f"{_size(frame_shape)}; give {kind} frames of the recording's geometry"
            )
        array = _combine(source, kind, response)
    finally:
        source.close()
    return Master(
        kind=kind,
        array=array,
        digest=Digest(frame_digest(array).hex()),
        frames=info.frames,
        exposure_s=info.exposure_s,
        floats=info.dtype.startswith("float"),
        notes=(*_type_notes(kind, source), *(n for n in info.notes if n.caveat is Caveat.FILE_TRUNCATED)),
    )


def _open(kind: Kind, inputs: str | Path | Sequence[str | Path]) -> FrameSource:
    row, paths = identify(inputs)
    if row.name != "fits":
        return open_source(paths)
    from ingest.fits import FitsStack

    return FitsStack(paths, TimeOptions(), wanted=kind)


def _type_notes(kind: Kind, source: FrameSource) -> list[Note]:
    """A note where the header calls the frames something else."""
    stated = source.info.metadata.get("image_type", "not stated")
    names = {"bias": ("bias", "zero", "offset"), "dark": ("dark",), "flat": ("flat",)}[kind]
    if stated == "not stated" or any(name in stated.lower() for name in names):
        return []
    text = f"{source.info.name}: used as {kind} frames, its header calls them {stated!r}"
    return [Note(Caveat.IMAGE_TYPE_UNKNOWN, text)]


def _combine(source: FrameSource, kind: Kind, response: Curve) -> NDArray[np.float32]:
    """Master of all frames of a source."""
    info = source.info
    pixels = int(np.prod(info.frame_shape))
    room = max(FEW, min(SAMPLE_FRAMES, SAMPLE_BYTES // (4 * pixels)))
    chosen = np.unique(np.linspace(0, info.frames - 1, min(room, info.frames)).round().astype(int))
    levels = np.ones(info.frames)
    sample = np.empty((chosen.size, *info.frame_shape), np.float32)
    for number, frame in _frames(source, response):
        if kind == "flat":
            levels[number] = _level(frame, info.name, number)
        at = int(np.searchsorted(chosen, number))
        if at < chosen.size and chosen[at] == number:
            sample[at] = frame
    factors = np.median(levels) / levels
    sample *= factors[chosen].astype(np.float32).reshape(-1, *(1,) * len(info.frame_shape))
    centre, spread = _centre_and_spread(sample)
    if info.frames < FEW:
        return centre
    del sample
    finite = centre[np.isfinite(centre)]
    rounding = 12.0**-0.5 * step_at(response, float(np.median(finite)) if finite.size else 0.0)
    limit = np.maximum(spread, _typical(spread, rounding)) * np.float32(CLIP_SIGMA)
    return _clipped_mean(source, response, factors, centre, limit)


def _frames(source: FrameSource, response: Curve) -> Iterator[tuple[int, NDArray[Any]]]:
    size = max(1, BLOCK_BYTES // max(1, source.info.frame_bytes))
    for block in source.blocks(size):
        for number, frame in enumerate(block.frames, block.start):
            yield number, linearise(frame, response)


def _level(frame: NDArray[Any], name: str, number: int) -> float:
    finite = frame[np.isfinite(frame)]
    level = float(np.median(finite)) if finite.size else 0.0
    if level <= 0:
        raise DataError(
            f"{name}: flat frame {number} has a median of {level:g}; it holds no light, leave it out"
        )
    return level


def _centre_and_spread(sample: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median and robust sigma of each pixel over the frames, band by band; NaN where nothing is finite."""
    centre, spread = np.empty(sample.shape[1:], np.float32), np.empty(sample.shape[1:], np.float32)

    def settle(top: int) -> None:
        band = np.s_[..., top : top + BAND_ROWS, :]
        centre[band], spread[band] = _robust(sample[band])

    on_all_cores(settle, range(0, sample.shape[-2], BAND_ROWS))
    return centre, spread


def _robust(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    middle = _median(values)
    return middle, _median(np.abs(values - middle)) * np.float32(MAD_TO_SIGMA)


def _median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median over the first axis of what is finite."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, len(ordered) - 1)
    pick = [np.take_along_axis(ordered, index[np.newaxis], axis=0)[0] for index in (low, high)]
    return np.asarray((pick[0] + pick[1]) / 2, np.float32)


def _typical(spread: NDArray[np.float32], rounding: float) -> np.float32:
    """Sigma of a typical pixel, at least that of rounding to whole levels."""
    finite = spread[np.isfinite(spread)]
    return np.float32(max(float(np.median(finite)) if finite.size else 0.0, rounding))


def _clipped_mean(
    source: FrameSource,
    response: Curve,
    factors: NDArray[np.float64],
    centre: NDArray[np.float32],
    limit: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Mean of the values within `limit` of `centre`; the centre where none is."""
    total = np.zeros(centre.shape)
    count = np.zeros(centre.shape, np.int64)
    for number, frame in _frames(source, response):
        value = frame * factors[number]
        kept = np.abs(value - centre) <= limit
        total += np.where(kept, value, 0.0)
        count += kept
    mean = np.divide(total, count, out=centre.astype(np.float64), where=count > 0)
    return mean.astype(np.float32)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in reversed(shape))
