"""Parts that a test needs: skipped with a reason without them, failed where `UMBRA_REQUIRE` names them."""

import importlib.util
import os
import shutil

import pytest

PARTS = {
    "ray": ("ray",),
    "server": ("fastapi", "uvicorn", "httpx"),
    "nvrtc": ("cupy", "nvidia"),
    "cc": (),
    "ocr": ("torch", "torchvision", "easyocr"),
}
PROGRAMS = {"cc": ("gcc", "cc", "clang")}
"""Programs of which a part needs one."""


def require(part: str) -> None:
    """Skip the test, or its whole module, unless `part` is installed."""
    missing = [module for module in PARTS[part] if importlib.util.find_spec(module) is None]
    programs = PROGRAMS.get(part, ())
    if programs and not any(map(shutil.which, programs)):
        missing.append(" or ".join(programs))
    if not missing:
        return
    reason = f"{part}: not installed: {', '.join(missing)}"
    if part in os.environ.get("UMBRA_REQUIRE", "").split(","):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
