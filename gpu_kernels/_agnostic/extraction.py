"""Fluxes weighted by a profile, widths of frames and fits of close stars, batched over frames and stars."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._agnostic.photometry import around
from gpu_kernels._agnostic.profile import Terms, light, light_and_widening, rim_weight
from gpu_kernels.device import Array, namespace


def optimal_sums(
    frames: Array,
    x: Array,
    y: Array,
    sky: Array,
    scales: Array,
    terms: Terms,
    softening: float,
    radius: float,
) -> Array:
    """(n, s, 6): flux, area, squares, light, share, peak; see `gpu_kernels.extraction.optimal_sums`."""
    xp = namespace(frames)
    if 0 in x.shape:
        return xp.stack([x] * 6, axis=-1)
    widest = radius * float(xp.max(scales)) + 0.5
    values, inside, dx, dy = around(frames, x, y, widest, xp)
    scale = scales[:, None, None]
    profile = light(dx, dy, terms, scale, xp)
    square = (dx * dx)[..., None, :] + (dy * dy)[..., :, None]
    rim = rim_weight(square, radius * scale[..., None], xp)
    weight = rim * profile / (1.0 + softening * profile)
    there = inside & xp.isfinite(values) & (rim > 0.0)
    total = _sum(weight * profile, xp)
    weight = xp.where(there, weight, 0.0)
    seen, first = _sum(weight * profile, xp), _sum(weight, xp)
    second, third = _sum(weight * weight, xp), _sum(weight * weight * profile, xp)
    flux = _sum(weight * xp.where(there, values - sky[..., None, None], 0.0), xp)
    flux = xp.where(xp.isfinite(sky), flux, xp.nan)
    peak = xp.max(xp.where(there, values, -xp.inf), axis=(-2, -1))
    some, full = seen > 0.0, total > 0.0
    safe = xp.where(some, seen, 1.0)
    share = xp.where(full, seen / xp.where(full, total, 1.0), 0.0)
    columns = [flux / safe, first / safe, second / (safe * safe), third / (safe * safe), peak]
    columns = [xp.where(some, column, xp.nan) for column in columns]
    known = (xp.isfinite(x) & xp.isfinite(y))[..., None]
    out = xp.stack([*columns[:4], share, columns[4]], axis=-1)
    return xp.where(known, out, xp.nan)


def _sum(values: Array, xp: Any) -> Array:
    return xp.sum(values, axis=(-2, -1))


def frame_widths(
    frames: Array, x: Array, y: Array, sky: Array, terms: Terms, variance: float, inv_gain: float,
    spread: float, radius: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Factor and error (n,) of each frame's width; see `gpu_kernels.extraction.frame_widths`."""
    xp = namespace(frames)
    if 0 in x.shape:
        nothing = xp.zeros_like(xp.sum(x, axis=1))
        return nothing + 1.0, nothing + xp.inf
    values, inside, dx, dy = around(frames, x, y, 4.0 * radius, xp)
    usable = xp.isfinite(x) & xp.isfinite(y) & xp.isfinite(sky)
    off_sky = xp.where(
        inside & xp.isfinite(values) & usable[..., None, None], values - sky[..., None, None], xp.nan
    )
    height, width = frames.shape[1:]
    log_scale = xp.zeros_like(x[:, 0])
    done = log_scale > 1.0
    information = log_scale
    prior = 1.0 / (spread * spread)
    for _ in range(12):
        scale = xp.exp(log_scale)
        reach = radius * xp.clip(scale, 1.0, 4.0)
        low, high = xp.minimum(x, y) - reach[:, None], reach[:, None]
        on = usable & (low > -1.0) & (x + high < width) & (y + high < height)
        terms_now = _width_terms(off_sky, dx, dy, terms, scale, reach, variance, inv_gain, xp)
        gradient, told = (xp.sum(xp.where(on, part, 0.0), axis=1) for part in terms_now)
        information = xp.where(done, information, told)
        step = xp.clip((gradient - log_scale * prior) / (told + prior), -0.4, 0.4)
        log_scale = xp.where(done, log_scale, xp.clip(log_scale + step, -0.9, 1.38))
        done = done | (xp.abs(step) < 1e-4)
        if bool(xp.all(done)):
            break
    told = information > 0.0
    error = xp.where(told, 1.0 / xp.sqrt(xp.where(told, information, 1.0)), xp.inf)
    return xp.exp(log_scale), error


def _width_terms(
    data: Array, dx: Array, dy: Array, terms: Terms, scale: Array, reach: Array, variance: float,
    inv_gain: float, xp: Any,
) -> tuple[Array, Array]:  # fmt: skip
    """Gradient and information (n, s) on the logarithm of the width, each star's flux fitted along."""
    p, q = light_and_widening(dx, dy, terms, scale[:, None, None], xp)
    square = (dx * dx)[..., None, :] + (dy * dy)[..., :, None]
    there = xp.isfinite(data) & (square <= (reach * reach)[:, None, None, None])
    value = xp.where(there, data, 0.0)
    flux = xp.zeros_like(value[..., 0, 0])
    for _ in range(2):  # the second time with the photons of the star in the weights
        signal = (xp.maximum(flux, 0.0) * inv_gain)[..., None, None]
        w = xp.where(there, 1.0 / (variance + signal * p), 0.0)
        pp, pq, qq = _sum(w * p * p, xp), _sum(w * p * q, xp), _sum(w * q * q, xp)
        pd, qd = _sum(w * p * value, xp), _sum(w * q * value, xp)
        shows = (pp > 0.0) & (pd > 0.0)
        safe = xp.where(shows, pp, 1.0)
        flux = xp.where(shows, pd / safe, 0.0)
        gradient = flux * (qd - pq * flux)
        information = flux * flux * (qq - pq * pq / safe)
    strong = shows & (flux * xp.sqrt(safe) >= 3.0)
    return xp.where(strong, gradient, 0.0), xp.where(strong, information, 0.0)


def fit_groups(
    frames: Array, x: Array, y: Array, sky: Array, count: Array, variance: Array, inv_gain: float,
    groups: NDArray[np.int64], scales: Array, terms: Terms, softening: float, radius: float,
) -> Array:  # fmt: skip
    """(n, s, 5): flux, variance, local sky, share, peak; NaN of stars in no group."""
    xp = namespace(frames)
    nothing = xp.stack([xp.full_like(x[:, 0], xp.nan)] * 5, axis=-1)
    out = [nothing for _ in range(x.shape[1])]
    for group in groups.tolist():
        members = [star for star in group if star >= 0]
        if not members:
            continue
        lead = members[0]
        columns, rows = (xp.stack([part[:, star] for star in members], axis=1) for part in (x, y))
        fit = fit_group(
            frames, columns, rows, sky[:, lead], count[:, lead], variance[:, lead], inv_gain, scales, terms,
            softening, radius,
        )  # fmt: skip
        for k, star in enumerate(members):
            out[star] = fit[:, k, :]
    return xp.stack(out, axis=1)


def fit_group(
    frames: Array, x: Array, y: Array, sky: Array, count: Array, variance: Array, inv_gain: float,
    scales: Array, terms: Terms, softening: float, radius: float,
) -> Array:  # fmt: skip
    """(n, m, 5) of the m stars of one group: flux, variance, local sky, share, peak.

    `x`, `y` are (n, m); `sky`, `count`, `variance` (n,) those of the group's first star.
    """
    xp = namespace(frames)
    stars = x.shape[1]
    known = xp.all(xp.isfinite(x) & xp.isfinite(y), axis=1)
    x = xp.where(known[:, None], x, xp.zeros_like(x))
    y = xp.where(known[:, None], y, xp.zeros_like(y))
    apart = xp.maximum(xp.abs(x - x[:, :1]), xp.abs(y - y[:, :1]))
    widest = radius * float(xp.max(scales)) + 0.5 + math.ceil(float(xp.max(apart)))
    values, inside, dx, dy = around(frames, x[:, :1], y[:, :1], widest, xp)
    values, inside = values[:, 0, ...], inside[:, 0, ...]
    there = inside & xp.isfinite(values)
    scale, reach = scales[:, None], (radius * scales)[:, None, None]
    lights, rims, shares, peaks = [], [], [], []
    for m in range(stars):
        to_x, to_y = dx[:, 0, :] - (x[:, m] - x[:, 0])[:, None], dy[:, 0, :] - (y[:, m] - y[:, 0])[:, None]
        profile = light(to_x, to_y, terms, scale, xp)
        rim = rim_weight((to_x * to_x)[:, None, :] + (to_y * to_y)[:, :, None], reach, xp)
        weight = rim * profile * profile / (1.0 + softening * profile)
        total, seen = _sum(weight, xp), _sum(xp.where(there, weight, 0.0), xp)
        shares.append(xp.where(total > 0.0, seen / xp.where(total > 0.0, total, 1.0), 0.0))
        peaks.append(xp.max(xp.where(there & (rim > 0.0), values, -xp.inf), axis=(-2, -1)))
        lights.append(profile)
        rims.append(rim)
    rim, together = rims[0], lights[0]
    for m in range(1, stars):
        rim, together = xp.maximum(rim, rims[m]), together + lights[m]
    reached = xp.any(xp.any(inside & (rim > 0.0), axis=-1), axis=-1)
    fit = known & xp.isfinite(sky) & reached
    weight = xp.where(there, rim / (1.0 + softening * together), 0.0)
    data = xp.where(there & fit[:, None, None], values - xp.where(fit, sky, 0.0)[:, None, None], 0.0)
    fluxes, errors, level, solved = _solve_group(lights, weight, data, count, variance, inv_gain, xp)
    fit = fit & solved
    columns = []
    for m in range(stars):
        parts = [xp.where(fit, part, xp.nan) for part in (fluxes[m], errors[m], sky + level)]
        share = xp.where(known, shares[m], xp.nan)
        peak = xp.where(known & reached, peaks[m], xp.nan)
        columns.append(xp.stack([*parts, share, peak], axis=-1))
    return xp.stack(columns, axis=1)


def _solve_group(
    lights: list[Array], weight: Array, data: Array, count: Array, variance: Array, inv_gain: float, xp: Any
) -> tuple[list[Array], list[Array], Array, Array]:
    """Fluxes and their variances (each a list of (n,)), the sky above its level, and where there is a fit."""
    shapes = [*lights, xp.ones_like(weight)]
    n = len(shapes)
    weighted = [weight * shape for shape in shapes]
    normal = [[_sum(weighted[i] * shapes[k], xp) for k in range(n)] for i in range(n)]
    normal[n - 1][n - 1] = normal[n - 1][n - 1] + count
    inverse, regular = inverted(normal, xp)
    right = [_sum(part * data, xp) for part in weighted]
    best = [_dot(row, right) for row in inverse]
    photons = xp.zeros_like(weight)
    for flux, shape in zip(best[:-1], lights, strict=True):
        photons = photons + xp.maximum(flux, 0.0)[:, None, None] * shape
    noise = weight * weight * (variance[:, None, None] + inv_gain * photons)
    middle = [[_sum(noise * shapes[i] * shapes[k], xp) for k in range(n)] for i in range(n)]
    middle[n - 1][n - 1] = middle[n - 1][n - 1] + count * variance
    errors = [_dot(row, [_dot(line, row) for line in middle]) for row in inverse[:-1]]
    return best[:-1], errors, best[-1], regular


def _dot(a: list[Array], b: list[Array]) -> Array:
    total = a[0] * b[0]
    for first, second in zip(a[1:], b[1:], strict=True):
        total = total + first * second
    return total


def inverted(matrix: list[list[Array]], xp: Any) -> tuple[list[list[Array]], Array]:
    """Inverses of positive definite matrices whose elements are arrays, and where there is one."""
    a, n = [list(row) for row in matrix], len(matrix)
    floor = [1e-12 * matrix[k][k] for k in range(n)]
    regular = xp.isfinite(matrix[0][0])
    for k in range(n):
        good = a[k][k] > floor[k]
        regular = regular & good
        inverse = 1.0 / xp.where(good, a[k][k], 1.0)
        a[k][k] = xp.ones_like(inverse)
        a[k] = [value * inverse for value in a[k]]
        for i in range(n):
            if i != k:
                factor = a[i][k]
                a[i][k] = xp.zeros_like(factor)
                a[i] = [value - factor * pivot for value, pivot in zip(a[i], a[k], strict=True)]
    return a, regular
