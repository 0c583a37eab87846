"""Placing blocks on a device against the chain frame by frame: on the host's kernels, and on CUDA's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reduction import device_segment
from reduction.device_segment import DevicePlacer
from reduction.drift import Seen, drift_of
from reduction.synthetic import Scene
from reduction.tracking import CORRELATION, Field, Placement, Tracker
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
    from gpu_kernels.transforms import similarity

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


@pytest.mark.parametrize("kind", [lambda field: field, masked, moving], ids=["plain", "masked", "moving"])
@pytest.mark.parametrize("put", PLACES)
def test_blocks_are_placed_as_the_chain_places_frames(
    put: Callable[[NDArray[Any]], Any], kind: Callable[[Field], Field]
) -> None:
    frames, tracker = frames_of(SCENE), Tracker(kind(field_of(SCENE)))
    twins = by_the_chain(tracker, frames)
    placer = DevicePlacer(tracker)
    found = []
    for low in range(0, N, 5):
        found += placer.place(put(frames[low : low + 5]), frames[low : low + 5], low)
    assert sum(one.method == CORRELATION for one in found) >= N - 2
    # a width in steps of 2 % is not quite the chain's
    slack = 1e-4 if kind is not moving else 0.02
    for one, twin in zip(found, twins, strict=True):
        assert one.method == twin.method
        assert one.stars == twin.stars
        for name in ("c", "s", "tx", "ty"):
            tolerance = slack if name in {"tx", "ty"} else 1e-4
            assert getattr(one.transform, name) == pytest.approx(getattr(twin.transform, name), abs=tolerance)
        assert one.sigma_px == pytest.approx(twin.sigma_px, rel=0.02, nan_ok=True)


@pytest.mark.parametrize("block", [1, 5, N])
def test_blocks_do_not_show(block: int) -> None:
    frames, tracker = frames_of(SCENE), Tracker(field_of(SCENE))
    placer = DevicePlacer(tracker)
    found = []
    for low in range(0, N, block):
        found += placer.place(frames[low : low + block], frames[low : low + block], low)
    assert repr(found) == repr(DevicePlacer(tracker).place(frames, frames, 0))


def test_only_frames_in_doubt_go_to_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, tracker = frames_of(SCENE), Tracker(field_of(SCENE))
    asked: list[int] = []
    place = tracker.place

    def noting(image: NDArray[Any], *rest: Any) -> Placement:
        asked.append(next(i for i in range(N) if frames[i] is image or np.array_equal(frames[i], image)))
        return place(image, *rest)

    monkeypatch.setattr(tracker, "place", noting)
    DevicePlacer(tracker).place(frames, frames, 0)
    assert 4 in asked
    assert set(asked) <= {4, 7}


def test_without_guides_nothing_is_placed() -> None:
    frames, tracker = frames_of(SCENE), Tracker(field_of(SCENE, stars=[]))
    assert not any(one.found for one in device_segment.DevicePlacer(tracker).place(frames, frames, 0))
