"""How well edges at given times describe a curve: its noise made white, its level fitted with the event.

For flanks at D and R the flux is ``b(t) (1 - depth * gone(t; D, R))``, where b is a polynomial. `gone` is one
limb's share less the other's, so over a grid of times all scalar products come from those of single limbs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from reduction.events.flanks import Flank, Floats, left_at_r, taken_at_d
from reduction.events.noise import Whitener

FAINT = 1e-10
"""Weight of an event, in whitened samples at full depth, that counts as none."""


@dataclass(frozen=True, slots=True, eq=False)
class Limb:
    """One limb at many times: each is a sum of few rows of projected light.

    Attributes
    ----------
    share : array, (n_time, k)
    rows : array, (k, n_sample)
    """

    share: Floats
    rows: Floats

    def along(self, white: Floats) -> Floats:
        """Scalar product with whitened samples, at each time."""
        product: Floats = self.share @ (self.rows @ white)
        return product

    def square(self) -> Floats:
        """Of each time's light with itself."""
        gram = self.rows @ self.rows.T
        product: Floats = np.einsum("ij,ij->i", self.share @ gram, self.share)
        return product

    def times(self, other: "Limb") -> Floats:
        """Of each time's light with that of each time of another, ``(n_time, n_other)``."""
        product: Floats = (self.share @ (self.rows @ other.rows.T)) @ other.share.T
        return product


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
    strips : dict
        By first sample and the one after the last: the light of each sample there, and of all after them,
        projected. Made as they are needed.
    """

    start_s: Floats
    stop_s: Floats
    whitener: Whitener
    level: Floats
    scale: float
    basis: Floats
    white: Floats
    freedom: int
    strips: dict[tuple[int, int], Floats] = field(default_factory=dict)

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
        return replace(self, level=level, scale=scale, strips={})

    def projected(self, rows: Floats) -> Floats:
        """Whiten rows ``(k, n_sample)`` of lost light and take out what the basis describes."""
        white = self.whitener(rows * self.level)
        return white - (white @ self.basis.T) @ self.basis

    def limb_d(self, flank: Flank, d_s: Floats) -> Limb:
        """Light taken by the first limb at each time; minus infinity: before the recording."""
        if d_s.size == 1 and not np.isfinite(d_s[0]):
            return Limb(np.ones((1, 1)), self.projected(np.ones((1, self.start_s.size))))
        return self._limb(taken_at_d, flank, d_s)

    def limb_r(self, flank: Flank, r_s: Floats) -> Limb:
        """Light given back by the second limb at each time; infinity: after the recording."""
        if r_s.size == 1 and not np.isfinite(r_s[0]):
            return Limb(np.ones((1, 1)), np.zeros((1, self.start_s.size)))
        return self._limb(left_at_r, flank, r_s)

    def _limb(
        self, mean: Callable[[Flank, Floats, Floats, Floats], Floats], flank: Flank, at: Floats
    ) -> Limb:
        """Before the samples that a limb crosses at some of the times nothing changes, after them all."""
        low, high = float(at[0]) - flank.reach_s(), float(at[-1]) + flank.reach_s()
        first = int(np.searchsorted(np.maximum.accumulate(self.stop_s), low, side="right"))
        stop = int(np.searchsorted(np.minimum.accumulate(self.start_s[::-1])[::-1], high, side="left"))
        if stop - first >= at.size and (first, stop) not in self.strips:
            whole = self.projected(mean(flank, self.start_s, self.stop_s, at))
            return Limb(np.eye(at.size), whole)
        part = next((one for one in self.strips if one[0] <= first and stop <= one[1]), (first, stop))
        if part not in self.strips:
            rows = np.zeros((part[1] - part[0] + 1, self.start_s.size))
            rows[np.arange(part[1] - part[0]), np.arange(*part)] = 1.0
            rows[-1, part[1] :] = 1.0
            self.strips[part] = self.projected(rows)
        inside = mean(flank, self.start_s[slice(*part)], self.stop_s[slice(*part)], at)
        return Limb(np.concatenate([inside, np.ones((at.size, 1))], axis=1), self.strips[part])


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
    weight: Floats
    lost: Floats
    chi2: Floats


def surface(scene: Scene, flanks: tuple[Flank, Flank], d_s: Floats, r_s: Floats) -> Surface:
    """Fit the depth and the level for every pair of times."""
    limb_d, limb_r = scene.limb_d(flanks[0], d_s), scene.limb_r(flanks[1], r_s)
    weight = limb_d.square()[:, None] + limb_r.square()[None, :] - 2.0 * limb_d.times(limb_r)
    weight = np.maximum(weight, FAINT)
    along = limb_d.along(scene.white)[:, None] - limb_r.along(scene.white)[None, :]
    chi2 = float(scene.white @ scene.white) - along * along / weight
    chi2 = np.where(r_s[None, :] > d_s[:, None], chi2, np.inf)
    return Surface(d_s, r_s, weight, -along / weight, chi2)
