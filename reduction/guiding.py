"""Pass 1: the guide field that pass 2 tracks with, and how it moves, turns, stretches and blurs."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reduction.coordinates import anchored
from reduction.drift import Drift, drift_of
from reduction.noise import Noise
from reduction.register import Registered
from reduction.roles import Stars
from reduction.sweep import CLEAR_PX, CLEAR_SIGMAS, smooth
from reduction.tracking import Field
from reduction.view import View

Floats = NDArray[np.float64]


def tracking_field(
    view: View,
    registered: Registered,
    stars: Stars,
    guides: NDArray[np.bool_],
    total: Floats,
    noise: Noise,
    saturation: float,
    target: int,
) -> tuple[Field, float, tuple[float, float]]:
    """Guide field of pass 2, the largest rotation seen, and the range of the shifts."""
    found = [p for p in registered.placements if p.found]
    middle_x, middle_y = view.geometry.width / 2.0, view.geometry.height / 2.0
    places = np.array([p.transform.apply(np.array([middle_x]), np.array([middle_y])) for p in found]).reshape(
        -1, 2
    )
    span = tuple(float(np.ptp(places[:, k])) * view.geometry.scale if len(found) else 0.0 for k in (0, 1))
    white = view.sampling.white_excess(registered.field.sigma)
    turns = _turns(registered, int(guides.sum()))
    field = replace(
        registered.field,
        u=stars.u[guides],
        v=stars.v[guides],
        flux=total[guides],
        all_u=stars.u,
        all_v=stars.v,
        all_flux=total,
        variance=noise.variance * white,
        inv_gain=noise.inv_gain * white,
        saturation=saturation,
        rotate=turns,
        target=(float(stars.u[target]), float(stars.v[target])) if target >= 0 else None,
    )
    drift, largest = _drift(registered, field)
    given = None if field.given is None else anchored(field.given, field.target)
    return replace(field, drift=drift, given=given), largest, (span[0], span[1])


def _turns(registered: Registered, guides: int) -> bool:
    """Whether the field clearly rotates."""
    angles = np.array([p.transform.rotation_deg for p in registered.placements if p.by_stars])
    if angles.size < 2 or guides < 2:
        return False
    lever = 0.5 * float(np.hypot(*registered.field.shape))
    many = angles.size >= 18
    extent = (
        float(np.radians(np.ptp(np.convolve(angles, np.ones(9) / 9.0, "valid") if many else angles))) * lever
    )
    scatter = 1.4826 * float(np.median(np.abs(np.diff(angles)))) / np.sqrt(2.0)
    error = float(np.radians(scatter)) * lever / (3.0 if many else 1.0)
    return extent > CLEAR_PX and (extent > CLEAR_SIGMAS * error or not many)


def _drift(registered: Registered, field: Field) -> tuple[Drift, float]:
    """Motion of the field by the frames that stars placed, and the largest rotation."""
    seen = np.array([p.by_stars for p in registered.placements])
    placed = [p for p in registered.placements if p.by_stars]
    angles = np.zeros(len(placed))
    if field.rotate:
        angles = smooth(np.array([p.transform.rotation_deg for p in placed]))
    drift = drift_of(
        registered.index[seen],
        [p.transform for p in placed],
        np.array([p.stars > 1 for p in placed], bool),
        field.pivot,
        angles,
        registered.scale[seen],
        registered.width[seen],
    )
    return drift, float(np.max(np.abs(angles), initial=0.0))
