"""Interleaved timing: A B C A B C ..., so that a slow minute of the machine hits all alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is timed.

    Attributes
    ----------
    name : str
        Short name, key of the results.
    what : str
        One line: what is done and with which calls.
    frames : int
        Frames that one call of `run` treats.
    run : callable
        Does it once.
    """

    name: str
    what: str
    frames: int
    run: Callable[[], Any]


@dataclass(slots=True)
class Timed:
    """All repetitions of a case. `cpu_s` counts every thread of the process; `wall_s` is the clock."""

    name: str
    what: str
    frames: int
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    @property
    def cpu_us(self) -> float:
        """Median CPU time, microseconds a frame."""
        return statistics.median(self.cpu_s) / self.frames * 1e6

    @property
    def wall_us(self) -> float:
        """Median wall time, microseconds a frame."""
        return statistics.median(self.wall_s) / self.frames * 1e6

    @property
    def frames_per_s(self) -> float:
        """Frames a CPU-second."""
        return 1e6 / self.cpu_us

    def as_json(self) -> dict[str, Any]:
        """For the record: raw timings and what follows from them."""
        return {
            "name": self.name,
            "what": self.what,
            "frames": self.frames,
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
            "cpu_us_per_frame": round(self.cpu_us, 3),
            "wall_us_per_frame": round(self.wall_us, 3),
            "frames_per_cpu_s": round(self.frames_per_s, 2),
        }


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster `ours` is than `peer`, per frame; medians over the repetitions."""

    ours: str
    peer: str
    cpu: float
    wall: float
    cpu_range: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """For the record."""
        return {
            "ours": self.ours,
            "peer": self.peer,
            "cpu": round(self.cpu, 2),
            "wall": round(self.wall, 2),
            "cpu_range": [round(value, 2) for value in self.cpu_range],
        }


def interleave(cases: Sequence[Case], repetitions: int) -> dict[str, Timed]:
    """Time every case once per round, `repetitions` rounds; warming up is the caller's."""
    timed = {case.name: Timed(case.name, case.what, case.frames) for case in cases}
    for _ in range(repetitions):
        for case in cases:
            wall, cpu = time.perf_counter(), time.process_time()
            case.run()
            timed[case.name].cpu_s.append(time.process_time() - cpu)
            timed[case.name].wall_s.append(time.perf_counter() - wall)
    return timed


def ratio(ours: Timed, peer: Timed) -> Ratio:
    """Compare two cases round by round."""
    scale = ours.frames / peer.frames
    cpu = [p / o * scale for o, p in zip(ours.cpu_s, peer.cpu_s, strict=True)]
    wall = [p / o * scale for o, p in zip(ours.wall_s, peer.wall_s, strict=True)]
    return Ratio(ours.name, peer.name, statistics.median(cpu), statistics.median(wall), (min(cpu), max(cpu)))
