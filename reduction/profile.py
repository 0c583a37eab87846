"""The image of a star, from the recording's own bright stars, and how its width changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import erf

from gpu_kernels.beforehand import wait_for
from gpu_kernels.detect import FWHM_PER_SIGMA
from gpu_kernels.extraction import Profile, frame_widths, gaussian

Floats = NDArray[np.float64]

WIDTHS = np.array([0.55, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 2.8])
"""Widths of the Gaussians that a profile is made of, over that of the one Gaussian that fits best."""

MOST_TERMS = 3
LEAST_SNR = 30.0
"""Signal to noise of all boxes together below which nothing is fitted."""
SHAPE_SNR = 150.0
"""The same, below which the profile stays one Gaussian."""
MISMATCH = 0.02
"""Part of the model by which no profile can be trusted to fit: an error in quadrature."""


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Cut-outs of stars, sky subtracted: one row for each star and frame.

    Attributes
    ----------
    values : array, (m, h, w)
        NaN where there is no pixel.
    x, y : array, (m,)
        Place of the star in its box, pixels.
    variance : array, (m,)
        Of a sky pixel.
    inv_gain : float
        What a unit of light adds to it.
    """

    values: Floats
    x: Floats
    y: Floats
    variance: Floats
    inv_gain: float


def profile_of(boxes: Boxes, sigma: float, radius: float, scales: Floats | None = None) -> Profile:
    """Fit a profile to stars: as many Gaussians of fixed widths as the data ask for, at most three.

    First one Gaussian with a width in each axis is fitted; then shares of Gaussians of `WIDTHS` times that,
    none negative, by least squares over all boxes with a flux for each; those that
    improve nothing go.

    Parameters
    ----------
    boxes : Boxes
    sigma : float
        Width to start from, pixels; returned as it is where the stars are too faint to tell.
    radius : float
        Pixels of a star's centre that are looked at.
    scales : array, (m,), optional
        Factor of the width of each box's frame.
    """
    factor = np.ones(boxes.x.size) if scales is None else scales
    fit = _Fit(boxes, radius, factor)
    signal = fit.signal_to_noise(np.array([[1.0, sigma, sigma]]))
    if signal < LEAST_SNR:
        return gaussian(sigma)
    sx, sy = fit.widths(sigma)
    if signal < SHAPE_SNR:
        return Profile(np.array([[1.0, sx, sy]]))
    terms = np.array([[1.0, sx, sy]])
    for _ in range(2):
        terms = fit.shares(terms, sx, sy)
    return Profile(terms)


class _Fit:
    """The boxes with what repeats in every fit to them."""

    def __init__(self, boxes: Boxes, radius: float, factor: Floats) -> None:
        self.boxes, self.factor = boxes, factor
        _, height, width = boxes.values.shape
        self.columns = np.arange(width + 1)[None, :] - 0.5 - boxes.x[:, None]
        self.rows = np.arange(height + 1)[None, :] - 0.5 - boxes.y[:, None]
        dx, dy = np.arange(width)[None, :] - boxes.x[:, None], np.arange(height)[None, :] - boxes.y[:, None]
        near = dx[:, None, :] ** 2 + dy[:, :, None] ** 2 <= (radius * factor[:, None, None]) ** 2
        self.good = near & np.isfinite(boxes.values)
        self.data = np.where(self.good, boxes.values, 0.0)

    def light(self, sx: float, sy: float) -> Floats:
        """A Gaussian in the pixels of every box, (m, h, w)."""
        across = _steps(self.columns / (sx * self.factor[:, None]))
        down = _steps(self.rows / (sy * self.factor[:, None]))
        return np.asarray(down[:, :, None] * across[:, None, :], np.float64)

    def model(self, terms: Floats) -> Floats:
        """A profile in the pixels of every box."""
        total = np.zeros(self.data.shape)
        for share, sx, sy in terms:
            total += share * self.light(sx, sy)
        return total

    def fluxes(self, light: Floats) -> tuple[Floats, Floats]:
        """Flux of every box, and the weights of its pixels, mismatch and strays accounted for."""
        v = self.boxes.variance[:, None, None]
        weight = self.good / v
        flux = np.zeros(len(self.data))
        for _ in range(3):
            norm = (weight * light**2).sum(axis=(1, 2))
            flux = (weight * light * self.data).sum(axis=(1, 2)) / np.where(norm > 0, norm, np.inf)
            expected = np.maximum(flux, 0.0)[:, None, None] * light
            noise = v + self.boxes.inv_gain * expected + (MISMATCH * expected) ** 2
            apart = (self.data - flux[:, None, None] * light) ** 2 / (noise + (0.2 * expected) ** 2)
            weight = self.good * (apart < 36.0) / noise
        return flux, weight

    def signal_to_noise(self, terms: Floats) -> float:
        """Of all boxes together."""
        light = self.model(terms)
        flux, weight = self.fluxes(light)
        return float(np.sqrt((np.maximum(flux, 0.0) ** 2 * (weight * light**2).sum(axis=(1, 2))).sum()))

    def widths(self, sigma: float) -> tuple[float, float]:
        """Width of one Gaussian in x and y, by Gauss-Newton on all boxes."""
        logs = np.log([sigma, sigma])
        for _ in range(12):
            sx, sy = np.exp(logs)
            light = self.light(sx, sy)
            flux, weight = self.fluxes(light)
            step = 0.02
            slopes = [
                (self.light(sx * np.exp(a), sy * np.exp(b)) - light) / step for a, b in ((step, 0), (0, step))
            ]
            norm = (weight * light**2).sum(axis=(1, 2))
            # the flux of each box is fitted along: what a slope shares with the light is taken out of it
            free = [
                s
                - ((weight * s * light).sum(axis=(1, 2)) / np.where(norm > 0, norm, np.inf))[:, None, None]
                * light
                for s in slopes
            ]
            rest = self.data - flux[:, None, None] * light
            f = flux[:, None, None]
            b = np.array([(weight * f * d * rest).sum() for d in free])
            a = np.array([[(weight * f * f * p * q).sum() for q in free] for p in free])
            if not np.linalg.det(a) > 0:
                break
            move = np.clip(np.linalg.solve(a, b), -0.3, 0.3)
            logs = np.clip(logs + move, np.log(0.35), np.log(30.0))
            if np.abs(move).max() < 1e-3:
                break
        return float(np.exp(logs[0])), float(np.exp(logs[1]))

    def shares(self, before: Floats, sx: float, sy: float) -> Floats:
        """Terms of the profile given those that weights and fluxes are taken from."""
        flux, weight = self.fluxes(self.model(before))
        wide = np.exp(np.log(WIDTHS))
        design = np.stack([(flux[:, None, None] * self.light(k * sx, k * sy)).ravel() for k in wide], axis=1)
        root = np.sqrt(weight).ravel()
        design *= root[:, None]
        data = self.data.ravel() * root
        # the triangle of the design fits as well as the design itself, and is small
        q, r = np.linalg.qr(design)
        goal = q.T @ data
        kept = list(range(wide.size))
        best, cost = _cost(r, goal, kept)
        kept = [k for k, share in zip(kept, best, strict=True) if share > 1e-4]
        while len(kept) > 1:
            trials = [(_cost(r, goal, [k for k in kept if k != out])[1], out) for out in kept]
            least, out = min(trials)
            if len(kept) <= MOST_TERMS and least - cost > 9.0:
                break
            kept = [k for k in kept if k != out]
            cost = max(cost, least) if len(kept) >= MOST_TERMS else cost
        best, _ = _cost(r, goal, kept)
        shares = np.maximum(best, 0.0)
        if not shares.sum() > 0:
            return before
        used = shares > 0
        shares, factor = shares[used] / shares.sum(), wide[kept][used]
        return np.stack([shares, factor * sx, factor * sy], axis=1)


def _steps(edges: Floats) -> Floats:
    return np.asarray(0.5 * np.diff(erf(edges / np.sqrt(2.0)), axis=1), np.float64)


def _cost(r: Floats, goal: Floats, kept: list[int]) -> tuple[Floats, float]:
    """Non-negative shares of the kept columns, and the squares that remain."""
    best, rest = nnls(r[:, kept], goal)
    return best, float(rest) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Seeing:
    """Widths of sample frames' stars: `factor` (m,) over the profile's, and their true relative `spread`."""

    factor: Floats
    spread: float


def seeing_of(boxes: Boxes, frame: NDArray[np.int64], profile: Profile, radius: float) -> Seeing:
    """Width of each box's frame, all boxes of a frame together.

    Parameters
    ----------
    boxes : Boxes
    frame : array, (m,)
        Frame of each box.
    profile : Profile
    radius : float, pixels
    """
    wait_for("extraction")
    variance = float(np.median(boxes.variance))
    factor = np.ones(frame.size)
    logs, errors = [], []
    size = boxes.values.shape[1]
    for f in np.unique(frame):
        mine = np.flatnonzero(frame == f)
        # the boxes of a frame beside each other make one image
        strip = np.nan_to_num(np.concatenate(list(boxes.values[mine]), axis=1), nan=0.0)
        x = boxes.x[mine] + size * np.arange(mine.size)
        zero = np.zeros((1, mine.size))
        width, error = frame_widths(
            strip[None], x[None], boxes.y[mine][None], zero, profile, min(radius, (size - 1) / 2.0 - 1.0),
            variance, boxes.inv_gain,
        )  # fmt: skip
        factor[mine] = width[0]
        if np.isfinite(error[0]):
            logs.append(float(np.log(width[0])))
            errors.append(float(error[0]))
    if len(logs) < 8:
        return Seeing(np.ones(frame.size), 0.0)
    true = float(np.var(logs)) - float(np.mean(np.minimum(errors, 1.0)) ** 2)
    return Seeing(factor, float(np.sqrt(max(true, 0.0))))


def width_of(profile: Profile) -> float:
    """Sigma of the Gaussian of the profile's full width at half maximum."""
    return float(profile.fwhm / FWHM_PER_SIGMA)
