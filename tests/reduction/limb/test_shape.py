import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reduction.limb.shape import Ellipse, pack, pass_by, unpack
from tests.reduction.limb.simulated import crossing_s, height

LIMBS = [Ellipse(8, -5, 60, 51, 35), Ellipse(0, 0, 10, 10, 0), Ellipse(-3, 2, 700, 200, 170)]


@given(
    st.floats(-100, 100),
    st.floats(-100, 100),
    st.floats(1, 1000),
    st.floats(0.02, 0.8),
    st.floats(0.01, 179.9),
)
def test_packing_is_undone(f: float, g: float, a: float, oblateness: float, pa: float) -> None:
    there = Ellipse(f, g, a, a * (1 - oblateness), pa)
    back = unpack(pack(there))
    assert [back.f_km, back.g_km, back.a_km, back.b_km] == pytest.approx([f, g, a, there.b_km])
    assert (back.pa_deg - pa + 90) % 180 - 90 == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("limb", LIMBS)
def test_outline_lies_on_the_limb(limb: Ellipse) -> None:
    assert [height(limb, point) for point in limb.outline(50)] == pytest.approx([0] * 50, abs=1e-9)


@pytest.mark.parametrize("limb", LIMBS)
@pytest.mark.parametrize("share", [0.0, 0.5, -0.95])
def test_crossings_are_those_found_by_bisection(limb: Ellipse, share: float) -> None:
    velocity = np.array([9.0, -4.0])
    across = np.array([4.0, 9.0]) / np.hypot(4, 9)
    point = np.array([limb.f_km, limb.g_km]) + share * limb.b_km * across
    path = pass_by(pack(limb)[None, :], point[None, :], velocity[None, :])
    for side in (-1, 1):
        seen = path.closest_s[0, 0] + side * path.half_s[0, 0]
        assert seen == pytest.approx(
            crossing_s(limb, point[None, :], velocity, np.array([side]), np.zeros(1))[0], rel=1e-9
        )


def test_a_miss_has_no_time_inside() -> None:
    path = pass_by(pack(LIMBS[0])[None, :], np.array([[200.0, 0.0]]), np.array([[0.0, 5.0]]))
    assert path.impact[0, 0] > 1
    assert path.half_s[0, 0] == 0


def test_support_is_the_distance_to_the_tangent() -> None:
    limb = Ellipse(0, 0, 60, 30, 0)  # major axis north
    path = pass_by(pack(limb)[None, :], np.array([[0.0, 0.0]]), np.array([[0.0, 1.0]]))
    assert path.support_km(np.array([[60.0]]))[0, 0] == pytest.approx(60)
    across = pass_by(pack(limb)[None, :], np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]]))
    assert across.support_km(np.array([[30.0]]))[0, 0] == pytest.approx(30)
