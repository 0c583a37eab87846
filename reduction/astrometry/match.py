"""Which stars of a catalogue a frame shows, nothing known but roughly where it points."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import bdtrc

from reduction.astrometry.fit import Fitted, best_fit, fit_solution, with_odds
from reduction.astrometry.odds import LEAST_LOG_ODDS, LEAST_STARS, log_odds, mutual
from reduction.astrometry.plane import from_plane, to_plane
from reduction.astrometry.solution import MODELS, SkySolution
from reduction.astrometry.stars import FrameStars, SkyStars
from reduction.astrometry.triangles import Points, Triangles, hypotheses
from reduction.errors import DataError, RequestError

Floats = NDArray[np.float64]

MOST_SEEN = 400
MOST_TREES = 6000
"""Stars of a catalogue whose triangles are tried at once, brightest first."""

SEEN_LEVELS = (10, 20, 40)
"""How many of the brightest stars found make triangles, level by level."""

DEPTHS = (0.7, 1.5, 3.0)
"""Stars of the catalogue on a frame's area, in units of the stars found."""

NEIGHBOURS = 6
TESTED = 30
"""Stars found that a hypothesis is tried on."""

CANDIDATES = 12
"""Hypotheses of a level that are looked at closely."""

CHANCE = 3.0
"""A hypothesis is looked at where fewer than this many of its level would explain as many stars by chance."""

CERTAIN = 40.0
"""Log odds beyond `LEAST_LOG_ODDS` from which no other level is tried."""

ASPECTS = (12.0 / 11.0, 10.0 / 11.0)
"""Widths of pixels in units of their heights that are tried where square ones fail: PAL and NTSC video."""

MOST_SCATTER_PX = 0.6
"""Scatter of stars about a solution, beyond their centroids' errors, from which it is not believed."""

RIVAL = float(np.log(1e4))
"""A second place must be this much less likely than the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A match that is believed: the solution, and which stars made it.

    `residual_px` is each star's distance from where the others put it; `seen` and `sky` are numbers of
    `stars_seen` and `stars`.
    """

    solution: SkySolution
    stars_seen: FrameStars
    stars: SkyStars
    seen: NDArray[np.intp]
    sky: NDArray[np.intp]
    residual_px: Floats
    sigma_px: Floats


def match_field(
    seen: FrameStars,
    sky: SkyStars,
    centre: tuple[float, float],
    radius: float,
    scale: tuple[float, float],
    frame: int = 0,
) -> Match:
    """Find the frame among the stars of a catalogue.

    Parameters
    ----------
    seen : FrameStars
        Stars found, brightest first, false ones among them.
    sky : SkyStars
        The catalogue, at the recording's epoch.
    centre : (float, float)
        Right ascension and declination, degrees, within `radius` of which the frame's middle lies.
    radius : float
        Degrees.
    scale : (float, float)
        Limits of the pixel scale, arcsec.
    frame : int
        Number of the frame that `seen` is of.

    Raises
    ------
    RequestError
        The catalogue has too few stars there.
    DataError
        Too few stars were found on the frame, or no match is beyond doubt.
    """
    if len(seen) < LEAST_STARS:
        raise DataError(
            f"{len(seen)} stars found on the frame; at least {LEAST_STARS} are needed to solve it"
        )
    seen = _brightest(seen, MOST_SEEN)
    reach = min(radius + 0.5 * seen.diagonal * scale[1] / 3600.0, 60.0)
    there = sky.within(*centre, reach).brightest_first()
    if len(there) < LEAST_STARS:
        raise RequestError(
            f"{sky.name}: {len(there)} of its {len(sky)} stars lie within {reach:.3g} degrees of "
            f"{centre[0]:.5f},{centre[1]:+.5f}; at least {LEAST_STARS} are needed"
        )
    best, rival = _search(seen, there, centre, radius, scale, frame)
    for aspect in () if sound(best) else ASPECTS:
        found, other = _search(_widened(seen, aspect), there, centre, radius, scale, frame)
        if found is not None and sound(found):
            start = _narrowed(found.solution, seen, aspect)
            best, rival = refine(seen, there, start, frame, len(there), 0.01 * seen.diagonal), other
            break
    if best is None or not sound(best):
        raise DataError(_refusal(seen, there, centre, radius, scale, best))
    if best.solution.log_odds - rival < RIVAL:
        raise DataError(
            f"two places of {sky.name} match the {len(seen)} stars found about equally well; give a smaller "
            "--radius, or the --scale"
        )
    return best


def sound(match: Match | None) -> bool:
    """Whether a match is believed: stars that scatter are those of a part of the frame, bent to fit."""
    if match is None or match.solution.log_odds < LEAST_LOG_ODDS:
        return False
    return match.solution.scatter_px <= MOST_SCATTER_PX


def _search(
    seen: FrameStars,
    there: SkyStars,
    centre: tuple[float, float],
    radius: float,
    scale: tuple[float, float],
    frame: int,
) -> tuple[Match | None, float]:
    """The likeliest match, and the log odds of the second place."""
    best: Match | None = None
    rival = -np.inf
    for found in _levels(seen, there, centre, radius, scale, frame):
        if best is not None and _same(best.solution, found.solution):
            best = found if found.solution.log_odds > best.solution.log_odds else best
            continue
        if best is None or found.solution.log_odds > best.solution.log_odds:
            rival = max(rival, -np.inf if best is None else best.solution.log_odds)
            best = found
        else:
            rival = max(rival, found.solution.log_odds)
        if best.solution.log_odds > LEAST_LOG_ODDS + CERTAIN:
            break
    return best, rival


def _widened(seen: FrameStars, aspect: float) -> FrameStars:
    """The stars as on a frame of square pixels; `aspect`: width of a pixel over its height."""
    return replace(seen, x=seen.x * aspect, width=round(seen.width * aspect))


def _narrowed(solution: SkySolution, seen: FrameStars, aspect: float) -> SkySolution:
    """A solution of a widened frame on the pixels as they are: a start for the fit."""
    x0, y0 = 0.5 * (seen.width - 1), 0.5 * (seen.height - 1)
    ra, dec = solution.to_sky(x0 * aspect, y0)
    unit = 0.5 * max(seen.width, seen.height)
    cd = solution.matrix * np.array([aspect, 1.0]) * unit
    return replace(
        solution,
        width=seen.width,
        height=seen.height,
        ra_deg=float(ra),
        dec_deg=float(dec),
        x0=x0,
        y0=y0,
        unit_px=unit,
        xi=np.concatenate([[0.0], cd[0]]),
        eta=np.concatenate([[0.0], cd[1]]),
        covariance=np.zeros((3, 3)),
    )


def _refusal(
    seen: FrameStars,
    there: SkyStars,
    centre: tuple[float, float],
    radius: float,
    scale: tuple[float, float],
    best: Match | None,
) -> str:
    near = "none came near"
    if best is not None:
        chance = best.solution.false_match_probability
        near = (
            f"the best has {best.solution.stars} stars that scatter by {best.solution.rms_px:.2f} px and is "
            f"one of chance with probability {chance:.1g}"
        )
    return (
        f"no match of the {len(seen)} stars found with {there.name} is beyond doubt ({near}). Tried: "
        f"the middle within {radius:g} degrees of {centre[0]:.4f},{centre[1]:+.4f}, {scale[0]:g} to "
        f"{scale[1]:g} arcsec per pixel, {len(there)} catalogue stars; check --center, --radius and --scale, "
        "or give a deeper catalogue"
    )


def refine(
    seen: FrameStars, sky: SkyStars, start: SkySolution, frame: int, searched: int, reach_px: float = 6.0
) -> Match | None:
    """The best fit near a rough solution, its odds among `searched` catalogue stars; None without any."""
    now: Fitted | None = None
    solution = start
    reach, i, j = reach_px, np.empty(0, np.intp), np.empty(0, np.intp)
    before: tuple[bytes, bytes] | None = None
    near = sky
    around = _inside(sky, start, seen, 0.9)
    for step in range(12):
        near = _inside(around, solution, seen, 0.6)
        x, y = solution.to_pixel(near.ra, near.dec)
        i, j = mutual(seen.x, seen.y, x, y, np.full(len(seen), reach))
        if i.size < LEAST_STARS:
            return None
        most = MODELS[min(1 + step // 2, 3)]
        now = best_fit(seen, near, i, j, frame, most)
        tight = max(4.0 * float(np.median(now.sigma)), 0.3)
        kept = now.miss <= np.maximum(4.5 * now.sigma, 1e-3)
        if kept.sum() >= LEAST_STARS and not kept.all():
            i, j = i[kept], j[kept]
            now = best_fit(seen, near, i, j, frame, most)
        solution = now.solution
        state = (i.tobytes(), solution.model.encode())
        if state == before and step >= 6:
            break
        before = state
        reach = max(min(reach, 0.7 * reach), min(tight, reach_px))
    assert now is not None
    odds = max(_odds(seen, near, now, i, j, searched), _simpler(seen, near, i, j, frame, searched, now))
    found = with_odds(now, odds, "catalogue")
    return Match(found, seen, near, i, j, now.miss, now.sigma)


def _simpler(
    seen: FrameStars,
    near: SkyStars,
    i: NDArray[np.intp],
    j: NDArray[np.intp],
    frame: int,
    searched: int,
    now: Fitted,
) -> float:
    """Odds by a simpler model: fewer stars are taken up by the fit, but the rest fit less well."""
    steps = MODELS[: MODELS.index(now.solution.model)]
    found = [_odds(seen, near, fit_solution(seen, near, i, j, m, frame), i, j, searched) for m in steps]
    return max(found, default=-np.inf)


def _odds(
    seen: FrameStars, near: SkyStars, fitted: Fitted, i: NDArray[np.intp], j: NDArray[np.intp], searched: int
) -> float:
    x, y = fitted.solution.to_pixel(near.ra, near.dec)
    inside = (x > -0.5) & (y > -0.5) & (x < seen.width - 0.5) & (y < seen.height - 0.5)
    inside[j] = True
    number = np.cumsum(inside) - 1
    return log_odds(seen, near.chosen(np.flatnonzero(inside)), fitted, i, number[j], searched)


def _inside(sky: SkyStars, solution: SkySolution, seen: FrameStars, share: float) -> SkyStars:
    """Stars of the catalogue within a share of the diagonal from the frame's middle."""
    ra, dec = solution.to_sky(0.5 * (seen.width - 1), 0.5 * (seen.height - 1))
    return sky.within(float(ra), float(dec), share * seen.diagonal * solution.scale_arcsec / 3600.0)


def _levels(
    seen: FrameStars,
    sky: SkyStars,
    centre: tuple[float, float],
    radius: float,
    scale: tuple[float, float],
    frame: int,
) -> Iterator[Match]:
    """Matches, likely ones, scale octave by octave and deeper and deeper."""
    xi, eta = to_plane(sky.ra, sky.dec, *centre)
    q: Points = xi + 1j * eta
    p: Points = seen.x + 1j * seen.y
    shapes: dict[int, Triangles] = {}
    counts = sorted({min(n, len(seen)) for n in SEEN_LEVELS})
    done: set[tuple[int, int, int]] = set()
    octaves = max(1, int(np.ceil(np.log2(scale[1] / scale[0]))))
    edges = np.geomspace(*scale, octaves + 1) / 3600.0
    for count in counts:
        triangles = Triangles(p[:count], NEIGHBOURS)
        for octave in range(octaves):
            low, high = float(edges[octave]), float(edges[octave + 1])
            share = (
                seen.width * seen.height * low * high / (np.pi * (radius + 0.5 * seen.diagonal * high) ** 2)
            )
            for depth in DEPTHS:
                most = int(np.clip(np.ceil(depth * count / share), max(8, count), MOST_TREES))
                most = min(most, len(sky))
                if (count, octave, most) in done:
                    continue
                done.add((count, octave, most))
                if most not in shapes:
                    shapes[most] = Triangles(q[:most], NEIGHBOURS + 2)
                blur = float(np.median(seen.sigma[:count])) + 0.2
                tried = hypotheses(triangles, shapes[most], p, q, low, high, blur)
                yield from _promising(tried, seen, sky, p, q[: 2 * most], centre, radius, frame)


def _promising(
    tried: tuple[Points, Points, NDArray[np.bool_]],
    seen: FrameStars,
    sky: SkyStars,
    p: Points,
    q: Points,
    centre: tuple[float, float],
    radius: float,
    frame: int,
) -> Iterator[Match]:
    """Closer looks at the hypotheses that explain the most stars."""
    a, b, flipped = tried
    middle = 0.5 * (seen.width - 1) + 0.5j * (seen.height - 1)
    aim = np.where(flipped, a * np.conj(middle), a * middle) + b
    near = np.abs(aim) <= np.degrees(np.tan(np.radians(min(radius, 80.0)))) * 1.001
    a, b, flipped, aim = a[near], b[near], flipped[near], aim[near]
    if not a.size:
        return
    tried_on = p[:TESTED]
    reach = max(3.0, 0.004 * seen.diagonal)
    hits, rest = _counts(a, b, flipped, tried_on, cKDTree(np.stack([q.real, q.imag], 1)), reach)
    spread = np.pi * float(np.abs(q).max()) ** 2  # of the catalogue, square degrees
    lucky = -np.expm1(-q.size * np.pi * (reach * np.abs(a)) ** 2 / spread)
    by_chance = a.size * bdtrc(np.maximum(hits - LEAST_STARS, -1), tried_on.size - 3, lucky)
    hits = np.where(by_chance < CHANCE, hits, 0)
    order = np.lexsort((rest, -hits))
    looked: list[tuple[complex, complex, bool]] = []
    for k in order:
        if hits[k] < LEAST_STARS or len(looked) >= CANDIDATES:
            break
        one = (complex(a[k]), complex(aim[k]), bool(flipped[k]))
        if any(_alike(one, other, seen.diagonal) for other in looked):
            continue
        looked.append(one)
        start = _rough(a[k], aim[k], bool(flipped[k]), seen, centre, frame)
        found = refine(seen, sky, start, frame, len(sky), max(4.0, 0.006 * seen.diagonal))
        if found is not None:
            yield found


def _alike(one: tuple[complex, complex, bool], other: tuple[complex, complex, bool], diagonal: float) -> bool:
    """Whether two hypotheses put the whole frame to within two pixels of the same place."""
    pixel = abs(other[0])
    return (
        one[2] == other[2]
        and abs(one[1] - other[1]) < 2.0 * pixel
        and abs(one[0] - other[0]) * 0.5 * diagonal < 2.0 * pixel
    )


def _counts(
    a: Points, b: Points, flipped: NDArray[np.bool_], p: Points, tree: cKDTree, reach_px: float
) -> tuple[NDArray[np.int64], Floats]:
    """Stars that each hypothesis explains, and their summed distances in pixels."""
    hits, rest = np.empty(a.size, np.int64), np.empty(a.size)
    for at in range(0, a.size, 4096):
        part = slice(at, at + 4096)
        z = np.where(flipped[part, None], np.conj(p), p) * a[part, None] + b[part, None]
        distance, _ = tree.query(np.stack([z.real, z.imag], -1))
        distance /= np.abs(a[part, None])
        near = distance <= reach_px
        hits[part], rest[part] = near.sum(axis=1), np.where(near, distance, 0.0).sum(axis=1)
    return hits, rest


def _rough(
    a: complex, aim: complex, flipped: bool, seen: FrameStars, centre: tuple[float, float], frame: int
) -> SkySolution:
    """The solution that a hypothesis stands for, its plane touching at the frame's middle."""
    ra, dec = from_plane(aim.real, aim.imag, *centre)
    # directions turn between the two planes, most of all near a pole
    step = 1e-3 * abs(a) * seen.diagonal * np.exp(1j * np.angle(a))
    beside = from_plane((aim + step).real, (aim + step).imag, *centre)
    x, y = to_plane(*beside, float(ra), float(dec))
    turn = a * complex(float(x), float(y)) / step
    unit = 0.5 * max(seen.width, seen.height)
    down = 1j * turn * (-1.0 if flipped else 1.0)
    return SkySolution(
        frame=frame,
        width=seen.width,
        height=seen.height,
        ra_deg=float(ra),
        dec_deg=float(dec),
        x0=0.5 * (seen.width - 1),
        y0=0.5 * (seen.height - 1),
        unit_px=unit,
        xi=np.array([0.0, turn.real, down.real]) * unit,
        eta=np.array([0.0, turn.imag, down.imag]) * unit,
        covariance=np.zeros((3, 3)),
    )


def _same(one: SkySolution, other: SkySolution) -> bool:
    """Whether two solutions put the frame's corners to within five pixels of each other."""
    x = np.array([0.0, one.width - 1, 0.0, one.width - 1])
    y = np.array([0.0, 0.0, one.height - 1, one.height - 1])
    u, v = other.to_pixel(*one.to_sky(x, y))
    return bool(np.all(np.hypot(u - x, v - y) < 5.0))


def _brightest(seen: FrameStars, most: int) -> FrameStars:
    if len(seen) <= most:
        return seen
    return FrameStars(
        seen.x[:most], seen.y[:most], seen.sigma[:most], seen.flux[:most], seen.width, seen.height
    )
