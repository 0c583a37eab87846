"""Pass 2: what one segment holds, and what it depends on."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.photometry import measure
from reduction.result import STAR_DTYPE, Flag
from reduction.segment import measure_segment, segments_of
from reduction.survey import Survey
from reduction.tracking import METHODS
from reduction.view import View
from tests.recordings import SMALL
from tests.reduction.surveyed import Altered, alike, held, plan_of, survey_of


@pytest.fixture(scope="module")
def stack() -> Altered:
    return held(SMALL)


@pytest.fixture(scope="module")
def surveyed(stack: Altered) -> tuple[Survey, View]:
    found, view, _ = survey_of(stack, plan_of(SMALL))
    return found, view


def rows_of(found: Survey, view: View, start: int = 0, stop: int = 48, block: int = 16) -> NDArray[Any]:
    return measure_segment(found, view, start, stop, block).rows.reshape(stop - start, found.u.size)


def changed(stack: Altered, frames: list[int]) -> View:
    """The same recording with other pixels on some frames: turned upside down."""
    pixels = stack.pixels.copy()
    for i in frames:
        pixels[i] = pixels[i][::-1, ::-1]
    return View(Altered(stack.source, pixels))


class TestIndependence:
    @pytest.mark.parametrize("block", [1, 7, 48, 1000])
    def test_blocks_do_not_matter(self, surveyed: tuple[Survey, View], block: int) -> None:
        whole = measure_segment(*surveyed, 0, 48, 16)
        other = measure_segment(*surveyed, 0, 48, block)
        assert other.rows.tobytes() == whole.rows.tobytes()
        assert other.places.tobytes() == whole.places.tobytes()

    @pytest.mark.parametrize("length", [1, 5, 20, 48])
    def test_segments_do_not_matter(self, surveyed: tuple[Survey, View], length: int) -> None:
        found, view = surveyed
        for follow in (False, True):
            one = replace(found, follow=follow)
            whole = measure_segment(one, view, 0, 48, 16).rows
            parts = [measure_segment(one, view, a, b, 16).rows for a, b in segments_of(48, length)]
            joined = np.concatenate(parts)
            assert follow or joined.tobytes() == whole.tobytes()
            alike(joined, whole)

    @pytest.mark.parametrize("frames", [[0], [13], [46, 47], [4, 5, 6, 30]])
    def test_no_point_is_altered_by_its_neighbours(
        self, stack: Altered, surveyed: tuple[Survey, View], frames: list[int]
    ) -> None:
        found, view = surveyed
        rest = np.setdiff1d(np.arange(48), frames)
        for follow in (False, True):
            one = replace(found, follow=follow)
            before, after = rows_of(one, view), rows_of(one, changed(stack, frames))
            assert follow or after[rest].tobytes() == before[rest].tobytes()
            alike(after[rest], before[rest])
            assert after[frames].tobytes() != before[frames].tobytes()

    def test_a_survey_travels(self, surveyed: tuple[Survey, View]) -> None:
        found, view = surveyed
        again = pickle.loads(pickle.dumps(found))
        assert rows_of(again, view).tobytes() == rows_of(found, view).tobytes()


class TestRows:
    def test_are_what_photometry_gives_at_the_places(self, stack: Altered) -> None:
        found, view, _ = survey_of(stack, plan_of(SMALL, extract="aperture"))
        segment = measure_segment(found, view, 10, 14, 3)
        rows = segment.rows.reshape(4, -1)
        assert segment.rows.dtype == STAR_DTYPE
        assert segment.start == 10
        assert rows["frame"][:, 0].tolist() == [10, 11, 12, 13]
        assert rows["star"][0].tolist() == list(range(found.u.size))
        for i in range(4):
            place = segment.places[i]
            assert place["frame"] == 10 + i
            assert METHODS[place["method"]] == ("tracking" if i else "correlation")
            x, y = found.u + place["tx"], found.v + place["ty"]
            np.testing.assert_allclose(rows["x"][i], x, atol=1e-4)
            twin = measure(
                stack.pixels[10 + i : 11 + i], x[None], y[None], [found.aperture.radius], *found.sky
            )
            np.testing.assert_allclose(rows["flux"][i], twin.flux[0, :, 0], rtol=1e-9)
            np.testing.assert_allclose(rows["sky"][i], twin.sky[0], rtol=1e-6)
        assert not rows["flags"].any()

    def test_a_lost_frame_has_no_flux(self, stack: Altered, surveyed: tuple[Survey, View]) -> None:
        pixels = stack.pixels.copy()
        pixels[5] = 130
        rows = rows_of(surveyed[0], View(Altered(stack.source, pixels)), 4, 7)
        assert (rows["flags"][1] == Flag.LOST).all()
        assert np.isnan(rows["flux"][1]).all()
        assert np.isnan(rows["x"][1]).all()
        assert np.isfinite(rows["flux"][[0, 2]]).all()

    def test_pixels_that_are_no_numbers(self, stack: Altered) -> None:
        pixels = stack.pixels.astype(np.float32)
        lifted = Altered(stack.source, pixels)
        found, view, _ = survey_of(lifted, plan_of(SMALL))
        lifted.pixels = pixels.copy()
        lifted.pixels[5, 61, 80] = np.nan
        rows = rows_of(found, view, 4, 7)
        assert rows["flags"][1, 0] == Flag.NOT_FINITE
        assert not rows["flags"][[0, 2], 0].any()
        assert not rows["flags"][1, 1:].any()

    def test_saturation_and_edges(self) -> None:
        scene = replace(
            SMALL,
            full_well_e=1500.0,
            drift_px=(-8.0, 0.0),
            stars=(replace(SMALL.stars[0], x=10.0), *SMALL.stars[1:]),
            occultations=(),
        )
        found, view, _ = survey_of(held(scene), plan_of(scene))
        rows = rows_of(found, view)
        brightest = int(np.argmin(np.hypot(found.u - 40.2, found.v - 30.4)))
        assert (rows["flags"][:, brightest] & Flag.SATURATED).all()
        off = (rows["flags"][:, 0] & Flag.OFF_FRAME) != 0
        truth = np.array([scene.truth(i).x[0] for i in range(48)])
        radius = found.aperture.radius
        assert off[truth < radius - 0.6].all()
        assert not off[truth > radius - 0.4].any()
        assert np.isnan(rows["flux"][off, 0]).all()


def test_spans() -> None:
    assert segments_of(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert segments_of(8, 4) == [(0, 4), (4, 8)]
    assert segments_of(3, 1024) == [(0, 3)]
