"""From a recording to a light curve: Umbra whole, and in parts, against chains of today's libraries."""

import dataclasses
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.record import Record, Target
from bench.recordings import (
    NAMED,
    RADIUS_PX,
    REFERENCES,
    SKY_PX,
    FitsReader,
    SerReader,
    field_scene,
    fits_folder,
    named_plan,
    ser_file,
    ser_head,
    setting,
)
from bench.timing import Case, interleave
from cluster.recording import ReductionRequest, Times, reduce_to_folder
from ingest.convert import convert, stack_of
from ingest.formats import open_source
from ingest.timeoptions import TimeOptions
from reduction.lightcurve import robust_sigma
from reduction.plan import ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.stack import InPlace, SourceInfo, Stack, frame_digest
from reduction.synthetic import Scene
from reduction.timing import TimeSolution

PEER_FRAMES = {"photutils + astroalign": 40, "photutils + scikit-image": 200, "sep + OpenCV": 400}
CHAINS: dict[str, tuple[Callable[[peers.Frame], peers.Align], peers.Measure]] = {
    "photutils + astroalign": (peers.astroalign_shift, peers.photutils_table(RADIUS_PX, SKY_PX)),
    "photutils + scikit-image": (
        partial(peers.skimage_shift, upsampling=10),
        peers.photutils_table(RADIUS_PX, SKY_PX),
    ),
    "sep + OpenCV": (peers.opencv_shift, peers.sep_annulus(RADIUS_PX, SKY_PX)),
}
WHAT = {
    "photutils + astroalign": "find_transform per frame; aperture_photometry, sigma-clipped mean of annuli",
    "photutils + scikit-image": "phase_cross_correlation, upsampling 10; the same photometry",
    "sep + OpenCV": "phaseCorrelate; sum_circle with bkgann",
}
ASTROALIGN, SKIMAGE, OPENCV = "photutils + astroalign", "photutils + scikit-image", "sep + OpenCV"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Hashed:
    """A stack whose frame digests are at hand, as those of a Zarr stack are."""

    stack: Stack
    known_digests: NDArray[np.uint8]

    @property
    def info(self) -> SourceInfo:
        return self.stack.info

    @property
    def times(self) -> TimeSolution:
        return self.stack.times

    @property
    def shard_size(self) -> int:
        return self.stack.shard_size

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.stack.read(start, stop)

    def look(self, start: int, stop: int) -> NDArray[Any]:
        return self.stack.look(start, stop) if isinstance(self.stack, InPlace) else self.read(start, stop)

    def close(self) -> None:
        self.stack.close()


@dataclasses.dataclass(frozen=True, slots=True)
class Reductions:
    """Umbra on one recording: whole, without its outputs, without digest, by way of a Zarr stack."""

    recording: Path
    plan: ReductionPlan
    scratch: Path

    def whole(self, recording: Path | None = None) -> ReductionResult:
        """As ``umbra reduce`` does it, outputs and all."""
        request = ReductionRequest(
            inputs=(str(recording or self.recording),), plan=self.plan, times=Times(meaning="start")
        )
        return reduce_to_folder(request, self.scratch / "out", overwrite=True)

    def in_place(self) -> ReductionResult:
        """Light curve in memory; digest included."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            stack = stack_of(self.recording, Path(folder), TimeOptions(meaning="start"))
            with closing(stack):
                return reduce(self.plan, stack, Path(folder))

    def without_digest(self, leaves: NDArray[np.uint8]) -> ReductionResult:
        """Light curve in memory, frame digests known beforehand."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            stack = stack_of(self.recording, Path(folder), TimeOptions(meaning="start"))
            with closing(stack):
                return reduce(self.plan, Hashed(stack, leaves), Path(folder))

    def leaves(self) -> NDArray[np.uint8]:
        """Digests of all frames."""
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            stack = stack_of(self.recording, Path(folder), TimeOptions(meaning="start"))
            with closing(stack):
                one = [frame_digest(stack.read(i, i + 1)[0]) for i in range(stack.info.frames)]
        return np.frombuffer(b"".join(one), np.uint8).reshape(-1, 32)

    def by_stack(self) -> ReductionResult:
        """As ``umbra ingest`` and then ``umbra reduce STACK.zarr``."""
        path = self.scratch / "stack.zarr"
        with closing(open_source(self.recording, TimeOptions(meaning="start"))) as source:
            convert(source, path, overwrite=True).close()
        return self.whole(path)


def ser_lightcurve(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """SER, 640x480, 8 bit."""
    scene = field_scene(frames or 10_000)
    path = ser_file(scratch / "long.ser", scene)
    short = min(1_000, scene.frames)
    ser_head(scratch / "short.ser", path, scene, short)
    record = _compare(
        "ser_lightcurve", scratch, scene, path, lambda: SerReader(path, scene), scratch / "short.ser", short,
        repetitions, ("whole", "in place", "no digest", "by stack"),
    )  # fmt: skip
    record.targets = [
        Target(
            f"SER to light curve, {variant}, against {peer}", needed, record.found(f"umbra, {variant}", peer)
        )
        for variant in ("whole", "no digest")
        for peer, needed in ((ASTROALIGN, 100.0), (SKIMAGE, 15.0))
    ]
    return record


def fits_lightcurve(scratch: Path, frames: int | None, repetitions: int) -> Record:
    """FITS sequence, 640x480, 16 bit."""
    scene = field_scene(frames or 2_000, bits=16)
    folder = fits_folder(scratch / "fits", scene)
    return _compare(
        "fits_lightcurve", scratch, scene, folder, lambda: FitsReader(folder), None, 0, repetitions,
        ("whole", "in place", "no digest"),
    )  # fmt: skip


def _compare(
    name: str,
    scratch: Path,
    scene: Scene,
    recording: Path,
    frames: Callable[[], Iterable[NDArray[Any]]],
    short: Path | None,
    short_frames: int,
    repetitions: int,
    variants: tuple[str, ...],
) -> Record:
    plan = named_plan(scene)
    umbra = Reductions(recording, plan, scratch)
    leaves = umbra.leaves()
    runs: dict[str, tuple[str, Callable[[], Any]]] = {
        "whole": ("umbra reduce: digest, all outputs", umbra.whole),
        "in place": ("the same without writing outputs", umbra.in_place),
        "no digest": (
            "the same with frame digests known (as beside a stack)",
            partial(umbra.without_digest, leaves),
        ),
        "by stack": ("umbra ingest, then umbra reduce of the Zarr stack, all outputs", umbra.by_stack),
    }
    cases = [Case(f"umbra, {v}", runs[v][0], scene.frames, runs[v][1]) for v in variants]
    if short is not None:
        cases.append(
            Case(
                f"umbra, whole, {short_frames} frames",
                "umbra reduce of a shorter recording",
                short_frames,
                partial(umbra.whole, short),
            )
        )
    places = np.array([(scene.stars[s].x, scene.stars[s].y) for s in NAMED])
    chains = {
        peer: chain_case(peer, frames, min(count, scene.frames), places)
        for peer, count in PEER_FRAMES.items()
    }
    cases += list(chains.values())
    umbra.whole(short)  # compiles, fills the page cache
    warm_up(frames, places)
    record = Record(name, setting(scene) | {"frames": scene.frames})
    record.timed = list(interleave(cases, repetitions).values())
    record.compare([case.name for case in cases if case.name not in chains], list(chains))
    record.values = {"scatter": scatter(umbra.in_place(), chains)}
    return record


def chain_case(
    peer: str, frames: Callable[[], Iterable[NDArray[Any]]], count: int, places: NDArray[np.float64]
) -> Case:
    """A peer's chain over the first `count` frames."""
    align, measure = CHAINS[peer]

    def run() -> NDArray[np.float64]:
        return peers.chain(frames(), count, align, measure, places)

    return Case(peer, WHAT[peer], count, run)


def warm_up(frames: Callable[[], Iterable[NDArray[Any]]], places: NDArray[np.float64]) -> None:
    """Import and compile what the peers need, outside of what is timed."""
    for align, measure in CHAINS.values():
        peers.chain(frames(), 3, align, measure, places)


def scatter(result: ReductionResult, chains: dict[str, Case]) -> dict[str, dict[str, float]]:
    """Robust scatter of the normalised ratio, Umbra and each peer on the same frames before the event."""
    curve = result.lightcurve.ratio
    found: dict[str, dict[str, float]] = {}
    for peer, case in chains.items():
        ratio = peers.ratio_curve(case.run(), len(REFERENCES))
        n = min(case.frames, int(0.55 * curve.size))
        found[peer] = {
            "frames": n,
            "umbra": round(robust_sigma(curve[:n]) / float(np.median(curve[:n])), 5),
            "peer": round(robust_sigma(ratio[:n]) / float(np.median(ratio[:n])), 5),
        }
    return found
