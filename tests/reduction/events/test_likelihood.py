"""Scalar products on a grid of edges: from strips of samples, and from every limb whole."""

import numpy as np
import pytest

from reduction.events.disc import Penumbra
from reduction.events.flanks import Flank, Floats, well
from reduction.events.likelihood import Scene, surface
from reduction.events.noise import Whitener
from reduction.events.results import NoiseModel
from reduction.events.square import Sharp

N = 90


class Whole:
    """A flank that does not say how far it reaches."""

    def __init__(self, flank: Flank) -> None:
        self.flank = flank

    def taken(self, inside_s: Floats) -> Floats:
        return self.flank.taken(inside_s)

    def integral(self, inside_s: Floats) -> Floats:
        return self.flank.integral(inside_s)

    def rise_s(self) -> float:
        return self.flank.rise_s()

    def reach_s(self) -> float:
        return np.inf


def scene(ar: tuple[float, ...], exposure: float) -> tuple[Scene, Floats]:
    rng = np.random.default_rng(4)
    time = np.arange(N, dtype=np.float64)
    start, stop = time - exposure / 2, time + exposure / 2
    seen = rng.random(N) > 0.15
    flux = 1.0 - 0.6 * well((Sharp(), Sharp()), start, stop, 30.2, 51.7) + 0.1 * rng.standard_normal(N)
    noise = NoiseModel(0.1, ar, 1.0, 0.0)
    whitener = Whitener.of(noise, np.full(N, 0.1), seen)
    columns = np.stack([np.ones(N), np.linspace(-1.0, 1.0, N)])
    made = Scene.of((start, stop), flux, seen, whitener, columns, np.ones(N), 1.0)
    return made, np.where(seen, flux, np.nan)


@pytest.mark.parametrize("ar", [(), (0.6, 0.1)])
@pytest.mark.parametrize("exposure", [0.2, 1.0, 1.6])
@pytest.mark.parametrize("flank", [Sharp(), Penumbra(1.7)])
def test_strips_of_samples_give_what_whole_limbs_give(
    flank: Flank, exposure: float, ar: tuple[float, ...]
) -> None:
    made, _ = scene(ar, exposure)
    d, r = np.linspace(25.0, 36.0, 40), np.linspace(46.0, 57.0, 37)
    for part in (slice(None), slice(8, 30)):  # the second lies in the strips of the first
        quick = surface(made, (flank, flank), d[part], r[part])
        slow = surface(made, (Whole(flank), Whole(flank)), d[part], r[part])
        np.testing.assert_allclose(quick.chi2, slow.chi2, rtol=1e-9)
        np.testing.assert_allclose(quick.lost, slow.lost, rtol=1e-9)
        np.testing.assert_allclose(quick.weight, slow.weight, rtol=1e-9)
    assert made.strips


def test_an_edge_outside_the_recording() -> None:
    made, _ = scene((0.4,), 1.0)
    quick = surface(made, (Sharp(), Sharp()), np.array([-np.inf]), np.linspace(45.0, 55.0, 30))
    slow = surface(made, (Whole(Sharp()), Whole(Sharp())), np.array([-np.inf]), np.linspace(45.0, 55.0, 30))
    np.testing.assert_allclose(quick.chi2, slow.chi2, rtol=1e-9)
