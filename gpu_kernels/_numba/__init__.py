"""CPU texts of the kernels, compiled by numba once and kept.

numba keeps machine code by the digest of a function's own file, so a change in another file that it
calls would go unnoticed: the folder it is kept in bears a digest of all of these files. It lies in
``NUMBA_CACHE_DIR`` where that is set, else in the user's cache folder, so that processes (and Ray
workers) share it and an installation may be read-only. Within it numba would tell files apart by where they
are installed: `ByText` tells them apart by what they say, so that installations of one text compile it once.
"""

import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import UserProvidedCacheLocator

Function = TypeVar("Function", bound=Callable[..., Any])

_INSTALLED = Path(__file__).resolve().parents[2]
_OURS = frozenset({"gpu_kernels", "ingest"})
_ASKED = os.environ.get("NUMBA_CACHE_LOCATOR_CLASSES") or (
    "UserProvidedCacheLocator,InTreeCacheLocator,UserWideCacheLocator,IPythonCacheLocator,ZipCacheLocator"
)
"""What numba asks, in turn, for a place to keep machine code in."""


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


@functools.cache
def _place(path: Path) -> str | None:
    """Folder of a file's machine code in the cache, by its name and text; None for a file of others."""
    if not path.is_relative_to(_INSTALLED):
        return None
    parts = path.relative_to(_INSTALLED).with_suffix("").parts
    if parts[0] not in _OURS:
        return None
    return f"{'.'.join(parts)}-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"


class ByText(UserProvidedCacheLocator):
    """Tells numba where the machine code of Umbra's functions is kept, wherever Umbra is installed."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Folder in the cache."""
        place = _place(Path(py_file).resolve())
        assert place is not None
        return place

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Any:
        """Return a place for a function; None for those of others, which numba then treats as ever."""
        if _place(Path(py_file).resolve()) is None:
            return None
        return super().from_function(py_func, py_file)  # type: ignore[no-untyped-call]  # numba's has no types


# set by numba at run time, unknown to mypy
setattr(numba.config, "CACHE_LOCATOR_CLASSES", f"{__name__}.ByText,{_ASKED}")  # noqa: B010
setattr(numba.config, "CACHE_DIR", str(_kept_in()))  # noqa: B010

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
