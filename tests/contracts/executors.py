"""What every executor must do: one suite, a subclass per executor, which gives the fixture `executor`."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cluster.executors import Executor
from cluster.location import locate
from cluster.recording import ReductionRequest, reduce_to_folder
from cluster.stopping import StoppedError
from ingest.formats import open_in_place
from ingest.writers import write_avi, write_ser
from reduction.errors import DataError, RequestError
from reduction.plan import Position, ReductionPlan
from reduction.run import in_process
from reduction.scan import scan
from reduction.segment import segments_of
from reduction.survey import survey
from reduction.synthetic import Occultation, Scene, SceneStar
from reduction.view import Calibration, Recipe, View
from tests.scenes.scenes import little_ser

SCENE = Scene(
    frames=300,
    height=112,
    width=144,
    seed=5,
    stars=(
        SceneStar(60.4, 55.2, 9_000.0),
        SceneStar(32.1, 30.6, 26_000.0),
        SceneStar(104.7, 36.3, 18_000.0),
        SceneStar(98.2, 84.9, 12_000.0),
        SceneStar(40.6, 88.4, 7_000.0),
    ),
    occultations=(Occultation(5.02, 7.33, 0.9),),
    drift_px=(7.0, -5.0),
    wind_px=0.3,
    cadence_s=0.04,
    exposure_s=0.04,
)
SEGMENT = 64
SPANS = segments_of(SCENE.frames, SEGMENT)
PLAN = ReductionPlan(target=Position(x=60.4, y=55.2), segment=SEGMENT, survey_frames=60)
OUTPUTS = ("lightcurve.csv", "stars.parquet")


def request_of(*inputs: Path, plan: ReductionPlan = PLAN) -> ReductionRequest:
    return ReductionRequest(inputs=tuple(map(str, inputs)), plan=plan)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Outputs that must not depend on where and how a reduction ran."""
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


class ExecutorContract:
    """Subclass it and give the fixture `executor`."""

    @pytest.fixture(scope="class")
    @classmethod
    def recording(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return little_ser(SCENE, tmp_path_factory.mktemp("recording"))

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, recording: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
        out = tmp_path_factory.mktemp("expected") / "out"
        reduce_to_folder(request_of(recording), out)
        return bytes_of(out)

    def test_spread_yields_the_segments_in_order(self, executor: Executor, recording: Path) -> None:
        stack = open_in_place(recording)
        assert stack is not None
        offset = np.full(stack.info.frame_shape, 3.0, np.float32)
        view = View(stack, Recipe(Calibration(offset=offset)))
        found = survey(view, scan(stack, 50), PLAN)
        finished: list[int] = []
        runner = executor.crew.segments(locate(stack, [str(recording)]))
        segments = list(runner(found, view, SPANS, 50, finished.append))
        twins = list(in_process(found, view, SPANS, 50, lambda _: None))
        stack.close()
        assert [(s.start, s.start + s.places.size) for s in segments] == SPANS
        assert sum(finished) == SCENE.frames
        for segment, twin in zip(segments, twins, strict=True):
            assert segment.rows.tobytes() == twin.rows.tobytes()
            assert segment.places.tobytes() == twin.places.tobytes()

    def test_spread_gives_the_same_bytes(
        self, executor: Executor, recording: Path, expected: dict[str, bytes], tmp_path: Path
    ) -> None:
        result = reduce_to_folder(request_of(recording), tmp_path / "out", crew=executor.crew)
        assert len(result.segments) == len(SPANS)
        assert bytes_of(tmp_path / "out") == expected

    def test_a_video_gives_the_same_bytes(self, executor: Executor, tmp_path: Path) -> None:
        path = tmp_path / "a.avi"
        scene = replace(SCENE, bit_depth=8, gain_e_per_adu=12.0, offset_adu=10.0)
        write_avi(path, (scene.frame(i) for i in range(scene.frames)), rate=25, codec="ffv1")
        reduce_to_folder(request_of(path), tmp_path / "expected")
        reduce_to_folder(request_of(path), tmp_path / "out", crew=executor.crew)
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "expected")

    def test_an_integrating_camera_gives_the_same_bytes(self, executor: Executor, tmp_path: Path) -> None:
        path = tmp_path / "a.ser"
        write_ser(path, [SCENE.frame(i // 4) for i in range(4 * 60)])
        request = request_of(path, plan=PLAN.model_copy(update={"integration": 4, "segment": 16}))
        reduce_to_folder(request, tmp_path / "expected")
        result = reduce_to_folder(request, tmp_path / "out", crew=executor.crew)
        assert result.lightcurve.frame.size == 60
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "expected")

    def test_execute_gives_the_same_bytes_and_reports(
        self, executor: Executor, recording: Path, expected: dict[str, bytes], tmp_path: Path
    ) -> None:
        reports: list[tuple[str, int, int]] = []
        done = executor.execute(
            request_of(recording), tmp_path / "out", progress=lambda *report: reports.append(report)
        )
        assert done.folder == tmp_path / "out"
        assert len(done.key) == 64
        assert bytes_of(done.folder) == expected
        assert {path.name for path in tmp_path.iterdir()} == {"out"}
        assert reports[-1] == ("measure", SCENE.frames, SCENE.frames)

    def test_execute_from_several_threads(
        self, executor: Executor, recording: Path, expected: dict[str, bytes], tmp_path: Path
    ) -> None:
        def work(name: str) -> None:
            executor.execute(request_of(recording), tmp_path / name)

        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b") == expected

    def test_errors_come_as_themselves(self, executor: Executor, tmp_path: Path) -> None:
        (tmp_path / "empty.ser").write_bytes(b"")
        with pytest.raises(DataError, match="empty"):
            executor.execute(request_of(tmp_path / "empty.ser"), tmp_path / "out")
        with pytest.raises(RequestError, match="no such file"):
            executor.execute(request_of(tmp_path / "absent.ser"), tmp_path / "out")
        assert {path.name for path in tmp_path.iterdir()} == {"empty.ser"}

    def test_errors_of_the_plan(self, executor: Executor, recording: Path, tmp_path: Path) -> None:
        plan = PLAN.model_copy(update={"frame": SCENE.frames})
        with pytest.raises(RequestError, match=r"frames 0 to 299"):
            executor.execute(request_of(recording, plan=plan), tmp_path / "out")
        with pytest.raises(RequestError, match=r"frames 0 to 299"):
            reduce_to_folder(request_of(recording, plan=plan), tmp_path / "out", crew=executor.crew)
        assert not list(tmp_path.iterdir())


def check_closed(executor: Executor, recording: Path, out: Path) -> None:
    """A closed executor refuses work, and may be closed again."""
    executor.close()
    executor.close()
    with pytest.raises(StoppedError):
        executor.execute(request_of(recording), out)
    assert not out.exists()


def short_scene() -> Scene:
    """A recording of few frames."""
    return replace(SCENE, frames=24, occultations=())
