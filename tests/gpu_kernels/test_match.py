"""Star lists matched at any rotation."""

import math

import astroalign
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpu_kernels.match import match_stars
from gpu_kernels.transforms import Transform

Floats = NDArray[np.float64]


def field(seed: int, n: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 640, n), rng.uniform(0, 480, n)


def turned(degrees: float, tx: float, ty: float) -> Transform:
    return Transform(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), tx, ty)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(5, 24),
    degrees=st.floats(-180, 180),
    shift=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    missing=st.integers(0, 2),
    strange=st.integers(0, 15),
)
@settings(max_examples=60, deadline=None)
def test_finds_the_transform(
    seed: int, n: int, degrees: float, shift: tuple[float, float], missing: int, strange: int
) -> None:
    rng = np.random.default_rng(seed + 1)
    u, v = field(seed, n)
    truth = turned(degrees, *shift)
    x, y = truth.apply(u, v)
    keep = rng.permutation(n)[missing if n > 6 else 0 :]
    more = rng.uniform(0, 640, (2, strange)) + np.array(shift)[:, None]
    x = np.concatenate([x[keep] + rng.normal(0, 0.1, keep.size), more[0]])
    y = np.concatenate([y[keep] + rng.normal(0, 0.1, keep.size), more[1]])
    order = rng.permutation(x.size)
    found = match_stars(u, v, x[order], y[order])
    assert found is not None
    px, py = found.apply(u, v)
    qx, qy = truth.apply(u, v)
    assert np.hypot(px - qx, py - qy).max() < 2.0
    assert math.hypot(found.c, found.s) == pytest.approx(1.0)


def test_the_same_every_time() -> None:
    u, v = field(3, 12)
    x, y = turned(70.0, 10.0, -20.0).apply(u, v)
    assert len({match_stars(u, v, x[::-1], y[::-1]) for _ in range(5)}) == 1


def test_a_mirrored_field_is_another_field() -> None:
    u, v = field(4, 12)
    found = match_stars(u, v, -u, v)
    if found is not None:
        px, py = found.apply(u, v)
        assert (np.hypot(px + u, py - v) < 2.0).sum() <= 4


def test_another_scale_is_another_field() -> None:
    u, v = field(4, 12)
    found = match_stars(u, v, 1.2 * u, 1.2 * v)
    assert found is None or np.hypot(*np.subtract(found.apply(u, v), (1.2 * u, 1.2 * v))).max() > 10


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 0), (2, 5), (5, 2)])
def test_too_few_stars(n: int, m: int) -> None:
    u, v = field(5, n)
    x, y = field(5, m)
    assert match_stars(u, v, x, y) is None


def test_stars_too_close_to_tell_a_rotation() -> None:
    u, v = np.array([100.0, 105.0, 103.0]), np.array([100.0, 102.0, 108.0])
    assert match_stars(u, v, u, v) is None


def test_as_astroalign_finds_it() -> None:
    rng = np.random.default_rng(12)
    u, v = rng.uniform(20, 620, 15), rng.uniform(20, 460, 15)
    x, y = turned(17.0, 40.0, -25.0).apply(u, v)
    x, y = x + rng.normal(0, 0.1, 15), y + rng.normal(0, 0.1, 15)
    found = match_stars(u, v, x, y)
    assert found is not None
    peer, _ = astroalign.find_transform(np.column_stack([u, v]), np.column_stack([x, y]))
    assert math.atan2(found.s, found.c) == pytest.approx(peer.rotation, abs=1e-3)
    np.testing.assert_allclose([found.tx, found.ty], peer.translation, atol=0.4)
    np.testing.assert_allclose([found.tx, found.ty], [40.0, -25.0], atol=0.4)
