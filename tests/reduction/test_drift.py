"""Where a frame should lie, by the frames that pass 1 placed and by the one before it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.transforms import Transform, similarity
from reduction.drift import ANYWHERE, NO_DRIFT, Drift, Seen, drift_of

PIVOT = (70.0, 50.0)


def moving(
    frames: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], sure: bool = True
) -> Drift:
    """A drift seen at places of the pivot."""
    transforms = [
        Transform(1.0, 0.0, a - PIVOT[0], b - PIVOT[1]) for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    return drift_of(frames, transforms, np.full(frames.size, sure), PIVOT)


def place(drift: Drift, frame: int, last: Seen | None = None) -> tuple[float, float]:
    t = drift.expect(frame, last).transform
    x, y = t.apply(np.array([PIVOT[0]]), np.array([PIVOT[1]]))
    return float(x[0]), float(y[0])


def test_nothing_is_known_without_frames() -> None:
    assert NO_DRIFT.expect(5) is ANYWHERE
    seen = Seen(3, Transform(1.0, 0.0, 4.0, 2.0))
    assert NO_DRIFT.expect(5, seen).transform == seen.transform
    assert NO_DRIFT.expect(50, seen).sigma_px > NO_DRIFT.expect(5, seen).sigma_px


def test_a_steady_drift_is_interpolated_and_extrapolated() -> None:
    frames = np.concatenate([np.arange(0, 300, 10), np.arange(600, 900, 10)])
    drift = moving(frames, 100.0 + 0.05 * frames, 80.0 - 0.02 * frames)
    for frame in (0, 5, 450, 599, 890, 1000):
        assert place(drift, frame) == pytest.approx((100.0 + 0.05 * frame, 80.0 - 0.02 * frame), abs=0.02)
    errors = [drift.expect(frame).sigma_px for frame in (890, 950, 1200, 2000)]
    assert errors == sorted(errors)
    assert errors[-1] > 2 * errors[0]
    gap = [drift.expect(frame).sigma_px for frame in (291, 320, 445)]
    assert gap == sorted(gap)
    assert drift.expect(450).unseen == 150
    assert drift.expect(1000).unseen == 110


@pytest.mark.parametrize(("wind", "walk"), [(0.4, 0.0), (0.05, 1e-3), (0.3, 3e-3), (5.0, 0.0)])
def test_errors_are_honest(wind: float, walk: float) -> None:
    """On frames that were not seen, the error over its sigma has unit variance."""
    normalised = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        frames = np.arange(1200)
        level = np.cumsum(np.sqrt(walk) * rng.standard_normal((1200, 2)), axis=0) + 200.0
        where = level + wind * rng.standard_normal((1200, 2)) + np.outer(frames, [0.03, -0.01])
        seen = np.unique(np.concatenate([np.arange(0, 1200, 6), np.arange(1, 1200, 6)]))
        seen = seen[(seen < 500) | (seen > 560)]
        drift = moving(seen, where[seen, 0], where[seen, 1])
        for frame in (*range(3, 480, 24), *range(505, 560, 6)):
            expected = drift.expect(frame)
            off = np.array(place(drift, frame)) - where[frame]
            normalised.append(off / expected.sigma_px)
    assert 0.8 < float(np.sqrt(np.mean(np.square(normalised)))) < 1.2


def test_a_stray_of_one_star_is_left_out() -> None:
    frames = np.arange(0, 400, 10)
    x = np.full(frames.size, 100.0) + np.random.default_rng(1).normal(0, 0.1, frames.size)
    x[20] = 160.0
    y = np.full(frames.size, 70.0)
    assert place(moving(frames, x, y, sure=False), 200)[0] == pytest.approx(100.0, abs=0.3)
    assert place(moving(frames, x, y, sure=True), 200)[0] > 101.0


def test_a_knock_between_the_sampled_frames_is_taken_from_the_frame_before() -> None:
    frames = np.arange(0, 1000, 50)
    x = np.where(frames < 420, 100.0, 140.0)
    drift = moving(frames, x, np.full(frames.size, 70.0))
    after = Seen(425, Transform(1.0, 0.0, 40.0 + 100.0 - PIVOT[0], 70.0 - PIVOT[1]))
    assert place(drift, 426, after) == pytest.approx((140.0, 70.0), abs=0.05)
    before = Seen(421, Transform(1.0, 0.0, 100.0 - PIVOT[0], 70.0 - PIVOT[1]))
    assert place(drift, 422, before) == pytest.approx((100.0, 70.0), abs=0.05)
    assert drift.expect(422, before).sigma_px > 10 * drift.expect(426, after).sigma_px
    assert drift.expect(426, after).unseen == 1


def test_rotation_scale_and_width_are_interpolated() -> None:
    frames = np.array([0, 100])
    transforms = [similarity(1.0, 0.0, *PIVOT, 70.0, 50.0), similarity(1.01, 6.0, *PIVOT, 90.0, 50.0)]
    drift = drift_of(
        frames, transforms, np.array([True, True]), PIVOT,
        np.array([0.0, 6.0]), np.array([1.0, 1.01]), np.array([1.3, 2.6]),
    )  # fmt: skip
    half = drift.expect(50)
    assert half.transform.rotation_deg == pytest.approx(3.0)
    assert half.transform.scale == pytest.approx(1.005)
    assert half.width == pytest.approx(1.95)
    assert place(drift, 50) == pytest.approx((80.0, 50.0), abs=0.5)


def test_a_knock_while_nothing_was_seen_makes_the_place_unsure() -> None:
    frames = np.concatenate([np.arange(0, 100), np.arange(130, 200)])
    x = np.where(frames < 115, 100.0, 130.0) + np.random.default_rng(5).normal(0, 0.2, frames.size)
    drift = moving(frames, x, np.full(frames.size, 70.0))
    assert drift.expect(115).sigma_px > 8.0
    assert drift.expect(50).sigma_px < 0.5
    seen = Seen(118, Transform(1.0, 0.0, 130.0 - PIVOT[0], 70.0 - PIVOT[1]))
    after = drift.expect(119, seen)
    assert after.sigma_px < 0.5
    assert place(drift, 119, seen) == pytest.approx((130.0, 70.0), abs=0.5)
