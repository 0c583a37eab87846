"""Ellipses in the sky plane, and where straight paths cross them.

An ellipse is ``x = (f, g, ln r, e1, e2)``: its centre, km east and north of the predicted one; the radius
`r` of the circle of equal area, km; and its elongation, a vector that has no seam at the circle:
``(e1, e2) = eta (cos 2P, sin 2P)``, with ``eta = ln(a / b) / 2`` and P the position angle of the major
axis, from north through east. Then ``a = r exp(eta)``, ``b = r exp(-eta)``. A circle is ``(f, g, ln r)``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ellipse:
    """A limb in the sky plane: centre and semi-axes in km, position angle of the major axis in degrees."""

    f_km: float
    g_km: float
    a_km: float
    b_km: float
    pa_deg: float

    @property
    def radius_km(self) -> float:
        """Radius of the circle of equal area."""
        return float(np.sqrt(self.a_km * self.b_km))

    @property
    def oblateness(self) -> float:
        """Apparent flattening ``(a - b) / a``."""
        return 1.0 - self.b_km / self.a_km

    def outline(self, n: int = 361) -> Floats:
        """Points of the limb in order, ``(n, 2)``: km east, km north; the last is the first."""
        angle = np.linspace(0, 2 * np.pi, n)
        pa = np.radians(self.pa_deg)
        along, across = self.a_km * np.cos(angle), self.b_km * np.sin(angle)
        return np.stack(
            [
                self.f_km + along * np.sin(pa) - across * np.cos(pa),
                self.g_km + along * np.cos(pa) + across * np.sin(pa),
            ],
            axis=1,
        )


def pack(ellipse: Ellipse) -> Floats:
    """Parameters ``(5,)`` of an ellipse."""
    eta, twice = 0.5 * np.log(ellipse.a_km / ellipse.b_km), 2 * np.radians(ellipse.pa_deg)
    return np.array(
        [ellipse.f_km, ellipse.g_km, np.log(ellipse.radius_km), eta * np.cos(twice), eta * np.sin(twice)]
    )


def unpack(x: Floats) -> Ellipse:
    """Ellipse of parameters ``(5,)`` or ``(3,)``; the position angle of a circle is 0."""
    e1, e2 = (float(x[3]), float(x[4])) if x.size == 5 else (0.0, 0.0)
    eta = float(np.hypot(e1, e2))
    r = float(np.exp(x[2]))
    pa = float(np.degrees(0.5 * np.arctan2(e2, e1)) % 180.0)
    return Ellipse(float(x[0]), float(x[1]), r * float(np.exp(eta)), r * float(np.exp(-eta)), pa)


def to_circle(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Entries ``(n,)`` of the symmetric matrices that make each ellipse of ``(n, 3 or 5)`` the unit circle.

    Returns ``(ff, fg, gg)``: with ``S = [[-e1, e2], [e2, e1]] / eta`` the matrix is
    ``exp(-eta S) / r = (cosh(eta) - sinh(eta) S) / r``.
    """
    shrink = np.exp(-x[:, 2])
    if x.shape[1] == 3:
        return shrink, np.zeros_like(shrink), shrink
    eta = np.hypot(x[:, 3], x[:, 4])
    cosh = np.cosh(eta)
    sinhc = np.where(eta > 1e-6, np.sinh(eta) / np.maximum(eta, 1e-6), 1.0)
    return (
        shrink * (cosh + sinhc * x[:, 3]),
        -shrink * sinhc * x[:, 4],
        shrink * (cosh - sinhc * x[:, 3]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """How straight paths pass ellipses, in units where each ellipse is the unit circle; all ``(n, m)``.

    Attributes
    ----------
    closest_s : array
        Time of closest approach, seconds after the path's own point.
    impact : array
        Distance from the centre then: below 1 the limb is crossed.
    speed : array
        Limb units per second.
    half_s : array
        Half the time inside the limb; 0 of a path that misses.
    """

    closest_s: Floats
    impact: Floats
    speed: Floats
    half_s: Floats
    u: tuple[Floats, Floats]  # the path's own point
    w: tuple[Floats, Floats]  # its velocity
    matrix: tuple[Any, Any, Any]  # of `to_circle`, as columns

    def support_km(self, seconds: Floats) -> Floats:
        """Distance from the centre to the tangent at the limb in the direction of the path at `seconds`.

        A limb that lies h higher everywhere is, there, the ellipse enlarged by ``1 + h / support``.
        """
        uf, ug = self.u[0] + self.w[0] * seconds, self.u[1] + self.w[1] * seconds
        ff, fg, gg = self.matrix
        nf, ng = ff * uf + fg * ug, fg * uf + gg * ug
        answer: Floats = np.sqrt((uf * uf + ug * ug) / np.maximum(nf * nf + ng * ng, 1e-300))
        return answer


def pass_by(x: Floats, points: Floats, velocities: Floats) -> Passage:
    """How paths ``points + velocities t`` pass each ellipse.

    Parameters
    ----------
    x : array, (n, 3) or (n, 5)
        Ellipses.
    points, velocities : array, (m, 2)
        Km, km/s; east, north.
    """
    ff, fg, gg = (entry[:, None] for entry in to_circle(x))
    df, dg = points[None, :, 0] - x[:, :1], points[None, :, 1] - x[:, 1:2]
    vf, vg = velocities[None, :, 0], velocities[None, :, 1]
    uf, ug = ff * df + fg * dg, fg * df + gg * dg
    wf, wg = ff * vf + fg * vg, fg * vf + gg * vg
    square = wf * wf + wg * wg
    closest = -(uf * wf + ug * wg) / square
    speed = np.sqrt(square)
    impact = np.abs(uf * wg - ug * wf) / speed
    half = np.sqrt(np.maximum(1 - impact * impact, 0)) / speed
    return Passage(closest, impact, speed, half, (uf, ug), (wf, wg), (ff, fg, gg))
