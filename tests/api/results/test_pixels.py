"""Frames in numbers: pixels to the bit, times and what is odd about them, levels, a star's profile."""

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.requirements import require

require("server")

from PIL import Image  # noqa: E402 - after the check for the extra

from api.results.pictures import encoded, percentiles, stretched  # noqa: E402
from cluster.executors import InProcess  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.client import serving  # noqa: E402
from tests.api.results.things import Caller, uploaded  # noqa: E402
from tests.ingest.ser_writer import write_ser  # noqa: E402

FRAMES, HEIGHT, WIDTH = 12, 80, 96
CADENCE_NS = 40_000_000
FIRST_NS = 1_602_562_282_123_456_700
GAP, TWIN, BLANK = 5, 8, 10
"""The frame after a gap, one that equals the frame before it, one of a single level."""


def frames_16() -> NDArray[np.uint16]:
    rng = np.random.default_rng(4)
    rows, columns = np.indices((HEIGHT, WIDTH))
    star = 9000.0 * np.exp(-((rows - 40.3) ** 2 + (columns - 51.6) ** 2) / (2 * 1.7**2))
    made = np.rint(rng.normal(1200.0, 30.0, (FRAMES, HEIGHT, WIDTH)) + star).astype(np.uint16)
    made[TWIN] = made[TWIN - 1]
    made[BLANK] = 77
    made[3, 10, 20:24] = 65535
    return made


PIXELS = frames_16()
STAMPS = FIRST_NS + np.arange(FRAMES) * CADENCE_NS + np.where(np.arange(FRAMES) >= GAP, 10 * CADENCE_NS, 0)


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, str]]:
    folder = tmp_path_factory.mktemp("pixels")
    (folder / "data").mkdir()
    path = folder / "night.ser"
    write_ser(path, PIXELS, stamps_ns=STAMPS.tolist())
    with serving(folder / "data", folder / "home", InProcess()) as client:
        world = make_world(client.app.state.database)
        file = uploaded(world, client.app.state.store, path, world.strict["observation"])
        yield Caller(client, world, "staff"), f"/files/{file}/frames"


def test_pixels_are_those_that_were_recorded(staff: tuple[Caller, str]) -> None:
    caller, frames = staff
    for number in (0, 3, FRAMES - 1):
        answer = caller.get(f"{frames}/{number}/pixels.npy")
        assert answer.status_code == 200, answer.text
        assert np.array_equal(np.load(io.BytesIO(answer.content)), PIXELS[number])
        raw = caller.get(f"{frames}/{number}/pixels.raw")
        kind, shape = raw.headers["x-umbra-dtype"], raw.headers["x-umbra-shape"]
        assert (kind, shape) == ("<u2", f"{HEIGHT},{WIDTH}")
        assert np.array_equal(np.frombuffer(raw.content, kind).reshape(HEIGHT, WIDTH), PIXELS[number])
    part = caller.get(f"{frames}/3/pixels.npy", params={"roi": "18,8,10,6"})
    assert np.array_equal(np.load(io.BytesIO(part.content)), PIXELS[3, 8:14, 18:28])
    assert part.headers["etag"] != raw.headers["etag"]
    again = caller.get(f"{frames}/3/pixels.npy", headers={"If-None-Match": part.headers["etag"]})
    assert again.status_code == 200, "another part is another thing"
    same = {"If-None-Match": part.headers["etag"]}
    assert caller.get(f"{frames}/3/pixels.npy", params={"roi": "18,8,10,6"}, headers=same).status_code == 304
    assert caller.get(f"{frames}/{FRAMES}/pixels.npy").status_code == 422
    assert caller.get(f"{frames}/0/pixels.npy", params={"roi": "90,0,10,6"}).status_code == 422
    assert caller.get(f"{frames}/0/pixels.txt").status_code == 422


def test_the_recording_and_its_times(staff: tuple[Caller, str]) -> None:
    caller, frames = staff
    told = caller.get(frames).json()
    assert (told["frames"], told["width"], told["height"], told["planes"]) == (FRAMES, WIDTH, HEIGHT, 1)
    assert told["dtype"] == "uint16"
    assert told["timed"] == FRAMES
    assert told["cadence_s"] == pytest.approx(CADENCE_NS * 1e-9, abs=2e-7)
    first, last = (datetime.fromisoformat(told[name]) for name in ("first_utc", "last_utc"))
    assert (last - first).total_seconds() == pytest.approx((STAMPS[-1] - STAMPS[0]) * 1e-9, abs=1e-5)
    raw = caller.get(f"{frames}/0/pixels.raw")
    assert raw.headers["x-umbra-mid-utc"] == told["first_utc"]
    assert raw.headers["x-umbra-flags"] == ""
    assert "gap" in caller.get(f"{frames}/{GAP}/pixels.raw").headers["x-umbra-flags"]


def test_what_is_odd_about_a_frame(staff: tuple[Caller, str]) -> None:
    caller, frames = staff
    flags = {number: " ".join(caller.get(f"{frames}/{number}").json()["flags"]) for number in range(FRAMES)}
    assert "gap: 0.44" in flags[GAP]
    assert "same pixels as the frame before" in flags[TWIN]
    assert "blank" in flags[BLANK]
    assert "4 pixels at the largest level" in flags[3]
    odd = {GAP, TWIN, BLANK, 3}
    assert not any(text for number, text in flags.items() if number not in odd), flags


def test_levels_and_histogram(staff: tuple[Caller, str]) -> None:
    caller, frames = staff
    told = caller.get(f"{frames}/1").json()
    levels, image = told["levels"], PIXELS[1].astype(float)
    assert (levels["minimum"], levels["maximum"]) == (image.min(), image.max())
    assert levels["mean"] == pytest.approx(image.mean())
    assert levels["noise"] == pytest.approx(30.0, rel=0.1)
    assert levels["percentile"] == pytest.approx(np.percentile(image, (0.5, 99.7)))
    found = levels["histogram"]
    edges = found["start"] + found["width"] * np.arange(len(found["counts"]) + 1)
    assert len(found["counts"]) <= 4096
    assert found["counts"] == np.histogram(image, edges)[0].tolist()
    assert sum(found["counts"]) == image.size
    assert told["time"]["since_previous_s"] == pytest.approx(CADENCE_NS * 1e-9, abs=2e-7)


def test_the_profile_of_a_star(staff: tuple[Caller, str]) -> None:
    caller, frames = staff
    near: dict[str, Any] = {"x": 53, "y": 39, "aperture": 5.0, "inner": 10, "outer": 20}
    told = caller.get(f"{frames}/1/profile", params=near).json()
    assert (told["x"], told["y"]) == pytest.approx((51.6, 40.3), abs=0.15)
    assert told["star"]["fwhm"] == pytest.approx(2.3548 * np.hypot(1.7, 12**-0.5), rel=0.1)
    whole = 9000.0 * 2 * np.pi * 1.7**2
    assert told["flux"] == pytest.approx(whole * (1 - np.exp(-25.0 / (2 * 1.7**2))), rel=0.02)
    assert told["errors"] == "sky"
    assert told["aperture_px"] in told["growth"]["radius"]
    assert len(told["growth"]["flux"]) == len(told["growth"]["radius"]) == len(told["profile"]["radius"])
    assert told["growth"]["flux"][told["growth"]["radius"].index(5.0)] == told["flux"]
    assert told["profile"]["value"][0] > 20 * told["profile"]["error"][0]
    exact = caller.get(f"{frames}/1/profile", params={**near, "centred": False}).json()
    assert (exact["x"], exact["y"]) == (53.0, 39.0)
    empty = caller.get(f"{frames}/1/profile", params={"x": 20, "y": 20}).json()
    assert empty["star"] is None
    assert "no star" in empty["message"]
    assert abs(empty["flux"]) < 6 * empty["flux_error"]
    for wrong in ({"aperture": 0}, {"outer": 5, "inner": 9}, {"x": 500}, {"inner": -1}):
        assert caller.get(f"{frames}/1/profile", params={**near, **wrong}).status_code == 422, wrong


def test_pictures_between_given_levels(staff: tuple[Caller, str]) -> None:
    caller, frames = staff

    def shown(**params: Any) -> NDArray[np.uint8]:
        answer = caller.get(f"{frames}/1.png", params=params)
        assert answer.status_code == 200, answer.text
        return np.asarray(Image.open(io.BytesIO(answer.content)))

    image = PIXELS[1].astype(float)
    expected = np.rint(np.clip((image - 1000.0) / 2000.0, 0, 1) * 255)
    assert np.array_equal(shown(stretch="linear", black=1000, white=3000), expected)
    assert np.array_equal(shown(stretch="zscale", black=1000, white=3000), expected)
    small = shown(stretch="linear", black=1000, white=3000, shrink=4)
    means = image.reshape(HEIGHT // 4, 4, WIDTH // 4, 4).mean(axis=(1, 3))
    assert np.abs(small - np.clip((means - 1000.0) / 2000.0, 0, 1) * 255).max() <= 0.5 + 1e-4
    for wrong in ({"stretch": "linear"}, {"black": 5}, {"shrink": 64, "roi": "0,0,20,20"}):
        assert caller.get(f"{frames}/1.png", params=wrong).status_code == 422, wrong


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_a_table_of_levels_is_the_formula_of_each_pixel(kind: str) -> None:
    image = np.random.default_rng(2).integers(0, np.iinfo(kind).max, (50, 70)).astype(kind)
    for stretch in ("zscale", "asinh", "percentile", "minmax"):
        slow = stretched(image.astype(np.float64), stretch)
        assert np.array_equal(stretched(image, stretch), slow), stretch
    for levels in ((0.5, 99.7), (0.0, 100.0), (33.3, 66.7)):
        assert percentiles(image, levels) == pytest.approx(tuple(np.percentile(image, levels)))
    assert percentiles(image[:1, :1], (1.0, 99.0)) == (image[0, 0], image[0, 0])


def test_our_png_is_read_by_others() -> None:
    image = np.random.default_rng(5).integers(0, 255, (31, 47), np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded(image, "png")))), image)
    larger = np.asarray(Image.open(io.BytesIO(encoded(image, "png", 3))))
    assert np.array_equal(larger, np.kron(image, np.ones((3, 3), np.uint8)))


def test_a_device_is_part_of_a_request(staff: tuple[Caller, str], tmp_path: Path) -> None:
    del tmp_path
    caller, frames = staff
    file = frames.split("/")[2]
    checked = caller.ask(file, device="cpu", dry_run=True)
    assert checked.status_code == 200, checked.text
    assert checked.json()["request"]["device"] == "cpu"
    assert caller.ask(file, device="tpu", dry_run=True).status_code == 422
