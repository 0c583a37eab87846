"""Where every frame lies: the chain correlation -> guide stars -> asterism, frame by frame.

No frame looks at its neighbours, so results depend neither on blocks nor on workers. What a frame
may know beforehand (a rotation that grows through the recording) comes from pass 1.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import OFF, SATURATED
from gpu_kernels.align import (
    IDENTITY,
    Pattern,
    StarFits,
    Stars,
    Transform,
    bin_sum,
    binning_for,
    correlate,
    locate,
)
from gpu_kernels.detect import find_stars
from gpu_kernels.match import match_stars

Floats = NDArray[np.float64]

CORRELATION, ASTERISM, LOST = "correlation", "asterism", "lost"
LEAST_SNR = 4.0
LEAST_LIGHT = 0.3  # of the guides' sqrt(flux) that a placement must leave on the frame
LEAST_AGREEMENT, SURE_AGREEMENT = 0.2, 0.5  # share of light to be believed, and without looking further
SURE_SNR = 8.0  # from which a guide should be seen
ROTATION_STEP_DEG = 0.25
PATTERN_STARS = 10


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
        order = np.argsort(-field.flux, kind="stable")
        self._u, self._v, self._flux = field.u[order], field.v[order], np.maximum(field.flux[order], 0.0)
        self._light = np.sqrt(self._flux)
        self._bright = np.argsort(-field.all_flux, kind="stable")[:PATTERN_STARS]
        self._stars = Stars(field.sigma, field.variance, field.inv_gain, field.saturation)
        width_bins = float(np.hypot(field.sigma, self.binning / np.sqrt(12.0))) / self.binning
        share = 1.0 / max(1.0, 2.0 * np.pi * width_bins**2)  # of a star's light in its brightest bin
        self._peak = np.maximum(field.all_flux, 0.0) * share
        typical = np.maximum(field.flux, 0.0) * share
        self._cap = 3.0 * float(np.median(typical)) if typical.size else 1.0
        self._patterns: dict[int, Pattern] = {}
        self.search = max(6, self.binning + 3)

    def prior_deg(self, frame: float) -> float:
        """Rotation expected on a frame, degrees."""
        if self.field.prior_frame.size == 0:
            return 0.0
        return float(np.interp(frame, self.field.prior_frame, self.field.prior_deg))

    def place(self, image: NDArray[Any], prior_deg: float = 0.0, last_resort: bool = True) -> Placement:
        """Place one image (height, width); `prior_deg` is the rotation expected.

        With `last_resort` an image that correlation cannot place is tried by matching
        asterisms.
        """
        if self.field.u.size == 0:
            return NOWHERE
        placed, share = self._refine(image, self._coarse(image, prior_deg), self.search, CORRELATION)
        if share < SURE_AGREEMENT and last_resort and self.field.u.size >= 3:
            start = self._asterism(image)
            if start is not None:
                other, better = self._refine(image, start, 3, ASTERISM)
                placed = other if better > share else placed
        return placed

    def _coarse(self, image: NDArray[Any], prior_deg: float) -> Transform:
        step = round(prior_deg / ROTATION_STEP_DEG)
        turn = self._turn(step)
        if step not in self._patterns:
            self._patterns[step] = self._pattern(turn)
        dx, dy = correlate(bin_sum(image, self.binning), self._patterns[step], self._cap)
        return Transform(1.0, 0.0, dx * self.binning, dy * self.binning).after(turn)

    def _turn(self, step: int) -> Transform:
        """Rotation by a whole number of steps about the middle of the image."""
        if step == 0:
            return IDENTITY
        angle = np.radians(step * ROTATION_STEP_DEG)
        c, s = float(np.cos(angle)), float(np.sin(angle))
        cy, cx = (self.field.shape[0] - 1) / 2.0, (self.field.shape[1] - 1) / 2.0
        return Transform(c, s, cx - c * cx + s * cy, cy - s * cx - c * cy)

    def _pattern(self, turn: Transform) -> Pattern:
        """Bins of the brightest stars, saturated ones too, capped as the frames are."""
        f, factor = self.field, self.binning
        x, y = turn.apply(f.all_u[self._bright], f.all_v[self._bright])
        return Pattern(
            np.floor((y + 0.5) / factor).astype(np.int64),
            np.floor((x + 0.5) / factor).astype(np.int64),
            np.minimum(self._peak[self._bright], self._cap).astype(np.float32),
            (f.shape[0] // factor, f.shape[1] // factor),
        )

    def _refine(
        self, image: NDArray[Any], start: Transform, search: int, method: str
    ) -> tuple[Placement, float]:
        """Placement near a start, and the share of the light that agrees; nowhere and 0 when too little."""
        px, py = start.apply(self._u, self._v)
        rotate = self.field.rotate and px.size >= 2
        step, fits, used = locate(image, px, py, self._stars, search, rotate, LEAST_SNR)
        count = int(np.count_nonzero(used))
        if count == 0:
            return NOWHERE, 0.0
        share = 1.0 if count == px.size >= 3 else self._agreement(px, py, fits, used)
        snr = float(np.sqrt((fits.snr[used] ** 2).sum()))
        if share < LEAST_AGREEMENT or (count == 1 and snr < 6.0):
            return NOWHERE, 0.0
        placed = Placement(step.after(start), method, count, self._sigma(fits, used, rotate), snr)
        return placed, share

    def _agreement(self, px: Floats, py: Floats, fits: StarFits, used: NDArray[np.bool_]) -> float:
        """Share of the guides' sqrt(flux) that agrees, of what should be seen there.

        One star agrees with itself wherever it is found: of three or more, the brightest found
        does not count, unless no other is bright enough to be missed.
        """
        f, light = self.field, self._light
        inside = (px > 0) & (py > 0) & (px < f.shape[1] - 1) & (py < f.shape[0] - 1)
        seen, able = float(light[used].sum()), float(light[inside | used].sum())
        if able < LEAST_LIGHT * float(light.sum()):
            return 0.0
        if px.size < 3:
            return seen / able if able > 0.0 else 0.0
        clear = float(np.median(fits.flux[used] / np.maximum(self._flux[used], 1e-12)))
        flux = np.maximum(clear * self._flux, 0.0)
        noise = np.sqrt(4.0 * np.pi * f.sigma**2 * f.variance + f.inv_gain * flux)
        there = (fits.status == OFF) | (fits.status == SATURATED)
        missing = float(light[inside & ~used & ~there & (flux > SURE_SNR * noise)].sum())
        more = seen - float(light[used].max())
        return more / (more + missing) if missing > 0 else 1.0

    def _sigma(self, fits: StarFits, used: NDArray[np.bool_], rotate: bool) -> float:
        """One-sigma error per axis of a position carried by the stars used, pixels."""
        w = 1.0 / (fits.error[used] ** 2 + 1e-8)
        total = float(w.sum())
        variance = 1.0 / total
        if rotate and w.size >= 2:
            u, v = self._u[used], self._v[used]
            mu, mv = float((w * u).sum()) / total, float((w * v).sum()) / total
            spread = float((w * ((u - mu) ** 2 + (v - mv) ** 2)).sum())
            tu, tv = self.field.target if self.field.target is not None else (mu, mv)
            variance += 0.5 * ((tu - mu) ** 2 + (tv - mv) ** 2) / max(spread, 1e-12)
        return float(np.sqrt(variance))

    def _asterism(self, image: NDArray[Any]) -> Transform | None:
        """Transform by matching the pattern of the stars, at any rotation; None when none is found."""
        f = self.field
        seen = find_stars(image, 5.0, 40, f.sigma, f.saturation)
        return match_stars(self._u, self._v, seen.x, seen.y)
