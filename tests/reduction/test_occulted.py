"""Which star was occulted, when nobody said."""

from dataclasses import replace
from pathlib import Path

import pytest

from reduction.caveats import Caveat
from reduction.occulted import choose_target
from reduction.plan import ReductionPlan
from reduction.synthetic import Occultation, Scene
from tests.recordings import SMALL
from tests.reduction.surveyed import held, star_tables, survey_of


def chosen(scene: Scene, folder: Path) -> tuple[tuple[float, float], str]:
    found, view, _ = survey_of(held(scene), ReductionPlan())
    choice = choose_target(found, star_tables(found, view, folder), scene.frames)
    assert choice.note.caveat is Caveat.TARGET_CHOSEN
    return (float(found.u[choice.star]), float(found.v[choice.star])), choice.note.message


class TestChoice:
    @pytest.mark.parametrize("target", [0, 1, 3])
    def test_the_star_that_dips(self, target: int, tmp_path: Path) -> None:
        scene = replace(SMALL, target=target, frames=120, occultations=(Occultation(2.01, 3.03, 0.9),))
        place, text = chosen(scene, tmp_path)
        assert place == pytest.approx((scene.target_star.x, scene.target_star.y), abs=0.3)
        assert "was taken: its light drops" in text

    def test_a_dip_under_clouds(self, tmp_path: Path) -> None:
        scene = replace(
            SMALL,
            target=2,
            frames=160,
            transparency=((0.0, 1.0), (0.3, 0.4), (0.6, 1.0), (0.8, 0.5), (1.0, 0.9)),
            occultations=(Occultation(4.01, 5.03, 0.8),),
        )
        place, _ = chosen(scene, tmp_path)
        assert place == pytest.approx((120.6, 35.1), abs=0.3)

    def test_says_so_when_none_dips(self, tmp_path: Path) -> None:
        place, text = chosen(replace(SMALL, frames=120, occultations=()), tmp_path)
        assert "no star drops significantly" in text
        assert place == pytest.approx((40.2, 30.4), abs=0.3)  # the brightest

    def test_an_event_of_half_the_recording(self, tmp_path: Path) -> None:
        scene = replace(SMALL, target=1, frames=120, occultations=(Occultation(1.51, 4.53, 0.9),))
        place, text = chosen(scene, tmp_path)
        assert place == pytest.approx((scene.target_star.x, scene.target_star.y), abs=0.3)
        assert "was taken" in text

    def test_two_stars(self, tmp_path: Path) -> None:
        scene = replace(
            SMALL, stars=SMALL.stars[:2], frames=120, occultations=(Occultation(2.01, 3.03, 0.9),)
        )
        place, _ = chosen(scene, tmp_path)
        assert place == pytest.approx((80.3, 60.7), abs=0.3)
