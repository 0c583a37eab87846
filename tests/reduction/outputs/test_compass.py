"""North, east and a bar in seconds of arc on the finder chart."""

import numpy as np
import pytest

from reduction.astrometry.fit import fit_solution
from reduction.astrometry.solution import SkySolution
from reduction.astrometry.stars import FrameStars
from reduction.outputs.compass import angle_text, directions
from tests.reduction.astrometry.fields import sky_stars, wcs_of


def solved(turn: float, mirrored: bool, dec: float) -> SkySolution:
    x, y = np.array([[60.0, 50.0], [160.0, 60.0], [110.0, 120.0], [40.0, 140.0]]).T
    ra, dec_ = wcs_of(10.0, dec, 1.2, turn, mirrored, 200, 180).all_pix2world(x, y, 0)
    seen = FrameStars(x, y, np.full(4, 0.05), np.ones(4), 200, 180)
    return fit_solution(seen, sky_stars(ra, dec_), np.arange(4), np.arange(4), "affine", 0).solution


@pytest.mark.parametrize("dec", [0.0, -75.0])
def test_arrows_point_where_the_sky_does(dec: float) -> None:
    upright = directions(solved(0.0, False, dec), 100.0, 90.0)
    assert np.allclose(upright["N"], (0.0, -1.0), atol=0.01)  # up on the picture, whose y grows downwards
    assert np.allclose(upright["E"], (-1.0, 0.0), atol=0.01)  # to the left, as on the sky
    mirrored = directions(solved(0.0, True, dec), 100.0, 90.0)
    assert np.allclose(mirrored["E"], (1.0, 0.0), atol=0.01)
    turned = directions(solved(90.0, False, dec), 100.0, 90.0)
    assert np.allclose(turned["E"], (0.0, -1.0), atol=0.01)  # up lies at position angle 90: east


def test_angles_are_written_short() -> None:
    assert [angle_text(a) for a in (20.0, 60.0, 600.0, 7200.0)] == ['20"', "1'", "10'", "2°"]
