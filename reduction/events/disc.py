"""The star's disc behind a straight limb (penumbra), and behind a round body of about its own size."""

from dataclasses import dataclass

import numpy as np

from reduction.events.flanks import Floats


@dataclass(frozen=True, slots=True)
class Penumbra:
    """A straight limb crossing a stellar disc, uniform or darkened to its edge linearly.

    A strip at ``x`` radii from the centre shines as ``(1 - u) 2 sqrt(1 - x^2) + u pi/2 (1 - x^2)`` for the
    darkening ``1 - u (1 - mu)``; share taken and integral follow from it.

    Attributes
    ----------
    radius_s : float
        Time in which the limb crosses the star's radius, seconds.
    darkening : float
        Coefficient ``u``, 0 (uniform) to 1.
    """

    radius_s: float
    darkening: float = 0.0

    def taken(self, inside_s: Floats) -> Floats:
        """See `Flank`."""
        x = np.clip(inside_s / self.radius_s, -1.0, 1.0)
        u = self.darkening
        uniform = np.pi / 2 + x * np.sqrt(1 - x * x) + np.arcsin(x)
        darkened = np.pi / 2 * (x - x**3 / 3 + 2.0 / 3.0)
        share: Floats = ((1 - u) * uniform + u * darkened) / (np.pi * (1 - u / 3))
        return share

    def integral(self, inside_s: Floats) -> Floats:
        """See `Flank`."""
        over = inside_s / self.radius_s
        total: Floats = self.radius_s * np.maximum(over, 0.0)
        crossing = np.abs(over) < 1.0
        x = over[crossing]
        u = self.darkening
        root = np.sqrt(1 - x * x)
        uniform = np.pi * x / 2 + x * np.arcsin(x) + root - root**3 / 3
        darkened = np.pi / 2 * (x * x / 2 - x**4 / 12 + 2.0 * x / 3.0 + 0.25)
        total[crossing] = self.radius_s * ((1 - u) * uniform + u * darkened) / (np.pi * (1 - u / 3))
        return total

    def rise_s(self) -> float:
        """See `Flank`."""
        x = np.linspace(-1.0, 1.0, 2001)
        share = Penumbra(1.0, self.darkening).taken(x)
        low, high = np.interp([0.1, 0.9], share, x)
        return float(high - low) * self.radius_s

    def reach_s(self) -> float:
        """See `Flank`."""
        return self.radius_s


def strip_weights(nodes: int, darkening: float = 0.0) -> tuple[Floats, Floats]:
    """Places over the star's radius, and weights that sum to 1, for a mean over its disc in strips.

    Gauss' rule with the weight ``sqrt(1 - x^2)`` (Chebyshev, second kind), exact for polynomials where the
    disc is uniform.
    """
    angle = np.pi * np.arange(1, nodes + 1) / (nodes + 1)
    x = np.cos(angle)
    weight = np.sin(angle) ** 2 * (1 - darkening + darkening * np.pi / 4 * np.sin(angle))
    return x, weight / weight.sum()


def overlap(distance: Floats, star: float, body: float) -> Floats:
    """Share of a uniform stellar disc that a round body hides (partly, wholly, or as an annulus).

    Parameters
    ----------
    distance : array
        Between the centres, in the unit of the radii.
    star, body : float
        Radii.
    """
    d = np.clip(np.abs(distance), 1e-9 * min(star, body), None)
    cos_star = np.clip((d * d + star * star - body * body) / (2 * d * star), -1.0, 1.0)
    cos_body = np.clip((d * d + body * body - star * star) / (2 * d * body), -1.0, 1.0)
    kite = (-d + star + body) * (d + star - body) * (d - star + body) * (d + star + body)
    lens = (
        star**2 * np.arccos(cos_star)
        + body**2 * np.arccos(cos_body)
        - 0.5 * np.sqrt(np.clip(kite, 0.0, None))
    )
    lens = np.where(d >= star + body, 0.0, lens)
    lens = np.where(d <= abs(star - body), np.pi * min(star, body) ** 2, lens)
    share: Floats = lens / (np.pi * star * star)
    return share


def overlap_darkened(distance: Floats, star: float, body: float, darkening: float, rings: int = 64) -> Floats:
    """`overlap` of a disc darkened to its edge linearly: uniform discs of falling radius, one upon the other.

    The disc ``1 - u (1 - mu)`` is a sum of uniform ones of radius ``star * s``; each adds the brightness that
    sets in there, ``u s / sqrt(1 - s^2) ds``, and the edge keeps ``1 - u``.
    """
    if darkening == 0.0:
        return overlap(distance, star, body)
    angle, weight = np.polynomial.legendre.leggauss(rings)
    angle, weight = (angle + 1) * np.pi / 4, weight * np.pi / 4
    s = np.sin(angle)  # s / sqrt(1 - s^2) ds = sin(angle) d(angle)
    hidden = (1 - darkening) * overlap(distance, star, body)
    for one, share in zip(s, weight * darkening * s, strict=True):
        hidden = hidden + share * one * one * overlap(distance, star * float(one), body)
    return hidden / (1 - darkening / 3)


def body_on_disc(
    start_s: Floats,
    stop_s: Floats,
    middle_s: float,
    star_s: float,
    body_s: float,
    miss_s: float,
    darkening: float = 0.0,
    nodes: int = 6,
) -> Floats:
    """Mean share hidden over exposures while a round body passes a star of comparable size, ``(n_sample,)``.

    Parameters
    ----------
    start_s, stop_s : array, (n_sample,), seconds
    middle_s : float
        Time of closest approach of the centres, seconds.
    star_s, body_s, miss_s : float
        Radii and least distance of the centres over the velocity, seconds.
    darkening : float
        Linear coefficient.
    nodes : int
        Of Gauss' rule over each exposure.
    """
    x, weight = np.polynomial.legendre.leggauss(nodes)
    t = 0.5 * (start_s + stop_s)[:, None] + 0.5 * (stop_s - start_s)[:, None] * x[None, :] - middle_s
    hidden = overlap_darkened(np.hypot(t, miss_s), star_s, body_s, darkening)
    mean: Floats = hidden @ (weight / 2)
    return mean
