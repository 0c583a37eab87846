"""A coordinates file against the reference grid."""

import numpy as np
import pytest

from gpu_kernels.transforms import IDENTITY, Transform, similarity
from reduction.coordinates import Coordinates, against, anchored, moved, target_of

NAN = float("nan")


def file_of(x: list[list[float]], y: list[list[float]], frames: list[float]) -> Coordinates:
    names = ("target", "second", "third")[: len(x[0])]
    return Coordinates(np.array(frames), names, np.array(x), np.array(y), "digest")


def test_one_star_gives_the_shift() -> None:
    given = against(file_of([[80.0], [83.5], [NAN]], [[60.0], [58.0], [NAN]], [0, 4, 5]), 0)
    assert given.transform(4, IDENTITY) == Transform(1.0, 0.0, 3.5, -2.0)
    assert given.transform(5, IDENTITY) is None
    assert given.transform(3, IDENTITY) is None
    turned = given.transform(4, similarity(1.01, 2.0, 0.0, 0.0, 5.0, 5.0))
    assert turned is not None
    assert turned.rotation_deg == pytest.approx(2.0)
    assert turned.scale == pytest.approx(1.01)
    x, y = turned.apply(np.array([80.0]), np.array([60.0]))
    assert (x[0], y[0]) == pytest.approx((83.5, 58.0))


def test_stars_apart_give_rotation_and_scale() -> None:
    truth = similarity(1.02, -3.0, 100.0, 80.0, 104.0, 77.0)
    u, v = np.array([80.0, 150.0, 40.0]), np.array([60.0, 90.0, 120.0])
    x, y = truth.apply(u, v)
    given = against(file_of([u.tolist(), x.tolist()], [v.tolist(), y.tolist()], [0, 1]), 0)
    found = given.transform(1, IDENTITY)
    assert found is not None
    assert (found.c, found.s, found.tx, found.ty) == pytest.approx((truth.c, truth.s, truth.tx, truth.ty))


def test_without_the_base_frame_it_is_silent_until_moved() -> None:
    assert against(file_of([[83.5]], [[58.0]], [4]), 0).transform(4, IDENTITY) is None
    given = moved(
        against(file_of([[80.0], [83.5]], [[60.0], [58.0]], [0, 4]), 0), Transform(1.0, 0.0, 2.0, 1.0)
    )
    assert given.transform(4, IDENTITY) == Transform(1.0, 0.0, 1.5, -3.0)


def test_second_fields_lie_where_their_frame_does() -> None:
    given = against(file_of([[80.0], [83.5], [84.0]], [[60.0], [58.0], [57.0]], [0, 4, 4.5]), 0, per_frame=2)
    assert given.transform(8, IDENTITY) == Transform(1.0, 0.0, 3.5, -2.0)
    assert given.transform(9, IDENTITY) == Transform(1.0, 0.0, 4.0, -3.0)
    assert given.transform(1, IDENTITY) == Transform(1.0, 0.0, 0.0, 0.0)


def test_the_target_of_a_frame() -> None:
    found = file_of([[80.0], [NAN]], [[60.0], [NAN]], [0, 1])
    assert target_of(found, 0) == (80.0, 60.0)
    assert target_of(found, 1) is None
    assert target_of(found, 7) is None


def test_a_file_of_single_frames_is_anchored_at_the_target() -> None:
    given = against(file_of([[83.5]], [[58.0]], [4]), 0)
    assert anchored(given, (80.0, 60.0)).transform(4, IDENTITY) == Transform(1.0, 0.0, 3.5, -2.0)
    whole = against(file_of([[80.0], [83.5]], [[60.0], [58.0]], [0, 4]), 0)
    assert anchored(whole, (1.0, 1.0)) is whole
    assert anchored(given, None) is given
