"""The runner of the GPU bench, without a GPU: its whole flow on the host playing a device."""

import json
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import gpu
from gpu_kernels import device
from gpu_kernels.device import Accelerator
from tests.gpu_kernels.cuda_on_host import namespace as stand_in
from tests.requirements import require


def test_without_a_gpu_it_says_so_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "accelerators", list)
    out = tmp_path / "gpu.json"
    assert command.main(["gpu", "--out", str(out)]) == 4
    assert not out.exists()
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_runs_builds_checks_and_times_every_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("cc")
    monkeypatch.setattr(gpu, "WARM_UP", 0)
    monkeypatch.setattr(gpu, "INPUTS", 1)
    record = gpu.gpu(Accelerator(stand_in, 0, "the host", 2**30), 2, 2, 1, 4096)
    record.write(tmp_path / "found.json", gpu.NOT_PINNED)
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    values = found["values"]
    assert values["parity"]["position_px"] < 1e-3
    assert values["parity"]["flux_sigma"] < 1e-3
    assert values["parity"]["status_differs"] == 0
    assert set(values["kernels"]) == {"develop", "bin_sum", "flattened", "correlate", "locate", "measure"}
    for step in values["kernels"].values():
        assert step["us_per_frame"] > 0.0
        assert step["floor_us_per_frame"] > 0.0
    assert found["setting"]["device"] == "the host"
    assert [target["met"] for target in found["targets"][:2]] == [True, True]


def test_every_kernel_of_every_text_is_built() -> None:
    from gpu_kernels import _cuda
    from tests.gpu_kernels.cuda_on_host.build import signatures

    for text in _cuda.TEXTS:
        kernels = set(signatures(_cuda.source(text), _cuda.options("uint8")))
        assert set(gpu.KERNELS[text]) <= kernels
    assert set(gpu.KERNELS) == set(_cuda.TEXTS)
