"""What a bench found, on the screen and as JSON with machine, versions and commit."""

import importlib.metadata
import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Ratio, Timed, ratio

RESULTS = Path(__file__).parent / "results"
SCHEMA = "umbra-bench-1"
LIBRARIES = (
    "numpy", "scipy", "numba", "astropy", "astroalign", "photutils", "scikit-image", "sep",
    "opencv-python-headless", "zarr", "av", "pyarrow", "matplotlib",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must be reached."""

    what: str
    needed: float
    found: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether it is."""
        return self.found >= self.needed if self.at_least else self.found <= self.needed

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        bound = "at_least" if self.at_least else "at_most"
        return {"what": self.what, bound: self.needed, "found": round(self.found, 3), "met": self.met}


@dataclass(slots=True)
class Record:
    """Everything one bench found.

    Attributes
    ----------
    bench : str
        Its name.
    setting : dict
        What was measured on: geometry, frames, stars, apertures.
    timed : list of Timed
    ratios : list of Ratio
    values : dict
        Figures that are no times (accuracy, memory, sizes).
    targets : list of Target
    """

    bench: str
    setting: dict[str, Any] = field(default_factory=dict)
    timed: list[Timed] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)

    def compare(self, ours: list[str], peers: list[str]) -> None:
        """Add the ratio of each of `ours` to each of `peers`."""
        by_name = {timed.name: timed for timed in self.timed}
        self.ratios += [ratio(by_name[o], by_name[p]) for o in ours for p in peers]

    def found(self, ours: str, peer: str) -> float:
        """Ratio in CPU time that `compare` added."""
        return next(r.cpu for r in self.ratios if (r.ours, r.peer) == (ours, peer))

    def as_json(self, core: int) -> dict[str, Any]:
        """The record as written."""
        return {
            "schema": SCHEMA,
            "bench": self.bench,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "machine": machine(core),
            "setting": self.setting,
            "timed": [timed.as_json() for timed in self.timed],
            "ratios": [one.as_json() for one in self.ratios],
            "values": self.values,
            "targets": [target.as_json() for target in self.targets],
        }

    def text(self) -> str:
        """The record for people."""
        lines = [f"== {self.bench}  {_line(self.setting)}"]
        width = max((len(timed.name) for timed in self.timed), default=0)
        lines += [
            f"  {t.name:<{width}}  {t.cpu_us:>11,.1f} us/frame  {t.frames_per_s:>10,.1f} frames/CPU-s  "
            f"(wall {t.wall_us:,.1f} us, {t.frames} frames x {len(t.cpu_s)})"
            for t in self.timed
        ]
        lines += [
            f"  {r.ours} / {r.peer}: {r.cpu:,.1f}x  ({r.cpu_range[0]:,.1f} to {r.cpu_range[1]:,.1f}; "
            f"wall {r.wall:,.1f}x)"
            for r in self.ratios
        ]
        lines += [f"  {name}: {_value(value)}" for name, value in self.values.items()]
        lines += [
            f"  {'met   ' if t.met else 'MISSED'} {t.what}: {t.found:,.2f} "
            f"({'at least' if t.at_least else 'at most'} {t.needed:g})"
            for t in self.targets
        ]
        return "\n".join(lines)

    def write(self, path: Path, core: int) -> None:
        """Write the JSON beside, then rename."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.partial")
        text = json.dumps(self.as_json(core), indent=1, default=_plain)
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(path)


def _plain(value: Any) -> Any:
    """NumPy's numbers and truths as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record cannot hold {type(value).__name__}")


def _line(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "{" + _line(value) + "}"
    return str(value)


def commit() -> dict[str, Any]:
    """Hash of the commit, and whether tracked sources differ from it (results aside)."""
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results", ":!docs")
    return {"hash": head or "unknown", "dirty": bool(changed)}


def machine(core: int) -> dict[str, Any]:
    """Processor, memory, system and versions."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "pinned_core": core,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
        "libraries": versions,
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        fields = dict(line.split(":", 1) for line in path.read_text().splitlines()[:30] if ":" in line)
        named = {name.strip(): value.strip() for name, value in fields.items()}
        return f"{named.get('model name', 'unknown')} (model {named.get('model', '?')})"
    return platform.processor() or "unknown"
