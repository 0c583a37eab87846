"""The offset between two curves: unbiased, its sigma as wide as the errors are."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.errors import DataError
from reduction.events.alongside import offset_between
from tests.reduction.events.said import CADENCE, curve


def test_half_an_exposure_shows_where_the_recording_is_the_same() -> None:
    rng = np.random.default_rng(4)
    ours = curve(noise=0.1)
    theirs = replace(ours, time_s=ours.time_s + 0.04, flux=1.7 * ours.flux + rng.normal(0, 0.02, 250))
    found = offset_between(ours, theirs)
    assert found.seconds == pytest.approx(0.04, abs=4 * found.sigma_s)
    assert found.sigma_s < 0.006
    assert found.frames == pytest.approx(found.seconds / CADENCE)
    assert found.correlation > 0.97
    back = offset_between(theirs, ours)
    assert back.seconds == pytest.approx(-found.seconds, abs=3 * found.sigma_s)


def test_references_of_the_two_curves_are_taken_into_account() -> None:
    ours = curve()
    moved = replace(ours, ref_ns=ours.ref_ns + 2_000_000_000, time_s=ours.time_s - 1.7)
    assert offset_between(ours, moved).seconds == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("noise", [0.1, 0.2])
def test_errors_are_as_wide_as_said_for_two_telescopes(noise: float) -> None:
    rng = np.random.default_rng(9)
    pulls = []
    for trial in range(120):
        late = rng.uniform(-0.3, 0.3)
        ours, theirs = curve(noise=noise, seed=2 * trial), curve(noise=noise, seed=2 * trial + 1)
        found = offset_between(ours, replace(theirs, time_s=theirs.time_s + late))
        pulls.append((found.seconds - late) / found.sigma_s)
    assert abs(np.mean(pulls)) < 0.35
    assert 0.6 < np.std(pulls) < 1.45


def test_curves_that_do_not_belong_together_are_refused() -> None:
    ours = curve()
    far = replace(ours, ref_ns=ours.ref_ns + 10**12, name="far.csv")
    with pytest.raises(DataError, match=r"far\.csv: overlaps"):
        offset_between(ours, far)
    noise = replace(ours, flux=np.random.default_rng(3).normal(1, 0.1, 250), name="other.csv")
    with pytest.raises(DataError, match=r"other\.csv: does not resemble"):
        offset_between(ours, noise)
    empty = replace(ours, usable=np.zeros(250, bool))
    with pytest.raises(DataError, match="too few"):
        offset_between(empty, ours)
