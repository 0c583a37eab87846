"""The house rules that a machine can check."""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import umbra
from reduction.errors import DataError, RequestError, ResourceError, UmbraError
from reduction.version import STAGES, VERSION

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "cluster", "gpu_kernels", "ingest", "reduction")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST_LINES = 450


def test_imports_run_one_way() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert all(isinstance(version, int) and version >= 1 for version in STAGES.values())


@pytest.mark.parametrize("verb", umbra.VERBS)
def test_verbs_are_there(verb: str) -> None:
    module, function = umbra.VERBS[verb][0].split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert verb in umbra.usage()


def test_every_exit_code_says_one_thing() -> None:
    codes = [kind.exit_code for kind in (UmbraError, RequestError, DataError, ResourceError)]
    assert codes == [1, 2, 3, 4]


@pytest.mark.parametrize("folder", ["tests", *PACKAGES])
def test_every_folder_is_a_package(folder: str) -> None:
    """`tests/api` without `tests/__init__.py` would shadow `api`."""
    for path in (ROOT / folder).rglob("*.py"):
        assert (path.parent / "__init__.py").exists(), path.parent
    if folder != "tests":
        assert (ROOT / folder / "py.typed").exists()


def test_modules_are_short_and_say_what_they_are() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= MOST_LINES, f"{path.relative_to(ROOT)} is too long"
        assert not text.strip() or ast.get_docstring(ast.parse(text)), f"{path} has no docstring"


def test_nothing_is_called_after_nothing() -> None:
    for path in SOURCES:
        assert path.stem not in {"utils", "helpers", "manager", "base", "core", "common", "misc"}, path


def test_ray_is_asked_for_in_one_file() -> None:
    users = [path for path in SOURCES if "@ray.remote" in path.read_text(encoding="utf-8")]
    assert len(users) <= 1, users
