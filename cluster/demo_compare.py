"""What the demo found, against what it had put in."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.demo_campaign import DemoStation
from cluster.demo_preview import SquareWell, fit_square_well
from reduction.result import UNUSABLE, Flag, ReductionResult
from reduction.synthetic import shift_bound_px
from reduction.timing import UNKNOWN_NS, utc_text

Floats = NDArray[np.float64]

_MATCH_PX = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class StationOutcome:
    """A station's reduction beside its truth.

    Arrays are ``(n_good,)``: seconds from the true middle of the chord, exposures, flux normalised
    on the baseline, and its sigma. `position_px` is the rms error of the target's position over both
    axes, a constant taken out; `position_bound_px` the least that the guides used allow.
    """

    station: DemoStation
    found: SquareWell
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
    """Fit the preview to a station's light curve and measure its positions against the truth."""
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
        found=fit_square_well(time_s, exposure, flux, sigma),
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
        f"  {'':<16}{'found (preview)':<36}{'true':<20}off by",
        _time_line("D", station.mid_ns, found.disappear_s, found.disappear_sigma_s, true_d),
        _time_line("R", station.mid_ns, found.reappear_s, found.reappear_sigma_s, true_r),
        f"  {'depth':<16}{f'{found.depth:.4f} +- {found.depth_sigma:.4f}':<36}{f'{depth:.4f}':<20}"
        f"{found.depth - depth:+.4f}",
        f"  {'scatter':<16}{outcome.scatter:.4f}; predicted {outcome.predicted_scatter:.4f}; "
        f"reduced chi-square {outcome.chi2_reduced:.3f}",
        f"  {'position':<16}{outcome.position_px:.4f} px rms; bound of its guides "
        f"{outcome.position_bound_px:.4f} px; {outcome.lost_frames} frames lost",
    ]
    return "\n".join(lines)


def _time_line(name: str, origin_ns: int, at_s: float, sigma_s: float, true_ns: int) -> str:
    found = utc_text(origin_ns + round(at_s * 1e9), 4)[11:-1]
    true = utc_text(true_ns, 4)[11:-1]
    late = at_s - (true_ns - origin_ns) * 1e-9
    return f"  {name:<16}{f'{found} +- {sigma_s:.4f} s':<36}{true:<20}{late:+.4f} s"


def outcome_record(outcome: StationOutcome) -> dict[str, Any]:
    """Return one station's figures for ``demo.json``."""
    found, station = outcome.found, outcome.station
    true_d, true_r = station.event_ns()
    return {
        "station": station.key,
        "chord_km": station.chord_km,
        "true": {"d_utc": utc_text(true_d), "r_utc": utc_text(true_r), "depth": station.event.depth},
        "preview": {
            "d_utc": utc_text(station.mid_ns + round(found.disappear_s * 1e9)),
            "d_sigma_s": found.disappear_sigma_s,
            "r_utc": utc_text(station.mid_ns + round(found.reappear_s * 1e9)),
            "r_sigma_s": found.reappear_sigma_s,
            "depth": found.depth,
            "depth_sigma": found.depth_sigma,
        },
        "scatter": outcome.scatter,
        "predicted_scatter": outcome.predicted_scatter,
        "chi2_reduced": outcome.chi2_reduced,
        "position_px": outcome.position_px,
        "position_bound_px": outcome.position_bound_px if math.isfinite(outcome.position_bound_px) else None,
        "lost_frames": outcome.lost_frames,
    }
