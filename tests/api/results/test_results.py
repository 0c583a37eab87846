"""Results as they are told: versions, files, light curves in every form, pictures, stars."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.requirements import require

require("server")

from PIL import Image  # noqa: E402 - after the check for the extra

from cluster.executors import InProcess  # noqa: E402
from ingest.curves.dialects import read_table  # noqa: E402
from ingest.formats import open_in_place  # noqa: E402
from tests.api.access.world import World, make_world  # noqa: E402
from tests.api.client import Client, serving  # noqa: E402
from tests.api.results.things import Caller, uploaded  # noqa: E402
from tests.contracts.executors import PLAN, SCENE  # noqa: E402
from tests.scenes.scenes import little_ser  # noqa: E402

FORMS = ("csv", "ecsv", "fits", "parquet", "votable", "sora", "portal", "pyote", "tangra")
PLANNED = PLAN.model_dump(mode="json", exclude_unset=True)


class Done:
    """A reduction that is done, and who may see it."""

    def __init__(self, client: Client, recording: Path) -> None:
        self.world: World = make_world(client.app.state.database)
        self.staff = Caller(client, self.world, "staff")
        self.observation = self.world.strict["observation"]
        self.file = uploaded(self.world, client.app.state.store, recording, self.observation)
        job = self.staff.ask(self.file, plan=PLANNED).json()["id"]
        self.result = str(self.staff.ended(job)["result"])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return little_ser(SCENE, tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> Iterator[Done]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "data").mkdir()
    with serving(folder / "data", folder / "home", InProcess()) as client:
        yield Done(client, recording)


def picture(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"))


def test_a_version_by_its_id_and_by_its_number(done: Done) -> None:
    by_id = done.staff.get(f"/results/{done.result}").json()
    assert by_id == done.staff.get(f"/results/{done.observation}@1").json()
    assert done.staff.get(f"/results/{done.observation}@2").status_code == 404
    listed = done.staff.get(f"/observations/{done.observation}/results").json()["items"]
    assert [each["id"] for each in listed] == [done.result]
    assert by_id["figures"]["frames"] == SCENE.frames
    for file in by_id["files"]:
        answer = done.staff.get(f"/results/{done.result}/files/{file['name']}")
        assert answer.status_code == 200, file
        assert len(answer.content) == file["size"]
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
    report = done.staff.get(f"/results/{done.result}/files/report.html")
    assert "sandbox" in report.headers["content-security-policy"]
    assert done.staff.get(f"/results/{done.result}/files/..%2f..%2fumbra.sqlite").status_code in {404, 422}
    told = done.staff.get(f"/results/{done.result}/provenance").json()
    assert told["recording"]["name"] == "scene.ser"
    assert told["request"]["plan"]["target"] == {"x": 60.4, "y": 55.2}


@pytest.mark.parametrize("form", FORMS)
def test_light_curves_in_every_form(done: Done, tmp_path: Path, form: str) -> None:
    answer = done.staff.get(f"/results/{done.result}/lightcurve.{form}")
    if form in {"portal", "pyote", "tangra"} and answer.status_code == 422:
        assert "UTC" in answer.text
        return
    assert answer.status_code == 200, answer.text
    name = answer.headers["content-disposition"].partition('filename="')[2].rstrip('"')
    (tmp_path / name).write_bytes(answer.content)
    if form in {"csv", "ecsv", "fits", "parquet", "votable"}:
        assert read_table(tmp_path / name).mid_ns.size == SCENE.frames


@pytest.mark.parametrize("form", ["png", "webp"])
def test_frames_are_the_recordings(done: Done, recording: Path, form: str) -> None:
    stack = open_in_place(str(recording))
    assert stack is not None
    frame = np.asarray(stack.read(7, 8)[0], np.float64)
    stack.close()
    path = f"/files/{done.file}/frames/7.{form}"
    whole = picture(done.staff.get(path, params={"stretch": "minmax"}).content)
    expected = np.rint((frame - frame.min()) / (frame.max() - frame.min()) * 255)
    assert np.array_equal(whole, expected)
    part = frame[30:50, 20:60]
    cut = done.staff.get(path, params={"stretch": "minmax", "roi": "20,30,40,20", "zoom": 2}).content
    expected = np.rint((part - part.min()) / (part.max() - part.min()) * 255)
    assert np.array_equal(picture(cut), np.kron(expected, np.ones((2, 2))))
    for stretch in ("zscale", "asinh", "percentile"):
        shown = picture(done.staff.get(path, params={"stretch": stretch}).content).astype(float)
        order = np.argsort(frame, axis=None)
        assert (np.diff(shown.reshape(-1)[order]) >= 0).all(), stretch
        assert np.ptp(shown) > 100
    for wrong in ("1,1,0,5", "140,0,10,5", "a", "1,2,3"):
        assert done.staff.get(path, params={"roi": wrong}).status_code == 422
    assert done.staff.get(f"/files/{done.file}/frames/300.{form}").status_code == 422


def test_cutouts_show_the_star(done: Done) -> None:
    answer = done.staff.get(f"/results/{done.result}/cutouts/R1/20.png", params={"half": 10, "zoom": 1})
    assert answer.status_code == 200, answer.text
    shown = picture(answer.content)
    assert shown.shape == (21, 21)
    bright = np.unravel_index(np.argmax(shown), shown.shape)
    assert max(abs(int(bright[0]) - 10), abs(int(bright[1]) - 10)) <= 2
    assert done.staff.get(f"/results/{done.result}/cutouts/R9/20.png").status_code == 404
    assert done.staff.get(f"/results/{done.result}/cutouts/T/100000.png").status_code == 404


def test_a_star_is_picked_where_it_is(done: Done) -> None:
    star = SCENE.stars[1]
    near: dict[str, Any] = {"x": star.x + 2, "y": star.y - 2}
    found = done.staff.get(f"/files/{done.file}/frames/0/star", params=near).json()
    assert abs(found["x"] - star.x) < 1.0
    assert abs(found["y"] - star.y) < 1.0
    assert found["snr"] > 20
    assert found["apertures_px"] == sorted(found["apertures_px"])
    empty = done.staff.get(f"/files/{done.file}/frames/0/star", params={"x": 130, "y": 20})
    assert empty.status_code == 422, json.dumps(empty.json())
    best = done.staff.get(f"/files/{done.file}/reference", params={"looks": 6}).json()
    assert best["frames"] == SCENE.frames
    assert best["best"]["fwhm"] == min(each["fwhm"] for each in best["looked_at"])
