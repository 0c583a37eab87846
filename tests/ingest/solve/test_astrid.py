"""Real frames near the pole: one frame's stars, set on the sky by hand, are the catalogue for the others.

No catalogue of that field is at hand, so the sky of one frame is made up at the scale that its header tells;
what is tested is what follows from it: the scale is kept, turns add up, a frame of another field is refused.
"""

import numpy as np
import pytest

from ingest.formats import open_source
from ingest.timeoptions import TimeOptions
from reduction.astrometry.match import match_field
from reduction.astrometry.reference import deep_image
from reduction.astrometry.solution import SkySolution
from reduction.astrometry.stars import FrameStars
from reduction.errors import DataError
from reduction.plan import ReductionPlan
from reduction.stack import Stack
from tests.reduction.astrometry.fields import sky_stars, wcs_of
from tests.sample_data import sample

SCALE = 206.265 * 3.45 / 1175.0  # pixels of 3.45 um behind 1175 mm
PLACE = (40.0, 20.0)
BRIGHTEST = 30
"""Stars of a frame: among the fainter ones are hot pixels, which do not move with the field."""


def stars_of(number: int) -> FrameStars:
    source = open_source([str(sample(f"astrid/PA_000{number}.fit"))], TimeOptions())
    assert isinstance(source, Stack)
    return deep_image(source, ReductionPlan()).stars


def without(seen: FrameStars, other: FrameStars) -> FrameStars:
    """What does not lie on the same pixels of a frame that shows another field: those are hot pixels."""
    away = np.hypot(seen.x[:, None] - other.x, seen.y[:, None] - other.y).min(axis=1)
    keep = np.flatnonzero(away > 0.7)[:BRIGHTEST]
    return FrameStars(seen.x[keep], seen.y[keep], seen.sigma[keep], seen.flux[keep], seen.width, seen.height)


@pytest.fixture(scope="module")
def frames() -> dict[int, FrameStars]:
    found = {number: stars_of(number) for number in (1, 2, 3, 4)}
    return {number: without(found[number], found[1 if number > 1 else 2]) for number in found}


def laid_on(seen: FrameStars, other: FrameStars) -> SkySolution:
    """The solution of a frame on a sky made of another one."""
    ra, dec = wcs_of(*PLACE, SCALE, 0.0, False, other.width, other.height).all_pix2world(other.x, other.y, 0)
    sky = sky_stars(np.asarray(ra), np.asarray(dec), -2.5 * np.log10(other.flux))
    return match_field(seen, sky, PLACE, 0.25, (0.5 * SCALE, 2.0 * SCALE)).solution


def turn(solution: SkySolution) -> float:
    return (solution.up_deg + 180.0) % 360.0 - 180.0


def test_frames_of_one_field_are_laid_on_each_other(frames: dict[int, FrameStars]) -> None:
    pairs = {(a, b): laid_on(frames[b], frames[a]) for a, b in ((2, 3), (3, 4), (2, 4))}
    for solution in pairs.values():
        assert solution.scale_arcsec == pytest.approx(SCALE, rel=1e-3)
        assert not solution.mirrored
        assert solution.rms_px < 0.6
        assert solution.stars >= 12
    assert turn(pairs[2, 3]) + turn(pairs[3, 4]) == pytest.approx(turn(pairs[2, 4]), abs=0.05)


def test_a_frame_of_another_field_is_refused(frames: dict[int, FrameStars]) -> None:
    with pytest.raises(DataError, match="beyond doubt"):
        laid_on(frames[1], frames[2])
