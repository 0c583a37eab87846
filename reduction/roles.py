"""Pass 1: which star is what: those a plan names, and the choice of references and guides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.detect import Detections
from reduction.errors import RequestError
from reduction.plan import Position, ReductionPlan
from reduction.register import Registered
from reduction.view import View

Floats = NDArray[np.float64]
SNAP_PX = 3.0
LEAST_REFERENCE_SNR = 3.0
MOST_REFERENCES = 8
MOST_GUIDES = 8
ENOUGH_GUIDES = 4
GUIDE_LIGHT = 0.93


@dataclass(slots=True, eq=False)
class Stars:
    """Stars to be measured: image pixels of the grid, the role a plan gave them, whether named as guide."""

    u: Floats
    v: Floats
    role: list[str]
    guide: list[bool]


def gather(plan: ReductionPlan, found: Detections, view: View, registered: Registered) -> Stars:
    """All stars to measure: those of the plan first, then what else was found."""
    geometry = view.geometry
    taken = np.zeros(len(found), bool)
    u: list[float] = []
    v: list[float] = []
    role: list[str] = []
    guide: list[bool] = []

    def add(position: Position, what: str) -> None:
        x, y = geometry.to_image(position.x), geometry.to_image(position.y)
        if not (-0.5 <= x <= geometry.width - 0.5 and -0.5 <= y <= geometry.height - 0.5):
            raise RequestError(
                f"{what} at {position.x:g},{position.y:g} lies off the frame of "
                f"{view.stack.info.width} x {view.stack.info.height} pixels"
            )
        distance = np.hypot(found.x - x, found.y - y) if len(found) else np.empty(0)
        near = int(np.argmin(distance)) if distance.size else -1
        if near >= 0 and distance[near] <= SNAP_PX / geometry.scale:
            x, y = float(found.x[near]), float(found.y[near])
            for k in range(len(u)):
                if abs(u[k] - x) < 1e-9 and abs(v[k] - y) < 1e-9:
                    if what == "guide":
                        guide[k] = True
                        return
                    raise RequestError(
                        f"{what} at {position.x:g},{position.y:g} is the same star as the {role[k]}; "
                        "give another one"
                    )
            taken[near] = True
        u.append(x)
        v.append(y)
        role.append(what)
        guide.append(what == "guide")

    if plan.target is not None:
        add(plan.target, "target")
    for position in plan.references:
        add(position, "reference")
    for position in plan.guides:
        add(position, "guide")
    rest = np.flatnonzero(~taken)[: max(plan.max_stars - len(u), 0)]
    u.extend(found.x[rest].tolist())
    v.extend(found.y[rest].tolist())
    role.extend(["star"] * rest.size)
    guide.extend([False] * rest.size)
    if not u:  # nothing in the stacked image: the seed frame's stars are still stars
        u.extend(registered.field.u.tolist())
        v.extend(registered.field.v.tolist())
        role.extend(["star"] * registered.field.u.size)
        guide.extend([False] * registered.field.u.size)
    return Stars(np.array(u), np.array(v), role, guide)


def steady_stars(
    target: int, snr: Floats, saturated: NDArray[np.bool_], whole: Floats, flux: Floats
) -> NDArray[np.bool_]:
    """Stars whose light keeps to that of the others: not variable, and no hot pixel that stars drift over.

    Parameters
    ----------
    target : int
        Left out; -1: none is named.
    snr, saturated, whole : array, (star,)
        Typical signal to noise, whether saturated, fraction of frames with the whole aperture.
    flux : array, (frame, star)
        Fluxes on the sample frames.
    """
    able = (np.arange(snr.size) != target) & ~saturated & (whole > 0.5) & (snr > LEAST_REFERENCE_SNR)
    ranked = [int(s) for s in np.argsort(-snr, kind="stable") if able[s]]
    kept = list(ranked)
    while len(kept) >= 4:
        excess = _unsteadiness(flux[:, kept])
        worst = int(np.argmax(excess))
        if excess[worst] <= 1.0:
            break
        del kept[worst]
    out = np.ones(snr.size, bool)
    out[ranked] = False
    out[kept] = True
    return out


def _unsteadiness(curves: Floats) -> Floats:
    """Slow change of each star against the sum of the others, in units of what is tolerated.

    Between the halves of the recording a tenth, or three times the noise from frame to frame; of
    the scatter beyond that noise a tenth, or one and a half times it.
    """
    seen = np.isfinite(curves)
    usual = np.nanmedian(np.where(seen.any(axis=0), curves, 0.0), axis=0)
    light, expected = np.where(seen, curves, 0.0), np.where(seen, usual, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):  # a star off the frame is missing on both sides
        others = (light.sum(axis=1)[:, None] - light) / (expected.sum(axis=1)[:, None] - expected)
        ratio = curves / others
    out = np.zeros(curves.shape[1])
    for k in range(out.size):
        good = ratio[np.isfinite(ratio[:, k]), k]
        middle = float(np.median(good)) if good.size else 0.0
        if not middle > 0:
            out[k] = np.inf
            continue
        half = good.size // 2
        if half < 4:
            continue
        noise = 1.4826 * float(np.median(np.abs(np.diff(good)))) / np.sqrt(2.0)
        slow = abs(float(np.median(good[:half]) - np.median(good[half:])))
        spread = 1.4826 * float(np.median(np.abs(good - middle)))
        beyond = float(np.sqrt(max(spread**2 - noise**2, 0.0)))
        out[k] = max(slow / max(0.1 * middle, 4.2 * noise), beyond / max(0.1 * middle, 1.5 * noise))
    return out


def choose_references(
    stars: Stars,
    target: int,
    snr: Floats,
    saturated: NDArray[np.bool_],
    whole: Floats,
    steady: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """References: those of the plan, or bright, unsaturated, steady stars clear of the edges."""
    named = np.array([r == "reference" for r in stars.role])
    if named.any():
        return named
    able = np.arange(len(stars.role)) != target
    good = able & ~saturated & (whole > 0.98) & (snr > LEAST_REFERENCE_SNR) & steady
    if not good.any():
        good = able & (whole > 0.5) & (snr > LEAST_REFERENCE_SNR)
    ranked = [int(s) for s in np.argsort(-snr, kind="stable") if good[s]]
    out = np.zeros(len(stars.role), bool)
    out[ranked[:MOST_REFERENCES]] = True
    return out


def predicted_sigma(
    flux: Floats, sigma: Floats, target: int, references: NDArray[np.bool_], growth: float
) -> float:
    """Predicted relative sigma of the target's normalised flux at one radius."""
    weight = np.where(references & (flux > 0), (flux / sigma) ** 2, 0.0)
    reference = 1.0 / weight.sum() if weight.sum() > 0 else 0.0
    if target < 0:
        return float(np.sqrt(reference)) if reference else float(np.median(sigma) / growth)
    if flux[target] <= sigma[target]:
        return float(sigma[target] / growth) * 1e6
    return float(np.sqrt((sigma[target] / flux[target]) ** 2 + reference))


def choose_guides(
    stars: Stars,
    target: int,
    snr: Floats,
    saturated: NDArray[np.bool_],
    whole: Floats,
    steady: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Guides: those of the plan, or the brightest steady stars; the target only where it is alone."""
    if any(stars.guide):
        return np.array(stars.guide)
    out = np.zeros(len(stars.role), bool)
    others = np.arange(len(stars.role)) != target
    best = others & ~saturated & (whole > 0.5) & steady
    for good in (best, others & (whole > 0.2), np.ones(len(stars.role), bool)):
        ranked = [int(s) for s in np.argsort(-snr, kind="stable") if good[s] and snr[s] > 5.0]
        if ranked:
            share = np.cumsum(snr[ranked] ** 2) / (snr[ranked] ** 2).sum()
            enough = int(np.searchsorted(share, GUIDE_LIGHT)) + 1
            out[ranked[: min(MOST_GUIDES, max(ENOUGH_GUIDES, enough))]] = True
            return out
    out[int(np.argmax(snr))] = True
    return out
