"""What the demo found, against what it had put in."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.demo_campaign import DemoStation
from reduction.errors import DataError
from reduction.events.results import Edge, Figure
from reduction.result import UNUSABLE, Flag, ReductionResult
from reduction.synthetic import shift_bound_px
from reduction.timing import UNKNOWN_NS, utc_text

Floats = NDArray[np.float64]

_MATCH_PX = 3.0


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """The event that the reduction found by itself: edges with the recording's timing in their errors."""

    d: Edge
    r: Edge
    depth: Figure

    def edges_s(self, origin_ns: int) -> tuple[float, float]:
        """D and R, seconds from `origin_ns`."""
        return (self.d.utc_ns - origin_ns) * 1e-9, (self.r.utc_ns - origin_ns) * 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class StationOutcome:
    """A station's reduction beside its truth.

    Arrays are ``(n_good,)``: seconds from the true middle of the chord, exposures, flux normalised
    on the baseline, and its sigma. `position_px` is the rms error of the target's position over both
    axes, a constant taken out; `position_bound_px` the least that the guides used allow.
    """

    station: DemoStation
    found: FoundEvent
    time_s: Floats
    exposure_s: Floats
    flux: Floats
    sigma: Floats
    scatter: float
    predicted_scatter: float
    chi2_reduced: float
    position_px: float
    position_bound_px: float
    lost_frames: int

    @property
    def true_edges_s(self) -> tuple[float, float]:
        """True disappearance and reappearance, seconds from the middle of the chord."""
        disappear, reappear = self.station.event_ns()
        return (disappear - self.station.mid_ns) * 1e-9, (reappear - self.station.mid_ns) * 1e-9


def compare(station: DemoStation, result: ReductionResult) -> StationOutcome:
    """Take the event that a station's reduction found, and measure its positions against the truth.

    Raises
    ------
    DataError
        The reduction found no event, or not both of its edges.
    """
    curve = result.lightcurve
    good = (curve.flags & np.uint32(UNUSABLE | Flag.REPEATED)) == 0
    good &= np.isfinite(curve.flux_norm) & (curve.flux_norm_sigma > 0) & (curve.mid_ns != UNKNOWN_NS)
    time_s = (curve.mid_ns[good] - station.mid_ns) * 1e-9
    exposure = curve.exposure_s[good]
    flux, sigma = curve.flux_norm[good], curve.flux_norm_sigma[good]
    truths = [station.scene.truth(int(frame)) for frame in curve.frame]
    target = station.scene.target
    off = np.array(
        [curve.target_x - [t.x[target] for t in truths], curve.target_y - [t.y[target] for t in truths]]
    )
    off = off[:, np.isfinite(off).all(axis=0)]
    off -= np.median(off, axis=1, keepdims=True)
    bound = shift_bound_px(station.scene, _guides(station, result), range(station.scene.frames))
    return StationOutcome(
        station=station,
        found=_found(station, result),
        time_s=time_s,
        exposure_s=exposure,
        flux=flux,
        sigma=sigma,
        scatter=result.quality.scatter,
        predicted_scatter=result.quality.predicted_scatter,
        chi2_reduced=result.quality.chi2_reduced,
        position_px=float(np.sqrt(np.mean(off**2))),
        position_bound_px=float(np.sqrt(np.mean(bound**2))),
        lost_frames=result.alignment.lost_frames,
    )


def _found(station: DemoStation, result: ReductionResult) -> FoundEvent:
    """The first event of a reduction."""
    events = () if result.event is None else result.event.events
    if not events or events[0].d is None or events[0].r is None:
        said = "no search was made" if result.event is None else result.event.reason
        raise DataError(f"station {station.key}: the reduction found no whole event where one is: {said}")
    return FoundEvent(events[0].d, events[0].r, events[0].depth)


def _guides(station: DemoStation, result: ReductionResult) -> list[int]:
    """Indices of the scene's stars that the reduction used as guides."""
    truth = station.scene.truth(result.plan.frame)
    found = []
    for star in result.stars:
        distance = np.hypot(truth.x - star.x, truth.y - star.y)
        if star.is_guide and distance.min() < _MATCH_PX:
            found.append(int(np.argmin(distance)))
    return found


def outcome_text(outcome: StationOutcome) -> str:
    """Return the lines of one station in the demo's table."""
    station, found = outcome.station, outcome.found
    true_d, true_r = station.event_ns()
    depth = station.event.depth
    lines = [
        f"station {station.key}   {station.title}",
        f"  {'':<16}{'found':<36}{'true':<20}off by",
        _time_line(found.d, true_d),
        _time_line(found.r, true_r),
        f"  {'depth':<16}{f'{found.depth.value:.4f} +- {found.depth.sigma:.4f}':<36}{f'{depth:.4f}':<20}"
        f"{found.depth.value - depth:+.4f}",
        f"  {'scatter':<16}{outcome.scatter:.4f}; predicted {outcome.predicted_scatter:.4f}; "
        f"reduced chi-square {outcome.chi2_reduced:.3f}",
        f"  {'position':<16}{outcome.position_px:.4f} px rms; bound of its guides "
        f"{outcome.position_bound_px:.4f} px; {outcome.lost_frames} frames lost",
    ]
    return "\n".join(lines)


def _time_line(edge: Edge, true_ns: int) -> str:
    found, true = (utc_text(at, 4)[11:-1] for at in (edge.utc_ns, true_ns))
    late = (edge.utc_ns - true_ns) * 1e-9
    return f"  {edge.kind:<16}{f'{found} +- {edge.utc.sigma:.4f} s':<36}{true:<20}{late:+.4f} s"


def outcome_record(outcome: StationOutcome) -> dict[str, Any]:
    """Return one station's figures for ``demo.json``."""
    found, station = outcome.found, outcome.station
    true_d, true_r = station.event_ns()
    return {
        "station": station.key,
        "chord_km": station.chord_km,
        "true": {"d_utc": utc_text(true_d), "r_utc": utc_text(true_r), "depth": station.event.depth},
        "found": {
            "d_utc": utc_text(found.d.utc_ns),
            "d_sigma_s": found.d.utc.sigma,
            "r_utc": utc_text(found.r.utc_ns),
            "r_sigma_s": found.r.utc.sigma,
            "depth": found.depth.value,
            "depth_sigma": found.depth.sigma,
        },
        "scatter": outcome.scatter,
        "predicted_scatter": outcome.predicted_scatter,
        "chi2_reduced": outcome.chi2_reduced,
        "position_px": outcome.position_px,
        "position_bound_px": outcome.position_bound_px if math.isfinite(outcome.position_bound_px) else None,
        "lost_frames": outcome.lost_frames,
    }
