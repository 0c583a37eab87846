"""Plans: loading, refusing, and their digest."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.errors import RequestError
from reduction.outputs.reproduce import plan_toml
from reduction.plan import Position, ReductionPlan, Sky, load_plan, make_plan

FULL = """
target = {x = 151.3, y = 118.7}
references = [{x = 212.4, y = 75.1}, {x = 61.8, y = 181.2}]
guides = [{x = 10.0, y = 20.0}]
frame = 12
aperture_px = 3.5
sky_px = {inner = 8.0, outer = 14.0}
gain_e_per_adu = 2.2
read_noise_e = 3.1
segment = 256
survey_frames = 64
max_stars = 10
detection_sigma = 6.0
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


class TestLoading:
    def test_every_field(self, tmp_path: Path) -> None:
        plan = load_plan(written(tmp_path, FULL))
        assert plan.target == Position(x=151.3, y=118.7)
        assert [p.y for p in plan.references] == [75.1, 181.2]
        assert plan.sky_px == Sky(inner=8.0, outer=14.0)
        assert (plan.frame, plan.segment, plan.gain_e_per_adu) == (12, 256, 2.2)

    def test_nothing_is_the_default(self, tmp_path: Path) -> None:
        assert load_plan(written(tmp_path, "")) == ReductionPlan()

    def test_what_outputs_write_is_read_back(self, tmp_path: Path) -> None:
        plan = load_plan(written(tmp_path, FULL))
        assert load_plan(written(tmp_path, plan_toml(plan))) == plan
        assert load_plan(written(tmp_path, plan_toml(ReductionPlan()))) == ReductionPlan()

    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("aperture = 3\n", "aperture"),
            ("target = {x = 1}\n", "target.y"),
            ("target = {x = 1, y = 2, z = 3}\n", "target.z"),
            ("target = {x = nan, y = 2}\n", "target.x"),
            ("references = [{x = 1, y = 2}, {x = 1, y = 'left'}]\n", "references.1.y"),
            ("frame = -1\n", "frame"),
            ("frame = 1.5\n", "frame"),
            ("aperture_px = 0.1\n", "aperture_px"),
            ("aperture_px = 1000\n", "aperture_px"),
            ("sky_px = {inner = 8, outer = 8.5}\n", "sky_px"),
            ("sky_px = {inner = 0, outer = 8.5}\n", "sky_px.inner"),
            ("gain_e_per_adu = 0\n", "gain_e_per_adu"),
            ("gain_e_per_adu = inf\n", "gain_e_per_adu"),
            ("read_noise_e = -1\n", "read_noise_e"),
            ("segment = 0\n", "segment"),
            ("channel = 'X'\n", "channel"),
            ("fields = 'odd'\n", "fields"),
            ("max_stars = 1\n", "max_stars"),
            ("detection_sigma = 1\n", "detection_sigma"),
        ],
    )
    def test_a_bad_field_is_named(self, tmp_path: Path, text: str, field: str) -> None:
        with pytest.raises(RequestError, match=rf"plan\.toml: {field}: "):
            load_plan(written(tmp_path, text))

    def test_every_bad_field_is_named_at_once(self) -> None:
        with pytest.raises(RequestError, match=r"frame: .*; read_noise_e: .*"):
            make_plan({"frame": -1, "read_noise_e": -1}, "here")

    def test_files_that_are_no_plan(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="cannot read"):
            load_plan(tmp_path / "missing.toml")
        with pytest.raises(RequestError, match="not a TOML"):
            load_plan(written(tmp_path, "frame == 3"))
        (tmp_path / "plan.toml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(RequestError, match="not a TOML"):
            load_plan(tmp_path / "plan.toml")
        with pytest.raises(RequestError, match="cannot read"):
            load_plan(tmp_path)


class TestDigest:
    def test_does_not_change_by_itself(self) -> None:
        """A change here re-keys every result there is: make it on purpose."""
        assert ReductionPlan().digest == ("34cbffbbda637165a78731cf3fd6f235062615da9c72ac9b6cb2faf2ea52a1fd")
        assert make_plan({"target": {"x": 1.5, "y": 2}, "aperture_px": 3}, "here").digest == (
            "22f6b4714f3385bb68108617f45e7ea7b9fd9b371fc4d909f6aa1822d7239ae9"
        )

    def test_says_the_same_of_equal_plans(self, tmp_path: Path) -> None:
        text = FULL.strip().splitlines()
        turned = "\n".join(reversed(text))
        assert load_plan(written(tmp_path, FULL)).digest == load_plan(written(tmp_path, turned)).digest
        whole = make_plan({"target": {"x": 1, "y": 2}}, "here")
        assert whole.digest == make_plan({"target": {"x": 1.0, "y": 2.0}}, "here").digest

    @given(
        change=st.sampled_from(
            [
                {"target": {"x": 0.0, "y": 0.0}},
                {"references": [{"x": 0.0, "y": 0.0}]},
                {"guides": [{"x": 0.0, "y": 0.0}]},
                {"frame": 1},
                {"aperture_px": 3.0},
                {"sky_px": {"inner": 8.0, "outer": 12.0}},
                {"gain_e_per_adu": 1.0},
                {"read_noise_e": 0.0},
                {"segment": 1023},
                {"survey_frames": 399},
                {"max_stars": 23},
                {"detection_sigma": 5.5},
                {"event": {"expected_depth": 0.5}},
            ]
        )
    )
    @settings(max_examples=24, deadline=None)
    def test_every_field_counts(self, change: dict[str, Any]) -> None:
        assert make_plan(change, "here").digest != ReductionPlan().digest

    def test_order_of_stars_counts(self) -> None:
        a, b = {"x": 1, "y": 2}, {"x": 3, "y": 4}
        assert (
            make_plan({"references": [a, b]}, "here").digest
            != make_plan({"references": [b, a]}, "here").digest
        )
