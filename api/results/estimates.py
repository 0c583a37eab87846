"""What reductions will take, by what the inspection found of their recordings."""

from collections.abc import Sequence
from typing import Any

from api.observations.tables import ObservationFile
from api.results.orders import Asked
from cluster.campaign.estimate import ARCHIVE_NS, BASIS, FIXED_S, FRAME_US, PIXEL_NS, Estimate, sums
from reduction.plan import Settings


class EstimateView(Settings):
    """What reductions will take; `unknown` is how many recordings are judged by their bytes alone."""

    reductions: int
    frames: int
    bytes: int
    cpu_s: float
    wall_s: float
    workers: int
    unknown: int
    basis: str


def estimate_of(asked: Sequence[Asked], workers: int) -> EstimateView:
    """The sum over reductions, on so many workers."""
    found = [_one(each.file) for each in asked]
    frames, size, cpu_s, wall_s = sums(found, workers)
    return EstimateView(
        reductions=len(found),
        frames=frames,
        bytes=size,
        cpu_s=round(cpu_s, 1),
        wall_s=round(wall_s, 1) if found else 0.0,
        workers=workers,
        unknown=sum(each.frames is None for each in found),
        basis=BASIS,
    )


def _one(file: ObservationFile) -> Estimate:
    """One recording: by format, frames and size where its inspection tells them."""
    found = file.finding.get("recordings")
    lights = [each for each in found or () if each.get("role") == "light"]
    first: dict[str, Any] = lights[0] if lights else {}
    told = (first.get("inspection") or {}).get("input") or {}
    kind = str(told.get("format") or "archive")
    frames, width, height = (_whole(told.get(name)) for name in ("frames", "width", "height"))
    if frames is None or width is None or height is None:
        seconds = FIXED_S + file.size * ARCHIVE_NS * 1e-9
        return Estimate(file.id, kind, None, None, None, file.size, seconds)
    pixels = frames * width * height
    seconds = FIXED_S + FRAME_US * 1e-6 * frames + PIXEL_NS.get(kind, 10.0) * 1e-9 * pixels
    return Estimate(file.id, kind, frames, width, height, file.size, seconds)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
