"""CPU texts of the kernels, compiled by numba once and kept.

numba keeps machine code by the digest of a function's own file, so a change in another file that it
calls would go unnoticed: the folder it is kept in bears a digest of all of these files. It lies in
``NUMBA_CACHE_DIR`` where that is set, else in the user's cache folder, so that processes (and Ray
workers) share it and an installation may be read-only.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def _kept_in() -> Path:
    """Folder of the compiled kernels, made if need be."""
    texts = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    name = f"umbra-kernels-{hashlib.sha256(texts).hexdigest()[:16]}"
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for place in (Path(chosen) if chosen else home, Path(tempfile.gettempdir()) / f"umbra-{os.getuid()}"):
        folder = place / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue  # a read-only home: the next place
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix=name))


setattr(numba.config, "CACHE_DIR", str(_kept_in()))  # noqa: B010  # set by numba at run time, unknown to mypy

_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,  # an eighth of the time to compile goes into entries that nobody calls
}
_njit: Any = numba.njit  # its stated types lack the options about entries


def kernel(function: Function) -> Function:
    """Compile a function that is called from Python."""
    compiled: Function = _njit(**_OPTIONS)(function)
    return compiled


def inner(function: Function) -> Function:
    """Compile a function that is called by kernels alone."""
    compiled: Function = _njit(**_OPTIONS, no_cpython_wrapper=True)(function)
    return compiled
