"""Pass 1: places and widths of stars from the recorded pixels themselves, where these are sparse.

On pixels two apart, a fit to interpolated images is drawn to one side or the other by up to a tenth of a
pixel, each colour of a mosaic differently. Here a star's pixels on many frames are fitted at once, every
colour with its own light and sky, so that neither its colour nor where it lies among the pixels matters.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gpu_kernels.align import Transform
from reduction.register import Registered
from reduction.view import View

Floats = NDArray[np.float64]
PLACE_FRAMES = 64
WIDTH_STARS = 6
WIDTH_SNR = 50.0
LEAST_SNR = 5.0
COLOUR_SNR = 10.0
LEAST_PIXELS = 8
ROUNDS = 12
LARGEST_MOVE_PX = 1.0
_NORM = 1.0 / np.sqrt(2.0 * np.pi)


@dataclass(frozen=True, slots=True, eq=False)
class Cutouts:
    """Recorded pixels around one star on n frames.

    Attributes
    ----------
    values : array, (n, m, m), float64
        NaN where nothing is recorded.
    kind : array, (n, m, m), int8
        Colour of each pixel: 0 to 3 by its place in a mosaic's cell, else 0.
    left, top : array, (n,)
        Corner of the box on the frame.
    transforms : list of Transform
        From the grid to the frame.
    """

    values: Floats
    kind: NDArray[np.int8]
    left: Floats
    top: Floats
    transforms: list[Transform]


@dataclass(frozen=True, slots=True)
class Place:
    """A star's place on the grid and Gaussian width, pixels; light of each kind of pixel and its `snr`."""

    u: float
    v: float
    sigma: float
    light: tuple[float, ...]
    snr: float


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Stars as the recorded pixels show them.

    Attributes
    ----------
    u, v : array, (s,), pixels
        Places on the grid.
    sigma : float
        Gaussian width of a star before it falls on pixels, pixels.
    light : array, (s, 4)
        Light at each place of a mosaic's cell, each star's summing to 1.
    snr : array, (s,)
        Of the light in all frames looked at; 0 where no fit was found.
    """

    u: Floats
    v: Floats
    sigma: float
    light: Floats
    snr: Floats


def settle_places(view: View, registered: Registered, u: Floats, v: Floats, saturation: float) -> Settled:
    """Places of stars on the grid, their colours, and the common width of their profiles.

    Parameters
    ----------
    view : View
    registered : Registered
    u, v : array, (s,), pixels
        Places found on the reference image; kept where a fit leads away or finds too little light.
    saturation : float
        Recorded level, ADU, from which a star's width says nothing.
    """
    start = view.sampling.star_sigma(registered.field.sigma)
    even = np.full((u.size, 4), 0.25)
    if view.sampling.lattice is None:
        return Settled(u, v, start, even, np.zeros(u.size))
    cutouts = _cutouts(view, registered, u, v, int(np.ceil(3.0 * start)) + 2)
    if not cutouts:
        return Settled(u, v, start, even, np.zeros(u.size))
    sigma = _common_width(cutouts, u, v, start, saturation if not view.developed else np.inf)
    places = [fit_place(cut, u[s], v[s], sigma, False) for s, cut in enumerate(cutouts)]
    new_u, new_v = u.copy(), v.copy()
    for s, place in enumerate(places):
        if place is not None and place.snr >= LEAST_SNR:
            new_u[s], new_v[s] = place.u, place.v
    snr = np.array([0.0 if place is None else place.snr for place in places])
    return Settled(new_u, new_v, sigma, colours(places), snr)


def colours(places: list[Place | None]) -> Floats:
    """Light of stars at each place of a mosaic's cell ``(s, 4)``, summing to 1.

    That of faint stars is drawn to the mean of all: what they have too much or too little of one colour is
    noise.
    """
    light = np.array([(0.0,) * 4 if place is None else place.light for place in places]).reshape(-1, 4)
    snr = np.array([0.0 if place is None else place.snr for place in places])
    own = np.maximum(light, 0.0)
    total = own.sum(axis=1)
    shares = own / np.where(total > 0.0, total, 1.0)[:, None]
    sure = np.where(total > 0.0, snr**2 / (snr**2 + COLOUR_SNR**2), 0.0)
    if not sure.any():
        return np.full(shares.shape, 0.25)
    mean = (sure[:, None] * shares).sum(axis=0) / sure.sum()
    return np.asarray(sure[:, None] * shares + (1.0 - sure[:, None]) * mean, np.float64)


def _common_width(cutouts: list[Cutouts], u: Floats, v: Floats, start: float, saturation: float) -> float:
    """Median width of the stars with the most light."""
    first = [fit_place(cut, u[s], v[s], start, False) for s, cut in enumerate(cutouts)]
    widths: list[float] = []
    for s in np.argsort([-place.snr if place is not None else 0.0 for place in first], kind="stable"):
        found = first[s]
        if found is None or found.snr < WIDTH_SNR or len(widths) == WIDTH_STARS:
            break
        if np.nanmax(cutouts[s].values) < saturation:
            wide = fit_place(cutouts[s], found.u, found.v, start, True)
            widths += [] if wide is None else [wide.sigma]
    return float(np.median(widths)) if widths else start


def _cutouts(view: View, registered: Registered, u: Floats, v: Floats, half: int) -> list[Cutouts]:
    """Boxes around all stars on evenly spread placed frames."""
    placed = np.array([k for k, p in enumerate(registered.placements) if p.found], np.int64)
    if placed.size == 0:
        return []
    chosen = placed[np.unique(np.round(np.linspace(0, placed.size - 1, PLACE_FRAMES)).astype(int))]
    size = 2 * half + 1
    values = np.full((u.size, chosen.size, size, size), np.nan)
    kind = np.zeros(values.shape, np.int8)
    corner = np.zeros((2, u.size, chosen.size))
    transforms = [registered.placements[k].transform for k in chosen]
    for i, k in enumerate(chosen):
        sample = int(registered.index[k])
        pixels, kinds = view.recorded(sample)
        x, y = transforms[i].apply(u, v)
        for s in range(u.size):
            left, top = int(np.floor(x[s] + 0.5)) - half, int(np.floor(y[s] + 0.5)) - half
            corner[:, s, i] = left, top
            inner = slice(max(top, 0), max(top + size, 0)), slice(max(left, 0), max(left + size, 0))
            part = pixels[inner]
            if part.size:
                at = slice(inner[0].start - top, inner[0].start - top + part.shape[0])
                to = slice(inner[1].start - left, inner[1].start - left + part.shape[1])
                values[s, i, at, to], kind[s, i, at, to] = part, kinds[inner]
    return [Cutouts(values[s], kind[s], corner[0, s], corner[1, s], transforms) for s in range(u.size)]


def fit_place(cut: Cutouts, u: float, v: float, sigma: float, width: bool) -> Place | None:
    """Least-squares place of a star, alike on all frames; light and sky of each colour are solved for.

    Gauss-Newton with the linear parameters eliminated (variable projection: Golub & Pereyra 1973, SIAM
    J. Numer. Anal. 10, 413). Each frame's colours first have their own median taken off, and its light is
    taken against the mean, so that neither a sky that changes nor clouds or an occultation do harm.

    Parameters
    ----------
    cut : Cutouts
    u, v, sigma : float, pixels
        Start, and width.
    width : bool
        Solve for the width as well.
    """
    data, kinds = _levelled(cut)
    good = np.isfinite(data)
    start_u, start_v = u, v
    shine, equations = np.ones((data.shape[0], 1, 1)), _Equations()
    count = 3 if width else 2
    for round_ in range(ROUNDS):
        model = _model(cut, u, v, sigma)
        if 0 < round_ < 4:
            shine = _shine(data, good, equations.light[cut.kind] * model[0], equations.variance)
        equations = _Equations()
        for colour in kinds:
            own = good & (cut.kind == colour)
            equations.add(colour, data[own], [(shine * part)[own] for part in model])
        normal = equations.normal[:count, :count]
        if not equations.light.sum() > 0.0 or not np.linalg.det(normal) > 0.0:
            return None
        step = np.clip(np.linalg.solve(normal, equations.right[:count]), -0.3, 0.3)
        u, v = u + float(step[0]), v + float(step[1])
        if width:
            sigma = max(sigma + float(step[2]), 0.3)
        if np.hypot(u - start_u, v - start_v) > LARGEST_MOVE_PX:
            return None
        if round_ > 3 and float(np.abs(step).max()) < 1e-4:
            break
    light = equations.light
    return Place(u, v, sigma, tuple(light.tolist()), float(light.sum() / np.sqrt(equations.light_variance)))


class _Equations:
    """Normal equations of place and width, with light and sky of each colour eliminated."""

    def __init__(self) -> None:
        self.normal, self.right = np.zeros((3, 3)), np.zeros(3)
        self.light, self.light_variance, self.variance = np.zeros(4), 0.0, 0.0

    def add(self, colour: int, data: Floats, model: list[Floats]) -> None:
        """Add the pixels of one colour: values, and the model of unit light with its three derivatives."""
        if data.size < LEAST_PIXELS:
            return
        design = np.stack([model[0], np.ones(data.size)], 1)
        inverse = np.linalg.pinv(design.T @ design)
        linear = inverse @ (design.T @ data)
        rest = data - design @ linear
        slopes = linear[0] * np.stack(model[1:], 1)
        slopes = slopes - design @ (inverse @ (design.T @ slopes))
        variance = max(float(np.mean(rest**2)), 1e-12)
        self.normal += slopes.T @ slopes / variance
        self.right += slopes.T @ rest / variance
        self.light[colour] = linear[0]
        self.light_variance += variance * float(inverse[0, 0])
        self.variance = max(self.variance, variance)


def _shine(data: Floats, good: NDArray[np.bool_], model: Floats, variance: float) -> Floats:
    """Light of a star on each frame against its mean ``(n, 1, 1)``: clouds and occultations.

    Where a frame alone hardly shows the star, it is drawn to one.
    """
    star = np.where(good, model, 0.0)
    count = np.maximum(good.sum(axis=(1, 2)), 1)
    star = np.where(good, star - (star.sum(axis=(1, 2)) / count)[:, None, None], 0.0)
    power = (star**2).sum(axis=(1, 2))
    found = (star * np.where(good, data, 0.0)).sum(axis=(1, 2)) / np.where(power > 0.0, power, 1.0)
    sure = power / (power + 9.0 * variance)
    shine = np.maximum(1.0 + sure * (found - 1.0), 0.0)
    return np.asarray((shine / max(float(shine.mean()), 1e-3))[:, None, None], np.float64)


def _levelled(cut: Cutouts) -> tuple[Floats, list[int]]:
    """Pixels less the median of their colour on each frame, and the colours there are."""
    data = cut.values.copy()
    kinds = [int(k) for k in np.unique(cut.kind[np.isfinite(data)])]
    for colour in kinds:
        own = np.where(cut.kind == colour, data, np.nan).reshape(data.shape[0], -1)
        some = np.isfinite(own).any(axis=1)
        level = np.zeros(data.shape[0])
        level[some] = np.nanmedian(own[some], axis=1)
        data -= np.where(cut.kind == colour, level[:, None, None], 0.0)
    return data, kinds


def _model(cut: Cutouts, u: float, v: float, sigma: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Star of unit light on each frame, and its derivatives by u, v and sigma; ``(n, m, m)``."""
    at = np.array([t.apply(np.array([u]), np.array([v])) for t in cut.transforms])[:, :, 0]
    c = np.array([t.c for t in cut.transforms])[:, None, None]
    s = np.array([t.s for t in cut.transforms])[:, None, None]
    size = cut.values.shape[-1]
    px, dx, wx = _profiles(at[:, 0] - cut.left, size, sigma)
    py, dy, wy = _profiles(at[:, 1] - cut.top, size, sigma)
    by_x, by_y = py[:, :, None] * dx[:, None, :], dy[:, :, None] * px[:, None, :]
    by_width = wy[:, :, None] * px[:, None, :] + py[:, :, None] * wx[:, None, :]
    return py[:, :, None] * px[:, None, :], c * by_x + s * by_y, c * by_y - s * by_x, by_width


def _profiles(centre: Floats, size: int, sigma: float) -> tuple[Floats, Floats, Floats]:
    """Gaussians integrated over pixels, and derivatives by centre and width; ``(n, size)``."""
    edges = (np.arange(size + 1) - 0.5 - centre[:, None]) / sigma
    density = _NORM / sigma * np.exp(-0.5 * edges**2)
    return np.diff(ndtr(edges)), -np.diff(density), -np.diff(edges * density)
