"""Nobody names the target, and nothing happens: nothing is said. (What is said where something does, each
scene's own tests tell.)
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.scenes.hard_scenes import HARD
from tests.scenes.judge import reduced_unnamed
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


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_claimed_where_nothing_happens(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    recording = case.write(replace(case.scene, occultations=()), tmp_path)
    result = reduced_unnamed(case, recording, tmp_path)
    assert result.event is not None
    assert result.event.status != "positive", result.event.reason
    assert not result.event.events
