"""The place of a faint target from all frames of the sample."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.faint import settle_faint
from reduction.plan import ReductionPlan
from reduction.register import Registered, register, sample_frames
from reduction.scan import scan
from reduction.synthetic import SceneSource, SceneStar
from reduction.view import View
from tests.scenes.hard_scenes import CLEAR, TARGET

FAINT = replace(
    CLEAR,
    frames=200,
    stars=(replace(TARGET, flux_e=190.0), *CLEAR.stars[1:]),
    drift_px=(9.0, 12.0),
    occultations=(),
)


@pytest.fixture(scope="module")
def placed() -> tuple[View, Registered]:
    view = View(SceneSource(FAINT))
    seen = scan(view.stack, 64)
    index = sample_frames(ReductionPlan().survey_frames, seen.repeated)
    return view, register(view, seen, index, 0, 24, np.inf)


@pytest.mark.parametrize(("dx", "dy"), [(0.2, -0.15), (-0.3, 0.1), (0.0, 0.4)])
def test_a_faint_star_is_placed_by_all_frames(placed: tuple[View, Registered], dx: float, dy: float) -> None:
    u, v = settle_faint(*placed, TARGET.x + dx, TARGET.y + dy)
    assert np.hypot(u - TARGET.x, v - TARGET.y) < 0.12
    again = settle_faint(*placed, u, v)
    assert again == pytest.approx((u, v), abs=0.02)


def test_bright_stars_and_empty_places_stay(placed: tuple[View, Registered]) -> None:
    bright: SceneStar = FAINT.stars[1]
    assert settle_faint(*placed, bright.x + 0.1, bright.y) == (bright.x + 0.1, bright.y)
    assert settle_faint(*placed, 260.0, 40.0) == (260.0, 40.0)
    assert settle_faint(*placed, 2.0, 2.0) == (2.0, 2.0)
