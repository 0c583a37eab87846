"""What a limb takes of a star's light, against time, and its mean over each sample's exposure."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOUCHING = 1e-9
"""Part of an exposure: what lies less between the end of one and the beginning of the next is no gap."""


class Flank(Protocol):
    """Light taken by a limb that passes over the star at time 0, the shadow after it.

    The share rises from 0 long before to 1 long after; diffraction makes it swing about both.
    """

    def taken(self, inside_s: Floats) -> Floats:
        """Share of the light that is taken `inside_s` seconds after the limb's passage."""
        ...

    def integral(self, inside_s: Floats) -> Floats:
        """Integral of `taken` from long before; it approaches `inside_s` deep in the shadow."""
        ...

    def rise_s(self) -> float:
        """Seconds from 10 to 90 % of the light taken; 0 where the limb is sharp."""
        ...

    def reach_s(self) -> float:
        """Seconds from the passage beyond which exactly nothing, or all, is taken; infinite: nowhere."""
        ...


def taken_at_d(flank: Flank, start_s: Floats, stop_s: Floats, d_s: Floats) -> Floats:
    """Mean share taken over exposures by the limb that passes at each `d_s`.

    Parameters
    ----------
    flank : Flank
    start_s, stop_s : array, (n_sample,), seconds
        Of each exposure.
    d_s : array, (n_time,), seconds

    Returns
    -------
    array, (n_time, n_sample)
    """
    if touching(start_s, stop_s):
        at = flank.integral(np.append(start_s, stop_s[-1])[None, :] - d_s[:, None])
        before, after = at[:, :-1], at[:, 1:]
    else:
        before = flank.integral(start_s[None, :] - d_s[:, None])
        after = flank.integral(stop_s[None, :] - d_s[:, None])
    mean: Floats = (after - before) / (stop_s - start_s)[None, :]
    return mean


def left_at_r(flank: Flank, start_s: Floats, stop_s: Floats, r_s: Floats) -> Floats:
    """Mean share given back over exposures by the limb that passes at each `r_s`: 1 long after.

    Shapes are those of `taken_at_d`.
    """
    if touching(start_s, stop_s):
        at = flank.integral(r_s[:, None] - np.append(start_s, stop_s[-1])[None, :])
        before, after = at[:, :-1], at[:, 1:]
    else:
        before = flank.integral(r_s[:, None] - start_s[None, :])
        after = flank.integral(r_s[:, None] - stop_s[None, :])
    mean: Floats = 1.0 - (before - after) / (stop_s - start_s)[None, :]
    return mean


def touching(start_s: Floats, stop_s: Floats) -> bool:
    """Whether each exposure begins where the one before ended: then half of the integrals are known twice."""
    gaps = np.abs(start_s[1:] - stop_s[:-1])
    return start_s.size > 0 and bool((gaps <= TOUCHING * (stop_s - start_s)[1:]).all())


def well(flanks: tuple[Flank, Flank], start_s: Floats, stop_s: Floats, d_s: float, r_s: float) -> Floats:
    """Mean share of the light that is gone in each exposure, between two limbs, ``(n_sample,)``.

    The shadow is a strip: what the first limb has taken less what the second has given back. An edge at
    minus or plus infinity lies outside the recording.
    """
    gone = np.ones(start_s.shape)
    if np.isfinite(d_s):
        gone = taken_at_d(flanks[0], start_s, stop_s, np.array([d_s]))[0]
    if np.isfinite(r_s):
        gone = gone - left_at_r(flanks[1], start_s, stop_s, np.array([r_s]))[0]
    return gone
