"""Elements from closest approach: the same shadow, by the rule of those tables written anew."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.geometry.approach import ClosestApproach, prediction_of
from reduction.geometry.skyplane import sky_plane
from tests.reduction.geometry.predictions import AU_KM

EPOCH_NS = 1_596_919_467_000_000_000


def approach(**changes: float) -> ClosestApproach:
    values = {
        "star_ra_deg": 285.3, "star_dec_deg": -6.1, "closest_approach_arcsec": 0.05,
        "position_angle_deg": 200.0, "velocity_km_s": -21.4, "distance_au": 45.6, "diameter_km": 800.0,
    }  # fmt: skip
    return ClosestApproach.model_validate(values | changes)


def by_the_rule(one: ClosestApproach, seconds: float) -> tuple[float, float]:
    """East and north, km, ICRS: along the position angle, and at right angles to it."""
    angle = one.position_angle_deg if one.position_angle_deg <= 180 else one.position_angle_deg - 360
    folded = angle - 180 if angle > 90 else angle + 180 if angle < -90 else angle
    nearest = math.tan(math.radians(one.closest_approach_arcsec / 3600)) * one.distance_au * AU_KM
    run = one.velocity_km_s * seconds
    east = nearest * math.sin(math.radians(angle)) + run * math.cos(math.radians(folded))
    north = nearest * math.cos(math.radians(angle)) - run * math.sin(math.radians(folded))
    return east, north


@given(
    angle=st.floats(0, 360).filter(lambda a: min(abs(a - 90), abs(a - 270)) > 1e-6),
    velocity=st.floats(0.5, 80).flatmap(lambda v: st.sampled_from([v, -v])),
    dec=st.floats(-80, 80), seconds=st.floats(-600, 600),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_shadow_runs_as_the_tables_say(angle: float, velocity: float, dec: float, seconds: float) -> None:
    one = approach(position_angle_deg=angle, velocity_km_s=velocity, star_dec_deg=dec)
    made = prediction_of(one, EPOCH_NS, "star", "2002 MS4", "307261")
    plane = sky_plane(made)
    found = plane.in_icrs(plane.shadow_km(EPOCH_NS + round(seconds * 1e9)))
    assert np.allclose(found, by_the_rule(one, seconds), atol=1e-3)
    # nothing is nearer to the centre than at the epoch
    assert np.hypot(*found) >= np.hypot(*by_the_rule(one, 0.0)) - 1e-3


@pytest.mark.parametrize("angle", [90.0, 270.0])
def test_due_east_and_west(angle: float) -> None:
    made = prediction_of(approach(position_angle_deg=angle), EPOCH_NS, "", "x")
    plane = sky_plane(made)
    place = plane.in_icrs(plane.shadow_km(EPOCH_NS))
    motion = plane.in_icrs(plane.shadow_km(EPOCH_NS + 10**9)) - place
    assert place @ motion == pytest.approx(0, abs=1e-3)
    assert place[0] * math.sin(math.radians(angle)) > 0


def test_a_shadow_that_stands_still() -> None:
    with pytest.raises(ValueError, match="stands still"):
        prediction_of(approach(velocity_km_s=0.0), EPOCH_NS, "", "x")
