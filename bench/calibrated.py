"""A calibrated recording of many frames to a light curve: Umbra against chains that calibrate, too."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.lightcurves import ASTROALIGN, OPENCV, PEER_FRAMES, SKIMAGE, Hashed, chain_case, scatter, warm_up
from bench.long_recording import calibrated_scene, long_recording, master_frames
from bench.pinning import allowed_cores, on_cores
from bench.record import Record, Target
from bench.recordings import NAMED, SerReader, avi_file, field_scene, named_plan, ser_head, setting
from bench.timing import Case, interleave
from cluster.recording import ReductionRequest, Times, load_calibration, reduce_to_folder
from ingest.convert import stack_of
from ingest.formats import open_source
from ingest.masters import load_master
from ingest.timeoptions import TimeOptions
from reduction.plan import ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.stack import frame_digest
from reduction.synthetic import Scene

FRAMES = 50_000
VIDEO_FRAMES = 600
SHORT_FRAMES = 300
FEW_STARS = 4
CHAIN = {
    "every frame": {ASTROALIGN: 200.0, SKIMAGE: 30.0, OPENCV: 10.0},
    "default": {ASTROALIGN: 400.0, SKIMAGE: 60.0, OPENCV: 20.0},
}
"""Umbra's ways to place frames, and how many times faster than each peer they must be."""
TWO_CORES = 1.7


@dataclasses.dataclass(frozen=True, slots=True)
class Reductions:
    """Umbra on one calibrated recording."""

    recording: Path
    masters: dict[str, Path]
    scratch: Path

    def request(self, plan: ReductionPlan) -> ReductionRequest:
        """Dark and flat given, as on the command line."""
        return ReductionRequest(
            inputs=(str(self.recording),),
            plan=plan,
            times=Times(meaning="start"),
            dark=str(self.masters["dark"]),
            flat=str(self.masters["flat"]),
        )

    def whole(self, plan: ReductionPlan, cores: int = 1) -> ReductionResult:
        """As ``umbra reduce --dark DARK --flat FLAT`` does it, outputs and all."""
        with on_cores(cores):
            return reduce_to_folder(self.request(plan), self.scratch / "out", overwrite=True)

    def digest_known(self, leaves: NDArray[np.uint8], plan: ReductionPlan) -> ReductionResult:
        """Light curve in memory, frame digests known beforehand."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            stack = stack_of(self.recording, Path(folder), TimeOptions(meaning="start"))
            with closing(stack):
                calibration = load_calibration(self.request(plan), stack).calibration
                return reduce(plan, Hashed(stack, leaves), Path(folder), calibration)

    def leaves(self) -> NDArray[np.uint8]:
        """Digests of all frames."""
        stack = stack_of(self.recording, self.scratch, TimeOptions(meaning="start"))
        with closing(stack):
            one = [frame_digest(stack.read(i, i + 1)[0]) for i in range(stack.info.frames)]
        return np.frombuffer(b"".join(one), np.uint8).reshape(-1, 32)


def ser_calibrated(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """SER, 640x480, 8 bit, dark and flat given; and what a second core brings."""
    scene = calibrated_scene(frames or FRAMES)
    count = frames or FRAMES
    path = long_recording(scratch / "long.ser", scene, count)
    umbra = Reductions(path, master_frames(scratch, scene), scratch)
    plans = _plans(scene)
    places = np.array([(scene.stars[s].x, scene.stars[s].y) for s in NAMED])
    calibrated = _calibrated(path, scene, umbra.masters)
    chains = {
        peer: chain_case(peer, calibrated, min(few, count, scene.frames), places)
        for peer, few in PEER_FRAMES.items()
    }
    cases = [*_umbra_cases(umbra, plans, count), *chains.values(), *_video_cases(scratch, frames)]
    _warm_up(umbra, scene, plans, scratch)
    warm_up(calibrated, places)
    record = Record("ser_calibrated", setting(scene) | {"frames": count, "calibration": "dark, flat"})
    record.timed = list(interleave(cases, repetitions).values())
    one_core = [case.name for case in cases if case.name.startswith("umbra") and "cores" not in case.name]
    record.compare(one_core, list(chains))
    record.values = {
        "scatter": scatter(umbra.whole(plans["default"]), chains),
        "speed_up": _speed_ups(record),
    }
    record.targets = _targets(record)
    return record


def _plans(scene: Scene) -> dict[str, ReductionPlan]:
    """Every way to place frames, with all stars measured (24) and with as many as the peers measure."""
    plan = named_plan(scene)
    ways = {"every frame": plan.model_copy(update={"follow": False}), "default": plan}
    few = {
        f"{name}, four stars": way.model_copy(update={"max_stars": FEW_STARS}) for name, way in ways.items()
    }
    return ways | few


def _calibrated(path: Path, scene: Scene, masters: dict[str, Path]) -> Callable[[], Iterator[NDArray[Any]]]:
    """The recording as the peers see it: their masters are Umbra's."""
    shape = (scene.height, scene.width)
    dark = load_master("dark", [masters["dark"]], shape).array
    flat = load_master("flat", [masters["flat"]], shape).array - dark
    flat /= flat.mean()
    return lambda: peers.calibrated(SerReader(path, scene), dark, flat)


def without_events(plan: ReductionPlan) -> ReductionPlan:
    """The plan that ends with the light curve, as the peers do."""
    return plan.model_copy(update={"event": plan.event.model_copy(update={"search": False})})


def _umbra_cases(umbra: Reductions, plans: dict[str, ReductionPlan], frames: int) -> list[Case]:
    leaves = umbra.leaves()
    cases = []
    for name, plan in plans.items():
        cases += [
            Case(
                f"umbra, {name}, whole", "umbra reduce --dark --flat: digest, events, all outputs", frames,
                partial(umbra.whole, plan),
            ),
            Case(
                f"umbra, {name}, digest known",
                "light curve in memory as the peers', frame digests known, no search for events", frames,
                partial(umbra.digest_known, leaves, without_events(plan)),
            ),
        ]  # fmt: skip
    if allowed_cores() > 1:
        cases.append(
            Case("umbra, default, whole, two cores", "the same on two cores", frames,
                 partial(umbra.whole, plans["default"], 2))
        )  # fmt: skip
    return cases


def _video_cases(scratch: Path, frames: int | None) -> list[Case]:
    """FFV1 decoded on one core and on two."""
    scene = field_scene(min(VIDEO_FRAMES, frames or VIDEO_FRAMES))
    path = avi_file(scratch / "video.avi", scene)
    cores = [1, 2] if allowed_cores() > 1 else [1]
    words = {1: "one core", 2: "two cores"}
    return [
        Case(f"FFV1, {words[n]}", "all frames of an AVI read", scene.frames, partial(_decode, path, n))
        for n in cores
    ]


def _decode(path: Path, cores: int) -> int:
    with on_cores(cores), closing(open_source(path)) as source:
        return sum(len(block.frames) for block in source.blocks(128))


def _warm_up(umbra: Reductions, scene: Scene, plans: dict[str, ReductionPlan], scratch: Path) -> None:
    """Compile and import, outside of what is timed."""
    short = min(SHORT_FRAMES, scene.frames)
    ser_head(scratch / "short.ser", umbra.recording, scene, short)
    once = dataclasses.replace(umbra, recording=scratch / "short.ser")
    for plan in plans.values():
        once.whole(plan)


def _speed_ups(record: Record) -> dict[str, float]:
    """Wall time on one core over that on two, medians."""
    wall = {timed.name: timed.wall_us for timed in record.timed}
    pairs = {
        "umbra": ("umbra, default, whole", "umbra, default, whole, two cores"),
        "FFV1": ("FFV1, one core", "FFV1, two cores"),
    }
    return {name: round(wall[one] / wall[two], 3) for name, (one, two) in pairs.items() if two in wall}


def _targets(record: Record) -> list[Target]:
    targets = [
        Target(
            f"calibrated SER to light curve, {chain}{stars}, against {peer}", needed,
            record.found(f"umbra, {chain}{stars}, whole", peer),
        )
        for chain, peers_needed in CHAIN.items()
        for stars in ("", ", four stars")
        for peer, needed in peers_needed.items()
    ]  # fmt: skip
    speed_up: dict[str, float] = record.values["speed_up"]
    targets += [Target(f"{what}, two cores over one", TWO_CORES, found) for what, found in speed_up.items()]
    return targets
