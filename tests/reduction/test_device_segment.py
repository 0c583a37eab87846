"""Placing blocks on a device against the chain frame by frame: on the host's kernels, and on CUDA's."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from gpu_kernels.device import Accelerator
from gpu_kernels.transforms import similarity
from reduction.device_segment import BLOCK_BYTES, DevicePlacer, DeviceRunner, frames_at_once
from reduction.drift import Seen, drift_of
from reduction.errors import ResourceError
from reduction.following import Placed
from reduction.plan import ReductionPlan
from reduction.run import reduce
from reduction.scan import scan
from reduction.survey import survey
from reduction.synthetic import Scene, SceneSource
from reduction.tracking import CORRELATION, LOST, METHODS, Field, Placement, Tracker
from reduction.view import NOTHING, Calibration, View
from tests.gpu_kernels.cuda_on_host import namespace as stand_in
from tests.gpu_kernels.homes import NO_CUDA
from tests.reduction.test_tracking import SCENE, field_of
from tests.requirements import require

N = 12


def on_host(frames: NDArray[Any]) -> Any:
    return frames


def emulated(frames: NDArray[Any]) -> Any:
    require("cc")
    return stand_in.asarray(frames)


def on_gpu(frames: NDArray[Any]) -> Any:
    import cupy

    return cupy.asarray(frames)


PLACES = (
    pytest.param(on_host, id="host"),
    pytest.param(emulated, id="cuda_on_host"),
    pytest.param(on_gpu, id="cupy", marks=[pytest.mark.gpu, NO_CUDA]),
)


def frames_of(scene: Scene) -> NDArray[Any]:
    frames = np.stack([scene.frame(i) for i in range(N)])
    frames[4] = int(np.median(frames[0]))  # a cloud
    frames[7, :, 100:] = int(np.median(frames[0]))  # two stars or three are left
    return frames


def by_the_chain(tracker: Tracker, frames: NDArray[Any]) -> list[Placement]:
    placements, last = [], None
    for i, frame in enumerate(frames):
        placements.append(tracker.place(frame, tracker.expect(i, last)))
        if placements[-1].by_stars:
            last = Seen(i, placements[-1].transform)
    return placements


def masked(field: Field) -> Field:
    mask = np.zeros(field.shape, np.bool_)
    mask[:, 60:74] = True  # through a star
    return replace(field, mask=mask)


def moving(field: Field) -> Field:
    """With a rotation and a width of the stars that change."""
    truth = [SCENE.truth(i) for i in range(0, N, 3)]
    shifts = [similarity(1.0, 0.0, 0.0, 0.0, t.x[0] - field.all_u[0], t.y[0] - field.all_v[0]) for t in truth]
    k = len(shifts)
    return replace(
        field,
        rotate=True,
        drift=drift_of(
            np.arange(0, N, 3),
            shifts,
            np.ones(k, np.bool_),
            field.pivot,
            degrees=np.linspace(0.0, 0.6, k),
            scale=np.ones(k),
            width=field.sigma * np.linspace(1.0, 1.1, k),
        ),
    )


def in_blocks(tracker: Tracker, frames: NDArray[Any], put: Callable[[Any], Any], block: int) -> Placed:
    placer, parts = DevicePlacer(tracker), []
    for low in range(0, N, block):
        part = frames[low : low + block]
        parts.append(placer.place(put(part), part.__getitem__, low))
    return Placed(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Placed)))


@pytest.mark.parametrize("kind", [lambda field: field, masked, moving], ids=["plain", "masked", "moving"])
@pytest.mark.parametrize("put", PLACES)
def test_blocks_are_placed_as_the_chain_places_frames(
    put: Callable[[NDArray[Any]], Any], kind: Callable[[Field], Field]
) -> None:
    frames, tracker = frames_of(SCENE), Tracker(kind(field_of(SCENE)))
    twins = by_the_chain(tracker, frames)
    found = in_blocks(tracker, frames, put, 5)
    assert (found.method == METHODS.index(CORRELATION)).sum() >= N - 2
    slack = 1e-4 if kind is not moving else 0.02  # a width in steps of 2 % is not quite the chain's
    for i, twin in enumerate(twins):
        assert METHODS[found.method[i]] == twin.method
        assert found.stars[i] == twin.stars
        assert found.weak[i] == twin.weak
        assert found.sigma_px[i] == pytest.approx(twin.sigma_px, rel=0.02, nan_ok=True)
        if twin.found:
            t = twin.transform
            np.testing.assert_allclose(found.transform[i], [t.c, t.s, t.tx, t.ty], atol=slack)


@pytest.mark.parametrize("block", [1, 5])
def test_blocks_do_not_show(block: int) -> None:
    frames, tracker = frames_of(SCENE), Tracker(moving(field_of(SCENE)))
    one, other = in_blocks(tracker, frames, on_host, block), in_blocks(tracker, frames, on_host, N)
    for field in fields(Placed):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_only_frames_in_doubt_go_to_the_chain() -> None:
    frames, tracker = frames_of(SCENE), Tracker(field_of(SCENE))
    asked: list[int] = []

    def image(i: int) -> NDArray[Any]:
        asked.append(i)
        return np.asarray(frames[i])

    DevicePlacer(tracker).place(frames, image, 0)
    assert 4 in asked
    assert set(asked) <= {4, 7}


def test_without_guides_nothing_is_placed() -> None:
    frames, tracker = frames_of(SCENE), Tracker(field_of(SCENE, stars=[]))
    found = in_blocks(tracker, frames, on_host, N)
    assert np.isnan(found.transform).all()
    assert (found.method == METHODS.index(LOST)).all()


DARK = np.full((SCENE.height, SCENE.width), 3.0, np.float32)
FLAT = np.linspace(0.9, 1.1, SCENE.height * SCENE.width, dtype=np.float32).reshape(DARK.shape)


@pytest.mark.parametrize(("calibrated", "extract"), [(False, "aperture"), (True, "optimal"), (False, "mask")])
def test_a_reduction_on_a_device_is_that_of_the_cpu(
    calibrated: bool,
    extract: Literal["aperture", "optimal", "mask"],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require("cc")
    scene = replace(SCENE, frames=24, drift_px=(3.0, 2.0), target=0, bit_depth=16)
    source = SceneSource(scene)
    plan = ReductionPlan(follow=False, segment=9, survey_frames=12, extract=extract)
    calibration = Calibration(offset=DARK, flat=FLAT) if calibrated else NOTHING
    runner = DeviceRunner(Accelerator(stand_in, 0, "the host", 2**30), block=4)
    finished: list[int] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "measure":
            finished.append(done)

    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    twin = reduce(plan, source, here, calibration)
    found = reduce(plan, source, there, calibration, progress, runner=runner, device=runner.device)
    sigma = twin.lightcurve.target_sigma
    for name, slack in (("target_flux", 1e-3 * sigma), ("target_x", 1e-3), ("target_y", 1e-3)):
        apart = np.abs(getattr(found.lightcurve, name) - getattr(twin.lightcurve, name))
        assert (apart <= slack).all(), name
    np.testing.assert_array_equal(found.lightcurve.flags, twin.lightcurve.flags)
    assert found.alignment.counts == twin.alignment.counts
    assert finished[-1] == scene.frames
    assert found.provenance.device == f"{twin.provenance.device}, cuda the host (CuPy 0)"
    for one, other in zip(found.segments, twin.segments, strict=True):
        mine, expected = np.load(one), np.load(other)
        for name in ("frame", "star", "flags"):
            np.testing.assert_array_equal(mine[name], expected[name])


def test_blocks_fit_the_device() -> None:
    source = SceneSource(SCENE)
    view = View(source)
    found = survey(view, scan(source, 16), ReductionPlan(survey_frames=10))
    frame = view.stack.info.frame_bytes
    for free in (2**20, 2**24, 2**40):
        n = frames_at_once(Accelerator(stand_in, 0, "small", free), found, view)
        assert 1 <= n <= BLOCK_BYTES // frame
        assert n == 1 or 3 * n * frame < free


def test_a_device_without_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise stand_in.cuda.memory.OutOfMemoryError("Out of memory allocating 9 bytes")

    source = SceneSource(replace(SCENE, frames=12))
    runner = DeviceRunner(Accelerator(stand_in, 0, "full", 2**30))
    monkeypatch.setattr(stand_in, "empty", full)
    with pytest.raises(
        ResourceError, match=r"cuda:0 \(full\): Out of memory allocating 9 bytes; .* --device cpu"
    ):
        reduce(ReductionPlan(survey_frames=8), source, tmp_path, runner=runner)
