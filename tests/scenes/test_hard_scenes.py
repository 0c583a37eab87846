"""What a bad night does, with truth: no frame lost, positions at the bound, fluxes without bias."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction.result import Flag
from reduction.synthetic import Scene, Truth, shift_bound_px
from tests.scenes.hard_scenes import HARD, HardCase
from tests.scenes.judge import (
    Floats,
    Reduced,
    check_scatter,
    check_unnamed,
    photutils_fluxes,
    reduced_case,
    sep_fluxes,
    star_table,
    static_mask_fluxes,
    weighted_mean,
)

WEAK = Flag.WEAK_TRACKING.value


@pytest.fixture(scope="module", params=list(HARD))
def reduced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reduced]:
    name = str(request.param)
    yield from reduced_case(name, HARD[name], tmp_path_factory.mktemp("scene"))


def hard(reduced: Reduced) -> HardCase:
    """What the scene is judged by."""
    assert isinstance(reduced.case, HardCase)
    return reduced.case


def truths(reduced: Reduced) -> list[Truth]:
    """Truth of each row of the light curve."""
    return [reduced.case.scene.truth(int(f), round(2.0 * (f % 1.0))) for f in reduced.columns["frame"]]


def placeable(reduced: Reduced) -> NDArray[np.bool_]:
    """Rows of frames that a person could place."""
    return ~np.isin(np.floor(reduced.columns["frame"]), hard(reduced).nobody)


def test_no_frame_is_lost_that_a_person_could_place(reduced: Reduced) -> None:
    lost = (reduced.flags & Flag.LOST.value) != 0
    assert not np.flatnonzero(lost & placeable(reduced)).size
    assert (np.isfinite(reduced.columns["target_x"]) | lost).all()


def test_what_nobody_could_place_is_flagged(reduced: Reduced) -> None:
    blind = ~placeable(reduced)
    assert (reduced.flags[blind] & (Flag.LOST.value | WEAK)).all()


def test_position_reaches_the_bound_of_the_guides(reduced: Reduced) -> None:
    case, truth = hard(reduced), truths(reduced)
    scene = case.scene
    good = placeable(reduced) & ((reduced.flags & WEAK) == 0)
    assert good.mean() > 0.7
    off_x = reduced.columns["target_x"] - [t.x[scene.target] for t in truth]
    off_y = reduced.columns["target_y"] - [t.y[scene.target] for t in truth]
    guides = [reduced.truth_index(star) for star in reduced.summary["stars"] if star["is_guide"]]
    assert guides
    bound = guides_bound(reduced, guides)[good]
    usual = float(np.sqrt(np.mean(bound[np.isfinite(bound)] ** 2)))
    error = np.hypot(off_x[good], off_y[good]) / np.sqrt(2.0)
    allowed = max(1.2 * usual, case.position_px)
    assert np.sqrt(np.mean(error**2)) <= allowed, (off_x[good].std(), off_y[good].std(), usual)


def guides_bound(reduced: Reduced, guides: list[int]) -> Floats:
    """Bound of the shift on each row."""
    scene = reduced.case.scene
    frames = np.floor(reduced.columns["frame"]).astype(int)
    field = np.rint(2.0 * (reduced.columns["frame"] % 1.0)).astype(int)
    bound = np.empty(frames.size)
    for k in np.unique(field):
        bound[field == k] = shift_bound_px(scene, guides, frames[field == k].tolist(), int(k))
    return bound


def test_sigmas_are_honest(reduced: Reduced) -> None:
    if not hard(reduced).fluxes:
        pytest.skip("without a flat, the ratio follows the vignetting")
    ratio, sigma = reduced.columns["ratio"][reduced.outside], reduced.columns["ratio_sigma"][reduced.outside]
    assert ratio.size > 200
    mean = np.average(ratio, weights=sigma**-2)
    chi2 = float(np.sum(((ratio - mean) / sigma) ** 2)) / (ratio.size - 1)
    assert 0.85 <= chi2 <= 1.15


def test_depth_is_recovered(reduced: Reduced) -> None:
    if not hard(reduced).fluxes:
        pytest.skip("without a flat, the ratio follows the vignetting")
    depth = reduced.case.scene.occultations[0].depth
    inside = np.isclose(reduced.light, 1.0 - depth) & np.isfinite(reduced.columns["ratio"])
    inside &= (reduced.flags & ~WEAK) == 0
    assert inside.sum() > 30
    flux, sigma = reduced.columns["ratio"], reduced.columns["ratio_sigma"]
    low, low_sigma = weighted_mean(flux[inside], sigma[inside])
    high, high_sigma = weighted_mean(flux[reduced.outside], sigma[reduced.outside])
    error = np.hypot(low_sigma, high_sigma * low / high) / high
    assert abs(1.0 - low / high - depth) <= max(0.01, 3.0 * error), (1.0 - low / high, depth, error)


def test_the_ratio_is_that_of_the_stars_and_keeps_to_it(reduced: Reduced) -> None:
    case = hard(reduced)
    references = [s for s in reduced.summary["stars"] if s["role"] == "reference"]
    if not case.fluxes or not references:
        pytest.skip("without a flat the ratio follows the vignetting; without a reference it is none")
    chosen = [reduced.truth_index(star) for star in references]
    table = star_table(reduced)
    found = table["T"] / sum(table[star["name"]] for star in references)
    true = caught(case.scene, case.scene.target) / sum(caught(case.scene, k) for k in chosen)
    good = reduced.outside & np.isfinite(found)
    whole, parts = found[good] / true, np.array_split(np.flatnonzero(good), 4)
    assert abs(whole.mean() - 1.0) <= max(0.01, 3.0 * whole.std() / np.sqrt(whole.size)), whole.mean()
    for part in parts:
        mean = found[part].mean() / true
        sigma = found[part].std() / true / np.sqrt(part.size)
        assert abs(mean - 1.0) <= max(0.015, 3.5 * sigma), (mean, sigma)


def caught(scene: Scene, k: int) -> float:
    """Electrons that all pixels together catch of a star, on average over where it lies."""
    star = scene.stars[k]
    red, green, blue = star.colour if scene.colour != "mono" else (1.0, 1.0, 1.0)
    return star.flux_e * (red + 2.0 * green + blue) / 4.0


def test_the_ratio_does_not_follow_the_pixels_of_a_mosaic(reduced: Reduced) -> None:
    """Amplitude of the ratio against where the target lies in a cell, first and second harmonic."""
    if reduced.case.scene.colour == "mono":
        pytest.skip("not a mosaic")
    good = reduced.outside
    ratio = reduced.columns["ratio"][good] / reduced.columns["ratio"][good].mean()
    for axis in ("target_x", "target_y"):
        for turns in (0.5, 1.0):
            phase = np.exp(2j * np.pi * turns * reduced.columns[axis][good])
            amplitude = 2.0 * abs(((ratio - 1.0) * phase).mean())
            assert amplitude < 0.01 / 2.0 + 3.0 * ratio.std() / np.sqrt(good.sum()), (axis, turns, amplitude)


def test_the_occulted_star_is_found_and_its_event_timed(reduced: Reduced, tmp_path: Path) -> None:
    check_unnamed(reduced, tmp_path)


def test_scatter_is_not_above_the_best_peer(reduced: Reduced) -> None:
    if not hard(reduced).peers:
        pytest.skip("the peers know neither fields nor neighbours")
    peers = {"photutils": photutils_fluxes, "sep": sep_fluxes, "static mask": static_mask_fluxes}
    check_scatter(reduced, peers)
