"""Every CUDA text compiles, without a GPU, for the devices that it is meant for."""

import re
from importlib.resources import files

import pytest

from gpu_kernels import _cuda
from tests.requirements import require

require("nvrtc")

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")


def compiled(code: str, options: tuple[str, ...]) -> tuple[bytes, str]:
    """Machine code and messages of NVRTC.

    Raises
    ------
    AssertionError
        The text does not compile.
    """
    from cupy.cuda import nvrtc

    program = nvrtc.createProgram(code, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, options)
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)
    except nvrtc.NVRTCError:
        raise AssertionError(nvrtc.getProgramLog(program)) from None
    finally:
        nvrtc.destroyProgram(program)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("text", _cuda.TEXTS)
def test_every_text_compiles_without_a_warning(text: str, architecture: str) -> None:
    # what differs between the devices does not depend on the pixels
    for pixel in _cuda.PIXELS if architecture == "sm_90" else ("uint8",):
        options = (*_cuda.options(pixel), f"--gpu-architecture={architecture}", "-std=c++17")
        code, messages = compiled(_cuda.source(text), options)
        assert code[:4] == b"\x7fELF"
        assert not messages.strip("\x00\n ")


def test_every_text_is_listed() -> None:
    found = {entry.name.removesuffix(".cu") for entry in files(_cuda).iterdir() if entry.name.endswith(".cu")}
    assert found == set(_cuda.TEXTS)


def test_a_text_that_is_wrong_is_seen() -> None:
    with pytest.raises(AssertionError, match="undefined"):
        compiled("__global__ void f(int *a) { a[0] = b; }", ("--gpu-architecture=sm_90",))


@pytest.mark.parametrize("text", _cuda.TEXTS)
def test_sums_of_floats_never_race(text: str) -> None:
    """Atomics only on integers: their order would decide the last bits of floats."""
    code = _cuda.source(text)
    pointers = set(re.findall(r"__shared__ int (\w+)\[", code))
    for target in re.findall(r"atomic\w+\(&?(\w+)", code):
        assert target in pointers, f"{text}: atomic on {target}"
    assert "fast" not in " ".join(_cuda.options("uint8"))
