"""The body's outline that chords are predicted with: an ellipse in the sky plane."""

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reduction.plan import Settings

Floats = NDArray[np.float64]
Axis = Annotated[float, Field(gt=0)]


class Outline(Settings):
    """An ellipse around the predicted centre, or beside it.

    Attributes
    ----------
    semi_major_km, semi_minor_km : float
        Semi-axes; equal for a circle.
    position_angle_deg : float
        Of the major axis, from north through east, ICRS.
    centre_f_km, centre_g_km : float
        Of the ellipse against the predicted centre, east and north.
    """

    semi_major_km: Axis
    semi_minor_km: Axis
    position_angle_deg: float = 0.0
    centre_f_km: float = 0.0
    centre_g_km: float = 0.0

    @property
    def centre(self) -> Floats:
        """(f, g) of the centre, km."""
        return np.array([self.centre_f_km, self.centre_g_km])

    @property
    def form(self) -> Floats:
        """The matrix Q, 1/km^2, with p' Q p = 1 on the outline, p from its centre."""
        angle = math.radians(self.position_angle_deg)
        u = np.array([math.sin(angle), math.cos(angle)])
        v = np.array([u[1], -u[0]])
        return np.asarray(np.outer(u, u) / self.semi_major_km**2 + np.outer(v, v) / self.semi_minor_km**2)

    def half_width_km(self, motion: Floats) -> float:
        """Half the outline's width across a motion, ``(2,)``: the largest offset of a chord that meets it."""
        across = np.array([-motion[1], motion[0]]) / np.hypot(*motion)
        return float(math.sqrt(across @ np.linalg.inv(self.form) @ across))

    def normal(self, place: Floats) -> Floats:
        """Outward unit normal at a place on the outline, ``(2,)``, from its centre."""
        gradient = self.form @ place
        return np.asarray(gradient / np.hypot(*gradient))


def circle(diameter_km: float) -> Outline:
    """A circle around the predicted centre."""
    return Outline(semi_major_km=diameter_km / 2, semi_minor_km=diameter_km / 2)
