"""Which frame, field and channel make one sample: a view of the recorded frames, chosen by the plan.

Samples are numbered from 0 in the order of their exposure; positions are pixels of the full frame for
every sampling.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.calibrate import largest_sample, luminance, measurable
from gpu_kernels.photometry import StarMeasurements, measure
from gpu_kernels.planes import even_luminance, mosaic_planes, repeated_rows, whole_frames
from reduction.capture import (
    FIELD,
    MOSAIC,
    PIXEL_SHARE,
    SMOOTHING,
    Capture,
    Lattice,
    Smoothed,
    capture_of,
    sparse_aperture,
    white_excess,
)
from reduction.errors import RequestError
from reduction.noise import Aperture, aperture_of
from reduction.scan import Scan
from reduction.stack import SourceInfo
from reduction.timing import Correction, TimeSolution

Floats = NDArray[np.float64]
Channel = Literal["L", "R", "G", "B"]
Fields = Literal["off", "top", "bottom"]
Layout = Literal["mono", "rgb", "mosaic"]

LEAST_SIGMA = 0.3
"""Least Gaussian width that a star is taken to have, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Samples as they are looked at and measured.

    Attributes
    ----------
    values : array, (n, height, width)
        Images of all light, in full-frame geometry: for finding and following stars.
    raw_peak : array
        Largest recorded sample behind each pixel that is measured: as `values`, or as `planes`.
    planes : array, (k, n, height // 2, width // 2), or None
        Colour planes of a mosaic, which are measured instead of `values`.
    mosaic : array, (n, height, width), or None
        The mosaic itself, calibrated.
    """

    values: NDArray[Any]
    raw_peak: NDArray[Any]
    planes: NDArray[Any] | None = None
    mosaic: NDArray[Any] | None = None

    def of(self, i: int) -> "Images":
        """One of the samples, axes kept."""
        one = slice(i, i + 1)
        values = self.values[one]
        if self.planes is None or self.mosaic is None:
            return Images(values, values if self.raw_peak is self.values else self.raw_peak[one])
        planes = self.planes[:, one]
        peaks = planes if self.raw_peak is self.planes else self.raw_peak[:, one]
        return Images(values, peaks, planes, self.mosaic[one])

    @property
    def nbytes(self) -> int:
        """Bytes in memory, of what is not a view of something else."""
        arrays = [self.values]
        if self.raw_peak is not self.values:
            arrays.append(self.raw_peak)
        if self.planes is not None and self.planes is not self.raw_peak:
            arrays.append(self.planes)
        if self.mosaic is not None:
            arrays.append(self.mosaic)
        return sum(array.nbytes for array in arrays)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Stars measured on samples.

    Attributes
    ----------
    stars : StarMeasurements
        Fluxes of the channel, corrected for the light that sparse pixels miss; sky per recorded pixel, with
        the number of recorded pixels that it rests on; `peak` of recorded samples.
    spread : array, (n, s, r)
        Factor on the predicted variance that the correction brings; 1 without one.
    """

    stars: StarMeasurements
    spread: Floats


@dataclass(frozen=True, slots=True)
class Sampling:
    """How recorded frames make samples.

    Attributes
    ----------
    layout : Layout
        Of the recording.
    channel : Channel
        What is measured: all light, or one colour.
    fields : Fields
        Which field of a frame was exposed first; ``off``: frames are whole.
    height, width : int
        Of a frame, pixels.
    places : tuple of (py, px)
        Places of the channel in a mosaic's 2x2 cell.
    """

    layout: Layout
    channel: Channel
    fields: Fields
    height: int
    width: int
    places: tuple[tuple[int, int], ...] = ()

    @property
    def per_frame(self) -> int:
        """Samples that a recorded frame holds."""
        return 1 if self.fields == "off" else 2

    @property
    def lattice(self) -> Lattice | None:
        """How sparse the recorded pixels are; None where there is one at every place."""
        if self.layout == "mosaic":
            return MOSAIC
        return None if self.fields == "off" else FIELD

    @property
    def plain(self) -> bool:
        """Whether an image is a whole frame of single samples, as recorded."""
        return self.layout == "mono" and self.fields == "off"

    def frame_numbers(self, start: int, count: int) -> Floats:
        """Frame numbers of `count` samples: n, or n and n + 0.5 for first and second fields."""
        return np.arange(start, start + count, dtype=np.float64) / self.per_frame

    def first_row(self, sample: int) -> int:
        """Row on which the field of a sample begins."""
        return (sample % 2 + (self.fields == "bottom")) % 2

    def of_samples(self, scan: Scan) -> Scan:
        """What a scan tells of the samples: both fields of a frame share what is known of it."""
        if self.per_frame == 1:
            return scan
        return replace(
            scan,
            repeated=np.repeat(scan.repeated, 2),
            highest=np.repeat(scan.highest, 2),
            lowest=np.repeat(scan.lowest, 2),
            not_finite=np.repeat(scan.not_finite, 2),
        )

    def samples_of(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Samples that frames hold."""
        n = self.per_frame
        return (n * frames[:, None] + np.arange(n)).ravel()

    def times(self, times: TimeSolution) -> TimeSolution:
        """Times of the samples from those of the frames.

        The fields of a frame share its interval, the first half each: their middles lie a quarter of
        it before and after the frame's.
        """
        if self.per_frame == 1:
            return times
        known = np.repeat(times.known, 2)
        interval = times.cadence_s()
        if interval is None:
            finite = times.exposure_s[np.isfinite(times.exposure_s)]
            interval = float(np.median(finite)) if finite.size else 0.0
        quarter = round(0.25e9 * interval)
        mid = np.repeat(times.mid_ns, 2)
        mid[0::2][known[0::2]] -= quarter
        mid[1::2][known[1::2]] += quarter
        ledger = times.ledger
        if times.known.any():
            last = ledger[-1].end if ledger else "mid-exposure"
            order = f"{self.fields} field first"
            text = (
                f"stamps are of whole frames; {order}: first fields {quarter * 1e-9:g} s earlier, "
                f"second fields {quarter * 1e-9:g} s later"
            )
            ledger = (
                *ledger,
                Correction("field", last, "mid-exposure of the field", -quarter * 1e-9, 0.0, text),
            )
        return replace(
            times,
            mid_ns=mid,
            sigma_s=np.repeat(times.sigma_s, 2),
            exposure_s=0.5 * np.repeat(times.exposure_s, 2),
            ledger=ledger,
        )

    def images(self, developed: NDArray[Any], raw: NDArray[Any]) -> Images:
        """Samples of recorded frames, calibrated and raw; all samples of each frame."""
        if self.layout == "mosaic":
            planes = measurable(mosaic_planes(developed, self.places))
            peaks = planes if raw is developed else measurable(mosaic_planes(raw, self.places))
            return Images(even_luminance(developed), peaks, planes, developed)
        if self.layout == "rgb" and self.channel != "L":
            plane = "RGB".index(self.channel)
            developed, raw = developed[:, plane], raw[:, plane]
        elif self.layout == "rgb":
            developed, raw = luminance(developed, "rgb"), largest_sample(raw, "rgb")
        if self.fields == "off":
            values = measurable(developed)
            return Images(values, values if raw is developed else measurable(raw))
        first = self.first_row(0)
        return Images(whole_frames(developed, first), measurable(repeated_rows(raw, first)))

    def recorded(self, image: Images, sample: int) -> list[NDArray[Any]]:
        """Recorded pixels of one sample that are measured, as images of independent pixels."""
        if image.planes is not None:
            return [plane[0] for plane in image.planes]
        if self.fields == "off":
            return [image.values[0]]
        return [image.values[0, self.first_row(sample) :: 2]]

    def recorded_frame(self, developed: NDArray[Any], sample: int) -> tuple[NDArray[Any], NDArray[np.int8]]:
        """One sample's recorded pixels on the whole frame, NaN between them, and the kind of each.

        The kind is the place in the cell of a mosaic, 0 to 3; elsewhere 0.

        Parameters
        ----------
        developed : array, (1, height, width) or (1, 3, height, width)
            The frame that holds the sample, calibrated.
        sample : int
        """
        kind = np.zeros((self.height, self.width), np.int8)
        if self.layout == "mosaic":
            kind[1::2] += 2
            kind[:, 1::2] += 1
            return developed[0], kind
        values = developed[0]
        if self.layout == "rgb":
            values = (
                values.sum(axis=0, dtype=np.float32)
                if self.channel == "L"
                else values["RGB".index(self.channel)]
            )
        if self.fields == "off":
            return values, kind
        rows = np.full((self.height, self.width), np.nan, np.float32)
        own = slice(self.first_row(sample), None, 2)
        rows[own] = values[own]
        return rows, kind

    @property
    def recorded_step(self) -> tuple[int, int]:
        """Rows and columns of the frame from pixel to pixel of `recorded`."""
        return (2, 2) if self.layout == "mosaic" else (self.per_frame, 1)

    def star_sigma(self, on_image: float) -> float:
        """Gaussian width of a star's profile on the sensor, from that on the images of all light, pixels."""
        return float(np.sqrt(max(on_image**2 - SMOOTHING[self._smoothed], LEAST_SIGMA**2)))

    def white_excess(self, on_image: float) -> float:
        """Variance of white noise that disturbs fits as that of images does, in that of a recorded pixel."""
        return white_excess(self._smoothed, on_image)

    def excess(self, on_image: float) -> float:
        """The same in the variance of a pixel of the images."""
        return white_excess(self._smoothed, on_image) / PIXEL_SHARE[self._smoothed]

    @property
    def _smoothed(self) -> Smoothed:
        return "mosaic" if self.layout == "mosaic" else "none" if self.fields == "off" else "field"

    def aperture(self, radius: float, sigma: float) -> Aperture:
        """An aperture as noise sees it, for stars of Gaussian width `sigma`; pixels."""
        if self.lattice is None:
            return aperture_of(radius, sigma)
        return sparse_aperture(self.lattice, len(self.places) or 1, float(radius), round(float(sigma), 6))

    def capture(self, sigma: float, radii: Floats, light: Floats) -> Capture | None:
        """Light that sparse pixels catch within radii; None where they are not sparse.

        Parameters
        ----------
        sigma : float, pixels
        radii : array, (r,), pixels
        light : array, (s, 4)
            Of each star at each place of a mosaic's cell (elsewhere it is not looked at).
        """
        if self.lattice is None:
            return None
        if self.layout != "mosaic":
            return capture_of(self.lattice, sigma, radii, shares=np.ones((light.shape[0], 1)))
        own = light[:, [2 * row + column for row, column in self.places]]
        total = own.sum(axis=1, keepdims=True)
        shares = np.where(total > 0.0, own / np.where(total > 0.0, total, 1.0), 1.0 / len(self.places))
        return capture_of(self.lattice, sigma, radii, self.places, shares)

    def measure(
        self,
        images: Images,
        x: Floats,
        y: Floats,
        radii: Floats,
        sky: tuple[float, float],
        capture: Capture | None,
        first: int,
    ) -> Measured:
        """Measure stars in the channel on a block of samples.

        Parameters
        ----------
        images : Images
        x, y : array, (n, s), pixels
            NaN where a star is lost.
        radii : array, (r,), pixels
        sky : (float, float), pixels
        capture : Capture or None
            For these radii.
        first : int
            Number of the first sample.
        """
        if images.planes is not None and capture is not None:
            return self._measure_planes(images, x, y, radii, sky, capture)
        seen = measure(images.values, x, y, radii, *sky)
        if images.raw_peak is not images.values:
            seen = replace(seen, peak=measure(images.raw_peak, x, y, radii, *sky).peak)
        if capture is None:
            return Measured(seen, np.ones(seen.flux.shape))
        rows = np.array([self.first_row(first + i) for i in range(x.shape[0])], np.float64)
        caught = capture.of_stars(x, y - rows[:, None])
        # every recorded row stands for two
        half = replace(seen, flux=seen.flux / caught, sky_count=seen.sky_count // 2)
        return Measured(half, 1.0 / caught**2)

    def _measure_planes(
        self, images: Images, x: Floats, y: Floats, radii: Floats, sky: tuple[float, float], capture: Capture
    ) -> Measured:
        """Each plane on its own lattice; their sum, over the light that they catch of a star there."""
        planes = images.planes
        assert planes is not None
        radii, inner, outer = radii / 2.0, sky[0] / 2.0, sky[1] / 2.0
        parts: list[StarMeasurements] = []
        for k, (py, px) in enumerate(self.places):
            across, down = (x - px) / 2.0, (y - py) / 2.0
            part = measure(planes[k], across, down, radii, inner, outer)
            if images.raw_peak is not planes:
                part = replace(part, peak=measure(images.raw_peak[k], across, down, radii, inner, outer).peak)
            parts.append(part)
        caught = capture.of_stars(x, y)
        status = parts[0].status
        for part in parts[1:]:
            status = status | part.status
        with np.errstate(invalid="ignore"):
            seen = StarMeasurements(
                flux=np.sum([part.flux for part in parts], axis=0) / caught,
                area=np.sum([part.area for part in parts], axis=0),
                sky=np.mean([part.sky for part in parts], axis=0),
                sky_sigma=np.sqrt(np.mean([part.sky_sigma**2 for part in parts], axis=0)),
                sky_count=np.sum([part.sky_count for part in parts], axis=0),
                peak=np.fmax.reduce([part.peak for part in parts]),
                status=status,
            )
        return Measured(seen, caught**-2.0)


def sampling_of(info: SourceInfo, channel: Channel = "L", fields: Fields = "off") -> Sampling:
    """Return how a recording is sampled.

    Raises
    ------
    RequestError
        The recording has no such channel, or no fields.
    """
    layout: Layout = info.colour if info.colour in {"mono", "rgb"} else "mosaic"
    places: tuple[tuple[int, int], ...] = ()
    if layout == "mosaic":
        if fields != "off":
            raise RequestError(
                f"{info.name}: --fields {fields}: a {info.colour.upper()} mosaic has no fields; "
                "use --fields off"
            )
        cell = ((0, 0), (0, 1), (1, 0), (1, 1))
        places = tuple(p for p, c in zip(cell, info.colour, strict=True) if channel in {"L", c.upper()})
    if channel != "L" and (layout == "mono" or (layout == "mosaic" and not places)):
        what = (
            "mono" if layout == "mono" else f"a {info.colour.upper()} mosaic, which has no {channel} pixels"
        )
        raise RequestError(f"{info.name}: --channel {channel}: the recording is {what}; use --channel L")
    return Sampling(layout, channel, fields, info.height, info.width, places)
