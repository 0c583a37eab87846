"""What a campaign will take, before anything is done: frames, bytes, processor time, wall time."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.campaign.digests import files_of
from cluster.campaign.learned import Costs
from cluster.campaign.observation import Observation
from cluster.campaign.spans import duration
from reduction.errors import UmbraError
from reduction.stack import SourceInfo

if TYPE_CHECKING:
    from ingest.formats import Format

FIXED_S = 2.5
"""Of each reduction: survey, search for events, figures, report."""

FRAME_US = 100.0
PIXEL_NS: dict[str, float] = {
    "ser": 1.7,
    "ravf": 2.5,
    "adv": 6.0,
    "aav": 6.0,
    "fits": 3.0,
    "images": 15.0,
    "zarr": 4.0,
    "video": 27.0,
}
"""Processor time of a pixel, nanoseconds: reading or decoding, and measuring."""

FILE_US = 1000.0
"""Of each file where a frame is a file."""

ARCHIVE_NS = 25.0
"""Of each byte of an archive, whose recording is not known before it is unpacked."""

ARCHIVE = "archive"
START_S = 4.0
"""Until workers are up and have loaded what they need."""

BASIS = (
    "processor time as this version's benches measured it on one core of an Intel Xeon (model 207) at "
    "640 x 480 (docs/benchmarks.md); other machines differ by factors of two, FITS and video by more with "
    "what they hold"
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one observation will take.

    Attributes
    ----------
    station : str
    format : str
        ``archive``, and ``store`` for recordings of the store, where nothing is known but the bytes.
    frames, width, height : int or None
    bytes : int
        Of all files that are read.
    cpu_s : float or None
        Processor time, seconds; None where nothing tells.
    fault : str
        Why it will fail as it stands; empty where nothing is known to be wrong.
    """

    station: str
    format: str
    frames: int | None
    width: int | None
    height: int | None
    bytes: int
    cpu_s: float | None
    fault: str = ""


def estimate(observation: Observation, costs: Costs | None = None) -> Estimate:
    """Look at a recording without reading its frames; corrected by what others took, where that is known."""
    found = _estimate(observation)
    if costs is None or found.cpu_s is None:
        return found
    return replace(found, cpu_s=found.cpu_s * costs.factor(found.format))


def _estimate(observation: Observation) -> Estimate:
    from ingest.archives.opening import archive_of
    from ingest.formats import identify, open_source

    request, name = observation.request, observation.station
    if request.inputs[0].startswith("raw:"):
        return Estimate(name, "store", None, None, None, 0, None)
    try:
        size = sum(path.stat().st_size for _, path in files_of(request))
        if archive_of(request.inputs) is not None:
            return Estimate(name, ARCHIVE, None, None, None, size, archive_seconds(size))
        row, paths = identify(request.inputs)
        with closing(open_source(request.inputs)) as source:
            info = source.info
    except (UmbraError, OSError) as error:
        return Estimate(name, "?", None, None, None, 0, None, str(error))
    height, width = info.frame_shape[-2:]
    seconds = cpu_seconds(info, _files(row, paths, info))
    return Estimate(name, info.format, info.frames, width, height, size, seconds)


def _files(row: "Format", paths: Sequence[Path], info: SourceInfo) -> int:
    """Files that hold a recording's frames."""
    if not row.many:
        return 1
    return info.frames if paths[0].is_dir() else len(paths)


def afterwards(inputs: Sequence[str], info: SourceInfo) -> tuple[str, float]:
    """Format and processor seconds that `estimate` says of a recording that was reduced, uncorrected."""
    from ingest.archives.opening import archive_of
    from ingest.formats import identify

    archive = archive_of(inputs)
    if archive is not None:
        return ARCHIVE, archive_seconds(archive.stat().st_size)
    row, paths = identify(inputs)
    return info.format, cpu_seconds(info, _files(row, paths, info))


def archive_seconds(size: int) -> float:
    """Processor time of a reduction out of an archive of `size` bytes, seconds."""
    return FIXED_S + size * ARCHIVE_NS * 1e-9


def cpu_seconds(info: SourceInfo, files: int) -> float:
    """Processor time of a reduction, seconds, by format and size; `files` of a recording of many."""
    pixels = info.frames * info.frame_shape[-1] * info.frame_shape[-2]
    opened = FILE_US * 1e-6 * files if files > 1 else 0.0
    return FIXED_S + FRAME_US * 1e-6 * info.frames + PIXEL_NS.get(info.format, 10.0) * 1e-9 * pixels + opened


def wall_seconds(estimates: Iterable[Estimate], workers: int) -> float:
    """Wall time on some workers: the longest recording first, each to the worker that is free soonest."""
    free = [START_S] * workers
    for seconds in sorted((each.cpu_s or 0.0 for each in estimates), reverse=True):
        soonest = free.index(min(free))
        free[soonest] += seconds
    return max(free)


def basis(costs: Costs) -> str:
    """What estimates are based on, for people."""
    if not costs.recordings:
        return BASIS
    told = ", ".join(f"{kind} {costs.factor(kind):.2f}" for kind in sorted(costs.formats))
    return f"{BASIS}; corrected by what {costs.recordings} recordings of this store took ({told} times that)"


def estimate_text(estimates: Sequence[Estimate], workers: int, based_on: str = BASIS) -> str:
    """The plan for people: a line for each observation, the sums, and what they are based on."""
    lines = [f"{'station':<24}{'format':<9}{'frames':>9} {'size':<12}{'MB':>10}{'CPU s':>10}"]
    for each in estimates:
        size = "" if each.width is None else f"{each.width} x {each.height}"
        cpu = "?" if each.cpu_s is None else f"{each.cpu_s:.1f}"
        frames = "?" if each.frames is None else str(each.frames)
        lines.append(
            f"{each.station:<24.24}{each.format:<9}{frames:>9} {size:<12}{each.bytes / 1e6:>10.1f}{cpu:>10}"
        )
        if each.fault:
            lines.append(f"  will fail: {each.fault}")
    all_frames, bytes_read, cpu_s, wall_s = sums(estimates, workers)
    crew = "1 worker" if workers == 1 else f"{workers} workers"
    lines += [
        f"{len(estimates)} observations, {all_frames} frames, {bytes_read / 1e6:.1f} MB: about "
        f"{duration(cpu_s)} of processor time, {duration(wall_s)} on {crew}",
        f"based on {based_on}",
    ]
    return "\n".join(lines) + "\n"


def sums(estimates: Sequence[Estimate], workers: int) -> tuple[int, int, float, float]:
    """Frames, bytes, processor seconds and wall seconds of all."""
    return (
        sum(each.frames or 0 for each in estimates),
        sum(each.bytes for each in estimates),
        sum(each.cpu_s or 0.0 for each in estimates),
        wall_seconds(estimates, workers),
    )
