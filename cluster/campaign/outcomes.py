"""Results of a campaign as its report and its comparisons need them: figures of a summary, and the curve."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.store import Store
from ingest.instants import parse_utc
from reduction.angles import sexagesimal_degrees
from reduction.errors import DataError, RequestError
from reduction.result import UNUSABLE, Flag
from reduction.sites import Site
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Edge:
    """D or R: UTC as text, POSIX ns, and its one-sigma error, seconds."""

    utc: str
    ns: int
    sigma_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A light curve: ``(n,)`` mid-exposure POSIX ns, flux on the baseline, sigma, and whether it is used."""

    mid_ns: NDArray[np.int64]
    flux: Floats
    sigma: Floats
    used: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a reduction says of a station.

    Attributes
    ----------
    station : str
    version, key
        Of the result in the store.
    summary : mapping
        Content of its ``summary.json``.
    folder : Path
        Its files.
    link : str
        Where a page of many leads from this station; empty: to the report below the page.
    """

    station: str
    version: int
    key: str
    summary: Mapping[str, Any]
    folder: Path
    link: str = ""

    @property
    def status(self) -> str:
        """Of the event: positive, negative, inconclusive; empty where none was looked for."""
        return str((self.summary.get("event") or {}).get("status") or "")

    @property
    def verdict(self) -> str:
        """Good, caution or bad."""
        return str(self.summary["verdict"]["state"])

    @property
    def headline(self) -> str:
        """Why."""
        return str(self.summary["verdict"]["headline"])

    def edge(self, name: str) -> Edge | None:
        """D or R (``d``, ``r``); None where there is none."""
        event = self.summary.get("event") or {}
        utc, sigma = event.get(f"{name}_utc"), event.get(f"{name}_sigma_s")
        parsed = parse_utc(str(utc)) if utc else None
        if parsed is None:
            return None
        return Edge(str(utc), parsed[0], math.nan if sigma is None else float(sigma))

    def figure(self, part: str, name: str) -> float | None:
        """A number of the summary; None where it has none."""
        value = (self.summary.get(part) or {}).get(name)
        return float(value) if isinstance(value, int | float) else None

    @property
    def flags(self) -> dict[str, int]:
        """How many samples have each flag, those without any left out."""
        found = self.summary["lightcurve"].get("flags") or {}
        return {str(name): int(count) for name, count in found.items() if count}

    @property
    def caveats(self) -> frozenset[str]:
        """Codes of the caveats."""
        return frozenset(str(note["code"]) for note in self.summary.get("caveats", ()))

    @property
    def site(self) -> Site | None:
        """Where the recording itself says that it was made."""
        known = self.summary["input"].get("metadata") or {}
        try:
            latitude, longitude = (
                sexagesimal_degrees(str(known[name])) for name in ("latitude", "longitude")
            )
            altitude = float(known.get("altitude", 0.0))
            return Site(latitude_deg=latitude, longitude_deg=longitude, altitude_m=altitude)
        except (KeyError, ValueError):
            return None

    def curve(self) -> Curve:
        """The light curve. Raises `DataError`."""
        return read_curve(self.folder / "lightcurve.csv")


def read_curve(path: Path) -> Curve:
    """Read the columns of a ``lightcurve.csv`` that are drawn.

    Raises
    ------
    DataError
        It is none.
    """
    mid, flux, sigma, flags = [], [], [], []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                parsed = parse_utc(row["utc"]) if row["utc"] else None
                mid.append(UNKNOWN_NS if parsed is None else parsed[0])
                flux.append(float(row["flux_norm"] or "nan"))
                sigma.append(float(row["flux_norm_sigma"] or "nan"))
                flags.append(int(row["flags"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no light curve of Umbra's: {error}") from error
    columns = np.array(mid, np.int64), np.array(flux, np.float64), np.array(sigma, np.float64)
    used = (np.array(flags, np.uint32) & np.uint32(UNUSABLE | Flag.REPEATED)) == 0
    return Curve(*columns, used & np.isfinite(columns[1]) & (columns[0] != UNKNOWN_NS))


def read_outcome(station: str, version: int, key: str, folder: Path) -> Outcome:
    """The outcome in a folder of results. Raises `DataError` where it holds none."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return Outcome(station, version, key, {**summary, "verdict": summary["verdict"]}, folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: no results of Umbra's: {error}") from error


def fetch_outcome(store: Store, campaign: str, station: str, version: int | None, into: Path) -> Outcome:
    """Bring a version of an observation's results here, the latest by default.

    Raises
    ------
    RequestError
        There is no such version.
    DataError
        The results are damaged.
    """
    keys = store.versions(campaign, station)
    number = len(keys) if version is None else version
    if not 1 <= number <= len(keys):
        raise RequestError(f"{campaign}: {station} has {len(keys)} versions, none of number {number}")
    key = keys[number - 1]
    store.fetch("results", key, into)
    return read_outcome(station, number, key, into)
