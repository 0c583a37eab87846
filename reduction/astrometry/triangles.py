"""Two lists of points laid onto each other at unknown scale, rotation and handedness, by their triangles.

Groth 1986 (AJ 91, 1244) and Valdes et al. 1995 (PASP 107, 1119): a triangle's shape does not depend on
where, how large and how turned it is. Nothing is drawn at random: same input, same answer.
"""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Points = NDArray[np.complex128]
ALL_OF = 12
"""Points of which all triangles are taken; of more, those of near neighbours."""

THINNEST = 0.15
"""Least ratio of a triangle's shortest to its longest side."""


class Triangles:
    """Triangles of points: corners, shapes and sizes.

    Attributes
    ----------
    corner : array, (n, 3)
        Numbers of the points: opposite the longest, the middle and the shortest side.
    shape : array, (n, 2)
        Middle and shortest side in units of the longest.
    size : array, (n,)
        Longest side.
    turn : array, (n,)
        +1 or -1: on which side the third corner lies.
    """

    def __init__(self, points: Points, neighbours: int) -> None:
        corners = _corners(points, neighbours)
        z = points[corners]
        sides = np.abs(np.stack([z[:, 1] - z[:, 2], z[:, 2] - z[:, 0], z[:, 0] - z[:, 1]], axis=1))
        order = np.argsort(-sides, axis=1, kind="stable")
        sides = np.take_along_axis(sides, order, axis=1)
        good = (sides[:, 0] > 0) & (sides[:, 2] > THINNEST * sides[:, 0])
        self.corner = np.take_along_axis(corners, order, axis=1)[good]
        sides = sides[good]
        self.size: Floats = sides[:, 0]
        self.shape: Floats = sides[:, 1:] / sides[:, :1]
        z = points[self.corner]
        self.turn = np.sign(((z[:, 1] - z[:, 0]) * np.conj(z[:, 2] - z[:, 0])).imag)


def _corners(points: Points, neighbours: int) -> NDArray[np.intp]:
    n = points.size
    if n < 3:
        return np.empty((0, 3), np.intp)
    if n <= ALL_OF:
        return np.array(list(combinations(range(n), 3)), np.intp)
    k = min(neighbours + 1, n)
    _, near = cKDTree(np.stack([points.real, points.imag], 1)).query(
        np.stack([points.real, points.imag], 1), k
    )
    pairs = np.array(list(combinations(range(k), 2)))
    pairs = pairs[pairs[:, 0] == 0] if k < 3 else pairs[(pairs[:, 0] > 0)]
    own = np.repeat(np.arange(n), len(pairs))
    triples = np.stack([own, near[:, pairs[:, 0]].ravel(), near[:, pairs[:, 1]].ravel()], axis=1)
    triples = np.sort(triples, axis=1)
    distinct = (triples[:, 0] < triples[:, 1]) & (triples[:, 1] < triples[:, 2])
    code = np.unique((triples[distinct, 0] * n + triples[distinct, 1]) * n + triples[distinct, 2])
    return np.stack([code // (n * n), code // n % n, code % n], axis=1).astype(np.intp)


def hypotheses(
    seen: Triangles, known: Triangles, p: Points, q: Points, low: float, high: float, blur: float
) -> tuple[Points, Points, NDArray[np.bool_]]:
    """Transforms that lay a triangle seen onto a known one of the same shape.

    Parameters
    ----------
    seen, known : Triangles
    p, q : array, complex
        The points of each.
    low, high : float
        Limits of the scale, units of `q` per unit of `p`.
    blur : float
        Error of a point of `p`, units of `p`.

    Returns
    -------
    a, b : array, complex
        q = a p + b, or a conj(p) + b where flipped.
    flipped : array, bool
    """
    if not seen.size.size or not known.size.size:
        return np.empty(0, complex), np.empty(0, complex), np.empty(0, bool)
    reach = np.minimum(0.003 + 2.0 * blur / seen.size, 0.03)
    lists = cKDTree(known.shape).query_ball_point(seen.shape, reach, return_sorted=True)
    count = np.array([len(found) for found in lists])
    s = np.repeat(np.arange(seen.size.size), count)
    k = np.concatenate([np.asarray(found, np.intp) for found in lists]) if count.sum() else s
    scale = known.size[k] / seen.size[s]
    fits = (scale >= low) & (scale <= high)
    s, k = s[fits], k[fits]
    flipped = seen.turn[s] != known.turn[k]
    z = np.where(flipped[:, None], np.conj(p[seen.corner[s]]), p[seen.corner[s]])
    w = q[known.corner[k]]
    middle, goal = z.mean(axis=1), w.mean(axis=1)
    z, w = z - middle[:, None], w - goal[:, None]
    a = (np.conj(z) * w).sum(axis=1) / (np.abs(z) ** 2).sum(axis=1)
    return a, goal - a * middle, flipped
