"""A large demo: many synthetic stations of mixed formats, run as a campaign and compared with the truth."""

import json
import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster.campaign.manifest import write_manifest
from cluster.demo_campaign import ASTEROID, DEPTH, MID_EVENT_NS, Container, DemoStation, record
from reduction.errors import RequestError
from reduction.synthetic import Occultation, Scene, star_field

CONTAINERS: tuple[Container, ...] = ("SER", "FITS", "AVI")
SCHEMA = "umbra-demo-stations-1"
FRAMES = 240
ZIPPED = 5
"""Every so many SER recordings come in an archive."""

BEYOND = 1.15
"""Stations stand up to so many radii from the centre: the outermost ones see no event."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A station of the demo: its recording, and its true D and R, POSIX ns; None where it misses."""

    station: DemoStation
    edges: tuple[int, int] | None


def planned_stations(count: int, frames: int = FRAMES) -> tuple[Planned, ...]:
    """Stations from north to south, in formats, cameras and fields that differ.

    Parameters
    ----------
    count : int
    frames : int
        Of each recording; the event lies about its middle.
    """
    rng = np.random.default_rng(60)
    heights = np.linspace(BEYOND, -BEYOND, count) * ASTEROID.radius_km
    return tuple(
        _planned(number, float(height), frames, int(rng.integers(-1500, 1500)))
        for number, height in enumerate(heights)
    )


def _planned(number: int, chord_km: float, frames: int, late_ms: int) -> Planned:
    container = CONTAINERS[number % len(CONTAINERS)]
    eight = container == "AVI"
    cadence = (0.04, 0.05, 0.06)[number // len(CONTAINERS) % 3]
    mid_ns, mid_s = MID_EVENT_NS + late_ms * 1_000_000, round(frames * cadence / 2.0, 1)
    hidden = abs(chord_km) < 0.98 * ASTEROID.radius_km
    half = ASTEROID.half_duration_s(chord_km) if hidden else 0.0
    scene = Scene(
        frames=frames,
        height=120,
        width=160,
        seed=1000 + number,
        stars=star_field(
            7, 120, 160, seed=200 + number, flux_e=(2e3, 1.6e4), margin_px=24.0, separation_px=24.0
        ),
        target=0,
        start_ns=mid_ns - round(mid_s * 1e9),
        occultations=(Occultation(mid_s - half, mid_s + half, DEPTH),) if hidden else (),
        drift_px=(3.0 * math.cos(number), 3.0 * math.sin(number)),
        wind_px=0.2,
        fwhm_px=3.0,
        sky_e=120.0,
        read_noise_e=4.0,
        gain_e_per_adu=12.0 if eight else 1.0,
        offset_adu=9.0 if eight else 150.0,
        bit_depth=8 if eight else 16,
        cadence_s=cadence,
        exposure_s=cadence,
    )
    edges = (mid_ns - round(half * 1e9), mid_ns + round(half * 1e9)) if hidden else None
    key = f"S{number + 1:03d}"
    return Planned(
        DemoStation(key, f"{container}, {chord_km:+.1f} km", container, chord_km, mid_ns, scene), edges
    )


def write_uploads(stations: tuple[Planned, ...], folder: Path, manifest: Path) -> None:
    """Write all recordings, one of them cut off in its header, and the manifest."""
    rows: list[dict[str, Any]] = []
    for number, planned in enumerate(stations):
        station, star = planned.station, planned.station.scene.target_star
        found = record(station, folder)
        path = found.path
        if station.container == "SER" and number % (ZIPPED * len(CONTAINERS)) == 0:
            path = Path(shutil.make_archive(str(folder / station.key), "zip", folder, path.name))
            found.path.unlink()
        row = {"station": station.key, "input": _relative(path, manifest), "times.meaning": "start"}
        row |= {"target": f"{star.x:.0f},{star.y:.0f}", "remarks": station.title}
        named = {"times": found.times, "bias": found.bias, "dark": found.dark, "flat": found.flat}
        row |= {name: _relative(path, manifest) for name, path in named.items() if path is not None}
        rows.append(row)
    cut = folder / "cut.ser"
    cut.write_bytes(b"LUCAM-RECORDER" + bytes(60))
    rows.append(
        {"station": "cut", "input": _relative(cut, manifest), "remarks": "cut off while it was copied"}
    )
    write_manifest(manifest, rows, True)


def _relative(path: Path, manifest: Path) -> str:
    return str(path.relative_to(manifest.parent))


def make_room(out: Path, overwrite: bool) -> None:
    """Remove an earlier demo of many stations.

    Raises
    ------
    RequestError
        Something is there, and it is not to be replaced or no such demo.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise RequestError(
            f"{out}: exists and is not empty; add --overwrite, or name another folder by --out"
        )
    try:
        schema = json.loads((out / "truth.json").read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        schema = None
    if schema != SCHEMA or out.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise RequestError(f"{out}: no demo of many stations; nothing was overwritten; choose another --out")
    shutil.rmtree(out)


def run_stations(out: Path, count: int, ray: str, workers: int | None, say: Callable[[str], None]) -> int:
    """Synthesise, run and compare; the exit code is that of a campaign in which one recording fails.

    Parameters
    ----------
    out : Path
        A new folder: ``uploads/``, ``campaign.csv``, ``store/``, ``report/``, ``truth.json``.
    count : int
        Stations, the broken one not counted.
    ray, workers
        As of `umbra campaign run`.
    say : callable
        Takes each piece of the account.
    """
    from cluster.campaign.cli import campaign

    stations = planned_stations(count)
    manifest, store = out / "campaign.csv", str(out / "store")
    (out / "uploads").mkdir(parents=True)
    say(f"{count} stations and a broken recording are written into {out / 'uploads'}")
    write_uploads(stations, out / "uploads", manifest)
    arguments = [str(manifest), "--store", store, "--campaign", "demo", "--ray", ray]
    code = campaign(["run", *arguments, *(["--workers", str(workers)] if workers else [])])
    if code not in {0, 3}:
        return code
    campaign(["report", store, "demo", "--out", str(out / "report"), "--manifest", str(manifest)])
    found = compare_truth(stations, out / "report" / "stations")
    (out / "truth.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    say(found["headline"])
    sys.stdout.flush()
    return 0


def compare_truth(stations: tuple[Planned, ...], folder: Path) -> dict[str, Any]:
    """Found against true: which events were seen, and D and R in units of their errors."""
    rows: list[dict[str, Any]] = []
    for planned in stations:
        path = folder / planned.station.key / "summary.json"
        event = json.loads(path.read_text(encoding="utf-8"))["event"] if path.is_file() else {}
        row: dict[str, Any] = {"station": planned.station.key, "chord_km": planned.station.chord_km}
        row |= {"true": planned.edges is not None, "found": event.get("status")}
        for name, true in zip(("d", "r"), planned.edges or (), strict=False):
            utc, sigma = event.get(f"{name}_utc"), event.get(f"{name}_sigma_s")
            if utc and sigma:
                late = (np.datetime64(utc[:-1], "ns").astype(np.int64) - true) * 1e-9
                row |= {f"{name}_late_s": float(late), f"{name}_pull": float(late / sigma)}
        rows.append(row)
    pulls = np.array([row[f"{name}_pull"] for row in rows for name in "dr" if f"{name}_pull" in row])
    crossed = [row for row in rows if row["true"]]
    seen = sum(row["found"] == "positive" for row in crossed)
    false = sum(row["found"] == "positive" for row in rows if not row["true"])
    said = f"{seen} of {len(crossed)} events found; {false} false among {len(rows) - len(crossed)} misses"
    if pulls.size:
        rms, most = float(np.sqrt(np.mean(pulls**2))), float(np.abs(pulls).max())
        said += f"; D and R are off by {rms:.2f} of their errors rms, at most {most:.1f}"
    return {"schema": SCHEMA, "headline": said, "stations": rows}
