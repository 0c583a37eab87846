"""A prediction from what its one-line tables tell: closest approach, position angle, velocity, distance.

Tables of the Lucky Star project, of PRAIA and of SORA hold these numbers, seen from the Earth's centre. The
motion is taken as straight and even: its bend, parts of 10^-3 over the Earth's width, is in Besselian
elements alone.
"""

import math
from typing import Annotated

from pydantic import Field

from reduction.geometry.prediction import (
    AU_KM,
    EARTH_RADIUS_KM,
    Elements,
    NotNegative,
    Positive,
    PredictedBody,
    PredictedErrors,
    PredictedStar,
    Prediction,
)
from reduction.plan import Settings

_QUARTER = 90.0
SLOWEST_KM_S = 0.01
"""A shadow slower than that does not cross the Earth within a week."""


class ClosestApproach(Settings):
    """How a shadow passes the Earth's centre.

    Attributes
    ----------
    star_ra_deg, star_dec_deg : float
        Of the star at the epoch of the event, ICRS.
    closest_approach_arcsec : float
        Least geocentric distance of body and star.
    position_angle_deg : float
        Of the body as seen from the star then, from north through east, ICRS: 0 to 360.
    velocity_km_s : float
        Of the shadow across the line of sight; positive where the body moves to the east (prograde).
    distance_au : float
        Of the body from the Earth's centre.
    diameter_km, diameter_sigma_km : float
        Of the body.
    sigma_arcsec : float or None
        1-sigma of the body's place against the star's.
    """

    star_ra_deg: Annotated[float, Field(ge=0, lt=360)]
    star_dec_deg: Annotated[float, Field(ge=-90, le=90)]
    closest_approach_arcsec: Annotated[float, Field(ge=0, le=3600)]
    position_angle_deg: Annotated[float, Field(ge=0, le=360)]
    velocity_km_s: Annotated[float, Field(ge=-1000, le=1000)]
    distance_au: Annotated[float, Field(gt=0, le=1e5)]
    diameter_km: Positive
    diameter_sigma_km: NotNegative | None = None
    sigma_arcsec: NotNegative | None = None


def approach_icrs_km(one: ClosestApproach) -> tuple[tuple[float, float], tuple[float, float]]:
    """Place (km) and velocity (km/s) of the shadow's axis at closest approach: (east, north), ICRS axes.

    The direction of the motion follows the sign rule of those tables: at right angles to the position angle,
    to the east where the velocity is positive.
    """
    angle = math.radians(one.position_angle_deg)
    nearest = math.radians(one.closest_approach_arcsec / 3600) * one.distance_au * AU_KM
    folded = (one.position_angle_deg + _QUARTER) % 180 - _QUARTER  # -90 to 90
    if folded == -_QUARTER and one.position_angle_deg <= _QUARTER:
        folded = _QUARTER
    turn = math.radians(folded)
    motion = one.velocity_km_s * math.cos(turn), -one.velocity_km_s * math.sin(turn)
    return (nearest * math.sin(angle), nearest * math.cos(angle)), motion


def prediction_of(
    one: ClosestApproach, epoch_ns: int, star_name: str, body_name: str, body_number: str = ""
) -> Prediction:
    """A prediction with straight elements.

    Parameters
    ----------
    one : ClosestApproach
        What is known.
    epoch_ns : int
        UTC of closest approach, POSIX nanoseconds.
    star_name, body_name, body_number : str
        Of the star and the body.

    Raises
    ------
    ValueError
        The shadow stands still.
    """
    import numpy as np

    from reduction.geometry.skyplane import sky_plane

    if abs(one.velocity_km_s) < SLOWEST_KM_S:
        raise ValueError(f"velocity_km_s: {one.velocity_km_s:g}: the shadow stands still")
    still = (0.0, 0.0, 0.0, 0.0)
    made = Prediction(
        elements=Elements(epoch_ns=epoch_ns, x_earth_radii=still, y_earth_radii=still),
        star=PredictedStar(name=star_name, ra_hours=one.star_ra_deg / 15, dec_deg=one.star_dec_deg),
        body=PredictedBody(
            name=body_name,
            number=body_number,
            diameter_km=one.diameter_km,
            diameter_sigma_km=one.diameter_sigma_km,
            distance_au=one.distance_au,
        ),
        errors=PredictedErrors(sigma_arcsec=one.sigma_arcsec),
    )
    place, motion = (np.array(each) for each in approach_icrs_km(one))
    plane = sky_plane(made)
    x0, y0 = plane.of_date(place) / EARTH_RADIUS_KM
    x1, y1 = plane.of_date(motion) * 3600 / EARTH_RADIUS_KM
    elements = Elements(
        epoch_ns=epoch_ns,
        x_earth_radii=(float(x0), float(x1), 0.0, 0.0),
        y_earth_radii=(float(y0), float(y1), 0.0, 0.0),
    )
    return made.model_copy(update={"elements": elements})
