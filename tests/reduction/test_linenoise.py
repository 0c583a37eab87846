"""Row and column noise of a recording: found where it is, left alone where it is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from reduction.caveats import Caveat
from reduction.linenoise import cast_of, lines_for, measure_lines
from reduction.plan import ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.scan import scan
from reduction.stack import Colour
from reduction.synthetic import Occultation
from reduction.view import Recipe, View
from tests.recordings import SMALL
from tests.reduction.surveyed import held, plan_of
from tests.reduction.test_view import Held

SIGMA = 6.0
SCENE = replace(
    SMALL,
    frames=200,
    occultations=(Occultation(70 * 0.05 + 0.01, 130 * 0.05 + 0.02, 0.5),),
    row_noise_adu=8.0,
)


def recorded(
    row: float = 0.0, column: float = 0.0, smooth: float = 0.0, colour: Colour = "mono", frames: int = 12
) -> Held:
    rng = np.random.default_rng(6)
    noise = rng.standard_normal((frames, 96, 128))
    if smooth:
        noise = np.stack([ndimage.gaussian_filter(one, smooth) for one in noise])
        noise /= noise.std()
    values = 400.0 + SIGMA * noise + np.linspace(0, 90, 128)
    if colour != "mono":
        values[:, ::2, ::2] += 300.0
    values += row * rng.standard_normal((frames, 96, 1)) + column * rng.standard_normal((frames, 1, 128))
    values[:, 30:36, 40:46] += np.linspace(500, 3000, frames)[:, None, None]  # a star that changes
    return Held(np.rint(values).astype(np.uint16), colour)


def found(stack: Held, **plan: Any) -> tuple[Any, list[str]]:
    lines, notes = lines_for(View(stack), ReductionPlan(**plan), scan(stack, 4))
    return lines, [note.message for note in notes]


class TestMeasuring:
    @pytest.mark.parametrize(("row", "column"), [(0.0, 0.0), (2.0, 0.0), (0.0, 3.0), (4.0, 5.0)])
    def test_sigmas(self, row: float, column: float) -> None:
        stack = recorded(row, column)
        noise = measure_lines(View(stack), scan(stack, 4))
        assert noise is not None
        assert noise.pixel == pytest.approx(SIGMA, rel=0.1)
        assert noise.row == pytest.approx(row, rel=0.15, abs=0.4)
        assert noise.column == pytest.approx(column, rel=0.15, abs=0.4)
        assert (noise.in_rows, noise.in_columns) == (row > 0, column > 0)

    @pytest.mark.parametrize("smooth", [0.6, 1.0, 2.0])
    def test_smoothed_noise_is_no_line_noise(self, smooth: float) -> None:
        stack = recorded(smooth=smooth)
        noise = measure_lines(View(stack), scan(stack, 4))
        assert noise is not None
        assert not noise.in_rows
        assert not noise.in_columns

    def test_where_nothing_can_be_compared(self) -> None:
        assert measure_lines(View(one := recorded(frames=1)), scan(one, 4)) is None
        still = Held(np.repeat(recorded(frames=1).pixels, 5, axis=0))
        assert measure_lines(View(still), scan(still, 4)) is None
        planes = Held(np.zeros((4, 3, 8, 8), np.uint8), "rgb")
        assert measure_lines(View(planes), scan(planes, 4)) is None
        floats = Held(np.full((4, 20, 20), np.nan, np.float32))
        with np.errstate(all="ignore"):
            assert measure_lines(View(floats), scan(floats, 4)) is None


class TestDecision:
    def test_auto_on_and_off(self) -> None:
        noisy, clean = recorded(row=3.0), recorded()
        lines, notes = found(noisy)
        assert (lines.rows, lines.columns) == (True, False)
        assert lines.sigma == pytest.approx(SIGMA, rel=0.1)
        assert len(notes) == 1
        assert (
            "Rows have noise of their own (3" in notes[0] or "Rows have noise of their own (2.9" in notes[0]
        )
        assert found(noisy, row_noise="off") == (None, [])
        assert found(clean) == (None, [])
        lines, _ = found(clean, row_noise="on")
        assert (lines.rows, lines.columns) == (True, False)

    @pytest.mark.parametrize("colour", ["mono", "rggb"])
    def test_is_taken_off(self, colour: Colour) -> None:
        stack = recorded(row=6.0, colour=colour)
        lines, _ = found(stack)
        plain, clean = View(stack), View(stack, Recipe(lines=lines))
        assert clean.development is None
        assert not clean.direct
        assert clean.developed
        left = [row_scatter(view.linear(stack.pixels)) for view in (plain, clean)]
        assert left[0] == pytest.approx(6.0, rel=0.15)
        assert left[1] < 1.0
        bright = [view.linear(stack.pixels)[:, 30:36, 40:46].mean(axis=(1, 2)) for view in (plain, clean)]
        np.testing.assert_allclose(bright[1], bright[0], atol=9.0)
        level = clean.linear(stack.pixels).mean() - stack.pixels.mean()
        assert abs(level) < 1.5

    def test_cast_follows_colours_and_gradients(self) -> None:
        cast = cast_of(View(recorded(colour="rggb")))
        assert cast[10, 10] - cast[10, 11] == pytest.approx(300.0, abs=5.0)
        assert cast[50, 121] - cast[50, 9] == pytest.approx(112 * 90 / 127, abs=5.0)


def row_scatter(values: NDArray[Any]) -> float:
    """Scatter of row means between frames, against their neighbours."""
    means = values[:, :, 64:].astype(float).mean(axis=2)
    means -= means.mean(axis=0)
    return float(np.diff(means, axis=1).std() / np.sqrt(2.0))


class TestLightCurve:
    def reduced(self, folder: Path, **plan: Any) -> ReductionResult:
        return reduce(plan_of(SCENE, **plan), held(SCENE), folder)

    def test_scatter_is_that_of_the_photons(self, tmp_path: Path) -> None:
        clean, noisy = self.reduced(tmp_path), self.reduced(tmp_path, row_noise="off")
        assert Caveat.LINE_NOISE in {note.caveat for note in clean.notes}
        assert Caveat.LINE_NOISE not in {note.caveat for note in noisy.notes}
        assert clean.quality.scatter < 0.9 * noisy.quality.scatter
        assert 0.8 < clean.quality.chi2_reduced < 1.2
        light = SCENE.target_light(np.arange(200))
        pull = (clean.lightcurve.flux_norm - light) / clean.lightcurve.flux_norm_sigma
        assert abs(pull.mean()) < 0.4
        blocks = reduce(plan_of(SCENE), held(SCENE), tmp_path, block=7)
        np.testing.assert_array_equal(blocks.lightcurve.flux_norm, clean.lightcurve.flux_norm)
