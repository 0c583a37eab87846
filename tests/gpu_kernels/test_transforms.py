"""Similarities between the reference and a frame."""

import math

import numpy as np
import pytest

from gpu_kernels.transforms import similarity


@pytest.mark.parametrize("scale", [1.0, 0.97, 1.4])
@pytest.mark.parametrize("degrees", [0.0, 31.0, -140.0])
def test_one_place_goes_where_it_is_sent_and_others_turn_about_it(scale: float, degrees: float) -> None:
    transform = similarity(scale, degrees, 30.0, 40.0, 35.5, 28.25)
    x, y = transform.apply(np.array([30.0, 40.0]), np.array([40.0, 40.0]))
    assert (x[0], y[0]) == (pytest.approx(35.5), pytest.approx(28.25))
    angle = math.radians(degrees)
    assert x[1] - x[0] == pytest.approx(10.0 * scale * math.cos(angle))
    assert y[1] - y[0] == pytest.approx(10.0 * scale * math.sin(angle))
    assert transform.scale == pytest.approx(scale)
    assert transform.rotation_deg == pytest.approx(degrees)
