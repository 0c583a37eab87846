"""How well edges at given times describe a curve: its noise made white, its level fitted with the event.

For flanks at D and R the flux is ``b(t) (1 - depth * gone(t; D, R))``, where b is a polynomial. `gone` is one
limb's share less the other's, so over a grid of times all scalar products come from those of single limbs.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reduction.events.flanks import Flank, Floats, left_at_r, taken_at_d
from reduction.events.noise import Whitener

FAINT = 1e-10
"""Weight of an event, in whitened samples at full depth, that counts as none."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A curve made ready for edges.

    Attributes
    ----------
    start_s, stop_s : array, (n_sample,)
        Of the exposures.
    whitener : Whitener
        Of the samples that count.
    level : array, (n_sample,)
        Out-of-event level, over its mean near the event: what the event takes its share from.
    scale : float
        Mean level near the event.
    basis : array, (k, n_sample)
        Orthonormal whitened columns that are fitted along: the polynomial, other events.
    white : array, (n_sample,)
        Whitened flux less what the basis describes.
    freedom : int
        Samples that count, less columns of the basis and the depth.
    """

    start_s: Floats
    stop_s: Floats
    whitener: Whitener
    level: Floats
    scale: float
    basis: Floats
    white: Floats
    freedom: int

    @classmethod
    def of(
        cls,
        exposures: tuple[Floats, Floats],
        flux: Floats,
        seen: NDArray[np.bool_],
        whitener: Whitener,
        columns: Floats,
        level: Floats,
        scale: float,
    ) -> Self:
        """Prepare a curve; `columns` ``(k, n_sample)`` are fitted along, `level` is as the attribute."""
        basis = np.linalg.qr(whitener(columns).T)[0].T
        white = whitener(flux)
        white = white - (basis @ white) @ basis
        return cls(*exposures, whitener, level, scale, basis, white, int(seen.sum()) - len(columns) - 1)

    def with_level(self, level: Floats, scale: float) -> Self:
        """The same with another out-of-event level."""
        return replace(self, level=level, scale=scale)

    def projected(self, rows: Floats) -> Floats:
        """Whiten rows ``(k, n_sample)`` of lost light and take out what the basis describes."""
        white = self.whitener(rows * self.level)
        return white - (white @ self.basis.T) @ self.basis

    def limb_d(self, flank: Flank, d_s: Floats) -> Floats:
        """Projected light taken by the first limb at each time; minus infinity: before the recording."""
        if d_s.size == 1 and not np.isfinite(d_s[0]):
            return self.projected(np.ones((1, self.start_s.size)))
        return self.projected(taken_at_d(flank, self.start_s, self.stop_s, d_s))

    def limb_r(self, flank: Flank, r_s: Floats) -> Floats:
        """Projected light given back by the second limb at each time; infinity: after the recording."""
        if r_s.size == 1 and not np.isfinite(r_s[0]):
            return np.zeros((1, self.start_s.size))
        return self.projected(left_at_r(flank, self.start_s, self.stop_s, r_s))


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """What the data say of D and R on a grid, the depth at its best there; arrays ``(n_d, n_r)``.

    Attributes
    ----------
    d_s, r_s : array, (n_d,) and (n_r,), seconds
    weight : array
        Square of the whitened event at full depth: the depth's variance is ``1 / weight``.
    lost : array
        Best-fitting loss, in units of flux.
    chi2 : array
        With that loss; infinite where R does not follow D.
    """

    d_s: Floats
    r_s: Floats
    limb_d: Floats
    limb_r: Floats
    weight: Floats
    lost: Floats
    chi2: Floats


def surface(scene: Scene, flanks: tuple[Flank, Flank], d_s: Floats, r_s: Floats) -> Surface:
    """Fit the depth and the level for every pair of times."""
    limb_d, limb_r = scene.limb_d(flanks[0], d_s), scene.limb_r(flanks[1], r_s)
    square_d = np.einsum("ij,ij->i", limb_d, limb_d)
    square_r = np.einsum("ij,ij->i", limb_r, limb_r)
    weight = square_d[:, None] + square_r[None, :] - 2.0 * (limb_d @ limb_r.T)
    weight = np.maximum(weight, FAINT)
    along = (limb_d @ scene.white)[:, None] - (limb_r @ scene.white)[None, :]
    chi2 = float(scene.white @ scene.white) - along * along / weight
    chi2 = np.where(r_s[None, :] > d_s[:, None], chi2, np.inf)
    return Surface(d_s, r_s, limb_d, limb_r, weight, -along / weight, chi2)
