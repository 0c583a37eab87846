"""A curve with one run of low samples taken out: its level, its noise, its bad samples."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.events.curve import EventCurve
from reduction.events.ends import DEEP_SIGMAS, flanks
from reduction.events.evidence import bad_among
from reduction.events.noise import estimate_noise, relative_sigma, sample_sigma
from reduction.events.results import NoiseModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_SAMPLES = 12
"""Usable samples with which a curve is searched at all."""

LEAST_OF_NOISE = 30
LEAST_LEFT = 0.4
"""Samples, and share of them, from which the noise is told without those of a deep run."""

CUT_SIGMAS = 8.0
"""Loss in one sample from which those by the edges are taken for edges."""


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """A curve with a run taken out.

    Attributes
    ----------
    level : array, (n_sample,)
        Out of the run.
    noise : NoiseModel
    sigma : array, (n_sample,)
        Of each sample.
    bad : array of bool, (n_sample,)
        Samples taken as bad.
    """

    level: Floats
    noise: NoiseModel
    sigma: Floats
    bad: Mask


def around(curve: EventCurve, usable: Mask, basis: Floats, run: tuple[int, int]) -> Around | None:
    """Level, noise and bad samples with the light that is missing in a run put back; None without noise.

    Parameters
    ----------
    curve : EventCurve
    usable : array of bool, (n_sample,)
    basis : array, (k, n_sample)
        What the out-of-event level is made of.
    run : tuple of int
        First and last sample.
    """
    level, inside = _model(curve, usable, basis, run)
    noise = estimate_noise(curve, usable & ~_cut_through(curve, usable, level, inside), level - inside)
    if not noise.sigma > 0.0:
        return None
    sigma = sample_sigma(noise, curve, usable)
    bad = np.zeros(usable.shape, bool)
    bad[usable] = bad_among(((curve.flux - level + inside) / sigma)[usable], noise)
    bad &= ~_of_deep_run(curve, usable, level, inside, sigma)
    if (usable & ~bad).sum() < LEAST_SAMPLES + len(basis) - 1:
        bad[:] = False
    elif noise.ar and bad.any():
        noise = _memory_without(curve, usable & ~bad, level - inside, noise)
    return Around(level, noise, sigma, bad)


def _model(curve: EventCurve, usable: Mask, basis: Floats, run: tuple[int, int]) -> tuple[Floats, Floats]:
    """Out-of-event level and the loss in a run, fitted together, clipped at four sigma."""
    inside = np.zeros(curve.flux.shape)
    inside[run[0] : run[1] + 1] = 1.0
    shape = relative_sigma(curve.sigma, usable)
    design = np.vstack([basis, -inside[None, :]]) / shape
    value = curve.flux / shape
    kept = usable & _near(value, usable & (inside > 0)) & _near(value, usable & (inside == 0))
    of_run = np.flatnonzero(usable & (inside > 0))
    if (kept[of_run[1:-1]]).any():
        kept[of_run[[0, -1]]] = False  # edges within their exposures, unless they prove to agree
    found: Floats = np.zeros(design.shape[0])
    for _ in range(3):
        part = design[:, kept]
        found = np.asarray(np.linalg.lstsq(part.T, value[kept], rcond=None)[0], np.float64)
        off: Floats = np.where(usable, value - found @ design, 0.0)
        sigma = 1.4826 * float(np.median(np.abs(off[usable])))
        now = usable & (np.abs(off) <= 4.0 * sigma) if sigma > 0 else usable
        if (now == kept).all() or (now & (inside > 0)).sum() == 0 or (now & (inside == 0)).sum() < 2:
            break
        kept = now
    return np.asarray(found[:-1] @ basis, np.float64), found[-1] * inside


def _cut_through(curve: EventCurve, usable: Mask, level: Floats, inside: Floats) -> Mask:
    """A run that is deep in every sample, and its flanks; where little is left, its ends only.

    An edge may lie in the exposures of the ends, and no bottom need be flat. What such samples are off is no
    noise: a share of bad samples taken from them would make the run itself doubtful.
    """
    out = np.zeros(inside.shape, bool)
    sigma = 1.4826 * float(np.median(np.abs(curve.flux - level + inside)[usable]))
    at = np.flatnonzero(usable)
    within = np.flatnonzero(inside[at] > 0)
    if float(np.max(inside)) > CUT_SIGMAS * sigma and within.size:
        jumps = np.flatnonzero(np.diff(inside > 0))
        out[np.concatenate([jumps, jumps + 1])] = True
        if sigma > 0.0:
            z = (curve.flux - level)[at] / sigma
            out[at[flanks(z, int(within[0]), int(within[-1]) + 1)]] = True
        whole = out | (inside > 0)
        if (usable & ~whole).sum() >= max(LEAST_OF_NOISE, LEAST_LEFT * at.size):
            out = whole
    return out if (usable & ~out).sum() >= LEAST_SAMPLES else np.zeros(inside.shape, bool)


def _of_deep_run(curve: EventCurve, usable: Mask, level: Floats, inside: Floats, sigma: Floats) -> Mask:
    """Low samples of a deep run and its flanks: what they are off is the shape of an event."""
    out = np.zeros(inside.shape, bool)
    at = np.flatnonzero(usable)
    z = ((curve.flux - level) / sigma)[at]
    within = np.flatnonzero(inside[at] > 0)
    if within.size and float(np.median(z[within])) < -DEEP_SIGMAS:
        out[at[within[z[within] < -DEEP_SIGMAS]]] = True
        out[at[flanks(z, int(within[0]), int(within[-1]) + 1)]] = True
    return out


def _memory_without(curve: EventCurve, good: Mask, model: Floats, noise: NoiseModel) -> NoiseModel:
    """The noise, its memory estimated again by good samples: bad ones remember nothing."""
    again = estimate_noise(curve, good, model)
    return replace(noise, ar=again.ar, innovation=again.innovation, longest_s=again.longest_s)


def _near(values: Floats, group: Mask) -> Mask:
    """Where `values` are of another group, or near enough to the median of their own."""
    some = values[group]
    if some.size < 3:
        return np.ones(values.shape, bool)
    middle = float(np.median(some))
    reach = 5.0 * 1.4826 * float(np.median(np.abs(some - middle)))
    return ~group | (np.abs(values - middle) <= reach) if reach > 0 else np.ones(values.shape, bool)
