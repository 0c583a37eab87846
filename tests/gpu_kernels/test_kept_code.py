"""Machine code is kept by what the kernels say, not by where they are installed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MIDDLE = """
import json
import numpy as np
from gpu_kernels._numba.levels import middle
assert middle(np.array([1.0, 2.0, 4.0]), 0, 3) == 2.0
print(json.dumps([sum(middle.stats.cache_hits.values()), sum(middle.stats.cache_misses.values())]))
"""
OF_OTHERS = """
import sys
from gpu_kernels import _numba
sys.path.insert(0, sys.argv[1])
import theirs
assert theirs.twice(3) == 6
print(theirs.twice.stats.cache_path)
"""


def installed(folder: Path, change: str = "") -> Path:
    """A copy of the kernels elsewhere, with something added to the text of one."""
    shutil.copytree(
        ROOT / "gpu_kernels", folder / "gpu_kernels", ignore=shutil.ignore_patterns("__pycache__")
    )
    with (folder / "gpu_kernels" / "_numba" / "levels.py").open("a") as text:
        text.write(change)
    return folder


def said(code: str, root: Path, cache: Path, *arguments: str) -> str:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_another_installation_uses_what_one_has_compiled(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for number, (change, hits, misses) in enumerate([("", 0, 1), ("", 1, 0), ("# other\n", 0, 1)]):
        root = installed(tmp_path / str(number), change)
        assert json.loads(said(MIDDLE, root, cache)) == [hits, misses], number


def test_functions_of_others_are_kept_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(
        "import numba\n@numba.njit(cache=True)\ndef twice(x):\n    return 2 * x\n"
    )
    kept = Path(said(OF_OTHERS, ROOT, tmp_path / "cache", str(tmp_path)))
    assert kept.is_relative_to(tmp_path / "cache")
    assert kept.name.startswith(tmp_path.name)
