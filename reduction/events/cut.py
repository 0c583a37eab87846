"""The part of a curve that one event is fitted in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reduction.errors import DataError
from reduction.events.badpoints import Mask
from reduction.events.curve import EventCurve
from reduction.events.edges import OUTSIDE_D, OUTSIDE_R, Range
from reduction.events.exposures import Exposures
from reduction.events.flanks import Floats
from reduction.events.noise import sample_sigma
from reduction.events.results import Dip, NoiseModel

ABOUT, LENGTHS = 1_000, 4
"""Samples fitted on each side of an event: so many, or as many as so many events hold. Those farther off
add next to nothing to what is known of its level."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The part of a curve that one event is fitted in; arrays ``(n_sample,)``.

    Attributes
    ----------
    start_s, stop_s : array, seconds
        Of the exposures.
    flux, sigma : array
        Sigma at the noise's scale.
    usable : array of bool
        Without other events.
    first, last : int
        Of the dip, in the cut.
    cadence_s : float
    """

    start_s: Floats
    stop_s: Floats
    flux: Floats
    sigma: Floats
    usable: Mask
    first: int
    last: int
    cadence_s: float

    @property
    def middle_s(self) -> Floats:
        """Of the exposures."""
        return 0.5 * (self.start_s + self.stop_s)


def cut_of(
    curve: EventCurve, exposures: Exposures, dip: Dip, noise: NoiseModel, others: Sequence[Dip]
) -> Cut:
    """The samples that one event is fitted in.

    Raises
    ------
    DataError
        With too few usable samples, or a dip that lies outside the curve.
    """
    n = curve.flux.size
    if not 0 <= dip.first <= dip.last < n:
        raise DataError(f"{curve.name}: a dip at samples {dip.first} to {dip.last} of a curve of {n}")
    out = np.ones(n, bool)
    usable = curve.usable & np.isfinite(curve.flux)
    for one in (dip, *others):
        out[one.first : one.last + 1] = False
    for one in others:
        length = one.last - one.first + 1
        margin = 1 + length // 4
        low, high = max(one.first - margin, 0), one.last + margin + 1
        if one.last < dip.first:
            high = min(high, one.last + 1 + (dip.first - one.last) // 2)
        elif one.first > dip.last:
            low = max(low, one.first - (one.first - dip.last) // 2)
        else:
            continue  # within this dip, or about it: its share is fitted by whoever asks for both
        usable[low:high] = False
    sigma = sample_sigma(noise, curve, out)
    half = max(ABOUT, LENGTHS * (dip.last - dip.first + 1))
    part = slice(max(dip.first - half, 0), min(dip.last + half + 1, n))
    return Cut(
        exposures.start_s[part],
        exposures.stop_s[part],
        curve.flux[part],
        sigma[part],
        usable[part],
        dip.first - part.start,
        dip.last - part.start,
        curve.cadence_s(),
    )


def columns_of(cut: Cut, order: int) -> Floats:
    """Legendre polynomials in time, ``(order + 1, n_sample)``."""
    low, high = cut.middle_s[0], cut.middle_s[-1]
    x = 2.0 * (cut.middle_s - low) / (high - low) - 1.0
    return np.polynomial.legendre.legvander(x, order).T


def ranges_of(cut: Cut, margin_s: float) -> tuple[Range, Range]:
    """Where the edges are looked for first: about the dip; outside, of a dip at an end of the curve.

    Wherever they may be moved to, the event keeps to the dip: a bad sample elsewhere is another matter.
    """
    at = np.flatnonzero(cut.usable)
    d_at, r_at = cut.start_s[cut.first], cut.stop_s[cut.last]
    begin, end = float(cut.start_s[at[0]]), float(cut.stop_s[at[-1]])
    middle = 0.5 * (d_at + r_at)
    length = r_at - d_at
    margin = max(4.0 * cut.cadence_s, min(0.75 * length, 64 * cut.cadence_s)) + margin_s
    inward = min(margin, max(0.5 * length, 2.0 * cut.cadence_s))
    beside = 2.0 * cut.cadence_s
    d = Range(max(d_at - margin, begin), min(d_at + inward, end), begin, min(r_at + beside, end))
    r = Range(max(r_at - inward, begin), min(r_at + margin, end), max(d_at - beside, begin), end)
    if cut.first <= at[0]:
        d = OUTSIDE_D
    if cut.last >= at[-1]:
        r = OUTSIDE_R
    if d.outside and r.outside:
        raise DataError(f"the dip fills the whole curve ({middle:g} s): nothing to tell its depth by")
    return d, r
