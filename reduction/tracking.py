"""Where every frame lies: a chain of steps, each tried where the one before has failed.

Correlation with the reference and guide stars; asterisms; the brightest sources in a box around the
place expected; a coordinates file; the place expected, held; lost. What a frame may know beforehand is an
`Expectation`: from the frames that pass 1 placed, and from frames before it in its segment.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import OFF, SATURATED
from gpu_kernels.align import (
    Pattern,
    StarFits,
    Stars,
    bin_sum,
    binning_for,
    correlation,
    locate,
    peak_of,
    without_peak,
)
from gpu_kernels.detect import Detections, find_stars
from gpu_kernels.masks import BinMask, bin_mask
from gpu_kernels.match import match_stars
from gpu_kernels.transforms import Transform, similarity
from reduction.drift import ANYWHERE, Expectation, Seen
from reduction.placement import (
    ASTERISM,
    COORDINATES,
    CORRELATION,
    HELD,
    LOST,
    METHODS,
    NOWHERE,
    ROI,
    TRACKING,
    Field,
    Placement,
    shift_sigma,
)

Floats = NDArray[np.float64]

__all__ = [
    "ASTERISM",
    "COORDINATES",
    "CORRELATION",
    "HELD",
    "LOST",
    "METHODS",
    "NOWHERE",
    "ROI",
    "TRACKING",
    "Field",
    "Placement",
    "Tracker",
    "shift_sigma",
]

LEAST_SNR = 4.0
LEAST_LIGHT = 0.3  # of the guides' sqrt(flux) that must stay on the frame, unless it lies where expected
LEAST_AGREEMENT, SURE_AGREEMENT = 0.2, 0.5  # share of light to be believed, and without looking further
SURE_SNR = 8.0  # from which a guide should be seen
DIM = 0.2  # of the light a star should have among the others, below which it is not seen
LONE_SNR = 6.0  # of a star that alone places a frame of which nothing is expected
NARROW_PX = 4.0  # of a gate within which noise is hardly ever taken for a star
GATE = 4.0  # sigmas within which a place is the one expected
DOUBTFUL_SNR, NOISIER = 25.0, 1.3  # placements checked for a frame's own noise; what counts as noisier
LONE_FLUX = 0.4  # of its usual flux that it must have then, or far from where it is expected
PEAKS = 3  # of the correlation that are tried
ROTATION_STEP_DEG, SCALE_STEP = 0.25, 0.002
PATTERN_STARS = 10
COORDINATES_SIGMA_PX = 0.5  # of a coordinates file, which says nothing of its errors
HELD_FRAMES = 1000  # from the nearest frame on which the field was seen
HELD_BOX = 0.5  # share of the ROI that the error of a held place may reach


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
        self.cap = 3.0 * float(np.median(typical)) if typical.size else 1.0
        self._patterns: dict[tuple[int, int], Pattern] = {}
        self._bin_mask = None if field.mask is None else bin_mask(field.mask, self.binning)
        self.search = max(6, self.binning + 3)

    def expect(self, frame: int, last: Seen | None = None) -> Expectation:
        """What is known of a frame before it is looked at.

        Parameters
        ----------
        frame : int
        last : Seen, optional
            The last frame before it in its segment that stars placed.
        """
        expected = self.field.drift.expect(frame, last)
        if self.field.given is None:
            return expected
        return replace(expected, given=self.field.given.transform(frame, expected.transform))

    def place(
        self, image: NDArray[Any], expected: Expectation = ANYWHERE, last_resort: bool = True
    ) -> Placement:
        """Place one image (height, width).

        Parameters
        ----------
        image : array, (height, width)
        expected : Expectation
            What is known beforehand.
        last_resort : bool
            Whether to go beyond the best correlation where that does not place the image.
        """
        if self.field.u.size == 0:
            return NOWHERE
        placed, share = self._correlated(image, expected, PEAKS if last_resort else 1)
        seen: Detections | None = None
        if share < SURE_AGREEMENT and last_resort and self.field.u.size >= 3:
            seen = find_stars(image, 5.0, 40, self.field.sigma, self.field.saturation, mask=self.field.mask)
            start = match_stars(self._u, self._v, seen.x, seen.y, expected.transform.scale)
            if start is not None:
                other, better = self._refine(image, start, 3, ASTERISM, expected)
                placed = other if better > share else placed
        if placed.found or not last_resort:
            return placed
        return self.place_near(image, expected, seen)

    def place_near(
        self, image: NDArray[Any], expected: Expectation, seen: Detections | None = None
    ) -> Placement:
        """The steps of the chain that rest on what is expected: box, coordinates file, held place.

        `seen` are the stars on the image, where they were looked for.
        """
        stars = self._stars_on(image, expected)
        placed = self._in_box(image, expected, stars)
        if not placed.found and expected.given is not None:
            placed = self._by_file(image, expected, expected.given, stars)
        return placed if placed.found else self._held(image, expected, seen)

    @property
    def guides(self) -> tuple[Floats, Floats]:
        """Guide stars on the reference grid, brightest first: u and v, pixels."""
        return self._u, self._v

    @property
    def bins_hidden(self) -> BinMask | None:
        """The field's mask as binned frames see it."""
        return self._bin_mask

    def undoubted(self, start: Transform, fits: StarFits, used: NDArray[np.bool_]) -> bool:
        """Whether a placement by correlation stands without a further look.

        Parameters
        ----------
        start : Transform
            Where the correlation puts the frame.
        fits : StarFits
            Of the guides, brightest first.
        used : array, (n,), bool
            Guides that agree.
        """
        if int(np.count_nonzero(used)) < 2:
            return False
        px, py = start.apply(self._u, self._v)
        return bool(used.all() and used.size >= 3) or (self._agreement(px, py, fits, used) >= SURE_AGREEMENT)

    def _correlated(self, image: NDArray[Any], expected: Expectation, tries: int) -> tuple[Placement, float]:
        """Placement by the highest peaks of the correlation, and the share of the light that agrees."""
        degrees, scale = expected.transform.rotation_deg, expected.transform.scale
        cy, cx = (self.field.shape[0] - 1) / 2.0, (self.field.shape[1] - 1) / 2.0
        turn = similarity(scale, degrees, cx, cy, cx, cy)
        pattern = self.pattern(round(degrees / ROTATION_STEP_DEG), round((scale - 1.0) / SCALE_STEP))
        binned = bin_sum(image, self.binning, self._bin_mask)
        surface = correlation(binned, pattern, self.cap, self._bin_mask)
        placed, share = NOWHERE, 0.0
        for k in range(tries):
            if k > 0:
                surface = without_peak(surface)
            dx, dy = peak_of(surface)
            start = Transform(1.0, 0.0, dx * self.binning, dy * self.binning).after(turn)
            placed, share = self._refine(image, start, self.search, CORRELATION, expected)
            if placed.found and placed.snr < DOUBTFUL_SNR:
                stars = self._stars_on(image, expected)
                if stars.variance > NOISIER * self._stars.variance:
                    placed, share = self._refine(image, start, self.search, CORRELATION, expected, stars)
            if placed.found:
                break
        return placed, share

    def pattern(self, turn_steps: int, scale_steps: int) -> Pattern:
        """What the coarse correlation looks for, at a rotation and scale counted in steps."""
        key = turn_steps, scale_steps
        if key not in self._patterns:
            cy, cx = (self.field.shape[0] - 1) / 2.0, (self.field.shape[1] - 1) / 2.0
            rough = 1.0 + scale_steps * SCALE_STEP, turn_steps * ROTATION_STEP_DEG
            self._patterns[key] = self._pattern(similarity(*rough, cx, cy, cx, cy))
        return self._patterns[key]

    def _pattern(self, turn: Transform) -> Pattern:
        """Bins of the brightest stars, saturated ones too, capped as the frames are."""
        f, factor = self.field, self.binning
        x, y = turn.apply(f.all_u[self._bright], f.all_v[self._bright])
        return Pattern(
            np.floor((y + 0.5) / factor).astype(np.int64),
            np.floor((x + 0.5) / factor).astype(np.int64),
            np.minimum(self._peak[self._bright], self.cap).astype(np.float32),
            (f.shape[0] // factor, f.shape[1] // factor),
        )

    def _refine(
        self,
        image: NDArray[Any],
        start: Transform,
        search: int,
        method: str,
        expected: Expectation,
        stars: Stars | None = None,
    ) -> tuple[Placement, float]:
        """Placement near a start, and the share of the light that agrees; nowhere and 0 when too little."""
        stars = self._stars_of(expected) if stars is None else stars
        px, py = start.apply(self._u, self._v)
        rotate = self.field.rotate and px.size >= 2
        step, fits, used = locate(image, px, py, stars, search, rotate, LEAST_SNR, mask=self.field.mask)
        count = int(np.count_nonzero(used))
        if count == 0:
            return NOWHERE, 0.0
        found, sigma = step.after(start), self._sigma(fits, used)
        near = self._near(found, sigma, expected)
        share = 1.0 if count == px.size >= 3 else self._agreement(px, py, fits, used, near)
        if share < LEAST_AGREEMENT:
            return NOWHERE, 0.0
        snr = float(np.sqrt((fits.snr[used] ** 2).sum()))
        weak = count == 1 and (px.size > 1 or method == ROI)
        if count == 1:
            lone = self._lone(int(np.flatnonzero(used)[0]), fits, found, sigma, expected)
            if lone is None:
                return NOWHERE, 0.0
            found, sigma = lone
        return Placement(found, method, count, sigma, snr, weak), share

    def _stars_of(self, expected: Expectation) -> Stars:
        """What fits need to know, with the width that the stars should have on this frame."""
        return self._stars if expected.width <= 0 else replace(self._stars, sigma=expected.width)

    def _lone(
        self, star: int, fits: StarFits, found: Transform, sigma: float, expected: Expectation
    ) -> tuple[Transform, float] | None:
        """What one star alone says of the place; None where it may well be another, or noise.

        Near the place expected, fit and expectation are averaged by their errors: a faint fit is
        drawn by the noise around it.
        """
        snr, share = float(fits.snr[star]), float(fits.flux[star]) / max(float(self._flux[star]), 1e-12)
        like_itself = self._u.size >= 3 or share >= LONE_FLUX
        if not np.isfinite(expected.sigma_px):
            return (found, sigma) if snr >= LONE_SNR and like_itself else None
        u, v = float(self._u[star]), float(self._v[star])
        t = expected.transform
        ex, ey = t.c * u - t.s * v + t.tx, t.s * u + t.c * v + t.ty
        dx, dy = float(fits.x[star]) - ex, float(fits.y[star]) - ey
        gate = GATE * float(np.hypot(expected.sigma_px, sigma))
        if np.hypot(dx, dy) <= gate and (snr >= LONE_SNR or gate <= NARROW_PX):
            w = expected.sigma_px**2 / (expected.sigma_px**2 + sigma**2)
            place = similarity(t.scale, t.rotation_deg, u, v, ex + w * dx, ey + w * dy)
            return place, sigma * float(np.sqrt(w))
        sure = snr >= SURE_SNR and share >= LONE_FLUX
        return (found, sigma) if sure and not self._known_other(star, fits, t, gate) else None

    def _known_other(self, star: int, fits: StarFits, expected: Transform, gate: float) -> bool:
        """Whether a fit lies where another star of the field is expected."""
        f = self.field
        x, y = expected.apply(f.all_u, f.all_v)
        other = np.hypot(f.all_u - self._u[star], f.all_v - self._v[star]) > 1.0
        near = np.hypot(x - fits.x[star], y - fits.y[star]) <= gate + 1.0
        return bool((other & near & (f.all_flux > 0.3 * fits.flux[star])).any())

    def _near(self, found: Transform, sigma: float, expected: Expectation) -> bool:
        """Whether a placement lies where the frame is expected."""
        if not np.isfinite(expected.sigma_px):
            return False
        here, there = (t.shift_at(*self.field.pivot) for t in (found, expected.transform))
        return float(np.hypot(here[0] - there[0], here[1] - there[1])) <= GATE * float(
            np.hypot(expected.sigma_px, sigma)
        )

    def _agreement(
        self, px: Floats, py: Floats, fits: StarFits, used: NDArray[np.bool_], near: bool = False
    ) -> float:
        """Share of the guides' sqrt(flux) that agrees, of what should be seen there.

        One star agrees with itself wherever it is found: of three or more, the brightest found
        does not count, unless no other is bright enough to be missed.
        """
        f, light = self.field, self._light
        inside = (px > 0) & (py > 0) & (px < f.shape[1] - 1) & (py < f.shape[0] - 1)
        seen, able = float(light[used].sum()), float(light[inside | used].sum())
        if able < LEAST_LIGHT * float(light.sum()) and not near:
            return 0.0
        if px.size < 3:
            return seen / able if able > 0.0 else 0.0
        clear = float(fits.flux[used].sum()) / max(float(self._flux[used].sum()), 1e-12)
        flux = np.maximum(clear * self._flux, 0.0)
        dim = used & (fits.flux < DIM * flux)  # noise, or another star, at the place of a bright one
        noise = np.sqrt(4.0 * np.pi * f.sigma**2 * f.variance + f.inv_gain * flux)
        there = (fits.status == OFF) | (fits.status == SATURATED)
        unseen = inside & ~used & ~there
        missing = float(light[(unseen | dim) & (flux > SURE_SNR * noise)].sum())
        more = float(light[used & ~dim].sum()) - float(light[used & ~dim].max())
        return more / (more + missing) if missing > 0 else 1.0

    def _sigma(self, fits: StarFits, used: NDArray[np.bool_]) -> float:
        """One-sigma error per axis of a position carried by the stars used, pixels."""
        return float(shift_sigma(fits.error[None] ** 2, used[None], self._u, self._v, self.field)[0])

    def _stars_on(self, image: NDArray[Any], expected: Expectation) -> Stars:
        """What fits need to know, with the noise of this very image where that is larger.

        A cloud lit by the Moon, another field: noise must not pass for stars there.
        """
        part = image[:: max(1, image.shape[0] // 120)].astype(np.float32)
        steps = np.diff(part, axis=1)
        steps = np.abs(steps[np.isfinite(steps)])
        variance = 0.5 * (1.4826 * float(np.median(steps))) ** 2 if steps.size else 0.0
        stars = self._stars_of(expected)
        return replace(stars, variance=max(stars.variance, variance))

    def _in_box(self, image: NDArray[Any], expected: Expectation, stars: Stars) -> Placement:
        """Placement by the brightest sources in boxes around the places expected, wide, then narrow."""
        roi = self.field.roi
        if not np.isfinite(expected.sigma_px) or roi < 1.0:
            return NOWHERE
        near = min(max(3.0 * expected.sigma_px + 1.0, 2.0), roi)
        placed, _ = self._refine(image, expected.transform, int(np.ceil(roi)), ROI, expected, stars)
        if not placed.found:
            placed, _ = self._refine(image, expected.transform, int(np.ceil(near)), ROI, expected, stars)
        return placed

    def _by_file(
        self, image: NDArray[Any], expected: Expectation, given: Transform, stars: Stars
    ) -> Placement:
        """Placement by a coordinates file, refined on the guides that are seen there."""
        there = replace(expected, transform=given, sigma_px=COORDINATES_SIGMA_PX)
        placed, _ = self._refine(image, given, 3, COORDINATES, there, stars)
        if placed.found:
            return placed
        return Placement(given, COORDINATES, 0, COORDINATES_SIGMA_PX, 0.0, weak=True)

    def _held(self, image: NDArray[Any], expected: Expectation, seen: Detections | None) -> Placement:
        """The place expected, for some time, unless the frame holds nothing or shows another field."""
        part = image[:: max(1, image.shape[0] // 64), :: max(1, image.shape[1] // 64)]
        part = part[np.isfinite(part)]
        blind = part.size == 0 or float(part.min()) == float(part.max())
        far = expected.unseen > HELD_FRAMES or not expected.sigma_px <= HELD_BOX * self.field.roi
        if blind or far or (seen is not None and self._elsewhere(seen, expected)):
            return NOWHERE
        return Placement(expected.transform, HELD, 0, expected.sigma_px, 0.0, weak=True)

    def _elsewhere(self, seen: Detections, expected: Expectation) -> bool:
        """Whether three clear stars or more stand where none is expected."""
        x, y = expected.transform.apply(self.field.all_u, self.field.all_v)
        apart = np.hypot(seen.x[:, None] - x[None, :], seen.y[:, None] - y[None, :]).min(axis=1)
        strange = (seen.snr >= SURE_SNR) & (apart > 3.0 + 4.0 * expected.sigma_px)
        return int(strange.sum()) >= 3
