"""Raw frames to images: response, dark, flat and defects; colour planes and mosaics to luminance."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic import develop as _agnostic
from gpu_kernels._cuda import PIXELS as _CUDA_TYPES
from gpu_kernels._cuda import develop as _cuda
from gpu_kernels._numba.develop import develop_block, repair_block
from gpu_kernels.device import namespace, on_cuda, on_host, type_name


def _nothing(dimensions: int, dtype: type = np.float32) -> Any:
    return np.empty((0,) * dimensions, dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Development:
    """How recorded samples become linear, calibrated values, pixel by pixel.

    ``value = (response[sample] - offset) * scale`` in float32; then defective pixels become the mean of
    their good neighbours. An array of size 0 means that its step is left out.

    Attributes
    ----------
    response : array, (levels,), float32
        Linear value of each level: 256 for uint8, 65,536 for uint16 (none for other types).
    offset : array, (height, width) or (c, height, width), float32
        Bias or dark, in linear ADU.
    scale : array, same shape, float32
        1 / flat; NaN where the flat is not positive.
    defect : array, same shape, bool
        Pixels whose value means nothing.
    step : int
        Distance to a neighbour: 1, or 2 on a mosaic, whose neighbours have another colour.
    places : array, (k,), int64
        Defective pixels, counted along the rows (found from `defect`).
    """

    response: NDArray[np.float32] = field(default_factory=lambda: _nothing(1))
    offset: NDArray[np.float32] = field(default_factory=lambda: _nothing(2))
    scale: NDArray[np.float32] = field(default_factory=lambda: _nothing(2))
    defect: NDArray[np.bool_] = field(default_factory=lambda: _nothing(2, np.bool_))
    step: int = 1
    places: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", np.flatnonzero(self.defect))

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.response.size or self.offset.size or self.scale.size or self.places.size)


def scale_of(flat: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / flat in float32, NaN where the flat is not positive.

    Parameters
    ----------
    flat : array, float32
        Of mean 1.
    """
    xp = namespace(flat)
    light = flat > 0
    scale: NDArray[np.float32] = xp.where(light, 1.0 / xp.where(light, flat, 1.0), xp.nan)
    return scale


def develop(frames: NDArray[Any], development: Development) -> NDArray[Any]:
    """Linear, calibrated values in the geometry as recorded.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width), ADU
        Any real type; uint8 and uint16 where there is a response.
    development : Development
        Defective pixels have up to eight good neighbours, `Development.step` pixels away; one without any
        becomes NaN.

    Returns
    -------
    array, same shape
        float32, or `frames` itself when there is nothing to do.

    Raises
    ------
    ValueError
        Arrays that do not fit the frames, or a response that has not a value for every level.
    """
    if not development.active:
        return frames
    for name in ("offset", "scale", "defect"):
        master = getattr(development, name)
        if master.size and master.shape != frames.shape[1:]:
            raise ValueError(f"{name} of shape {master.shape} for frames of shape {frames.shape[1:]}")
    levels = {"uint8": 256, "uint16": 65_536}.get(type_name(frames), 0)
    if development.response.size not in {0, levels}:
        raise ValueError(
            f"a response of {development.response.size} levels for {type_name(frames)} samples, "
            f"which have {levels}"
        )
    if on_cuda(frames) and type_name(frames) in _CUDA_TYPES:
        on_device: NDArray[Any] = _cuda.develop(frames, _cuda.masters(development, frames))
        return on_device
    if not on_host(frames):
        masters = (development.response, development.offset, development.scale, development.defect)
        developed: NDArray[Any] = _agnostic.develop(frames, *masters, development.step)
        return developed
    if frames.dtype.name not in {"uint8", "uint16", "float32"} or not frames.dtype.isnative:
        frames = frames.astype(np.float32)
    tall, wide = int(np.prod(frames.shape[1:-1])), frames.shape[-1]

    def flat(array: NDArray[Any]) -> NDArray[Any]:
        """The planes of a master below each other, read-only: one compiled text serves all."""
        below = np.ascontiguousarray(array).reshape((tall, wide) if array.size else (0, 0)).view()
        below.flags.writeable = False
        return below

    out = np.empty((len(frames), tall, wide), np.float32)
    samples = np.ascontiguousarray(frames).reshape(out.shape).view()
    response = np.ascontiguousarray(development.response).view()
    samples.flags.writeable = response.flags.writeable = False
    develop_block(samples, response, flat(development.offset), flat(development.scale), out)
    if development.places.size:
        repair_block(out, flat(development.defect), development.places, frames.shape[-2], development.step)
    return out.reshape(frames.shape)


def luminance(frames: NDArray[Any], layout: str) -> NDArray[Any]:
    """One measurable image a frame, by plain sums: no white balance.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width)
    layout : str
        ``mono`` (returned as it is), ``rgb`` (sum of planes) or ``mosaic`` (sums of 2x2 cells, so that
        a cell's centre lies at 2 i + 0.5).

    Returns
    -------
    array, (n, height, width) or (n, height // 2, width // 2)
        As recorded, or float32 sums (exact for up to 16 bits).
    """
    if layout == "mono":
        return frames
    xp = namespace(frames)
    if layout == "rgb":
        planes: NDArray[Any] = xp.sum(frames, axis=1, dtype=xp.float32)
        return planes
    h, w = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    cells = xp.reshape(frames[:, :h, :w], (frames.shape[0], h // 2, 2, w // 2, 2))
    sums: NDArray[Any] = xp.sum(cells, axis=(2, 4), dtype=xp.float32)
    return sums


def largest_sample(frames: NDArray[Any], layout: str) -> NDArray[Any]:
    """Largest recorded sample behind each pixel of `luminance`: what saturation is judged by.

    Parameters
    ----------
    frames : array, (n, height, width) or (n, c, height, width)
    layout : str
        As for `luminance`.
    """
    if layout == "mono":
        return frames
    xp = namespace(frames)
    if layout == "rgb":
        planes: NDArray[Any] = xp.max(frames, axis=1)
        return planes
    h, w = frames.shape[1] // 2 * 2, frames.shape[2] // 2 * 2
    cells = xp.reshape(frames[:, :h, :w], (frames.shape[0], h // 2, 2, w // 2, 2))
    largest: NDArray[Any] = xp.max(cells, axis=(2, 4))
    return largest


def measurable(images: NDArray[Any]) -> NDArray[Any]:
    """The same values in a type that kernels measure: uint8, uint16, float32 or float64.

    Parameters
    ----------
    images : array
        Any real type; int8 and int16 become float32, wider integers float64 (exact to 2^53).
    """
    if on_host(images) and not images.dtype.isnative:
        images = images.astype(images.dtype.newbyteorder("="))
    if type_name(images) in {"uint8", "uint16", "float32", "float64"}:
        return images
    xp = namespace(images)
    narrow = type_name(images) in {"bool", "int8", "int16", "float16"}
    made: NDArray[Any] = xp.astype(images, xp.float32 if narrow else xp.float64)
    return made
