import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reduction.caveats import Caveat, Note
from reduction.outputs.verdict import CAUTIONS, LIMITS, Item, State, grade, judge, worst
from reduction.result import Flag, ReductionResult
from tests.reduction.outputs.result_factory import make_result

TOPICS = ("time", "tracking", "saturation", "noise")


def item(result: ReductionResult, topic: str) -> Item:
    return judge(result).items[TOPICS.index(topic)]


def flagged(result: ReductionResult, flag: Flag, count: int) -> ReductionResult:
    flags = result.lightcurve.flags.copy()
    flags[:count] |= np.uint32(flag)
    return replace(result, lightcurve=replace(result.lightcurve, flags=flags))


def test_a_clean_result_is_good(clean: ReductionResult) -> None:
    verdict = judge(clean)
    assert tuple(i.topic for i in verdict.items) == TOPICS
    assert verdict.state == "good"
    assert verdict.headline.startswith("Yes")
    assert verdict.items[0].sentence == "Times are UTC of mid-exposure from SER trailer, ±500 µs."
    assert verdict.items[1].sentence == "Position from 3 guide stars, ±0.031 px (FWHM 3.2 px); no frame lost."
    assert verdict.items[2].sentence == (
        "No saturated pixel in the target's or a reference's aperture (level 255 ADU)."
    )
    assert verdict.items[3].sentence.startswith("Scatter 3.1 %, predicted 3.0 %; reduced chi-square 1.04")


def test_a_troubled_result_says_where(result: ReductionResult) -> None:
    verdict = judge(result)
    assert verdict.headline == "With care: see time and saturation."
    assert "2 gaps; 3 repeated frames" in verdict.items[0].sentence
    assert "3 frames of 2,000 lost" in verdict.items[1].sentence


def test_no_times_are_bad(tmp_path: Path) -> None:
    verdict = judge(make_result(tmp_path, points=300, timed=False, clean=True))
    assert [i.state for i in verdict.items] == ["bad", "good", "good", "good"]
    assert verdict.headline == "Not as it stands: see time."


@pytest.mark.parametrize(
    ("flag", "topic", "count", "state"),
    [
        (Flag.TIME_GAP, "time", 1, "caution"),
        (Flag.TIME_UNSURE, "time", 1, "caution"),
        (Flag.TIME_UNSURE, "time", 31, "bad"),
        (Flag.OFF_FRAME, "tracking", 1, "caution"),
        (Flag.OFF_FRAME, "tracking", 31, "bad"),
        (Flag.WEAK_TRACKING, "tracking", 15, "good"),
        (Flag.WEAK_TRACKING, "tracking", 16, "caution"),
        (Flag.WEAK_TRACKING, "tracking", 151, "bad"),
        (Flag.SATURATED, "saturation", 3, "caution"),
        (Flag.SATURATED, "saturation", 4, "bad"),
        (Flag.REFERENCE_SATURATED, "saturation", 30, "caution"),
        (Flag.REFERENCE_SATURATED, "saturation", 31, "bad"),
        (Flag.BAD_REFERENCE, "noise", 1, "caution"),
        (Flag.BAD_REFERENCE, "noise", 300, "bad"),
    ],
)
def test_flags_count(clean: ReductionResult, flag: Flag, topic: str, count: int, state: State) -> None:
    verdict = judge(flagged(clean, flag, count))
    expected = ["good"] * 4
    expected[TOPICS.index(topic)] = state
    assert [i.state for i in verdict.items] == expected


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"chi2_reduced": 1.3}, "caution", "reduced chi-square 1.30"),
        ({"chi2_reduced": 1.8}, "bad", "reduced chi-square 1.80"),
        ({"chi2_reduced": 0.2}, "bad", "reduced chi-square 0.200"),
        ({"chi2_reduced": math.nan}, "caution", "reduced chi-square ?"),
        ({"sigma_scale": 1.4}, "caution", "sigmas were multiplied by 1.40"),
        ({"sigma_scale": 2.4}, "bad", "sigmas were multiplied by 2.40"),
        ({"sigma_scale": 0.7}, "caution", "sigmas were multiplied by 0.700"),
        ({"median_snr": 2.2}, "caution", "median signal-to-noise only 2.2"),
    ],
)
def test_noise(result: ReductionResult, changes: dict[str, float], state: State, words: str) -> None:
    quality = replace(result.quality, **changes)  # type: ignore[arg-type]  # names of float fields
    noise = item(replace(result, quality=quality), "noise")
    assert noise.state == state
    assert words in noise.sentence


def test_few_points_do_not_condemn(clean: ReductionResult) -> None:
    few = replace(clean, quality=replace(clean.quality, chi2_reduced=1.2))
    assert item(few, "noise").state == "good"  # 0.2 is within three standard errors of 288 points
    bare = np.zeros(300, np.bool_)
    bare[:20] = True
    noise = item(replace(few, lightcurve=replace(few.lightcurve, baseline=bare)), "noise")
    assert noise.state == "caution"
    assert "with 20 out-of-event points it cannot be judged" in noise.sentence


@pytest.mark.parametrize(
    ("sigma_s", "state"), [(0.02, "good"), (0.03, "caution"), (0.2, "bad"), (math.nan, "caution")]
)
def test_time_sigma_against_cadence(clean: ReductionResult, sigma_s: float, state: State) -> None:
    curve = replace(clean.lightcurve, utc_sigma_s=np.full(300, sigma_s))
    assert item(replace(clean, lightcurve=curve), "time").state == state


def test_tracking_figures(clean: ReductionResult) -> None:
    def tracking(**changes: float) -> Item:
        alignment = replace(clean.alignment, **changes)  # type: ignore[arg-type]  # names of its fields
        return item(replace(clean, alignment=alignment), "tracking")

    assert tracking(lost_frames=1).state == "caution"
    assert tracking(lost_frames=31).state == "bad"
    assert tracking(shift_sigma_px=0.5).state == "caution"
    assert tracking(shift_sigma_px=1.5).state == "bad"
    assert tracking(shift_sigma_px=math.nan).state == "caution"
    assert tracking(guides=0).state == "caution"
    assert tracking(guides=1).sentence.startswith("Position from 1 guide star,")


@pytest.mark.parametrize(("topic", "caveat"), [(t, c) for t, caveats in CAUTIONS.items() for c in caveats])
def test_caveats_make_a_caution(clean: ReductionResult, topic: str, caveat: Caveat) -> None:
    source = replace(clean.source, notes=(Note(caveat, "seen"),))
    verdict = judge(replace(clean, source=source))
    assert [i.topic for i in verdict.items if i.state == "caution"] == [topic]


def test_grades() -> None:
    for limit, (good, caution) in LIMITS.items():
        assert good < caution
        assert grade(limit, good) == "good"
        assert grade(limit, caution) == "caution"
        assert grade(limit, caution * 1.01) == "bad"
    assert worst([]) == "good"
    assert worst(["good", "bad", "caution"]) == "bad"
