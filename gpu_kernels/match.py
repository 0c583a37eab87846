"""Two lists of stars matched by the distances between their stars, at any rotation."""

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.transforms import Transform

Floats = NDArray[np.float64]

LEADERS = 8
"""Brightest reference stars from whose pairs hypotheses are made."""

LEAST_SEPARATION_PX = 20.0
DISTANCE_SLACK = 0.003
"""Relative disagreement of distances that is tolerated (refraction, distortion)."""


def match_stars(
    u: Floats, v: Floats, x: Floats, y: Floats, scale: float = 1.0, tolerance_px: float = 2.0
) -> Transform | None:
    """Rotation and shift that brings the most reference stars onto stars seen.

    Every pair of bright reference stars is laid onto every pair of stars seen that is as far apart;
    the hypothesis that explains the most reference stars wins, then is fitted to them. Same input,
    same answer: nothing is drawn at random.

    Parameters
    ----------
    u, v : array, (n,)
        Reference stars, brightest first, pixels.
    x, y : array, (m,)
        Stars seen, pixels.
    scale : float
        Pixels seen per pixel of the reference.
    tolerance_px : float
        Distance within which a star seen explains a reference star.

    Returns
    -------
    Transform or None
        Reference to seen; None where no three stars fit.
    """
    if u.size < 3 or x.size < 3:
        return None
    reference: NDArray[np.complex128] = scale * u + 1j * (scale * v)
    seen: NDArray[np.complex128] = x + 1j * y
    turn, shift = _hypotheses(reference, seen, tolerance_px)
    if turn.size == 0:
        return None
    best, most, least = -1, 2, np.inf
    for k in range(turn.size):
        distance = np.abs((turn[k] * reference + shift[k])[:, None] - seen[None, :]).min(axis=1)
        near = distance <= tolerance_px
        count, rest = int(near.sum()), float(distance[near].sum())
        if count > most or (count == most and best >= 0 and rest < least):
            best, most, least = k, count, rest
    if best < 0:
        return None
    found = _fitted(reference, seen, turn[best], shift[best], tolerance_px)
    return Transform(scale * found.c, scale * found.s, found.tx, found.ty)


def _hypotheses(
    reference: NDArray[np.complex128], seen: NDArray[np.complex128], tolerance_px: float
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Rotations (unit complex numbers) and shifts that lay a reference pair onto a pair seen."""
    apart = seen[None, :] - seen[:, None]  # from a to b
    length = np.abs(apart)
    turns: list[NDArray[np.complex128]] = []
    shifts: list[NDArray[np.complex128]] = []
    leaders = reference[:LEADERS]
    for i in range(leaders.size):
        for k in range(i + 1, leaders.size):
            step = leaders[k] - leaders[i]
            size = abs(step)
            if size < LEAST_SEPARATION_PX:
                continue
            a, b = np.nonzero(np.abs(length - size) <= tolerance_px + DISTANCE_SLACK * size)
            turn = apart[a, b] / step
            turn /= np.abs(turn)
            turns.append(turn)
            shifts.append(0.5 * (seen[a] + seen[b]) - turn * (0.5 * (leaders[i] + leaders[k])))
    if not turns:
        return np.empty(0, np.complex128), np.empty(0, np.complex128)
    return np.concatenate(turns), np.concatenate(shifts)


def _fitted(
    reference: NDArray[np.complex128],
    seen: NDArray[np.complex128],
    turn: np.complex128,
    shift: np.complex128,
    tolerance_px: float,
) -> Transform:
    """Least squares on the stars that a hypothesis explains."""
    distance = np.abs((turn * reference + shift)[:, None] - seen[None, :])
    near = distance.min(axis=1) <= tolerance_px
    a, b = reference[near], seen[distance.argmin(axis=1)[near]]
    dot = complex((np.conj(a - a.mean()) * (b - b.mean())).sum())
    turned = dot / abs(dot) if abs(dot) > 0 else complex(turn)
    moved = complex(b.mean()) - turned * complex(a.mean())
    return Transform(turned.real, turned.imag, moved.real, moved.imag)
