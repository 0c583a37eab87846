"""Noise of the recording from the recording: sky variance, gain, read noise."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gpu_kernels.detect import clipped_sigma

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of a pixel: ``variance`` at sky ``level``, rising by ``inv_gain`` a level (ADU units).

    `inv_gain` is 1 / gain, ADU per electron; `inv_gain_sigma` its uncertainty (0: as stated).
    """

    variance: float
    level: float
    inv_gain: float
    inv_gain_sigma: float
    gain_source: str
    read_noise_e: float | None
    read_noise_source: str
    floor: float

    def at(self, variance: Floats, level: Floats) -> "StarNoise":
        """The same for stars with sky variances and levels of their own, ``(n_star,)``."""
        return StarNoise(np.maximum(variance, self.floor), level, self.inv_gain, self.floor)


@dataclass(frozen=True, slots=True, eq=False)
class StarNoise:
    """Noise at each star: `variance` of a sky pixel at sky `level`, ``(n_star,)``, ADU^2 and ADU."""

    variance: Floats
    level: Floats
    inv_gain: float
    floor: float

    def pixel_variance(self, sky: Floats) -> Floats:
        """Variance of a sky pixel at levels ``(..., n_star)``, ADU^2."""
        return np.asarray(
            np.maximum(self.variance + self.inv_gain * (sky - self.level), self.floor), np.float64
        )

    def flux_variance(self, flux: Floats, sky: Floats, sky_count: Floats, aperture: "Aperture") -> Floats:
        """Predicted variance of an aperture flux.

        Photons of the star, noise of the aperture's pixels, and of the sky level taken from
        `sky_count` pixels (Merline & Howell 1995, Exp. Astron. 6, 163), pixels of the rim
        counting with the squares of their weights; and what the circle holds more or less of the
        star's light with its place within a pixel.

        Parameters
        ----------
        flux, sky, sky_count : array, (..., n_star)
            ADU, ADU per pixel, pixels.
        aperture : Aperture
        """
        pixel = self.pixel_variance(sky)
        level = aperture.area**2 / np.maximum(sky_count, 1.0)
        light = np.maximum(flux, 0.0)
        own = light * self.inv_gain * aperture.light + (aperture.phase * light) ** 2
        return np.asarray(own + (aperture.squares + level) * pixel, np.float64)


@dataclass(frozen=True, slots=True)
class Aperture:
    """A circle as noise sees it: pixels on the rim have weights w below 1 and variances w^2.

    Attributes
    ----------
    radius : float
        Pixels.
    area : float
        Sum of the weights, pixels.
    squares : float
        Sum of their squares, averaged over places of the centre within a pixel.
    light : float
        Photon noise of a star of Gaussian profile, over that of the flux within.
    phase : float
        Relative rms of that flux with the star's place within a pixel: a rim that crosses pixels cannot
        tell where in them the light lies. 0.1 to 0.5 % at a FWHM of 2 to 3 px, 3 % at 1.3 px.
    """

    radius: float
    area: float
    squares: float
    light: float
    phase: float = 0.0

    def where_stars_move(self, share: float) -> "Aperture":
        """The same where stars visit so many places that `share` of the variance of `phase` is seen."""
        return replace(self, phase=self.phase * float(np.sqrt(share)))


def aperture_of(radius: float, sigma: float, places: int = 4) -> Aperture:
    """An aperture on stars of Gaussian width `sigma`, pixels; places in a quarter of a pixel tell all."""
    half = int(np.ceil(radius + 0.5)) + 1
    offsets = (np.arange(places) + 0.5) / (2 * places)
    bins = [_gaussian_bins(d, half, sigma) for d in offsets]
    squares, light, photons = np.zeros(places**2), np.zeros(places**2), np.zeros(places**2)
    for k in range(places**2):
        j, i = divmod(k, places)
        weight = circle_weights(radius, offsets[j], offsets[i])
        cut = slice(half - weight.shape[0] // 2, half + weight.shape[0] // 2 + 1)
        caught = weight * bins[j][cut, None] * bins[i][None, cut]
        squares[k], light[k], photons[k] = (weight**2).sum(), caught.sum(), (weight * caught).sum()
    mean = float(light.mean())
    return Aperture(
        radius,
        float(np.pi * radius**2),
        float(squares.mean()),
        float(photons.mean()) / mean,
        float(light.std()) / mean,
    )


def circle_weights(radius: float, dy: float, dx: float, rows: int = 32) -> Floats:
    """Share of each pixel, about the middle one, that a circle at (`dy`, `dx`) covers; by chords."""
    half = int(np.ceil(radius + max(abs(dy), abs(dx)))) + 1
    size = 2 * half + 1
    y = (np.arange(size * rows) + 0.5) / rows - half - 0.5 - dy
    chord = np.sqrt(np.maximum(radius**2 - y**2, 0.0))[:, None]
    edges = (np.arange(size + 1) - half - 0.5 - dx)[None, :]
    covered = np.diff(np.clip(edges, -chord, chord), axis=1)
    return np.asarray(covered.reshape(size, rows, size).mean(axis=1), np.float64)


def _gaussian_bins(centre: float, half: int, sigma: float) -> Floats:
    """Light of a Gaussian at `centre` in the 2 half + 1 pixels about 0."""
    return np.asarray(np.diff(ndtr((np.arange(2 * half + 2) - half - 0.5 - centre) / sigma)), np.float64)


def pair_variance(differences: Sequence[NDArray[np.float32]]) -> float:
    """Variance of a sky pixel from differences of neighbouring frames: median over pairs, ADU^2.

    What is fixed on the sensor (pattern, gradients, stars that do not move) drops out; a change of
    level between the two is taken out as the mean of the clipped difference.
    """
    values = [clipped_sigma(d) ** 2 / 2.0 for d in differences]
    return float(np.median(values)) if values else float("nan")


def least_nuisance(
    apertures: Sequence[Aperture],
    first: int,
    local: Floats,
    count: Floats,
    bright: Floats,
    inside: NDArray[np.bool_],
) -> tuple[int, Floats]:
    """Circle in which photon noise stands out most, and what else there is of each star, ADU^2.

    Sky noise grows with the circle, and what the place within a pixel does falls (`Aperture.phase`): to
    take that away by prediction would leave much of it where stars are undersampled.

    Parameters
    ----------
    apertures : sequence of Aperture
        Ascending; `phase` as far as it shows between neighbouring frames.
    first : int
        The smallest one that will do.
    local, count, bright : array, (star,)
        Variance of a sky pixel, pixels that tell the sky, usual flux.
    inside : array, (star,), bool
        Stars that count.
    """
    light = np.maximum(bright, 0.0)
    noise = [
        (a.squares + a.area**2 / np.maximum(count, 1.0)) * local + (a.phase * light) ** 2
        for a in apertures[first:]
    ]
    told = [float(((light / n)[inside] ** 2).sum()) for n in noise]
    best = int(np.argmax(told))
    return first + best, noise[best]


def gain_from_pairs(
    first: Floats, second: Floats, constant: Floats, inside: NDArray[np.bool_], rim: float = 1.0
) -> tuple[float, float]:
    """Photon noise per flux, from how star fluxes differ between neighbouring frames.

    A star is compared with the sum of the others, so that clouds cancel; what its variance has
    beyond sky noise grows with flux as 1 / gain. (Scintillation that stars do not share counts in,
    as it should in an error bar.)

    Parameters
    ----------
    first, second : array, (pair, star)
        Fluxes on the two frames of each pair, ADU.
    constant : array, (star,)
        Variance of a flux without photon noise of the star, ADU^2.
    inside : array, (star,), bool
        Stars fit for it (never saturated, on the frame).
    rim : float
        Photon noise of a flux over that of its photons: `Aperture.light`.

    Returns
    -------
    inv_gain, sigma : float
        ADU per electron and its uncertainty; NaN, NaN when too little is known.
    """
    use = np.flatnonzero(inside)
    total, weight = 0.0, 0.0
    for s in use:
        others = use[use != s]
        a, b = first[:, s], second[:, s]
        if others.size:
            oa, ob = first[:, others].sum(axis=1), second[:, others].sum(axis=1)
            noise_o = float(constant[others].sum())
        else:
            oa = ob = np.full(a.shape, np.inf)
            noise_o = 0.0
        good = np.isfinite(a) & np.isfinite(b) & (oa > 0) & (ob > 0)
        if good.sum() < 10:
            continue
        a, b, oa, ob = a[good], b[good], oa[good], ob[good]
        t = np.where(np.isfinite(oa), ob / np.where(np.isfinite(oa), oa, 1.0), 1.0)
        d = b - t * a
        share = np.where(np.isfinite(oa), (a / oa) ** 2, 0.0)
        light_o = np.where(np.isfinite(oa), ob + t**2 * oa, 0.0)
        light = np.maximum(b + t**2 * a + share * light_o, 0.0)
        fixed = (constant[s] + share * noise_o) * (1 + t**2)
        value, error = _photon_share(d, light, fixed)
        if error > 0:
            total += value / error**2
            weight += 1.0 / error**2
    if weight == 0.0:
        return float("nan"), float("nan")
    return total / weight / rim, weight**-0.5 / rim


def _photon_share(d: Floats, light: Floats, fixed: Floats) -> tuple[float, float]:
    """1 / gain such that ``d`` has variance ``fixed + light / gain``, and its error (0: none).

    Light may differ much from pair to pair (clouds), so differences are scaled by their own
    expected sigma before the robust variance is taken.
    """
    middle, base = float(np.median(light)), float(np.median(fixed))
    if not middle > 0:
        return 0.0, 0.0
    value = max((clipped_sigma(d, 4.0) ** 2 - base) / middle, 0.0)
    expected = base
    for _ in range(8):
        variance = fixed + value * light
        excess = clipped_sigma(d / np.sqrt(variance), 4.0) ** 2
        expected = base + value * middle
        new = (excess * expected - base) / middle
        if new <= 0:
            value = new
            break
        if abs(new - value) < 1e-3 * new:
            value = new
            break
        value = new
    # neighbouring differences share a frame: about two thirds of them are independent
    return value, expected * float(np.sqrt(2.0 / (0.67 * d.size))) / middle


def settle(
    variance: float,
    level: float,
    floor: float,
    gain: float | None,
    gain_source: str,
    read_noise_e: float | None,
    read_noise_source: str,
    measured: tuple[float, float],
) -> Noise:
    """Noise model from what is stated and what was measured.

    Parameters
    ----------
    variance, level : float
        Of a sky pixel, measured between frames, ADU^2 and ADU.
    floor : float
        Variance that a pixel has at least: that of rounding, ADU^2.
    gain, read_noise_e : float or None
        Electrons per ADU and electrons, from option or header.
    gain_source, read_noise_source : str
        Where they come from.
    measured : tuple of float
        `gain_from_pairs`.
    """
    if not np.isfinite(variance):
        variance = floor
    variance = max(variance, floor)
    if gain is not None:
        inv_gain, inv_sigma = 1.0 / gain, 0.0
    elif np.isfinite(measured[0]):
        inv_gain, inv_sigma = max(float(measured[0]), 0.0), float(measured[1])
        gain_source = "recording"
    elif level > 0:  # all of the sky's noise taken as photons of the sky: better than no photon noise
        inv_gain = inv_sigma = (variance - floor) / level
        gain_source = "sky level"
    else:
        inv_gain, inv_sigma, gain_source = 0.0, float("inf"), "unknown"
    if read_noise_e is None and inv_gain > 0 and level > 0 and gain_source != "sky level":
        rest = variance - floor - level * inv_gain
        if rest > 0:
            read_noise_e, read_noise_source = float(np.sqrt(rest)) / inv_gain, "recording"
    return Noise(variance, level, inv_gain, inv_sigma, gain_source, read_noise_e, read_noise_source, floor)
