"""`umbra reduce --target-sky`: which solution is meant, and where the star stands at the recording's date."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time

from ingest.convert import convert
from ingest.solve.kept import put_side_files, put_solution
from ingest.solve.request import SkyRequest
from ingest.solve.target import goal_of, sky_of
from ingest.stack import ZarrStack, open_stack
from reduction.astrometry.match import match_field
from reduction.astrometry.plane import separation
from reduction.astrometry.solution import SkySolution
from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.synthetic.scene import Scene
from reduction.synthetic.sky import SceneStar
from reduction.synthetic.source import SceneSource
from reduction.timing import UNKNOWN_NS
from tests.reduction.astrometry.fields import make_field

PLACE = "12:29:00.000,-00:30:12.00"


@pytest.fixture
def stack(tmp_path: Path) -> ZarrStack:
    scene = Scene(frames=3, height=480, width=640, stars=(SceneStar(60.0, 50.0, 1e4),))
    convert(SceneSource(scene), tmp_path / "a.zarr")
    return open_stack(tmp_path / "a.zarr")


def solved(seed: int = 3) -> SkySolution:
    field = make_field(seed, 60, 2.0)
    return match_field(field.seen, field.sky, field.centre, field.radius, (0.5, 8.0)).solution


def test_motion_brings_the_star_to_the_date(stack: ZarrStack) -> None:
    goal = goal_of(SkyRequest(target=PLACE, epoch=2016.0, pm="1000,-500"), stack)
    when = Time(int(np.median(stack.times.mid_ns)) / 1e9, format="unix")
    start = SkyCoord(
        187.25 * u.deg, -(30 / 60 + 12 / 3600) * u.deg, pm_ra_cosdec=1000 * u.mas / u.yr,
        pm_dec=-500 * u.mas / u.yr, distance=100 * u.pc, obstime=Time(2016.0, format="jyear", scale="tcb"),
    )  # fmt: skip
    there = start.apply_space_motion(new_obstime=when)
    assert float(separation(goal.ra_deg, goal.dec_deg, there.ra.deg, there.dec.deg)) * 3600 < 0.01
    assert any("moved by" in note for note in goal.notes)
    assert goal.dec_deg < -0.5


def test_a_catalogue_gives_the_motion(stack: ZarrStack, tmp_path: Path) -> None:
    text = "ra,dec,pmra,pmdec,parallax,ref_epoch\n187.2501,-0.5033,100,200,,2016\n187.3,-0.5,0,0,,2016\n"
    (tmp_path / "sky.csv").write_text(text)
    goal = goal_of(SkyRequest(target=PLACE, catalogue=str(tmp_path / "sky.csv")), stack)
    years = 2025.77 - 2016.0
    assert goal.ra_deg == pytest.approx(187.2501 + 0.1 * years / 3600, abs=1e-6)
    assert goal.dec_deg == pytest.approx(-0.5033 + 0.2 * years / 3600, abs=1e-6)
    with pytest.raises(RequestError, match="no star lies"):
        goal_of(SkyRequest(target="10,20", catalogue=str(tmp_path / "sky.csv")), stack)
    (tmp_path / "sky.csv").write_text(text + "187.2502,-0.5033,0,0,,2016\n")
    with pytest.raises(RequestError, match="2 stars lie"):
        goal_of(SkyRequest(target=PLACE, catalogue=str(tmp_path / "sky.csv")), stack)
    (tmp_path / "sky.csv").write_text("ra,dec\n187.2501,-0.5033\n")
    with pytest.raises(RequestError, match="epoch"):
        goal_of(SkyRequest(target=PLACE, catalogue=str(tmp_path / "sky.csv")), stack)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (SkyRequest(pm="1,2"), "belong to --target-sky"),
        (SkyRequest(target=PLACE, pm="1,2"), "need the epoch"),
        (SkyRequest(target=PLACE, catalogue="x.csv", epoch=2000.0), "gives the star's motion"),
        (SkyRequest(target=PLACE), "has no plate solution"),
        (SkyRequest(target=PLACE, wcs="none.wcs"), "cannot be read"),
    ],
    ids=["alone", "epoch", "both", "unsolved", "missing"],
)
def test_contradictions_are_told(stack: ZarrStack, request_: SkyRequest, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        sky_of(request_, (str(stack.path),), stack)


@pytest.mark.parametrize("pm", ["1", "a,b", "1,2,3", "nan,0", "1e9,0"])
def test_motions_that_are_none_are_refused(stack: ZarrStack, pm: str) -> None:
    with pytest.raises(RequestError, match="--pm"):
        goal_of(SkyRequest(target=PLACE, epoch=2016.0, pm=pm), stack)


def test_unknown_times_are_told(stack: ZarrStack) -> None:
    stack.times.mid_ns[:] = UNKNOWN_NS
    with pytest.raises(RequestError, match="times are not known"):
        goal_of(SkyRequest(target=PLACE, epoch=2016.0, pm="1,2"), stack)
    assert goal_of(SkyRequest(target=PLACE), stack).notes == ("no proper motion was given",)


def test_a_kept_solution_is_found_and_a_damaged_one_only_noted(stack: ZarrStack, tmp_path: Path) -> None:
    given = (str(stack.path),)
    assert sky_of(SkyRequest(), given, stack) == (None, ())
    put_solution(stack.path, solved())
    sky, notes = sky_of(SkyRequest(), given, stack)
    assert sky is not None
    assert sky.goal is None
    assert not notes
    named, _ = sky_of(SkyRequest(target=PLACE), given, stack)
    assert named is not None
    assert named.goal is not None
    (stack.path / "wcs" / solved().digest / "zarr.json").unlink()
    passed_over, notes = sky_of(SkyRequest(), given, stack)
    assert passed_over is None
    assert [note.caveat for note in notes] == [Caveat.WCS_UNUSED]
    put_side_files(tmp_path / "b.wcs", solved(4), False)
    other, _ = sky_of(SkyRequest(wcs=str(tmp_path / "b.wcs")), given, stack)
    assert other is not None
    assert other.solution.digest == solved(4).digest
