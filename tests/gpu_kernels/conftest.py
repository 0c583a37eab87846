"""Where the CUDA texts are run: on the host that plays a device, and on a device."""

from typing import Any

import pytest

from tests.gpu_kernels.homes import NO_CUDA
from tests.requirements import require


@pytest.fixture(params=["host", pytest.param("cupy", marks=[pytest.mark.gpu, NO_CUDA])])
def xp(request: pytest.FixtureRequest) -> Any:
    """CuPy, or what stands for it."""
    if request.param == "cupy":
        import cupy

        return cupy
    require("cc")
    from tests.gpu_kernels.cuda_on_host import namespace

    return namespace
