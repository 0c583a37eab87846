"""Bad samples left out: what that does to the scatter of the good ones."""

import numpy as np
import pytest
from scipy.stats import truncnorm

from bench.events_coverage import Cell, detected, simulated
from reduction.events.badpoints import left_within
from reduction.events.cut import cut_of
from reduction.events.exposures import exposures_of
from reduction.events.settings import EventSettings
from reduction.events.square import Sharp
from reduction.events.trial import fit_flanks


@pytest.mark.parametrize("limit", [1.5, 3.1, 4.5, 12.0])
def test_what_is_left_of_the_scatter(limit: float) -> None:
    assert left_within(limit) == pytest.approx(float(truncnorm(-limit, limit).std()), rel=1e-6)


def test_bad_samples_do_not_make_the_good_ones_look_quieter() -> None:
    cell, rng = Cell(6.0, 20.0, 0.5, "white", 0.1, 0), np.random.default_rng(6)
    ratios: list[float] = []
    while len(ratios) < 12:
        made = simulated(cell, rng)
        found = detected(made.curve, made.d, made.r)
        if found is None:
            continue
        dip, noise, others = found
        settings = EventSettings()
        cut = cut_of(made.curve, exposures_of(made.curve, settings), dip, noise, others)
        fitted = fit_flanks(cut, (Sharp(), Sharp()), settings, noise)
        ratios.append(fitted.parts[0][1].sigma * fitted.sigma[0] / (made.depth / cell.snr))
    assert np.mean(ratios) == pytest.approx(1.0, abs=3 * 0.033 / np.sqrt(12))
    assert np.mean(ratios) > 0.975
