"""Fresnel diffraction by a straight limb and by a strip, over a band and a stellar disc.

Distances are in Fresnel units ``sqrt(wavelength * distance / 2)`` unless a name says otherwise.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from reduction.events.disc import strip_weights
from reduction.events.flanks import Floats

AU_KM = 149_597_870.7
FARTHEST = 60.0
"""Fresnel units beyond which a limb's swings are taken for nothing (0.75 % of the light in one colour,
at 1/60 of the unit from crest to crest; far less after any exposure, band or disc)."""

STEP = 1.0 / 320.0
"""Of tables, Fresnel units; the fastest swing within `FARTHEST` has ten steps."""

ZONES = (0.0, 6.0, 12.0, 20.0, 32.0, 46.0, FARTHEST)
"""Distances from a limb within which the mean over the band takes one number of wavelengths."""

STRIP_REACH, STRIP_STEP = 20.0, 1.0 / 128.0
"""The same of strips, whose edges do nothing together farther out."""

WASHED_OUT = 250.0
"""Half the spread of phase over the band, radians, from which its mean swing (below 1e-4) is left out."""

MOST_STRIPS = 800
"""Of a stellar disc."""


def fresnel_unit_km(wavelength_um: float, distance_au: float) -> float:
    """``sqrt(wavelength * distance / 2)``, km."""
    return float(np.sqrt(wavelength_um * 1e-9 * distance_au * AU_KM / 2.0))


def edge(w: Floats) -> Floats:
    """Intensity `w` Fresnel units out of the geometric shadow of a straight edge (Born & Wolf, 8.7.3).

    ``I = ((1/2 + C(w))^2 + (1/2 + S(w))^2) / 2``: 1/4 at the edge itself.
    """
    from scipy.special import fresnel

    s, c = fresnel(w)
    intensity: Floats = 0.5 * ((0.5 + c) ** 2 + (0.5 + s) ** 2)
    return intensity


def strip(w_first: Floats, w_second: Floats, opacity: float = 1.0) -> Floats:
    """Intensity behind a strip, `w_first` units after its first edge and `w_second` after its second.

    Parameters
    ----------
    w_first, w_second : array
        Distances along the path past each edge, Fresnel units; ``w_first > w_second``.
    opacity : float
        Share of the amplitude that the strip takes (1: opaque; a strip that lets the share ``t`` of the
        light through has ``1 - sqrt(t)``; Roques et al. 1987, AJ 93, 1549).
    """
    from scipy.special import fresnel

    s1, c1 = fresnel(w_first)
    s2, c2 = fresnel(w_second)
    cc, ss = 0.5 * opacity * (c1 - c2), 0.5 * opacity * (s1 - s2)
    intensity: Floats = (1.0 - cc - ss) ** 2 + (cc - ss) ** 2
    return intensity


@dataclass(frozen=True, slots=True)
class Light:
    """What is bent: the wavelengths and the star's disc.

    Attributes
    ----------
    band : float
        Full width of the band over its centre, 0 for one colour; every wavelength in it counts alike.
    star : float
        Radius of the star, Fresnel units of the band's centre.
    darkening : float
        Linear coefficient of the star's disc.
    """

    band: float = 0.0
    star: float = 0.0
    darkening: float = 0.0


def reach(band: float) -> float:
    """Fresnel units out to which a limb's swings are followed."""
    return (
        FARTHEST
        if band == 0.0
        else float(np.clip(1.15 * np.sqrt(4 * WASHED_OUT / np.pi / band), 20.0, FARTHEST))
    )


def wavelengths(band: float, far: float) -> tuple[Floats, Floats]:
    """Wavelengths over the band's centre, and weights, that follow the swings `far` units from a limb.

    Gauss' rule; the phase ``pi x^2 / 2`` changes over the band by its relative width.
    """
    if band == 0.0:
        return np.ones(1), np.ones(1)
    half_phase = np.pi / 4 * far * far * band
    x, weight = np.polynomial.legendre.leggauss(8 + int(0.8 * min(half_phase, WASHED_OUT)))
    return 1.0 + 0.5 * band * x, weight / 2.0


def _in_one_colour(x: Floats, width: float | None, unit: float) -> Floats:
    """Light taken where the Fresnel unit is `unit` of the band centre's."""
    if width is None:
        return 1.0 - edge(-x / unit)
    return 1.0 - strip((x + width / 2) / unit, (x - width / 2) / unit)


def over_band(x: Floats, width: float | None, band: float) -> Floats:
    """Mean light taken over the band: by an edge (shadow at ``x > 0``), or a strip with its centre at 0."""
    out = np.abs(x) + (0.0 if width is None else width / 2)
    taken = np.empty(x.size)
    for near, far in zip(ZONES[:-1], (*ZONES[1:-1], np.inf), strict=True):
        zone = (out >= near) & (out < far)
        at = x[zone]
        if not at.size:
            continue
        if width is None and np.pi / 4 * near * near * band > WASHED_OUT:
            taken[zone] = (at > 0) - 1.0 / (2.0 * np.pi**2 * at * at)  # what no colour changes
            continue
        mean = np.zeros(at.size)
        for wave, weight in zip(*wavelengths(band, float(out[zone].max())), strict=True):
            mean += weight * _in_one_colour(at, width, float(np.sqrt(wave)))
        taken[zone] = mean
    return taken


def _profile(width: float | None, light: Light) -> tuple[Any, Any]:
    """Splines of the light taken and of its integral from far outside, against distance."""
    from scipy.interpolate import CubicSpline

    far, step = (reach(light.band), STEP) if width is None else (STRIP_REACH + width / 2, STRIP_STEP)
    pad = int(np.ceil(light.star / step)) + 1
    n = int(np.ceil(far / step))
    wide: Floats = np.arange(-n - pad, n + pad + 1, dtype=np.float64) * step
    taken = CubicSpline(wide, over_band(wide, width, light.band))
    x = wide[pad:-pad]
    if light.star > 0.0:
        swing = 2 * np.pi * light.star * far
        places, weights = strip_weights(int(min(24 + 0.6 * swing, MOST_STRIPS)), light.darkening)
        seen = np.zeros(x.size)
        for place, weight in zip(places, weights, strict=True):
            seen += weight * taken(x + place * light.star)
        taken = CubicSpline(x, seen)
    return taken, taken.antiderivative()


@lru_cache(maxsize=16)
def _limb(light: Light) -> tuple[Any, Any, float]:
    """Splines of a straight limb, and what to add to the integral so that it is one from minus infinity."""
    taken, integral = _profile(None, light)
    # As much light leaks into the shadow as is missing outside it, so the integral deep in the shadow is the
    # distance, and what leaks in beyond it: I -> 1 / (2 pi^2 x^2).
    far = reach(light.band)
    return taken, integral, far + 1.0 / (2.0 * np.pi**2 * far) - float(integral(far))


@lru_cache(maxsize=16)
def _strip(width: float, light: Light) -> tuple[Any, Any]:
    """Splines of a strip."""
    return _profile(width, light)


@dataclass(frozen=True, slots=True)
class Fringes:
    """A straight limb's diffraction, over a band and a stellar disc.

    Attributes
    ----------
    unit_s : float
        Time in which the limb moves by one Fresnel unit of the band's centre, seconds.
    light : Light
    """

    unit_s: float
    light: Light = field(default_factory=Light)

    def taken(self, inside_s: Floats) -> Floats:
        """See `Flank`."""
        over = np.asarray(inside_s / self.unit_s, np.float64)
        if self.light.band == 0.0 and self.light.star == 0.0:
            return 1.0 - edge(-over)
        far = reach(self.light.band)
        share: Floats = np.where(np.abs(over) < far, _limb(self.light)[0](np.clip(over, -far, far)), over > 0)
        return share

    def integral(self, inside_s: Floats) -> Floats:
        """See `Flank`."""
        over = inside_s / self.unit_s
        _, integral, start = _limb(self.light)
        far = reach(self.light.band)
        within = integral(np.clip(over, -far, far)) + start
        total: Floats = self.unit_s * (within + np.maximum(over - far, 0.0))
        return total

    def rise_s(self) -> float:
        """See `Flank`: from the last place with 10 % gone before the limb to the first with 90 % after it."""
        near = 4.0 + 2.0 * self.light.star
        x = np.linspace(-near, near, 4001)
        share = self.taken(x * self.unit_s)
        low = x[np.flatnonzero(share < 0.1)[-1]]
        high = x[np.flatnonzero((share > 0.9) & (x > low))[0]]
        return float(high - low) * self.unit_s

    def reach_s(self) -> float:
        """See `Flank`."""
        return np.inf


def strip_taken(x: Floats, width: float, light: Light) -> Floats:
    """Light taken by an opaque strip at distances `x` from its centre, Fresnel units of the band's centre."""
    taken: Floats = _strip(width, light)[0](x)
    return taken


def between_the_edges(width: float, light: Light, start: Floats, stop: Floats) -> Floats:
    """What the light of both edges of a strip does together, over exposures: the strip less its two limbs.

    It vanishes as the strip grows many Fresnel units wide.

    Parameters
    ----------
    width : float
        Of the strip, Fresnel units.
    start, stop : array, (n_sample,)
        Of the exposures, distances from the strip's centre along the path, Fresnel units.

    Returns
    -------
    array, (n_sample,)
    """
    far = STRIP_REACH + width / 2
    integral = _strip(width, light)[1]
    both = integral(np.clip(stop, -far, far)) - integral(np.clip(start, -far, far))
    limb = Fringes(1.0, light)
    first = limb.integral(stop + width / 2) - limb.integral(start + width / 2)
    second = limb.integral(width / 2 - start) - limb.integral(width / 2 - stop)
    mean: Floats = (both - first - second) / (stop - start) + 1.0
    return mean
