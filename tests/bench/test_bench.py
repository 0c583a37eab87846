import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import __main__ as command
from bench import calibrated, figure9, lightcurves, peers
from bench.generating import GeneratingStack, Kind, generated
from bench.long_recording import calibrated_scene, long_recording, master_frames
from bench.record import Record, Target
from bench.recordings import (
    NAMED,
    RADIUS_PX,
    SKY_PX,
    FitsReader,
    SerReader,
    field_scene,
    fits_folder,
    named_plan,
    ser_file,
)
from bench.table import table
from bench.timing import Case, Timed, interleave, ratio
from ingest.masters import load_master
from reduction.stack import frame_digest
from reduction.synthetic import SceneSource


@pytest.fixture(autouse=True)
def _unpinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' process keeps its cores."""
    monkeypatch.setattr(command, "pin", lambda: 0)


def run(name: str, out: Path) -> dict[str, Any]:
    code = command.main(
        [name, "--frames", "40", "--repetitions", "1", "--out", str(out), "--scratch", str(out.parent)]
    )
    record: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert code == int(any(not target["met"] for target in record["targets"]))
    return record


@pytest.mark.parametrize(
    "name", ["ser_lightcurve", "ser_calibrated", "fits_lightcurve", "photometry", "ingest", "adv", "ravf"]
)
def test_writes_a_record(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bench in (lightcurves, calibrated):
        monkeypatch.setattr(bench, "PEER_FRAMES", dict.fromkeys(lightcurves.PEER_FRAMES, 4))
        # an event is fitted as long in forty frames as in fifty thousand
        monkeypatch.setattr(bench, "named_plan", lambda scene: calibrated.without_events(named_plan(scene)))
    for module, figure in (("finder", "draw_finder"), ("lightcurve_figure", "draw_lightcurve")):
        monkeypatch.setattr(f"reduction.outputs.{module}.{figure}", lambda _: b"drawn elsewhere")
    # the tests' own coders take longer than all that is measured
    monkeypatch.setattr("bench.adv.field_scene", lambda _, bits: field_scene(8, bits=bits))
    record = run(name, tmp_path / "found.json")
    assert record["schema"] == "umbra-bench-1"
    assert record["bench"] == name
    assert set(record) == {
        "schema", "bench", "date", "commit", "machine", "setting", "timed", "ratios", "values", "targets",
    }  # fmt: skip
    assert record["machine"]["libraries"]["numpy"] == np.__version__
    names = {timed["name"] for timed in record["timed"]}
    for timed in record["timed"]:
        assert len(timed["cpu_s"]) == len(timed["wall_s"]) == 1
        assert timed["frames_per_cpu_s"] == pytest.approx(timed["frames"] / timed["cpu_s"][0], rel=1e-2)
    assert record["ratios"]
    for one in record["ratios"]:
        assert {one["ours"], one["peer"]} <= names
        assert one["cpu"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]


def test_requests_of_a_small_job_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.store.LARGE", 16 * 2**20)
    record = run("store", tmp_path / "found.json")
    assert record["values"]["requests"] == {
        "publish": {"get": 1, "stage": 6, "create": 1},
        "publish, there already": {"get": 1},
        "log": {"put": 1},
        "version": {"get": 1, "entries": 1, "create": 1},
        "version, unchanged": {"get": 2, "entries": 1},
    }
    assert record["setting"] == {"jobs": 40, "files": 6, "bytes": 1_230_000}
    assert {len(timed["cpu_s"]) for timed in record["timed"]} == {40}


def test_figure_nine_compares_all_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(figure9, "draw", lambda _curves, _light, _scene, path: drawn.append(path))
    record = run("figure9", tmp_path / "found.json")
    names = set(record["values"]["scatter"])
    assert {"Umbra, aperture", "Umbra, psf", "Umbra, mask", "photutils", "sep", "static mask"} < names
    assert len(names) == 7
    assert record["values"]["scatter"]["photutils"] == pytest.approx(
        record["values"]["scatter"]["Umbra, aperture"], rel=0.1
    )
    assert not drawn[0].is_relative_to(figure9.PICTURE.parent)


def test_figure_nine_is_drawn(tmp_path: Path) -> None:
    scene = figure9.ixion_scene(60)
    light = scene.target_light(np.arange(60))
    flux = light + np.random.default_rng(1).normal(0.0, 0.1, 60)
    curves = [figure9.Curve("Umbra", "all", flux, 1.0, 1.0), figure9.Curve("sep", "places", flux, 2.0)]
    figure9.draw(curves, light, scene, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["speed"])
    assert "no such bench: speed" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        command.main(["photometry", "ingest", "--out", "x.json"])


def test_ratios_are_per_frame_and_per_round() -> None:
    ours = Timed("ours", "", 100, cpu_s=[1.0, 2.0, 4.0], wall_s=[2.0, 2.0, 2.0])
    peer = Timed("peer", "", 10, cpu_s=[2.0, 2.0, 2.0], wall_s=[1.0, 1.0, 1.0])
    found = ratio(ours, peer)
    assert found.cpu == pytest.approx(10.0)  # rounds: 20, 10 and 5 times
    assert found.cpu_range == pytest.approx((5.0, 20.0))
    assert found.wall == pytest.approx(5.0)


def test_rounds_are_interleaved() -> None:
    order: list[str] = []
    cases = [Case(name, "", 1, partial(order.append, name)) for name in "ab"]
    interleave(cases, 3)
    assert "".join(order) == "ababab"


def test_a_missed_target_is_said() -> None:
    record = Record("x", targets=[Target("more", 2.0, 1.9), Target("less", 2.0, 1.9, at_least=False)])
    assert [target.met for target in record.targets] == [False, True]
    assert "MISSED more" in record.text()


@pytest.mark.parametrize(
    ("align", "within"),
    [
        (peers.astroalign_shift, 0.1),
        (peers.astroalign_points_shift, 0.1),
        (lambda reference: peers.skimage_shift(reference, 10), 0.5),
        (lambda reference: peers.skimage_spectrum_shift(reference, 10), 0.2),
        (peers.opencv_shift, 0.5),
    ],
)
def test_peers_find_the_shift(align: Any, within: float) -> None:
    scene = field_scene(200)
    first, last = scene.truth(0), scene.truth(199)
    found = align(scene.frame(0))(scene.frame(199))
    assert found == pytest.approx((last.dx - first.dx, last.dy - first.dy), abs=within)


@pytest.mark.parametrize(
    "measure",
    [peers.photutils_table, peers.photutils_stats, peers.photutils_lean, peers.sep_annulus, peers.sep_exact],
)
def test_peers_measure_the_flux(measure: Any) -> None:
    scene = field_scene(40)
    truth = scene.truth(0)
    places = np.array([(truth.x[s], truth.y[s]) for s in NAMED])
    flux = measure(RADIUS_PX, SKY_PX)(scene.frame(0), places) * scene.gain_e_per_adu
    assert flux == pytest.approx(truth.flux_e[list(NAMED)], rel=0.15)


def test_peers_read_what_was_written(tmp_path: Path) -> None:
    scene = field_scene(3)
    frames = [scene.frame(i) for i in range(3)]
    path = ser_file(tmp_path / "a.ser", scene)
    assert [frame.tobytes() for frame in SerReader(path, scene)] == [frame.tobytes() for frame in frames]
    deep = field_scene(3, bits=16)
    folder = fits_folder(tmp_path / "a", deep)
    for i, frame in enumerate(FitsReader(folder)):
        np.testing.assert_array_equal(frame, deep.frame(i))


def test_generated_frames_follow_from_their_number() -> None:
    stack = GeneratingStack(SceneSource(field_scene(300), cycle=64))
    whole = stack.read(0, 300)
    np.testing.assert_array_equal(stack.read(70, 75), whole[70:75])
    assert len({frame_digest(frame) for frame in whole[:256]}) == 256


@pytest.mark.parametrize(("colour", "dtype"), [("mono", None), ("rgb", None), ("mono", "float32")])
def test_generated_recording_is_reduced(tmp_path: Path, colour: str, dtype: str | None) -> None:
    found = generated(Kind(480, 640, colour=colour, dtype=dtype, calibrated=dtype is None), 64, tmp_path)
    assert found["points"] >= 60
    assert found["peak_mib"] >= found["reduced_mib"] > 0
    assert (tmp_path / "out" / "lightcurve.csv").is_file()


def test_frames_of_the_long_recording_differ(tmp_path: Path) -> None:
    frames = 50
    scene = dataclasses.replace(calibrated_scene(frames), frames=7, drift_px=(1.0, 0.0))
    path = long_recording(tmp_path / "a.ser", scene, frames)
    pixels = [frame.copy() for frame in SerReader(path, dataclasses.replace(scene, frames=frames))]
    assert len({frame_digest(frame) for frame in pixels}) == frames
    order = [*range(7), *range(5, 0, -1)]  # there and back again
    star = scene.target_star
    box = slice(round(star.y) - 4, round(star.y) + 5), slice(round(star.x) - 4, round(star.x) + 5)
    eclipsed = []
    for i, frame in enumerate(pixels):
        change = frame.astype(int) - scene.frame(order[i % 12])
        if change[box].sum() < -100:
            eclipsed.append(i)
            continue
        assert (change.min(), change.max()) == (0, 1)
        assert change.mean() == pytest.approx(0.5, abs=0.01)
    assert eclipsed == [24, 25]


def test_master_frames_calibrate(tmp_path: Path) -> None:
    scene = calibrated_scene(3)
    masters = master_frames(tmp_path, scene)
    shape = (scene.height, scene.width)
    dark = load_master("dark", [masters["dark"]], shape).array
    flat = load_master("flat", [masters["flat"]], shape).array - dark
    flat /= flat.mean()
    raw = scene.frame(0)
    (image,) = peers.calibrated([raw], dark, flat)
    np.testing.assert_allclose(image, (raw.astype(float) - dark) / flat, rtol=1e-5, atol=1e-5)
    corner, middle = (np.median(image[box]) for box in (np.s_[:60, :60], np.s_[210:270, 290:350]))
    assert corner == pytest.approx(middle, rel=0.02)
    assert np.median(raw[:60, :60]) < 0.9 * np.median(raw[210:270, 290:350])


def test_results_become_a_table(tmp_path: Path) -> None:
    timed = [Timed("umbra", "", 10, [0.1], [0.2]), Timed("sep", "", 10, [0.3], [0.2])]
    record = Record("photometry", timed=timed, values={"bytes": 3}, targets=[Target("fast", 2.0, 3.0)])
    record.compare(["umbra"], ["sep"])
    assert "No results yet" in table(tmp_path)
    record.write(tmp_path / "photometry.json", 0)
    text = table(tmp_path)
    assert "| umbra | 10 | 10,000.0 | 20,000.0 | 100.0 |" in text
    assert "| sep | 3.0× |" in text
    assert "- fast: 3.00, at least 2: met" in text
