"""Real recordings that nobody here made; not part of the repository."""

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def sample(path: str) -> Path:
    """Path of a sample; skips where the samples are absent, unless `UMBRA_REQUIRE` names ``data``."""
    found = FOLDER / path
    if not found.exists():
        reason = f"no sample {path} beside the repository (shared/data)"
        if "data" in os.environ.get("UMBRA_REQUIRE", "").split(","):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
