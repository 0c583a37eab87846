"""Recordings with known truth, from file to light curve, judged by the public outputs alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reduction.result import Flag
from reduction.synthetic import shift_bound_px
from reduction.timing import utc_text
from tests.scenes.judge import (
    Reduced,
    check_scatter,
    check_unnamed,
    photutils_fluxes,
    reduced_case,
    sep_fluxes,
    weighted_mean,
)
from tests.scenes.scenes import SCENES


@pytest.fixture(scope="module", params=list(SCENES))
def reduced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reduced]:
    name = str(request.param)
    yield from reduced_case(name, SCENES[name], tmp_path_factory.mktemp("scene"))


def test_every_frame_has_its_row_and_time(reduced: Reduced) -> None:
    scene = reduced.case.scene
    np.testing.assert_array_equal(reduced.columns["frame"], np.arange(scene.frames))
    mid = scene.frame_start_ns(np.arange(scene.frames)) + round(scene.exposure_s * 5e8)
    written = np.array([text.rstrip("Z") for text in reduced.utc], "datetime64[ns]").astype(np.int64)
    worst = int(np.argmax(np.abs(written - mid)))
    assert abs(written[worst] - mid[worst]) <= 1000, (reduced.utc[worst], utc_text(int(mid[worst])))


def test_no_frame_is_lost(reduced: Reduced) -> None:
    assert reduced.summary["alignment"]["lost_frames"] == 0
    assert not (reduced.flags & Flag.LOST).any()
    assert np.isfinite(reduced.columns["target_x"]).all()


def test_flags_are_right(reduced: Reduced) -> None:
    expected = np.zeros(reduced.flags.size, np.int64)
    for bit, frames in reduced.case.flags:
        expected[list(frames)] |= int(bit)
    wrong = np.flatnonzero(reduced.flags != expected)
    assert not wrong.size, [(int(i), Flag(int(reduced.flags[i])), Flag(int(expected[i]))) for i in wrong[:8]]


def test_saturated_stars_are_known_and_not_relied_on(reduced: Reduced) -> None:
    relied = [star for star in reduced.summary["stars"] if star["role"] == "reference" or star["is_guide"]]
    assert any(star["role"] == "reference" for star in relied)
    for star in relied:
        assert not star["saturated"], star
        assert reduced.truth_index(star) not in reduced.case.saturated, star
    (target,) = (star for star in reduced.summary["stars"] if star["role"] == "target")
    assert reduced.truth_index(target) == reduced.case.scene.target
    assert target["saturated"] == reduced.case.target_saturated


def test_position_reaches_the_bound_of_the_guides(reduced: Reduced) -> None:
    scene = reduced.case.scene
    truths = [scene.truth(i) for i in range(scene.frames)]
    off_x = reduced.columns["target_x"] - [t.x[scene.target] for t in truths]
    off_y = reduced.columns["target_y"] - [t.y[scene.target] for t in truths]
    guides = [reduced.truth_index(star) for star in reduced.summary["stars"] if star["is_guide"]]
    assert guides
    bound = float(np.sqrt(np.mean(shift_bound_px(scene, guides, range(scene.frames)) ** 2)))
    assert max(off_x.std(), off_y.std()) <= max(1.2 * bound, 0.02), (off_x.std(), off_y.std(), bound)
    assert max(abs(off_x.mean()), abs(off_y.mean())) < 0.1


def test_sigmas_are_honest(reduced: Reduced) -> None:
    if reduced.case.target_saturated:
        pytest.skip("a saturated target has no honest flux; its samples are flagged")
    ratio, sigma = reduced.columns["ratio"][reduced.outside], reduced.columns["ratio_sigma"][reduced.outside]
    assert ratio.size > 350
    mean = np.average(ratio, weights=sigma**-2)
    chi2 = float(np.sum(((ratio - mean) / sigma) ** 2)) / (ratio.size - 1)
    assert 0.85 <= chi2 <= 1.15


@pytest.mark.parametrize("column", ["ratio", "flux_norm"])
def test_depth_is_recovered(reduced: Reduced, column: str) -> None:
    if reduced.case.target_saturated:
        pytest.skip("a saturated target has no true depth")
    depth = reduced.case.scene.occultations[0].depth
    inside = (reduced.flags == 0) & np.isclose(reduced.light, 1.0 - depth)
    assert inside.sum() > 50
    flux, sigma = reduced.columns[column], reduced.columns[f"{column}_sigma"]
    low, low_sigma = weighted_mean(flux[inside], sigma[inside])
    high, high_sigma = weighted_mean(flux[reduced.outside], sigma[reduced.outside])
    found = 1.0 - low / high
    error = np.hypot(low_sigma, high_sigma * low / high) / high
    assert abs(found - depth) <= max(0.01 * depth, 3.0 * error), (found, depth, error)
    if column == "flux_norm":
        assert high == pytest.approx(1.0, abs=max(0.01, 4.0 * high_sigma))


def test_the_occulted_star_is_found_and_its_event_timed(reduced: Reduced, tmp_path: Path) -> None:
    check_unnamed(reduced, tmp_path)


def test_scatter_is_not_above_the_best_peer(reduced: Reduced) -> None:
    if reduced.case.target_saturated:
        pytest.skip("a saturated target has no honest flux; its samples are flagged")
    peers = {"photutils": photutils_fluxes, "sep": sep_fluxes}
    check_scatter(reduced, peers)
