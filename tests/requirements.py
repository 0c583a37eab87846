"""Parts that a test needs: skipped with a reason without them, failed where `UMBRA_REQUIRE` names them."""

import ctypes
import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

PARTS = {
    "ray": ("ray",),
    "server": ("fastapi", "uvicorn", "httpx", "alembic", "pydantic_settings", "pwdlib", "limits"),
    "nvrtc": ("cupy", "nvidia"),
    "cc": (),
    "ocr": ("torch", "torchvision", "easyocr"),
    "rar": ("libarchive",),
    "postgres": ("psycopg",),
    "sora": ("sora",),
    "solve": (),
    "s3": ("obstore",),
    "mail": ("aiosmtpd",),
    "schemathesis": ("schemathesis",),
    "browser": ("playwright",),
    "vo": ("pyvo", "prov"),
}
PROGRAMS = {
    "cc": ("gcc", "cc", "clang"),
    "postgres": ("postgres",),
    "solve": ("solve-field",),
    "s3": ("moto_server",),
    "browser": ("chromium", "chromium-browser", "google-chrome"),
}
"""Programs of which a part needs one."""

LIBRARIES = {"rar": "libarchive.so.13"}
"""Libraries of the system."""


def require(part: str) -> None:
    """Skip the test, or its whole module, unless `part` is installed."""
    lacking = [module for module in PARTS[part] if importlib.util.find_spec(module) is None]
    programs = PROGRAMS.get(part, ())
    if programs and not any(map(found, programs)):
        lacking.append(" or ".join(programs))
    if part in LIBRARIES and not loads(LIBRARIES[part]):
        lacking.append(LIBRARIES[part])
    if not lacking:
        return
    missing(part, f"not installed: {', '.join(lacking)}")


def missing(part: str, why: str) -> NoReturn:
    """Skip the test for lack of a part, or fail it where that part must be there."""
    reason = f"{part}: {why}"
    if part in os.environ.get("UMBRA_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def found(program: str) -> bool:
    """Whether a program is there: on the path, among PostgreSQL's, or in the S3 server's own environment."""
    places = [*Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), Path(sys.prefix, "s3", "bin", program)]
    return bool(shutil.which(program)) or any(place.exists() for place in places)


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
