"""``NAME.about.json``: what a form of two bare columns cannot hold, told beside the file.

It is believed only while the file is the one that it was written for (by SHA-256).
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ingest.curves.raw import RawCurve
from reduction.errors import DataError
from reduction.timing import Instant

SCHEMA = "umbra-curve-1"
MOST_BYTES = 1 << 20
_INSTANTS: dict[str, Instant] = {"start": "start", "mid": "mid", "end": "end"}


def beside(path: Path) -> Path:
    """Where the file about another one lies."""
    return path.with_name(f"{path.name}.about.json")


def told_beside(raw: RawCurve, path: Path, data: bytes) -> RawCurve:
    """The curve with what the file beside it says, where that is Umbra's and of this very file.

    Raises
    ------
    DataError
        The file beside is damaged.
    """
    about = beside(path)
    if not about.is_file():
        return raw
    try:
        if about.stat().st_size > MOST_BYTES:
            return raw
        said = json.loads(about.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{about}: cannot be read: {error}; remove it or write it anew") from error
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        return raw
    if said.get("sha256") != hashlib.sha256(data).hexdigest():
        return raw
    return _told(raw, said)


def _told(raw: RawCurve, said: dict[str, Any]) -> RawCurve:
    meaning = _INSTANTS.get(str(said.get("time_meaning")))
    exposure, sigma, level = (_positive(said.get(key)) for key in ("exposure_s", "time_sigma_s", "level"))
    provenance = said.get("provenance")
    return replace(
        raw,
        meaning=meaning or raw.meaning,
        said_by="the file beside it" if meaning else raw.said_by,
        exposure_s=raw.exposure_s if exposure is None else np.full(raw.frame.size, exposure),
        time_sigma_s=raw.time_sigma_s if sigma is None else np.full(raw.frame.size, sigma),
        level=level or raw.level,
        provenance={
            **raw.provenance,
            **({str(k): str(v) for k, v in provenance.items()} if isinstance(provenance, dict) else {}),
        },
    )


def _positive(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < 1e30 else None
