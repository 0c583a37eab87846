"""Transforms between the reference grid and a frame: shift, rotation and scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Transform:
    """x = c u - s v + tx, y = s u + c v + ty: reference (u, v) to frame (x, y), pixels.

    A similarity: c and s are cosine and sine of the rotation, times the scale.
    """

    c: float
    s: float
    tx: float
    ty: float

    def apply(self, u: Floats, v: Floats) -> tuple[Floats, Floats]:
        """Frame positions of reference positions."""
        return self.c * u - self.s * v + self.tx, self.s * u + self.c * v + self.ty

    def invert(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Reference positions of frame positions."""
        dx, dy, norm = x - self.tx, y - self.ty, self.c * self.c + self.s * self.s
        return (self.c * dx + self.s * dy) / norm, (self.c * dy - self.s * dx) / norm

    @property
    def inverse(self) -> "Transform":
        """Frame to reference."""
        norm = self.c * self.c + self.s * self.s
        c, s = self.c / norm, self.s / norm
        return Transform(c, -s, -(c * self.tx + s * self.ty), s * self.tx - c * self.ty)

    def after(self, first: "Transform") -> "Transform":
        """The transform that applies `first`, then this one."""
        return Transform(
            self.c * first.c - self.s * first.s,
            self.s * first.c + self.c * first.s,
            self.c * first.tx - self.s * first.ty + self.tx,
            self.s * first.tx + self.c * first.ty + self.ty,
        )

    def shift_at(self, u: float, v: float) -> tuple[float, float]:
        """How far the transform brings one reference position."""
        return self.c * u - self.s * v + self.tx - u, self.s * u + self.c * v + self.ty - v

    @property
    def rotation_deg(self) -> float:
        """Rotation, degrees, positive from x to y."""
        return float(np.degrees(np.arctan2(self.s, self.c)))

    @property
    def scale(self) -> float:
        """Pixels of the frame per pixel of the reference."""
        return float(np.hypot(self.c, self.s))


def similarity(scale: float, degrees: float, u: float, v: float, x: float, y: float) -> Transform:
    """The transform of a given scale and rotation that brings one place to another.

    Parameters
    ----------
    scale : float
    degrees : float
        Rotation from x to y.
    u, v : float, pixels
        On the reference.
    x, y : float, pixels
        On the frame.
    """
    angle = np.radians(degrees)
    c, s = scale * float(np.cos(angle)), scale * float(np.sin(angle))
    return Transform(c, s, x - (c * u - s * v), y - (s * u + c * v))


IDENTITY = Transform(1.0, 0.0, 0.0, 0.0)
