"""How far the shadow may pass from where it is predicted, and what that makes of a station's chance."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.geometry.prediction import Prediction
from reduction.geometry.skyplane import SkyPlane

Floats = NDArray[np.float64]

HALF_DEGREE = math.radians(0.5)
_MOST_APART = 1.5


@dataclass(frozen=True, slots=True)
class PathError:
    """Uncertainty of the body's place against the star's, as the prediction states it.

    Attributes
    ----------
    covariance_km2 : array, (2, 2)
        Of (east, north), km at the body's distance, ICRS axes.
    basis : str
        Which fields it is taken from.
    notes : tuple of str
        Where they contradict each other.
    """

    covariance_km2: Floats
    basis: str
    notes: tuple[str, ...] = ()

    def along(self, direction: Floats) -> float:
        """1-sigma, km, in a direction of the plane, ``(2,)``."""
        unit = direction / np.hypot(*direction)
        return float(math.sqrt(unit @ self.covariance_km2 @ unit))

    def across(self, motion: Floats) -> float:
        """1-sigma, km, across a motion, ``(2,)``."""
        return self.along(np.array([-motion[1], motion[0]]))


def path_error(plane: SkyPlane) -> PathError | None:
    """Uncertainty of a prediction; None where its file states none.

    The ellipse's position angle is rounded to a degree, which matters where it is long and lies along the
    path; where the file also states the shift across the path, the angle is taken, within half a degree,
    that fits that best.
    """
    prediction = plane.prediction
    errors = prediction.errors
    motion = shadow_motion(plane)
    stated = _stated_across(prediction)
    if errors.major_arcsec and errors.minor_arcsec is not None and errors.position_angle_deg is not None:
        scale = prediction.km_per_mas * 1000
        axes = errors.major_arcsec * scale, errors.minor_arcsec * scale
        angle = math.radians(errors.position_angle_deg)
        if stated is None:
            return PathError(_ellipse(*axes, angle), "error ellipse")
        angles = angle + np.linspace(-HALF_DEGREE, HALF_DEGREE, 101)
        made = [PathError(_ellipse(*axes, one), "error ellipse and path width") for one in angles]
        best = min(made, key=lambda one: abs(one.across(motion) - stated))
        if max(best.across(motion), stated) <= _MOST_APART * min(best.across(motion), stated):
            return best
        note = (
            f"the file's error ellipse puts the path's 1-sigma at {made[50].across(motion):.3g} km, its "
            f"path width at {stated:.3g} km; the ellipse is used"
        )
        return PathError(made[50].covariance_km2, "error ellipse", (note,))
    if errors.sigma_arcsec:
        sigma = errors.sigma_arcsec * prediction.km_per_mas * 1000
        return PathError(np.eye(2) * sigma**2, "1-sigma, equal in all directions")
    if stated is not None:
        return PathError(np.eye(2) * stated**2, "path width, equal in all directions")
    return None


def shadow_motion(plane: SkyPlane) -> Floats:
    """Velocity of the shadow's axis at the epoch, east and north in ICRS axes, km/s: geocentric."""
    at, second = plane.prediction.elements.epoch_ns, 1_000_000_000
    return plane.in_icrs((plane.shadow_km(at + second) - plane.shadow_km(at - second)) / 2)


def chance(offset_km: float, radius_km: float, across_km: float, radius_sigma_km: float = 0.0) -> float:
    """Probability that a chord at a predicted offset from the centre meets a body.

    Parameters
    ----------
    offset_km, radius_km : float
        Of the chord, and half the body's width across its motion.
    across_km, radius_sigma_km : float
        1-sigma of the path across its motion, and of the radius; Gaussian and independent.
    """
    spread = math.hypot(across_km, radius_sigma_km)
    if spread == 0:
        return 1.0 if abs(offset_km) < radius_km else 0.0
    return _normal((radius_km - offset_km) / spread) - _normal((-radius_km - offset_km) / spread)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _stated_across(prediction: Prediction) -> float | None:
    """1-sigma across the path, km, from the field that holds 1 + sigma / diameter."""
    ratio = prediction.errors.path_width_ratio
    return None if ratio is None or ratio <= 1 else (ratio - 1) * prediction.body.diameter_km


def _ellipse(major_km: float, minor_km: float, angle_rad: float) -> Floats:
    u = np.array([math.sin(angle_rad), math.cos(angle_rad)])
    v = np.array([u[1], -u[0]])
    return np.asarray(major_km**2 * np.outer(u, u) + minor_km**2 * np.outer(v, v))
