"""The coverage study: what it simulates, and one small cell of it."""

import numpy as np
import pytest

from bench.events_coverage import (
    Cell,
    CellResult,
    bias,
    cells,
    covariance,
    noise_of,
    record_of,
    row_of,
    run_cell,
    simulated,
)


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
    made = simulated(Cell(30.0, 20.0, 1.0, "white", 0.0, 0), np.random.default_rng(1))
    low = np.flatnonzero(made.curve.flux < 1.0 - made.depth / 2)
    assert low[0] == pytest.approx(made.d, abs=1.5)
    assert low[-1] == pytest.approx(made.r, abs=1.5)
    assert made.snr == pytest.approx(30.0 * np.sqrt(low.size * (1 - low.size / 500)), rel=0.05)


@pytest.mark.parametrize("kind", ["white", "autoregressive", "1/f"])
def test_the_covariance_is_that_of_the_noise(kind: str) -> None:
    rng = np.random.default_rng(8)
    rows = np.array([noise_of(kind, 60, rng) for _ in range(4000)])
    np.testing.assert_allclose(rows.T @ rows / 4000, covariance(kind, 60), atol=0.12)


def test_one_cell() -> None:
    found = run_cell((Cell(12.0, 20.0, 1.0, "white", 0.0, 5), 12))
    assert found.inside.shape == (12, 2, 3)
    assert found.inside[:, :, 2].mean() > 0.9
    assert abs(bias(found.off, found.errors)) < 1.0
    assert abs(found.depth.mean()) < 1.5
    assert row_of(found)["verdict"] == "too few to judge"
    record = record_of([found, run_cell((Cell(1.5, 10.0, 1.0, "1/f", 0.0, 6), 5))], 12)
    assert record.values["verdicts"] == {"too few to judge": 1, "all below 6": 1}
    assert record.values["events"] == 12
    table = record.values["cells"]
    assert [row["verdict"] for row in table.values()] == ["too few to judge", "all below 6"]
    assert len({tuple(row) for row in table.values()}) == 1


@pytest.mark.parametrize(("shift", "verdict"), [(0, "holds"), (12, "COVERAGE OFF")])
def test_a_cell_is_judged(shift: int, verdict: str) -> None:
    count = 200
    inside = np.zeros((count, 2, 3), bool)
    for level, share in enumerate((0.68, 0.95, 0.995)):
        inside[: round(share * count) - shift, :, level] = True
    cell, zeros = Cell(12.0, 20.0, 1.0, "white", 0.0, 5), np.zeros((count, 2))
    one = CellResult(
        cell, count, 0, inside, zeros, zeros + 1.0, zeros[:, 0], inside[:, 0], zeros[:, 0] + 9.0, count
    )
    assert row_of(one)["verdict"] == verdict
