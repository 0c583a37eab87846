"""Every public kernel is documented, has its tests, and runs in the homes that are stated."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import gpu_kernels
from tests.gpu_kernels.homes import REGISTER

HERE = Path(__file__).parent
DOCUMENT = (HERE.parents[1] / "docs" / "kernels.md").read_text(encoding="utf-8")


def rows() -> dict[str, list[str]]:
    """Kernel -> the other cells of its row."""
    found = {}
    for line in DOCUMENT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = re.fullmatch(r"`([a-z_]+\.[a-z_]+)`", cells[0])
        if name:
            assert name[1] not in found, f"{name[1]} has two rows"
            found[name[1]] = cells[1:]
    return found


ROWS = rows()
PEERS = {
    "photutils": "photutils",
    "scikit-image": "skimage",
    "astroalign": "astroalign",
    "astropy": "astropy",
    "SciPy": "scipy",
    "sep": "sep",
}
"""Package as the table names it -> as it is imported."""


def public() -> set[str]:
    """Functions of `gpu_kernels` whose module and name have no underscore in front."""
    found = set()
    for module in pkgutil.iter_modules(gpu_kernels.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"gpu_kernels.{module.name}")
        for name, value in vars(loaded).items():
            own = inspect.isfunction(value) and value.__module__ == loaded.__name__
            if own and not name.startswith("_"):
                found.add(f"{module.name}.{name}")
    return found


def registered() -> dict[str, list[str]]:
    """The register, once every test module that enters something has been read."""
    for path in sorted(HERE.glob("test_*.py")):
        if re.search(r"^\s*@(in_homes|registers)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            importlib.import_module(f"tests.gpu_kernels.{path.stem}")
    return {name.removeprefix("gpu_kernels."): tests for name, tests in REGISTER.items()}


def test_every_public_kernel_has_a_row_and_every_row_a_kernel() -> None:
    assert public() == set(ROWS)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_tests_are_there_and_use_it(name: str) -> None:
    files = re.findall(r"`(test_[a-z_]+\.py)`", ROWS[name][3])
    assert files
    for file in files:
        text = (HERE / file).read_text(encoding="utf-8")
        assert re.search(rf"\b{name.partition('.')[2]}\b", text), f"{file} does not use {name}"


@pytest.mark.parametrize("name", sorted(ROWS))
def test_peers_are_there(name: str) -> None:
    """A package named as a peer is imported by one of the tests."""
    texts = [
        (HERE / file).read_text(encoding="utf-8")
        for file in re.findall(r"`(test_[a-z_]+\.py)`", ROWS[name][3])
    ]
    for peer, package in PEERS.items():
        if peer in ROWS[name][2]:
            assert any(re.search(rf"^\s*(from|import) {package}\b", text, re.MULTILINE) for text in texts), (
                peer
            )


@pytest.mark.parametrize("name", sorted(ROWS))
def test_it_runs_in_the_homes_that_are_stated(name: str) -> None:
    homes, tests = ROWS[name][4], registered().get(name, [])
    if homes == "all":
        assert tests, f"no test runs {name} in all homes: see tests/gpu_kernels/homes.py"
        stated = ROWS[name][3]
        files = {test.split(".")[-2] for test in tests}
        assert any(f"`{file}.py`" in stated for file in files), f"{name}: {files} are not stated"
    else:
        assert homes.startswith("host: "), f"{name}: homes are `all`, or `host: ` and why"
        assert not tests


def test_a_kernel_takes_what_it_documents() -> None:
    """Every public kernel says in its docstring what its arguments are, unless it has none."""
    for name in public():
        module, function = name.split(".")
        kernel = getattr(importlib.import_module(f"gpu_kernels.{module}"), function)
        assert inspect.getdoc(kernel), name
        arguments = list(inspect.signature(kernel).parameters)
        if len(arguments) > 2:
            assert "Parameters\n" in (inspect.getdoc(kernel) or ""), name
