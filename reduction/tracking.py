"""Where every frame lies: the chain correlation -> guide stars -> asterism, frame by frame.

No frame looks at its neighbours, so results depend neither on blocks nor on workers. What a frame
may know beforehand (a rotation that grows through the recording) comes from pass 1.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import astroalign
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gpu_kernels.align import (
    IDENTITY,
    StarFits,
    Transform,
    agree,
    bin_sum,
    binning_for,
    correlate,
    fit_stars,
    template_spectrum,
)
from gpu_kernels.detect import find_stars

Floats = NDArray[np.float64]

CORRELATION, ASTERISM, LOST = "correlation", "asterism", "lost"
LEAST_SNR = 4.0
LEAST_LIGHT = 0.3  # of the guides' sqrt(flux) on the frame that must agree
ROTATION_STEP_DEG = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The guide stars on the reference grid, and what their fits need.

    Attributes
    ----------
    u, v, flux : array, (n,)
        Guide stars: image pixels of the reference grid, and flux, ADU.
    all_u, all_v, all_flux : array, (m,)
        Every bright star, saturated ones too: what the coarse correlation looks for.
    sigma : float
        Gaussian width of the stars, pixels.
    variance, inv_gain, saturation : float
        Noise of a sky pixel (ADU^2), ADU per electron, and saturation level (ADU).
    shape : tuple of int
        Height and width of an image.
    rotate : bool
        Whether frames may be rotated against the reference.
    prior_frame, prior_deg : array
        Rotation against the reference seen in pass 1, by frame number.
    target : tuple of float or None
        Place at which the position error is stated; None: the middle of the guides.
    """

    u: Floats
    v: Floats
    flux: Floats
    all_u: Floats
    all_v: Floats
    all_flux: Floats
    sigma: float
    variance: float
    inv_gain: float
    saturation: float
    shape: tuple[int, int]
    rotate: bool
    prior_frame: Floats
    prior_deg: Floats
    target: tuple[float, float] | None = None

    def with_prior(self, frames: Floats, degrees: Floats) -> "Field":
        """The same field with a rotation prior."""
        return replace(self, prior_frame=frames, prior_deg=degrees)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one frame lies: reference to frame, by which step, from how many stars, how sure."""

    transform: Transform
    method: str
    stars: int
    sigma_px: float
    snr: float  # summed in squares over the stars used

    @property
    def found(self) -> bool:
        """Whether the frame was placed."""
        return self.method != LOST


NOWHERE = Placement(IDENTITY, LOST, 0, float("nan"), 0.0)


class Tracker:
    """Places images against a field of guide stars."""

    def __init__(self, field: Field) -> None:
        self.field = field
        height, width = field.shape
        self.binning = binning_for(height, width)
        rows, columns = height // self.binning, width // self.binning
        self._binned_shape = (rows, columns)
        self._fft_shape = (fft.next_fast_len(rows, real=True), fft.next_fast_len(columns, real=True))
        self._width = float(np.sqrt(field.sigma**2 + self.binning**2 / 12.0)) / self.binning
        peak = np.maximum(field.flux, 0.0) / (2.0 * np.pi * self._width**2)
        self._cap = 3.0 * float(np.median(peak)) if peak.size else 1.0
        self._spectra: dict[int, NDArray[np.complex64]] = {}
        self.search = max(6, self.binning + 3)

    def prior_deg(self, frame: float) -> float:
        """Rotation expected on a frame, degrees."""
        if self.field.prior_frame.size == 0:
            return 0.0
        return float(np.interp(frame, self.field.prior_frame, self.field.prior_deg))

    def place(self, image: NDArray[Any], prior_deg: float = 0.0, last_resort: bool = True) -> Placement:
        """Place one image (height, width); `prior_deg` is the rotation expected.

        With `last_resort` an image that correlation cannot place is tried by matching
        asterisms (astroalign).
        """
        if self.field.u.size == 0:
            return NOWHERE
        start = self._coarse(image, prior_deg)
        placed = self._refine(image, start, self.search, CORRELATION)
        if placed is None and last_resort and self.field.u.size >= 3:
            start_or_none = self._asterism(image)
            if start_or_none is not None:
                placed = self._refine(image, start_or_none, 3, ASTERISM)
        return placed or NOWHERE

    def fit(self, image: NDArray[Any], x: Floats, y: Floats, search: int) -> StarFits:
        """Fit stars near given places of an image."""
        f = self.field
        return fit_stars(image, x, y, search, f.sigma, f.variance, f.inv_gain, f.saturation)

    def _coarse(self, image: NDArray[Any], prior_deg: float) -> Transform:
        step = round(prior_deg / ROTATION_STEP_DEG)
        turn = self._turn(step)
        if step not in self._spectra:
            self._spectra[step] = template_spectrum(self._template(turn))
        binned = bin_sum(image, self.binning)
        dx, dy = correlate(binned, self._spectra[step], self._fft_shape, self._cap)
        return Transform(1.0, 0.0, dx * self.binning, dy * self.binning).after(turn)

    def _turn(self, step: int) -> Transform:
        """Rotation by a whole number of steps about the middle of the image."""
        if step == 0:
            return IDENTITY
        angle = np.radians(step * ROTATION_STEP_DEG)
        c, s = float(np.cos(angle)), float(np.sin(angle))
        cy, cx = (self.field.shape[0] - 1) / 2.0, (self.field.shape[1] - 1) / 2.0
        return Transform(c, s, cx - c * cx + s * cy, cy - s * cx - c * cy)

    def _template(self, turn: Transform) -> NDArray[np.float32]:
        """Binned picture of the stars alone, capped as the frames are."""
        f, factor, width = self.field, self.binning, self._width
        x, y = turn.apply(f.all_u, f.all_v)
        peak = np.maximum(f.all_flux, 0.0) / (2.0 * np.pi * width**2)
        rows, columns = self._binned_shape
        gy = np.exp(-0.5 * ((np.arange(rows) - ((y[:, None] + 0.5) / factor - 0.5)) / width) ** 2)
        gx = np.exp(-0.5 * ((np.arange(columns) - ((x[:, None] + 0.5) / factor - 0.5)) / width) ** 2)
        picture = np.minimum((gy * peak[:, None]).T @ gx, self._cap)
        return np.ascontiguousarray(picture, np.float32)

    def _refine(self, image: NDArray[Any], start: Transform, search: int, method: str) -> Placement | None:
        f = self.field
        px, py = start.apply(f.u, f.v)
        fits = self.fit(image, px, py, search)
        good = (fits.status == 0) & (fits.snr >= LEAST_SNR)
        if not good.any():
            return None
        rotate = f.rotate and f.u.size >= 2
        step, used = agree(px, py, fits, good, rotate)
        count = int(used.sum())
        inside = (px > 0) & (py > 0) & (px < f.shape[1] - 1) & (py < f.shape[0] - 1)
        light = np.sqrt(np.maximum(f.flux, 0.0))
        seen, able, total = (float(part.sum()) for part in (light[used], light[inside | used], light))
        if count == 0 or seen < LEAST_LIGHT * able or able < LEAST_LIGHT * total:
            return None
        snr = float(np.sqrt((fits.snr[used] ** 2).sum()))
        if count == 1 and snr < 6.0:
            return None
        transform = step.after(start)
        return Placement(transform, method, count, self._sigma(fits, used, rotate), snr)

    def _sigma(self, fits: StarFits, used: NDArray[np.bool_], rotate: bool) -> float:
        """One-sigma error per axis of a position carried by the stars used, pixels."""
        f = self.field
        w = 1.0 / (fits.error[used] ** 2 + 1e-8)
        total = float(w.sum())
        variance = 1.0 / total
        if rotate and used.sum() >= 2:
            u, v = f.u[used], f.v[used]
            mu, mv = float((w * u).sum()) / total, float((w * v).sum()) / total
            spread = float((w * ((u - mu) ** 2 + (v - mv) ** 2)).sum())
            tu, tv = f.target if f.target is not None else (mu, mv)
            variance += 0.5 * ((tu - mu) ** 2 + (tv - mv) ** 2) / max(spread, 1e-12)
        return float(np.sqrt(variance))

    def _asterism(self, image: NDArray[Any]) -> Transform | None:
        """Transform by matching triangles of stars, at any rotation; None when none is found."""
        f = self.field
        seen = find_stars(image, 5.0, 40, f.sigma, f.saturation)
        if len(seen) < 3:
            return None
        order = np.argsort(-f.flux, kind="stable")
        reference = np.stack([f.u[order], f.v[order]], axis=1)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                match, _ = astroalign.find_transform(
                    reference, np.stack([seen.x, seen.y], axis=1), max_control_points=40
                )
        except (astroalign.MaxIterError, ValueError, TypeError):
            return None
        if abs(match.scale - 1.0) > 0.02:
            return None
        c, s = float(np.cos(match.rotation)), float(np.sin(match.rotation))
        # keep the rotation, let the shift bring the middle of the guides where the match does
        mu, mv = float(f.u.mean()), float(f.v.mean())
        mx, my = (float(z) for z in match(np.array([[mu, mv]]))[0])
        return Transform(c, s, mx - c * mu + s * mv, my - s * mu - c * mv)
