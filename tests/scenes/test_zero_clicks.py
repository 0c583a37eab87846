"""Nobody names the target: the occulted star is found and timed; where nothing happens, nothing is said."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.convert import stack_of
from ingest.timeoptions import TimeOptions
from reduction.plan import ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.synthetic import Scene
from reduction.timing import UNKNOWN_NS
from tests.scenes.hard_scenes import HARD
from tests.scenes.scenes import SCENES, SceneCase

CASES: dict[str, SceneCase] = {**SCENES, **{f"hard: {name}": case for name, case in HARD.items()}}
QUIET = (
    "drift",
    "cloud 4:1",
    "wind",
    "hard: two stars",
    "hard: cloud to 15 % and to nothing",
    "hard: interlaced fields",
)
"""Scenes that are recorded again without an event."""


def reduced(case: SceneCase, folder: Path) -> ReductionResult:
    recording = case.write(case.scene, folder)
    stack = stack_of(recording, folder, TimeOptions(meaning="start"))
    with closing(stack):
        return reduce(ReductionPlan(**dict(case.options)), stack, folder)


def is_target(result: ReductionResult, scene: Scene) -> bool:
    taken = next(star for star in result.stars if star.role == "target")
    truth = scene.truth(0)
    return int(np.argmin(np.hypot(truth.x - taken.x, truth.y - taken.y))) == scene.target


@pytest.mark.parametrize("name", list(CASES))
def test_the_occulted_star_is_found_and_its_event_timed(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    result = reduced(case, tmp_path)
    assert is_target(result, case.scene)
    assert result.event is not None
    assert result.event.status == "positive", result.event.reason
    assert result.event.false_alarm_probability < 1e-3
    (event,) = result.event.events
    (truth,) = case.scene.occultations
    start = int(case.scene.frame_start_ns(np.zeros(1, np.int64))[0])
    for edge, seconds in ((event.d, truth.disappear_s), (event.r, truth.reappear_s)):
        if seconds < 0:
            assert edge is None
            continue
        assert edge is not None
        assert edge.utc_ns != UNKNOWN_NS
        # the light of a saturated star that is half hidden is more than half of what was recorded
        slack = 0.1 * case.scene.exposure_s if case.target_saturated else 1e-3
        error = (edge.utc_ns - start) * 1e-9 - seconds
        assert abs(error) < 4.0 * edge.utc.sigma + slack, (edge.kind, error, edge.utc.sigma)


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_claimed_where_nothing_happens(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    result = reduced(replace(case, scene=replace(case.scene, occultations=())), tmp_path)
    assert result.event is not None
    assert result.event.status != "positive", result.event.reason
    assert not result.event.events
