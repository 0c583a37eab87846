"""The CUDA texts compiled as C for the host, and their kernels' signatures."""

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HEADER = Path(__file__).with_name("emulate.h")
SCALARS = {
    "int32": ctypes.c_int,
    "int64": ctypes.c_longlong,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}
NAMES = {
    "int": "int32", "float": "float32", "double": "float64", "long long": "int64", "unsigned char": "uint8",
    "unsigned short": "uint16", "unsigned int": "uint32",
}  # fmt: skip
_KERNEL = re.compile(r"KERNEL void (\w+)\(([^)]*)\)")


def compiler() -> str | None:
    """Path of a C compiler, if there is one."""
    return shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a kernel: its name, NumPy type, and whether it is an array that may be written."""

    name: str
    dtype: str
    array: bool
    written: bool


def signatures(code: str, options: tuple[str, ...]) -> dict[str, tuple[Argument, ...]]:
    """Arguments of every kernel of a text, with the macros of `options` in place."""
    macros = dict(option.removeprefix("-D").split("=", 1) for option in options if option.startswith("-D"))
    found: dict[str, tuple[Argument, ...]] = {}
    for name, inside in _KERNEL.findall(code):
        arguments = []
        for text in inside.split(","):
            words = text.replace("*", " * ").replace("__restrict__", " ").split()
            kind = " ".join(word for word in words[:-1] if word not in {"*", "const"})
            array = "*" in words
            arguments.append(
                Argument(words[-1], NAMES[macros.get(kind, kind)], array, array and words[0] != "const")
            )
        found[name] = tuple(arguments)
    return found


def _trampolines(code: str) -> str:
    """C functions that call each kernel with an array of addresses of its arguments."""
    out = []
    for name, inside in _KERNEL.findall(code):
        parts = []
        for number, text in enumerate(inside.split(",")):
            kind = text.replace("__restrict__", "").strip()
            kind = kind[: re.search(r"\w+$", kind).start()]  # type: ignore[union-attr]  # ends in its name
            parts.append(f"*({kind} *)a[{number}]")
        out.append(f"static void call_{name}(void **a) {{ {name}({', '.join(parts)}); }}")
        out.append(
            f"int launch_{name}(void **a, const unsigned *grid, int threads, long shared, int backwards, "
            f"char *message) {{\n"
            f"    return emulated_run(call_{name}, a, grid, threads, shared, backwards, message);\n}}"
        )
    return "\n".join(out)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="umbra-cuda-on-host-")


@functools.cache
def build(code: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """Compile a CUDA text for the host, as C, with traps for undefined behaviour.

    Raises
    ------
    RuntimeError
        The compiler's messages.
    """
    command = compiler()
    if command is None:
        raise RuntimeError("no C compiler: install gcc")
    name = hashlib.sha256("\n".join((code, *options)).encode()).hexdigest()[:16]
    source = Path(_folder().name) / f"{name}.c"
    source.write_text(f'#include "{HEADER}"\n#line 1 "kernel.cu"\n{code}\n{_trampolines(code)}\n')
    library = source.with_suffix(".so")
    flags = [
        "-std=gnu11", "-O1", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Werror",
        "-Wno-unused-function", "-Wno-unused-variable", "-U_FORTIFY_SOURCE",
        "-fsanitize=undefined", "-fsanitize-undefined-trap-on-error",
    ]  # fmt: skip
    defines = [option for option in options if option.startswith("-D")]
    done = subprocess.run(
        [command, *flags, *defines, str(source), "-o", str(library), "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return ctypes.CDLL(str(library))
