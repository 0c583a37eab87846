"""From a request to a folder of results: calibration, positions, devices, and what is left when it fails."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from cluster.recording import (
    ReductionRequest,
    Times,
    check_device,
    load_calibration,
    open_recording,
    positions,
    reduce_to_folder,
)
from gpu_kernels import device
from ingest.writers import write_fits_sequence
from reduction.caveats import Caveat
from reduction.errors import DataError, RequestError, ResourceError
from reduction.plan import Position, ReductionPlan
from tests.recordings import SMALL, avi_of, frames_of, ser_of, stamps
from tests.reduction.surveyed import plan_of

CAMERA = replace(SMALL, dark_e=40.0, vignetting=0.3, frames=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("camera")
    write_fits_sequence(made / "lights", frames_of(CAMERA), stamps_ns=stamps(CAMERA), exposure_s=0.05)
    for kind, exposure in (("bias", 0.0), ("dark", 0.05), ("flat", 1.0)):
        masters = [CAMERA.calibration_frame(kind, i) for i in range(12)]  # type: ignore[arg-type]  # literals
        write_fits_sequence(made / kind, masters, exposure_s=exposure, image_type=kind.upper())
    long = [np.clip(2 * CAMERA.calibration_frame("dark", i).astype(int) - 100, 0, 65_535) for i in range(12)]
    write_fits_sequence(
        made / "long", [frame.astype(np.uint16) for frame in long], exposure_s=0.1, image_type="DARK"
    )
    return made


def calibration(folder: Path, tmp_path: Path, **kinds: str) -> tuple[Any, set[Caveat]]:
    named = {kind: str(folder / name) for kind, name in kinds.items()}
    request = ReductionRequest.model_validate({"inputs": [str(folder / "lights")], **named})
    stack = open_recording(request, tmp_path)
    try:
        loaded = load_calibration(request, stack)
    finally:
        stack.close()
    return loaded.calibration, {note.caveat for note in loaded.notes}


class TestCalibration:
    def test_none(self, folder: Path, tmp_path: Path) -> None:
        found, notes = calibration(folder, tmp_path)
        assert not found.active
        assert found.digests == {}
        assert not notes

    def test_a_dark_is_the_offset(self, folder: Path, tmp_path: Path) -> None:
        found, notes = calibration(folder, tmp_path, dark="dark")
        assert found.offset.mean() == pytest.approx(140.0, abs=1.0)
        assert found.flat is None
        assert set(found.digests) == {"dark"}
        assert not notes

    def test_a_longer_dark_is_scaled_above_the_bias(self, folder: Path, tmp_path: Path) -> None:
        found, notes = calibration(folder, tmp_path, dark="long", bias="bias")
        assert found.offset.mean() == pytest.approx(140.0, abs=1.0)
        assert not notes
        bare, notes = calibration(folder, tmp_path, dark="long")
        assert bare.offset.mean() == pytest.approx(180.0, abs=1.5)
        assert notes == {Caveat.UNCALIBRATED}

    def test_a_flat_without_its_offset_has_the_right_relief(self, folder: Path, tmp_path: Path) -> None:
        y, x = np.mgrid[:120, :160]
        corner2 = 79.5**2 + 59.5**2
        truth = 1.0 - 0.3 * ((x - 79.5) ** 2 + (y - 59.5) ** 2) / corner2
        found, notes = calibration(folder, tmp_path, flat="flat", bias="bias")
        relief: NDArray[Any] = found.flat / found.flat[50:70, 70:90].mean()
        assert relief[:10, :10].mean() == pytest.approx(truth[:10, :10].mean(), abs=0.004)
        assert np.median(found.flat) == pytest.approx(1.0, abs=1e-3)
        assert not notes
        _, notes = calibration(folder, tmp_path, flat="flat")
        assert notes == {Caveat.UNCALIBRATED}

    def test_what_is_no_flat(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="is it a flat"):
            calibration(folder, tmp_path, flat="bias", bias="flat")

    def test_a_missing_master(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="nothing-here"):
            calibration(folder, tmp_path, dark="nothing-here")


class TestRequest:
    @pytest.mark.parametrize(
        ("text", "place"), [("1,2", (1, 2)), (" 1.5 , -2e1 ", (1.5, -20)), ("0,0", (0, 0))]
    )
    def test_positions(self, text: str, place: tuple[float, float]) -> None:
        assert positions([text], "--target") == [{"x": place[0], "y": place[1]}]

    @pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "1;2", "1,"])
    def test_positions_that_are_none(self, text: str) -> None:
        with pytest.raises(RequestError, match="--guide"):
            positions(["5,5", text], "--guide")

    def test_devices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(device, "accelerators", list)
        assert check_device("auto") is None
        assert check_device("cpu") is None
        with pytest.raises(ResourceError, match="cuda:3: there is no CUDA device; use --device auto or cpu"):
            check_device("cuda:3")
        with pytest.raises(ValidationError):
            ReductionRequest(inputs=("a",), device="tpu")

    def test_a_request_is_closed_and_travels(self) -> None:
        request = ReductionRequest(
            inputs=("a",), plan=ReductionPlan(target=Position(x=1, y=2)), times=Times(meaning="end")
        )
        assert ReductionRequest.model_validate_json(request.model_dump_json()) == request
        with pytest.raises(ValidationError):
            ReductionRequest(inputs=())
        with pytest.raises(ValidationError):
            ReductionRequest.model_validate({"inputs": ["a"], "colour": "red"})


class TestFolder:
    def request(self, folder: Path, **more: Any) -> ReductionRequest:
        return ReductionRequest(inputs=(str(ser_of(SMALL, folder / "a.ser")),), plan=plan_of(SMALL), **more)

    def test_parents_are_made_and_stay(self, tmp_path: Path) -> None:
        result = reduce_to_folder(self.request(tmp_path), tmp_path / "new" / "night" / "out")
        assert (tmp_path / "new" / "night" / "out" / "report.html").exists()
        assert os.listdir(tmp_path / "new" / "night") == ["out"]  # noqa: PTH208 - hidden ones too
        assert "open" in result.provenance.seconds

    def test_parents_go_again_when_it_fails(self, tmp_path: Path) -> None:
        request = self.request(tmp_path)
        (tmp_path / "a.ser").write_bytes(b"LUCAM-RECORDER")
        with pytest.raises(DataError):
            reduce_to_folder(request, tmp_path / "new" / "night" / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["a.ser"]

    def test_a_full_disk_is_explained(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(np, "save", full)
        with pytest.raises(ResourceError, match="No space left on device"):
            reduce_to_folder(self.request(tmp_path), tmp_path / "results" / "out")
        assert [path.name for path in tmp_path.iterdir()] == ["a.ser"]

    def test_a_video_is_converted_beside_and_named_after_itself(self, tmp_path: Path) -> None:
        video, table = avi_of(
            replace(SMALL, bit_depth=8, gain_e_per_adu=12.0, offset_adu=10.0), tmp_path / "b.avi"
        )
        request = ReductionRequest(
            inputs=(str(video),), plan=plan_of(SMALL), times=Times(table=str(table), meaning="start")
        )
        result = reduce_to_folder(request, tmp_path / "out")
        assert (result.source.name, result.source.format) == ("b.avi", "video")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["b.avi", "b.csv", "out"]

    def test_notes_of_calibration_reach_the_result(self, folder: Path, tmp_path: Path) -> None:
        request = ReductionRequest(
            inputs=(str(folder / "lights"),), plan=plan_of(CAMERA), dark=str(folder / "long")
        )
        result = reduce_to_folder(request, tmp_path / "out")
        assert Caveat.UNCALIBRATED in {note.caveat for note in result.notes}
        assert set(result.provenance.calibration) == {"dark"}
