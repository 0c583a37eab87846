"""What a competent user would write today, at its leanest that does the same job.

All: the four stars' positions on frame 0 are known; each frame's shift against frame 0 moves them;
circular apertures of one radius, sky from an annulus around each star. One thread everywhere.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import astroalign
import cv2
import numpy as np
import sep
from astropy.stats import SigmaClip, sigma_clipped_stats
from numpy.typing import NDArray
from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry
from scipy import fft
from skimage import registration

Floats = NDArray[np.float64]
Frame = NDArray[Any]
Shift = tuple[float, float]
Align = Callable[[Frame], Shift]
"""(dx, dy) of a frame against the reference, pixels."""
Measure = Callable[[Frame, Floats], Floats]
"""Sky-subtracted fluxes (s,) at positions (s, 2) x, y."""

cv2.setNumThreads(1)
phase_cross_correlation: Callable[..., Any] = registration.phase_cross_correlation


def astroalign_shift(reference: Frame) -> Align:
    """``find_transform(reference, frame)``, as its manual shows; the shift of the middle of the frame."""
    middle = np.array([[(reference.shape[1] - 1) / 2.0, (reference.shape[0] - 1) / 2.0]])
    kept = reference.copy()

    def shift(frame: Frame) -> Shift:
        transform, _ = astroalign.find_transform(kept, frame)
        dx, dy = (transform(middle) - middle)[0]
        return float(dx), float(dy)

    return shift


def astroalign_points_shift(reference: Frame) -> Align:
    """The same, with the reference's stars found once (``sep.extract``) and given as points."""
    middle = np.array([[(reference.shape[1] - 1) / 2.0, (reference.shape[0] - 1) / 2.0]])
    image = reference.astype(np.float32)
    background = sep.Background(image)
    found = sep.extract(image - background, 5.0, err=background.globalrms)
    found = found[np.argsort(-found["flux"])]
    points = np.stack([found["x"], found["y"]], axis=1)

    def shift(frame: Frame) -> Shift:
        transform, _ = astroalign.find_transform(points, frame)
        dx, dy = (transform(middle) - middle)[0]
        return float(dx), float(dy)

    return shift


def skimage_shift(reference: Frame, upsampling: int, normalization: str | None = "phase") -> Align:
    """``phase_cross_correlation`` of float32 images (half the time of integers, which become float64)."""
    image = reference.astype(np.float32)

    def shift(frame: Frame) -> Shift:
        moved, _, _ = phase_cross_correlation(
            image,
            frame.astype(np.float32, copy=False),
            upsample_factor=upsampling,
            normalization=normalization,
        )
        return -float(moved[1]), -float(moved[0])

    return shift


def skimage_spectrum_shift(reference: Frame, upsampling: int) -> Align:
    """Plain correlation with the reference transformed once, float32 (``space="fourier"``)."""
    spectrum = fft.fft2(reference.astype(np.float32))

    def shift(frame: Frame) -> Shift:
        moved, _, _ = phase_cross_correlation(
            spectrum,
            fft.fft2(frame.astype(np.float32, copy=False)),
            upsample_factor=upsampling,
            normalization=None,
            space="fourier",
        )
        return -float(moved[1]), -float(moved[0])

    return shift


def opencv_shift(reference: Frame) -> Align:
    """``phaseCorrelate`` without window: a Hanning window on an untouched sky pulls the peak to no shift."""
    image = reference.astype(np.float32)

    def shift(frame: Frame) -> Shift:
        (dx, dy), _ = cv2.phaseCorrelate(image, frame.astype(np.float32, copy=False))
        return dx, dy

    return shift


def photutils_table(radius: float, sky: tuple[float, float]) -> Measure:
    """``aperture_photometry``, and ``sigma_clipped_stats`` of each annulus."""

    def measure(frame: Frame, places: Floats) -> Floats:
        aperture = CircularAperture(places, radius)
        table = aperture_photometry(frame, aperture)
        masks = CircularAnnulus(places, *sky).to_mask(method="center")
        level = [sigma_clipped_stats(mask.get_values(frame))[0] for mask in masks]
        return np.asarray(table["aperture_sum"] - np.array(level) * aperture.area, np.float64)

    return measure


def photutils_stats(radius: float, sky: tuple[float, float]) -> Measure:
    """``ApertureStats`` of apertures and, sigma-clipped, of annuli."""
    clip = SigmaClip(3.0)

    def measure(frame: Frame, places: Floats) -> Floats:
        aperture = CircularAperture(places, radius)
        level = ApertureStats(frame, CircularAnnulus(places, *sky), sigma_clip=clip).mean
        return np.asarray(ApertureStats(frame, aperture).sum - level * aperture.area, np.float64)

    return measure


def photutils_lean(radius: float, sky: tuple[float, float]) -> Measure:
    """``do_photometry``, and one round of clipping by hand in NumPy."""

    def measure(frame: Frame, places: Floats) -> Floats:
        aperture = CircularAperture(places, radius)
        sums, _ = aperture.do_photometry(frame)
        level = np.empty(len(places))
        for k, mask in enumerate(CircularAnnulus(places, *sky).to_mask(method="center")):
            values = mask.get_values(frame)
            values = values[np.abs(values - values.mean()) <= 3.0 * values.std()]
            level[k] = values.mean()
        return np.asarray(sums - level * aperture.area, np.float64)

    return measure


def _for_sep(frame: Frame) -> Frame:
    """What sep takes as it is, 8-bit among it; 16-bit frames it refuses."""
    return frame if frame.dtype == np.uint8 else frame.astype(np.float32, copy=False)


def sep_annulus(radius: float, sky: tuple[float, float]) -> Measure:
    """``sum_circle`` with its local background (a plain mean of the annulus)."""

    def measure(frame: Frame, places: Floats) -> Floats:
        flux, _, _ = sep.sum_circle(_for_sep(frame), places[:, 0], places[:, 1], radius, bkgann=sky)
        return np.asarray(flux, np.float64)

    return measure


def sep_exact(radius: float, sky: tuple[float, float]) -> Measure:
    """The same with exact overlap of circle and pixels, the precision that Umbra has."""

    def measure(frame: Frame, places: Floats) -> Floats:
        flux, _, _ = sep.sum_circle(_for_sep(frame), places[:, 0], places[:, 1], radius, bkgann=sky, subpix=0)
        return np.asarray(flux, np.float64)

    return measure


def calibrated(frames: Iterable[Frame], dark: Frame, flat: Frame) -> Iterator[Frame]:
    """``(frame - dark) / flat`` in float32, in one buffer; `flat` has mean 1."""
    offset, sensitivity = dark.astype(np.float32), flat.astype(np.float32)
    image = np.empty(dark.shape, np.float32)
    for frame in frames:
        np.subtract(frame, offset, out=image)
        np.divide(image, sensitivity, out=image)
        yield image


def chain(
    frames: Iterable[Frame], count: int, align: Callable[[Frame], Align], measure: Measure, places: Floats
) -> Floats:
    """Fluxes ``(count, s)`` of the first frames: align each against the first, measure at moved places."""
    flux = np.empty((count, len(places)))
    shift: Align | None = None
    for i, frame in enumerate(itertools.islice(frames, count)):
        if shift is None:
            shift = align(frame)
        flux[i] = measure(frame, places + np.array(shift(frame)))
    return flux


def ratio_curve(flux: Floats, references: int) -> Floats:
    """Target (first column) over the sum of the references that follow it."""
    return np.asarray(flux[:, 0] / flux[:, 1 : 1 + references].sum(axis=1), np.float64)
