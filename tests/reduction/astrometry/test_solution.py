"""Plate solutions: there and back, on another frame, as JSON; against astropy's projection."""

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from gpu_kernels.transforms import similarity
from reduction.astrometry.match import match_field
from reduction.astrometry.plane import from_plane, separation, to_plane
from reduction.astrometry.solution import SkySolution, solution_from_json
from reduction.errors import DataError
from tests.reduction.astrometry.fields import make_field, wcs_of

angles = st.floats(0.0, 359.999)
heights = st.floats(-89.9, 89.9)


def a_solution(distortion: float = 0.006) -> SkySolution:
    field = make_field(3, 60, 2.0, distortion=distortion)
    return match_field(field.seen, field.sky, field.centre, field.radius, (0.5, 8.0), frame=7).solution


@given(angles, heights, st.floats(-2, 2), st.floats(-2, 2))
def test_the_plane_is_that_of_wcslib(ra: float, dec: float, x: float, y: float) -> None:
    wcs = wcs_of(ra, dec, 3600.0, 0.0, True, 1, 1)  # pixel x is xi, pixel y is -eta
    there = wcs.all_pix2world([x], [-y], 0)
    a, d = from_plane(x, y, ra, dec)
    assert separation(a, d, there[0][0], there[1][0]) < 1e-10
    xi, eta = to_plane(a, d, ra, dec)
    assert np.hypot(xi - x, eta - y) < 1e-9


@given(angles, heights, angles, heights)
def test_separation_is_that_of_astropy(a: float, d: float, b: float, e: float) -> None:
    expected = SkyCoord(a, d, unit="deg").separation(SkyCoord(b, e, unit="deg")).deg
    assert float(separation(a, d, b, e)) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("distortion", [0.0, 0.006])
def test_pixels_go_to_the_sky_and_back(distortion: float) -> None:
    solution = a_solution(distortion)
    x, y = np.meshgrid(np.linspace(-20, 660, 9), np.linspace(-20, 500, 7))
    back = solution.to_pixel(*solution.to_sky(x, y))
    assert np.abs(back[0] - x).max() < 1e-6
    assert np.abs(back[1] - y).max() < 1e-6
    far = solution.to_pixel((solution.ra_deg + 180) % 360, -solution.dec_deg)
    assert np.isnan(far[0]).all()


def test_on_another_frame_the_same_stars_have_the_same_places() -> None:
    solution, step = a_solution(), similarity(1.003, 12.0, 100.0, 50.0, 130.0, 20.0)
    there = solution.moved(step, 9)
    x, y = np.array([3.0, 300.0, 620.0]), np.array([400.0, 200.0, 10.0])
    here_sky, there_sky = solution.to_sky(x, y), there.to_sky(*step.apply(x, y))
    assert np.allclose(here_sky, there_sky, atol=1e-11, rtol=0)
    assert np.allclose(solution.sigma_px(x, y), there.sigma_px(*step.apply(x, y)) / 1.003, rtol=1e-6)
    assert there.frame == 9


def test_json_keeps_everything_and_damage_is_told() -> None:
    solution = a_solution()
    text = json.dumps(solution.as_json())
    assert solution_from_json(json.loads(text), "x.json").digest == solution.digest
    document = json.loads(text)
    wrongs: tuple[Any, ...] = (None, "no", [], -1e300, {})
    for name in document:
        for wrong in wrongs:
            damaged = {**document, name: wrong}
            with contextlib.suppress(DataError):
                assert np.isfinite(solution_from_json(damaged, "x.json").scale_arcsec)
    nothings: tuple[Any, ...] = (None, [], "umbra-sky-1", {"form": "umbra-sky-1"})
    for nothing in nothings:
        with pytest.raises(DataError, match=r"x\.json"):
            solution_from_json(nothing, "x.json")


@pytest.mark.parametrize(("turn", "mirrored"), [(0.0, False), (30.0, False), (200.0, True)])
def test_orientation_is_said_as_it_is_seen(turn: float, mirrored: bool) -> None:
    field = make_field(3, 60, 2.0)
    wcs = wcs_of(50.0, 20.0, 2.0, turn, mirrored, 640, 480)
    ra, dec = wcs.all_pix2world(field.seen.x, field.seen.y, 0)
    from tests.reduction.astrometry.fields import sky_stars

    found = match_field(field.seen, sky_stars(ra, dec), (50.0, 20.0), 0.2, (1.0, 4.0)).solution
    assert abs((found.up_deg - turn + 180.0) % 360.0 - 180.0) < 1e-4
    assert found.mirrored == mirrored
