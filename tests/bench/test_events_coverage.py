"""The coverage study: what it simulates, and one small cell of it."""

import numpy as np
import pytest

from bench.events_coverage import Cell, bias, cells, noise_of, run_cell, simulated


@pytest.mark.parametrize("kind", ["white", "autoregressive", "1/f"])
def test_noise_has_unit_variance(kind: str) -> None:
    rng = np.random.default_rng(3)
    assert np.mean([np.mean(noise_of(kind, 500, rng) ** 2) for _ in range(60)]) == pytest.approx(
        1.0, abs=0.15
    )


def test_every_kind_of_event_is_in_the_study() -> None:
    study = cells()
    assert {cell.noise for cell in study} == {"white", "autoregressive", "1/f"}
    assert {cell.bad for cell in study} == {0.0, 0.1}
    assert len({cell.exposure for cell in study}) == 3
    assert len({(c.snr, c.length, c.noise, c.bad) for c in study}) == len(study)


def test_a_simulated_event_is_where_it_says() -> None:
    curve, d, r = simulated(Cell(30.0, 20.0, 1.0, "white", 0.0, 0), np.random.default_rng(1))
    low = np.flatnonzero(curve.flux < 0.85)
    assert low[0] == pytest.approx(d, abs=1.5)
    assert low[-1] == pytest.approx(r, abs=1.5)


def test_one_cell() -> None:
    found = run_cell((Cell(12.0, 20.0, 1.0, "white", 0.0, 5), 12))
    assert found["inside"].shape == (12, 2, 3)
    assert found["inside"][:, :, 2].mean() > 0.9
    assert abs(bias(found["off"], found["errors"])) < 1.0
