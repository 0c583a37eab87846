"""Which frames, calibrated how, make the images that are measured: the `Sampling` of a stack."""

import ctypes
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gpu_kernels.calibrate import Development, develop, scale_of
from gpu_kernels.lines import remove_lines
from reduction.errors import RequestError
from reduction.levels import LumaRange
from reduction.pictures import Pictures, by_recipe
from reduction.response import step_at
from reduction.sampling import Channel, Fields, Images, Layout, Sampling, sampling_of
from reduction.stack import InPlace, Stack


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Masters in the geometry of the recording; ``(y, x)`` or ``(c, y, x)``, float32.

    Attributes
    ----------
    offset : array or None
        Bias or dark in ADU, already scaled to the recording's exposure.
    flat : array or None
        Normalised to mean 1.
    digests : dict of str to str
        Digest of each master, by kind.
    """

    offset: NDArray[np.float32] | None = None
    flat: NDArray[np.float32] | None = None
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether there is anything to apply."""
        return self.offset is not None or self.flat is not None


NOTHING = Calibration()


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Row and column noise to be taken off: see `gpu_kernels.lines.remove_lines`."""

    cast: NDArray[np.float32]
    sigma: float
    rows: bool
    columns: bool


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How recorded frames become images, beyond what the container says. Picklable: pass 2 needs it.

    Attributes
    ----------
    calibration : Calibration
        Masters, of linear levels.
    response : array, (levels,), float32
        Linear value of each recorded level; size 0 where the camera is linear.
    defect : array, shape of a frame, bool
        Pixels to be replaced by their neighbours' mean; size 0 where there are none.
    excess : array, shape of a frame, float32
        What to subtract from single pixels beside the masters, ADU; size 0 where there is nothing.
    hidden : array, shape of a frame, bool
        Pixels under burnt-in digits, which become NaN; size 0 where there are none.
    luma : LumaRange or None
        Black and white, where luma has room at both ends.
    lines : Lines or None
        Row and column noise to be taken off.
    channel : Channel
        What is measured of a colour recording.
    fields : Fields
        Which field of interlaced video comes first; ``off``: frames are whole.
    pictures : Pictures or None
        Which video frames show one picture of an integrating camera.
    """

    calibration: Calibration = NOTHING
    response: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    defect: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 0), np.bool_))
    excess: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    hidden: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    luma: LumaRange | None = None
    lines: Lines | None = None
    channel: Channel = "L"
    fields: Fields = "off"
    pictures: Pictures | None = None


AS_RECORDED = Recipe()


@dataclass(frozen=True, slots=True)
class Geometry:
    """How an image pixel lies on the full frame: full = scale * image + shift, both axes."""

    layout: Layout
    height: int
    width: int
    scale: float
    shift: float

    def to_image(self, value: float) -> float:
        """Image coordinate of a full-frame coordinate."""
        return (value - self.shift) / self.scale

    def to_full(self, value: Any) -> Any:
        """Full-frame coordinate (scalar or array) of an image coordinate."""
        return value * self.scale + self.shift


def geometry_of(sampling: Sampling) -> Geometry:
    """Return the geometry in which a recording is measured: that of the full frame."""
    return Geometry(sampling.layout, sampling.height, sampling.width, 1.0, 0.0)


KEPT_BYTES = 160 * 2**20
"""Images of the sample that stay in memory through pass 1, whatever the recording's length."""


class View:
    """A stack as the plan measures it."""

    def __init__(self, stack: Stack, recipe: Recipe = AS_RECORDED) -> None:
        self.stack, pictures = by_recipe(stack, recipe.pictures)
        self.recipe = replace(recipe, pictures=pictures)
        stack = self.stack
        self.sampling = sampling_of(stack.info, recipe.channel, recipe.fields)
        self.geometry = geometry_of(self.sampling)
        self._kept: dict[int, Images] = {}
        self._kept_bytes = 0
        self._keeping = threading.Lock()
        self._repaired: tuple[float, NDArray[np.bool_]] | None = None
        self._development = self._settled()

    def _settled(self) -> Development:
        """The development of the recorded samples, in their own geometry.

        Raises
        ------
        RequestError
            A master does not fit the recording.
        """
        recipe, info = self.recipe, self.stack.info
        masters = {"bias/dark": recipe.calibration.offset, "flat": recipe.calibration.flat}
        for kind, master in masters.items():
            if master is not None and master.shape != info.frame_shape:
                raise RequestError(
                    f"{kind} frame is {master.shape}, the recording's frames are {info.frame_shape}; "
                    "use calibration frames of the same camera mode"
                )
        given: dict[str, NDArray[Any]] = {}
        if masters["bias/dark"] is not None:
            given["offset"] = masters["bias/dark"].astype(np.float32, copy=False)
        if masters["flat"] is not None:
            given["scale"] = scale_of(masters["flat"].astype(np.float32, copy=False))
        if recipe.excess.size:
            given["offset"] = recipe.excess + given.get("offset", np.float32(0.0))
        if recipe.hidden.size:
            kept = given.get("scale", np.float32(1.0))
            given["scale"] = np.where(recipe.hidden, np.float32(np.nan), kept).astype(np.float32)
        step = 2 if self.geometry.layout == "mosaic" else 1
        return Development(response=recipe.response, defect=recipe.defect, step=step, **given)

    @property
    def frames(self) -> int:
        """Number of samples."""
        return self.stack.info.frames * self.sampling.per_frame

    @property
    def direct(self) -> bool:
        """Whether images are the recorded pixels themselves."""
        return self.sampling.plain and not self.developed

    @property
    def developed(self) -> bool:
        """Whether recorded levels are changed before they are measured."""
        return self._development.active or self.recipe.lines is not None

    @property
    def development(self) -> Development | None:
        """What makes an image of recorded samples, pixel by pixel; None where that does not suffice."""
        return self._development if self.sampling.plain and self.recipe.lines is None else None

    @property
    def pointwise(self) -> Development:
        """What makes linear, calibrated samples of recorded ones, in their own geometry."""
        return self._development

    def near_repairs(self, x: NDArray[Any], y: NDArray[Any], radius: float) -> NDArray[np.bool_]:
        """Whether a repaired pixel lies within `radius` of places of an image, to the nearest pixel."""
        if not self._development.places.size:
            return np.zeros(x.shape, np.bool_)
        kept = self._repaired
        if kept is None or kept[0] != radius:
            kept = self._repaired = radius, self._repairs_within(radius)
        near = kept[1]
        known = np.isfinite(x) & np.isfinite(y)
        column = np.where(known, np.rint(np.where(known, x, 0.0)), -1).astype(np.intp)
        row = np.where(known, np.rint(np.where(known, y, 0.0)), -1).astype(np.intp)
        inside = (column >= 0) & (row >= 0) & (column < near.shape[1]) & (row < near.shape[0])
        return np.asarray(inside & near[np.where(inside, row, 0), np.where(inside, column, 0)], np.bool_)

    def _repairs_within(self, radius: float) -> NDArray[np.bool_]:
        """Pixels of an image within `radius` of a repaired one."""
        height, width = self.geometry.height, self.geometry.width
        rows, columns = np.divmod(self._development.places, width)
        apart = np.ones((height, width), np.bool_)
        apart[rows % height, columns] = False
        return np.asarray(ndimage.distance_transform_edt(apart) <= radius, np.bool_)

    @property
    def dtype(self) -> str:
        """NumPy name of the images' pixel type."""
        frames = np.zeros((1, *self.stack.info.frame_shape), self.stack.info.dtype)
        return str(self.develop(frames).values.dtype)

    def rounding_variance(self, level: float) -> float:
        """Variance of rounding to whole levels in an image's pixel at `level`, ADU^2; tiny for floats.

        Through a response, one recorded level is as wide as the response is steep.
        """
        if np.dtype(self.stack.info.dtype).kind not in "iu":
            return 1e-12
        offset = self._development.offset
        dark = float(np.nanmedian(offset)) if offset.size and self.recipe.response.size else 0.0
        return max(step_at(self.recipe.response, level + dark) ** 2 / 12.0, 1e-12)

    def saturation_in_images(self, level: float) -> float:
        """Image value at which a pixel is saturated; inf where that differs from pixel to pixel."""
        if self.direct:
            return level
        masters = self.recipe.calibration
        if self.geometry.layout != "mono" or masters.active or not np.isfinite(level):
            return float("inf")
        pointwise = self._development
        if pointwise.response.size == 0:
            return level
        return float(pointwise.response[min(int(np.ceil(level)), pointwise.response.size - 1)])

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Frames of samples `start` to `stop` (excluded) as recorded: what `development` is applied to."""
        n = self.sampling.per_frame
        return self.stack.read(start // n, (stop + n - 1) // n)

    def look(self, start: int, stop: int) -> NDArray[Any]:
        """As `raw`, for callers who touch few of the pixels: perhaps read-only, and without a copy."""
        if not isinstance(self.stack, InPlace):
            return self.raw(start, stop)
        n = self.sampling.per_frame
        return self.stack.look(start // n, (stop + n - 1) // n)

    def images(self, start: int, stop: int) -> Images:
        """Samples `start` to `stop` (excluded)."""
        images = self.develop(self.raw(start, stop))
        skipped = start % self.sampling.per_frame
        if images.values.shape[0] == stop - start:
            return images
        wanted = slice(skipped, skipped + stop - start)
        return Images(images.values[wanted], images.raw_peak[wanted])

    def recorded(self, sample: int) -> tuple[NDArray[Any], NDArray[np.int8]]:
        """One sample's recorded pixels, calibrated, on the whole frame, and the kind (colour) of each.

        Pixels of the other field are NaN.
        """
        pixels = self.linear(self.raw(sample, sample + 1))
        return self.sampling.recorded_frame(pixels, sample)

    def sampled(self, start: int, stop: int) -> list[Images]:
        """Samples that pass 1 looks at several times, one by one: `KEPT_BYTES` stay at hand."""
        if all(sample in self._kept for sample in range(start, stop)):
            return [self._kept[sample] for sample in range(start, stop)]
        images = self.images(start, stop)
        found = [images.of(i) for i in range(stop - start)]
        with self._keeping:
            for sample, image in zip(range(start, stop), found, strict=True):
                if sample not in self._kept and self._kept_bytes + image.nbytes <= KEPT_BYTES:
                    self._kept[sample] = image
                    self._kept_bytes += image.nbytes
        return found

    def forget(self) -> None:
        """Let go of what `sampled` keeps."""
        self._kept.clear()
        self._kept_bytes = 0
        give_back_memory()

    def develop(self, raw: NDArray[Any]) -> Images:
        """All samples of raw frames."""
        return self.sampling.images(self.linear(raw), raw)

    def linear(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Raw frames in their own geometry, developed, row and column noise taken off."""
        developed, lines = develop(raw, self._development), self.recipe.lines
        if lines is None:
            return developed
        return remove_lines(developed, lines.cast, lines.sigma, lines.rows, lines.columns)


def give_back_memory() -> None:
    """Hand freed pages back to the system; glibc keeps them otherwise, and what follows comes on top."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none, and need none
    if trim is not None:
        trim(0)
