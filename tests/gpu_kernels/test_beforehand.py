"""The second process that compiles kernels at the first use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import time
from gpu_kernels.beforehand import _mark, compile_beside, wait_for
compile_beside("uint8")
wait_for("photometry")
assert _mark("coarse", "uint8").exists() and _mark("photometry", "uint8").exists()
compile_beside("uint8")  # kept: nothing is started
began = time.perf_counter()
wait_for("photometry")
assert time.perf_counter() - began < 5.0
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor: nothing is started beside")
def test_kernels_are_in_the_cache_afterwards(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, cwd=Path(__file__).parents[2])
    kept = {path.name.split(".")[1].split("-")[0] for path in tmp_path.glob("*/*/*.nbi")}
    assert {"star_block", "correlate_sparse"} <= kept
