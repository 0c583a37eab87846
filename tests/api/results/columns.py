"""An independent reader of ``columns.bin``, from the format's text; and results made without a reduction."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from reduction.outputs.tables import write_lightcurve
from reduction.result import LightCurve
from reduction.timing import UNKNOWN_NS

START_NS = 1_773_260_075_250_000_000  # 2026-03-11T20:14:35.25


@dataclass
class Read:
    """A header and its columns."""

    header: dict[str, Any]
    columns: dict[str, NDArray[Any]]


def read(content: bytes) -> Read:
    assert content[:8] == b"UMBRACOL"
    (length,) = struct.unpack_from("<I", content, 8)
    header = json.loads(content[12 : 12 + length].decode("utf-8"))
    begin = 12 + length
    assert begin % 8 == 0
    columns = {}
    for one in header["columns"]:
        assert one["offset"] % 8 == 0
        assert one["meaning"]
        kind = np.dtype(f"<{one['type']}")
        at = begin + one["offset"]
        columns[one["name"]] = np.frombuffer(content[at : at + one["count"] * kind.itemsize], kind)
        assert columns[one["name"]].size == one["count"]
    return Read(header, columns)


def curve(n: int, dip: tuple[int, int] | None = None, timed: bool = True, seed: int = 3) -> LightCurve:
    """A made-up curve of `n` samples 40 ms apart."""
    rng = np.random.default_rng(seed)
    light = np.ones(n)
    if dip is not None:
        light[dip[0] : dip[1]] = 0.1
    norm = light + rng.normal(0, 0.05, n)
    one, zero = np.ones(n), np.zeros(n)
    frames = np.arange(n, dtype=np.float64)
    mid = START_NS + np.arange(n, dtype=np.int64) * 40_000_000
    return LightCurve(
        frame=frames, mid_ns=mid if timed else np.full(n, UNKNOWN_NS), utc_sigma_s=0.001 * one,
        exposure_s=0.04 * one, target_flux=9000 * norm, target_sigma=450 * one,
        reference_flux=26000 * (one + rng.normal(0, 0.01, n)), reference_sigma=260 * one, ratio=norm,
        ratio_sigma=0.05 * one, flux_norm=norm, flux_norm_sigma=0.05 * one, target_x=60 * one,
        target_y=55 * one,
        target_sky=100 * one, flags=zero.astype(np.uint32), baseline=light > 0.5,
    )  # fmt: skip


def folder_of(place: Path, light: LightCurve, stars: tuple[str, ...] = ("R1", "G1")) -> Path:
    """A folder with the tables of a result."""
    place.mkdir(parents=True, exist_ok=True)
    write_lightcurve(light, place / "lightcurve.csv")
    n = light.frame.size
    rows = {
        "frame": np.repeat(light.frame, len(stars)),
        "star": pa.array(list(stars) * n, pa.string()),
        "x": np.full(n * len(stars), 60.0),
        "y": np.full(n * len(stars), 55.0),
        "sky": np.full(n * len(stars), 100.0),
        "sky_sigma": np.full(n * len(stars), 1.0),
        "flux": np.tile(1000.0 * (1 + np.arange(len(stars))), n)
        + np.repeat(np.arange(n, dtype=float), len(stars)),
    }
    parquet.write_table(pa.table(rows), place / "stars.parquet")
    return place


def summary_of(stars: tuple[str, ...] = ("R1", "G1"), event: dict[str, Any] | None = None) -> dict[str, Any]:
    roles = {"R": "reference", "G": "guide", "T": "target"}
    return {
        "input": {"name": "a.ser", "cadence_s": None},
        "event": event,
        "stars": [{"name": name, "role": roles[name[0]]} for name in stars],
        "provenance": {"plan": {}},
    }
