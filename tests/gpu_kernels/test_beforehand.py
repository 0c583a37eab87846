"""Kernels compiled before they are needed: by an installation, or beside the first reduction."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ingest.writers import write_ser
from tests.recordings import AT_TARGET, SMALL, SMALL_8BIT, avi_of, fits_of, ser_of

BESIDE = """
from gpu_kernels import beforehand
assert not beforehand._under_way
beforehand.compile_beside("uint8")
others = [process for process, _, _ in beforehand._under_way]
assert others
beforehand.compile_beside("uint8")  # once is enough
assert len(others) == len(beforehand._under_way)
beforehand.wait_for("photometry")  # begun by nobody as yet: this process' own
assert "photometry" in beforehand._mine
beforehand.wait_for("photometry")  # which does not wait for itself
for process in others:
    assert process.wait() == 0
for part in ("coarse", "following", "extraction"):
    assert beforehand._mark(part, "uint8").exists()
    beforehand.wait_for(part)
    assert part not in beforehand._mine
assert not beforehand._mark("photometry", "uint8").exists()  # not compiled, until this process ends
"""

KEPT = """
from gpu_kernels import beforehand
beforehand.compile_beside("uint8")
assert not beforehand._under_way
"""

COMPILED = """
import importlib, json, pkgutil, sys
from numba.core.registry import CPUDispatcher
from gpu_kernels import _numba
def compiled():
    there = set()
    for module in pkgutil.iter_modules(_numba.__path__, "gpu_kernels._numba."):
        for name, kernel in vars(importlib.import_module(module.name)).items():
            if isinstance(kernel, CPUDispatcher) and not name.startswith("_"):
                there |= {f"{name}{[str(kind) for kind in kinds]}" for kinds in kernel.overloads}
    return sorted(there)
"""
MADE = "from gpu_kernels.beforehand import compile_all\ncompile_all()\nprint(json.dumps(compiled()))"
USED = """
from cluster.cli import reduce
assert reduce(sys.argv[1:]) == 0
print(json.dumps(compiled()))
"""


def script(text: str, *arguments: str | Path, cache: Path | None = None) -> str:
    """Run Python in a fresh process; its last line."""
    environment = {**os.environ, **({} if cache is None else {"NUMBA_CACHE_DIR": str(cache)})}
    command = [sys.executable, "-c", text, *map(str, arguments)]
    done = subprocess.run(
        command, env=environment, cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True
    )
    return (done.stdout.splitlines() or [""])[-1]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor: nothing is started beside")
def test_the_parts_are_shared_out(tmp_path: Path) -> None:
    script(BESIDE, cache=tmp_path)
    kept = {path.name.split(".")[1].split("-")[0] for path in tmp_path.glob("*/*/*.nbi")}
    assert {"follow", "correlate_sparse", "weighted_block"} <= kept
    assert "star_block" not in kept
    script(KEPT, cache=tmp_path)


@pytest.fixture(scope="module")
def made() -> set[str]:
    return set(json.loads(script(COMPILED + MADE)))


class TestNothingIsLeftToCompile:
    def used(self, folder: Path, *arguments: str | Path) -> set[str]:
        found = set(json.loads(script(COMPILED + USED, *arguments, "--out", folder / "out")))
        assert any(name.startswith("follow[") for name in found)
        return found

    def test_ser_8_bit(self, made: set[str], tmp_path: Path) -> None:
        path = ser_of(SMALL_8BIT, tmp_path / "r.ser")
        assert self.used(tmp_path, path, *AT_TARGET) - made == set()

    def test_ser_16_bit_calibrated(self, made: set[str], tmp_path: Path) -> None:
        path = ser_of(SMALL, tmp_path / "r.ser")
        dark = tmp_path / "dark.ser"
        write_ser(dark, np.stack([SMALL.calibration_frame("dark", k) for k in range(8)]))
        assert self.used(tmp_path, path, "--dark", dark, *AT_TARGET) - made == set()

    def test_avi(self, made: set[str], tmp_path: Path) -> None:
        path, times = avi_of(SMALL_8BIT, tmp_path / "r.avi")
        assert self.used(tmp_path, path, "--times", times, *AT_TARGET) - made == set()

    def test_fits(self, made: set[str], tmp_path: Path) -> None:
        assert self.used(tmp_path, fits_of(SMALL, tmp_path / "f"), *AT_TARGET) - made == set()
