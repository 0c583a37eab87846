from pathlib import Path

import pytest

from reduction.result import ReductionResult
from tests.reduction.outputs.result_factory import make_result


@pytest.fixture(scope="session")
def result(tmp_path_factory: pytest.TempPathFactory) -> ReductionResult:
    return make_result(tmp_path_factory.mktemp("segments"))


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> ReductionResult:
    return make_result(tmp_path_factory.mktemp("segments"), points=300, clean=True)


@pytest.fixture
def small(tmp_path: Path) -> ReductionResult:
    return make_result(tmp_path / "segments", points=60)
