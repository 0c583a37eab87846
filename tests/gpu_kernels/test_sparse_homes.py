"""Fits on sparse pixels in every home, against the compiled text."""

import numpy as np
import pytest

from gpu_kernels._numba.stars import DIVERGED, FAINT, OFF, SEEN
from gpu_kernels.sparse import fit_sparse
from tests.gpu_kernels.homes import Home, in_homes
from tests.gpu_kernels.test_sparse import COLOURS, SIGMA, SIZE, SKY, kinds, star


@in_homes(fit_sparse)
@pytest.mark.parametrize("first_row", [None, 0, 1])
def test_every_outcome_is_that_of_the_compiled_text(home: Home, first_row: int | None) -> None:
    rng = np.random.default_rng(2)
    frame = SKY[kinds()].copy() if first_row is None else np.full((SIZE, SIZE), 60.0)
    places = np.array([[9.3, 9.6], [22.4, 8.7], [8.8, 22.6], [22.9, 23.2]])
    grey = np.ones((4, 4))
    colours = np.stack([COLOURS[0], COLOURS[1], COLOURS[0], COLOURS[1]]) if first_row is None else grey
    for place, flux, colour in zip(places, (3_000.0, 9_000.0, 900.0, 20_000.0), colours, strict=True):
        frame += star(float(place[0]), float(place[1]), flux, colour)
    frame += rng.normal(0, 9.0, frame.shape)
    frame[9, 10] = np.nan
    x = np.array([*np.round(places[:, 0]), np.nan, 30.9, 15.0, 200.0])
    y = np.array([*np.round(places[:, 1]), 5.0, 15.0, 16.0, 3.0])
    colours = np.concatenate([colours, colours])
    arguments = (frame.astype(np.float32), x, y, colours, first_row, SIGMA, 80.0, 1.0)
    expected = fit_sparse(*arguments)
    found = home.run(fit_sparse, *arguments)
    np.testing.assert_array_equal(found.status, expected.status)
    assert (found.status[:4] == SEEN).all()
    assert set(found.status[4:].tolist()) <= {SEEN, OFF, FAINT, DIVERGED}
    good = expected.status == SEEN
    for name in ("x", "y", "flux", "error", "snr"):
        np.testing.assert_allclose(
            getattr(found, name)[good], getattr(expected, name)[good], rtol=1e-6, atol=1e-7, err_msg=name
        )
