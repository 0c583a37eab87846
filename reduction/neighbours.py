"""Pass 1: stars so close to the target that their light must be fitted along, found in the stacked image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from gpu_kernels.extraction import Profile, gaussian
from gpu_kernels.stacking import cutouts
from reduction.extraction import NEAR_FWHM
from reduction.plan import Position, ReductionPlan
from reduction.profile import Boxes, profile_of
from reduction.register import Registered
from reduction.roles import Stars
from reduction.view import View

Floats = NDArray[np.float64]

LEAST_FWHM = 0.5
"""Distance below which two stars are one."""
SIGNIFICANT = 7.0
"""Signal to noise, mismatch of the profile counted as noise, of a neighbour that no peak shows."""
MOST_NEIGHBOURS = 4
LEAST_LEAK = 1e-3
"""Light of the neighbours within the target's weights, over the target's own, from which it matters."""
PROFILE_ERROR = 0.03
"""Error of the stacked image's profile, as part of the light."""
SHAPE_STARS = 10
LEAST_APART_PX = 1.5
"""The same, pixels: closer pairs cannot be told from where a star lies within its pixel."""
RESOLVED_PX = 1.7
"""FWHM from which residuals of the stack tell of stars; below, of how stars lay among the pixels."""
SATURATED = 0.8
"""Level of a peak, over that of saturation, from which the profile means nothing."""
CONTROLS = 4
SNAPPED_PX = 3.5
"""A target further than this from where it was given is not where it was given."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """The target's neighbours: the stars with them in, and which are fitted together."""

    stars: Stars
    groups: NDArray[np.int64]  # (g, m), -1 after the last of a group
    blended: NDArray[np.bool_]  # (n_star,): neighbours, no good as references or guides


def crowd_of(
    view: View, plan: ReductionPlan, stars: Stars, registered: Registered, noise: float, saturation: float
) -> Crowd:
    """`find_crowd` on the reference image of a recording; nobody where its pixels are sparse."""
    given = None if view.sampling.lattice is not None else plan.target
    if given is not None:
        given = Position(x=view.geometry.to_image(given.x), y=view.geometry.to_image(given.y))
    return find_crowd(stars, registered.image, noise, registered.field.sigma, given, saturation)


def find_crowd(
    stars: Stars,
    image: NDArray[np.float32],
    noise: float,
    sigma: float,
    given: Position | None,
    saturation: float,
) -> Crowd:
    """Find what lies within `NEAR_FWHM` of the target in the stacked image, merged peaks among it.

    The stars known so far are fitted together with the stack's own profile, places free; what the
    residuals still show as a star is added, and all are fitted anew, until nothing is left. The component
    nearest to where the target was given is the target.

    Parameters
    ----------
    stars : Stars
        Of the plan and found; the target is the first, where there is one.
    image : array, (height, width)
        Stacked image.
    noise : float
        Of a sky pixel of it.
    sigma : float
        Gaussian width of the stars, pixels.
    given : Position or None
        Place of the target as given, image pixels.
    saturation : float
        Level of the image at which a pixel is saturated.
    """
    nobody = Crowd(stars, np.empty((0, 1), np.int64), np.zeros(len(stars.role), bool))
    if given is None or "target" not in stars.role or not noise > 0:
        return nobody
    target = stars.role.index("target")
    alone = _alone(stars, image, sigma, saturation, target)
    profile = _profile(stars, image, noise, sigma, alone)
    scene = _Scene(image, noise, profile, float(stars.u[target]), float(stars.v[target]))
    if scene.box.max() >= SATURATED * saturation:
        return nobody
    members = _start(stars, target, scene)
    x, y = stars.u[members].copy(), stars.v[members].copy()
    fit = scene.fit(x, y)
    faint: float | None = None
    for _ in range(MOST_NEIGHBOURS if scene.fwhm >= RESOLVED_PX else 0):
        new = scene.strongest(fit)
        if new is None:
            break
        tried = scene.fit(np.append(fit.x, new.x), np.append(fit.y, new.y))
        if not scene.plausible(tried):
            break
        if faint is None:
            controls = [_Scene(image, noise, profile, float(stars.u[k]), float(stars.v[k])) for k in alone]
            faint = _left_by_a_star(controls[:CONTROLS])
        if _lesser_share(tried) <= 3.0 * faint:
            break
        fit = tried
    return _gathered(stars, target, members, fit, scene, given) or nobody


def _alone(
    stars: Stars, image: NDArray[np.float32], sigma: float, saturation: float, target: int
) -> list[int]:
    """Bright stars of the stack with nothing beside them, brightest first."""
    reach = 5.2 * sigma
    half = int(np.ceil(reach)) + 1
    cut, _, _ = cutouts(image[None], stars.u[None], stars.v[None], (2 * half + 1, 2 * half + 1))
    whole = np.isfinite(cut[0]).all(axis=(1, 2))
    boxes = np.nan_to_num(cut[0].astype(np.float64))
    peak = boxes.max(axis=(1, 2))
    excess = peak - np.median(boxes, axis=(1, 2))
    apart = np.hypot(stars.u[:, None] - stars.u, stars.v[:, None] - stars.v)
    np.fill_diagonal(apart, np.inf)
    fit = whole & (apart.min(axis=1) > 1.6 * reach) & (peak < SATURATED * saturation)
    fit[target] = False
    return [int(s) for s in np.argsort(-excess, kind="stable") if fit[s]][:SHAPE_STARS]


def _profile(
    stars: Stars, image: NDArray[np.float32], noise: float, sigma: float, alone: list[int]
) -> Profile:
    """Profile of the stacked image from its bright stars that stand alone."""
    if not alone:
        return gaussian(sigma)
    reach = 5.2 * sigma
    side = 2 * int(np.ceil(reach)) + 3
    u, v = stars.u[alone], stars.v[alone]
    cut, left, top = cutouts(image[None], u[None], v[None], (side, side))
    boxes = cut[0].astype(np.float64)
    rim = np.concatenate([boxes[:, 0], boxes[:, -1], boxes[:, :, 0], boxes[:, :, -1]], axis=1)
    boxes -= np.median(rim, axis=1)[:, None, None]
    mine = Boxes(boxes, u - left[0], v - top[0], np.full(len(alone), noise**2), 0.0)
    return profile_of(mine, sigma, reach)


def _left_by_a_star(controls: list["_Scene"]) -> float:
    """Share of a star's light that a second star beside it seems to have, of stars that are alone.

    Trailed, comatic or astigmatic images split in two wherever they are.
    """
    shares: list[float] = []
    for scene in controls:
        fit = scene.fit(np.array([scene.target[0] + scene.left]), np.array([scene.target[1] + scene.top]))
        new = scene.strongest(fit)
        if new is not None:
            fit = scene.fit(np.append(fit.x, new.x), np.append(fit.y, new.y))
        shares.append(_lesser_share(fit) if new is not None and scene.plausible(fit) else 0.0)
    return float(np.median(shares)) if shares else 0.0


def _lesser_share(fit: "_Fit") -> float:
    """Light of the last star, or of all others where that is less, over that of all."""
    return float(min(fit.flux[-1], fit.flux[:-1].sum()) / fit.flux.sum())


def _start(stars: Stars, target: int, scene: "_Scene") -> list[int]:
    """The target and the stars already known within reach of it."""
    distance = np.hypot(stars.u - stars.u[target], stars.v - stars.v[target])
    near = [int(s) for s in np.argsort(distance, kind="stable") if distance[s] < 1.2 * NEAR_FWHM * scene.fwhm]
    near.remove(target)
    return [target, *near][: MOST_NEIGHBOURS + 1]


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """Places, fluxes, sky and residuals of a fit to the box."""

    x: Floats
    y: Floats
    flux: Floats
    sigma: Floats
    rest: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class _New:
    """A star in the residuals: place in the image, and flux."""

    x: float
    y: float
    flux: float


class _Scene:
    """The box about the target in the stacked image."""

    def __init__(
        self, image: NDArray[np.float32], noise: float, profile: Profile, x: float, y: float
    ) -> None:
        self.profile, self.noise = profile, noise
        self.fwhm = profile.fwhm
        half = int(np.ceil(4.5 * self.fwhm)) + 2
        cut, left, top = cutouts(image[None], [[x]], [[y]], (2 * half + 1, 2 * half + 1))
        self.box = cut[0, 0].astype(np.float64)
        self.left, self.top = int(left[0, 0]), int(top[0, 0])
        self.target = (x - self.left, y - self.top)
        rows, columns = np.indices(self.box.shape)
        self.good = np.isfinite(self.box)
        self.good &= np.hypot(columns - self.target[0], rows - self.target[1]) <= half
        self.box = np.where(self.good, self.box, 0.0)

    def light(self, x: Floats, y: Floats) -> Floats:
        """Stars of unit flux in the box, (m, h, w); places are those of the image."""
        stars = zip(x - self.left, y - self.top, strict=True)
        return np.array([self.profile.image(float(a), float(b), self.box.shape) for a, b in stars])

    def _linear(self, x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Fluxes and sky, their covariance, and the residuals, at given places."""
        light = self.light(x, y)
        design = np.concatenate([light.reshape(len(x), -1), np.ones((1, self.box.size))])
        w = weight.ravel()
        normal = (design * w) @ design.T
        covariance = np.linalg.pinv(normal, hermitian=True)
        best = covariance @ ((design * w) @ self.box.ravel())
        return best, covariance, np.where(self.good, self.box - (best @ design).reshape(self.box.shape), 0.0)

    def fit(self, x: Floats, y: Floats) -> _Fit:
        """Fluxes, sky and places together; places may move by half a FWHM, twice."""
        weight = self.good / self.noise**2
        for _ in range(2):
            root = np.sqrt(weight)

            def residuals(move: Floats, x: Floats = x, y: Floats = y, root: Floats = root) -> Floats:
                half = move.size // 2
                _, _, rest = self._linear(x + move[:half], y + move[half:], root**2)
                return np.asarray((rest * root).ravel(), np.float64)

            limit = 0.5 * self.fwhm
            got = optimize.least_squares(
                residuals, np.zeros(2 * x.size), bounds=(-limit, limit), x_scale=0.1, max_nfev=30
            )
            x, y = x + got.x[: x.size], y + got.x[x.size :]
            best, covariance, rest = self._linear(x, y, weight)
            model = np.tensordot(np.maximum(best[:-1], 0.0), self.light(x, y), 1)
            weight = self.good / (self.noise**2 + (PROFILE_ERROR * model) ** 2)
        sigma = np.sqrt(np.maximum(np.diag(covariance)[:-1], 0.0))
        return _Fit(x, y, best[:-1], sigma, rest, weight)

    def strongest(self, fit: _Fit) -> "_New | None":
        """The most significant star that the residuals show, or None."""
        half = int(np.ceil(1.5 * self.fwhm))
        kernel = self.profile.image(half, half, (2 * half + 1, 2 * half + 1))
        top = ndimage.correlate(fit.rest * fit.weight, kernel, mode="constant")
        norm = ndimage.correlate(fit.weight, kernel**2, mode="constant")
        score = np.where(norm > 0, top / np.sqrt(np.where(norm > 0, norm, 1.0)), 0.0)
        rows, columns = np.indices(score.shape)
        near = np.hypot(columns - self.target[0], rows - self.target[1]) <= NEAR_FWHM * self.fwhm
        score = np.where(near & self.good, score, 0.0)
        if score.max() < SIGNIFICANT:
            return None
        at = np.unravel_index(int(np.argmax(score)), score.shape)
        return _New(float(at[1] + self.left), float(at[0] + self.top), float(top[at] / norm[at]))

    def plausible(self, fit: _Fit) -> bool:
        """Whether all components are stars: significant, apart, and not a hundredth of the brightest."""
        apart = np.hypot(fit.x[:, None] - fit.x, fit.y[:, None] - fit.y)
        np.fill_diagonal(apart, np.inf)
        bright = bool((fit.flux > SIGNIFICANT * fit.sigma)[1:].all()) and bool((fit.flux[1:] > 0).all())
        least = max(LEAST_FWHM * self.fwhm, LEAST_APART_PX)
        return bright and float(apart.min()) > least and bool(fit.flux[-1] > 0.02 * fit.flux.max())

    def leak(self, fit: _Fit, target: int) -> Floats:
        """Light of each component within the target's weights, over the target's own."""
        light = self.light(fit.x, fit.y)
        own = float((light[target] ** 2).sum()) * max(float(fit.flux[target]), 1e-12)
        return np.asarray(fit.flux * (light * light[target]).sum(axis=(1, 2)) / own, np.float64)


def _gathered(
    stars: Stars, target: int, members: list[int], fit: _Fit, scene: _Scene, given: Position
) -> Crowd | None:
    """The stars with the fitted places and what was added, or None where nobody matters."""
    distance = np.hypot(fit.x - given.x, fit.y - given.y)
    own = int(np.argmin(distance))
    away = np.hypot(fit.x - fit.x[own], fit.y - fit.y[own])
    leak = scene.leak(fit, own)
    others = [k for k in range(fit.x.size) if k != own and away[k] <= NEAR_FWHM * scene.fwhm]
    others = [k for k in others if leak[k] > LEAST_LEAK and fit.flux[k] > 3.0 * fit.sigma[k]]
    if not others or distance[own] > SNAPPED_PX:
        return None
    u, v = stars.u.tolist(), stars.v.tolist()
    role, guide = list(stars.role), list(stars.guide)
    u[target], v[target] = float(fit.x[own]), float(fit.y[own])
    group = [target]
    for k in others:
        x, y = float(fit.x[k]), float(fit.y[k])
        same = [s for s in members[1:] if np.hypot(stars.u[s] - x, stars.v[s] - y) < LEAST_FWHM * scene.fwhm]
        if same:
            star = same[0]
            u[star], v[star] = x, y
        else:
            star = len(u)
            u.append(x)
            v.append(y)
            role.append("star")
            guide.append(False)
        group.append(star)
    blended = np.zeros(len(u), bool)
    blended[group[1:]] = True
    return Crowd(Stars(np.array(u), np.array(v), role, guide), np.array([group], np.int64), blended)
