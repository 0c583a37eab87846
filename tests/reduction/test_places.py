"""Places, widths and colours of stars from recorded pixels, and placements made finer by them."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.following import Placed
from reduction.places import Place, colours, settle_places
from reduction.register import Registered, register, sample_frames
from reduction.sampling import Fields
from reduction.scan import scan
from reduction.sparse_guides import guides_of, refined, refined_sample
from reduction.synthetic import Scene, SceneSource, SceneStar
from reduction.tracking import LOST, METHODS, Placement
from reduction.view import Recipe, View

STARS = (
    SceneStar(70.4, 60.2, 30_000.0, (1.0, 0.3, 0.05)),
    SceneStar(30.1, 30.6, 60_000.0, (0.1, 0.4, 1.0)),
    SceneStar(110.7, 35.3, 50_000.0, (0.6, 1.0, 0.6)),
    SceneStar(105.2, 90.9, 40_000.0, (1.0, 0.5, 0.2)),
)
MOSAIC = Scene(
    frames=40, height=120, width=140, seed=4, stars=STARS, fwhm_px=2.0, sky_e=60.0, drift_px=(3.3, -2.1),
    colour="rggb",
)  # fmt: skip
INTERLACED = replace(
    MOSAIC, colour="mono", fields="top", stars=tuple(SceneStar(s.x, s.y, s.flux_e) for s in STARS)
)
U, V = np.array([s.x for s in STARS]), np.array([s.y for s in STARS])


def registered_of(scene: Scene) -> tuple[View, Registered]:
    fields: Fields = scene.fields or "off"
    view = View(SceneSource(scene), Recipe(fields=fields))
    seen = view.sampling.of_samples(scan(view.stack, 64))
    return view, register(view, seen, sample_frames(400, seen.repeated), 0, 24, np.inf)


@pytest.fixture(scope="module", params=[MOSAIC, INTERLACED], ids=["mosaic", "fields"])
def case(request: pytest.FixtureRequest) -> tuple[Scene, View, Registered]:
    return request.param, *registered_of(request.param)


def test_width_and_places(case: tuple[Scene, View, Registered]) -> None:
    scene, view, registered = case
    start = U + 0.3, V - 0.3
    settled = settle_places(view, registered, *start, np.inf)
    assert 2.3548 * settled.sigma == pytest.approx(2.0, abs=0.15)
    finer = registered
    for _ in range(2):
        finer = refined_sample(view, finer, settled)
        settled = settle_places(view, finer, settled.u, settled.v, np.inf)
    assert 2.3548 * settled.sigma == pytest.approx(2.0, abs=0.03)
    for k in range(0, len(finer.placements), 7):
        sample = int(finer.index[k])
        truth = scene.truth(sample // view.sampling.per_frame, sample % view.sampling.per_frame)
        x, y = finer.placements[k].transform.apply(settled.u, settled.v)
        assert np.sqrt(np.mean((x - truth.x) ** 2 + (y - truth.y) ** 2) / 2) < 0.02


def test_colours(case: tuple[Scene, View, Registered]) -> None:
    scene, view, registered = case
    light = settle_places(view, registered, U, V, np.inf).light
    np.testing.assert_allclose(light.sum(axis=1), 1.0)
    if scene.colour == "mono":
        return
    for shares, star in zip(light, STARS, strict=True):
        red, green, blue = star.colour
        true = np.array([red, green, green, blue])
        np.testing.assert_allclose(shares, true / true.sum(), atol=0.03)


def test_a_faint_star_has_the_colour_of_all() -> None:
    bright = Place(0.0, 0.0, 1.0, (60.0, 20.0, 15.0, 5.0), 200.0)
    faint = Place(0.0, 0.0, 1.0, (-3.0, 9.0, 1.0, 0.0), 0.5)
    found = colours([bright, faint, None])
    np.testing.assert_allclose(found[0], [0.6, 0.2, 0.15, 0.05], atol=0.01)
    np.testing.assert_allclose(found[1:], found[[0, 0]], atol=0.01)
    np.testing.assert_array_equal(colours([None, None]), 0.25)


def test_whole_frames_keep_what_was_found() -> None:
    scene = replace(INTERLACED, fields=None, frames=12)
    view, registered = registered_of(scene)
    settled = settle_places(view, registered, U + 0.2, V, np.inf)
    np.testing.assert_array_equal(settled.u, U + 0.2)
    assert settled.sigma == pytest.approx(registered.field.sigma)
    assert refined_sample(view, registered, settled) is registered
    everyone = np.ones(U.size, np.bool_)
    assert guides_of(view.sampling, settled, everyone, 1.0, 0.0, False) is None
    placed = placed_at(registered.placements[0])
    assert refined(None, view.sampling, view.images(0, 1), placed, 0) is placed


def placed_at(placement: Placement) -> Placed:
    """One sample's placement as pass 2 has it."""
    t = placement.transform
    return Placed(
        np.array([[t.c, t.s, t.tx, t.ty]]),
        np.array([METHODS.index(placement.method)], np.uint8),
        np.array([placement.stars], np.uint16),
        np.array([placement.sigma_px]),
        np.array([placement.weak]),
    )


def test_a_placement_that_does_not_fit_is_kept(case: tuple[Scene, View, Registered]) -> None:
    """Guides far from their places say nothing about a frame."""
    _, view, registered = case
    settled = settle_places(view, registered, U, V, np.inf)
    away = replace(settled, u=settled.u + 9.0)
    guides = guides_of(view.sampling, away, np.ones(U.size, np.bool_), 60.0, 1.0, False)
    sample = int(registered.index[0])
    images, placed = view.images(sample, sample + 1), placed_at(registered.placements[0])
    kept = refined(guides, view.sampling, images, placed, sample)
    np.testing.assert_array_equal(kept.transform, placed.transform)
    lost = replace(
        placed, method=np.array([METHODS.index(LOST)], np.uint8), transform=np.full((1, 4), np.nan)
    )
    near = guides_of(view.sampling, settled, np.ones(U.size, np.bool_), 60.0, 1.0, False)
    assert np.isnan(refined(near, view.sampling, images, lost, sample).transform).all()
    better = refined(near, view.sampling, images, placed, sample)
    assert (better.transform != placed.transform).any()
    np.testing.assert_allclose(better.transform, placed.transform, atol=0.5)
