"""Figure 9 of the paper again: one recording of 7,184 frames, reduced in several ways, in one plot.

There it is 28978 Ixion on 2020 October 13 (T. Blank), reduced by the Occultation Portal, photutils and
PyMovie. Here the recording is synthetic, so the true light curve is known: a faint star, sky-limited, behind
drift, changing seeing and thin cloud, occulted once. Umbra reduces it by each of its extractions; photutils,
sep and a static mask get the places that Umbra found, for nothing, and its best aperture and annulus.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.record import Record, Target
from bench.recordings import SerReader, ser_file, ser_head
from bench.timing import Timed
from ingest.formats import open_in_place
from ingest.timeoptions import TimeOptions
from reduction.plan import Position, ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.synthetic import Occultation, Scene, SceneStar

Floats = NDArray[np.float64]

FRAMES = 7_184
CADENCE_S = 0.25
WARM_FRAMES = 64
RANGE = (-0.75, 2.45)
EXTRACTIONS = ("auto", "psf", "aperture", "mask")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "figure9.png"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A normalised light curve of the target, how it was made and how long that took."""

    name: str
    how: str
    flux: Floats
    seconds: float
    chi2: float | None = None


def ixion_scene(frames: int) -> Scene:
    """A faint star for 30 minutes, occulted for a twentieth of them."""
    length = frames * CADENCE_S
    return Scene(
        frames=frames,
        height=160,
        width=200,
        seed=28978,
        stars=(
            SceneStar(96.4, 83.2, 620.0),
            SceneStar(45.7, 40.9, 30_000.0),
            SceneStar(150.2, 52.6, 21_000.0),
            SceneStar(140.8, 122.3, 13_000.0),
            SceneStar(52.1, 118.4, 5_000.0),
        ),
        occultations=(Occultation(0.5 * length, 0.55 * length, 1.0),),
        drift_px=(7.0, -5.0),
        wind_px=0.25,
        transparency=((0.0, 1.0), (0.3, 0.85), (0.6, 1.0), (0.85, 0.9), (1.0, 1.0)),
        fwhm_px=3.2,
        seeing_rms=0.04,
        sky_e=220.0,
        gain_e_per_adu=5.0,
        offset_adu=12.0,
        read_noise_e=4.0,
        bit_depth=8,
        cadence_s=CADENCE_S,
        exposure_s=CADENCE_S,
    )


def figure9(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """Light curves of one recording by Umbra's extractions, photutils, sep and a static mask."""
    scene = ixion_scene(frames or FRAMES)
    path = ser_file(scratch / "ixion.ser", scene)
    target = Position(x=round(scene.target_star.x), y=round(scene.target_star.y))
    plan = ReductionPlan(target=target)
    head = ser_head(scratch / "head.ser", path, scene, min(WARM_FRAMES, scene.frames))
    curves: list[Curve] = []
    best: ReductionResult | None = None
    for way in EXTRACTIONS:
        _umbra(by_way(plan, way), head, scratch)  # compiled before it counts
        seconds, result = _umbra(by_way(plan, way), path, scratch)
        name = f"Umbra, {result.photometry.extraction}" + (" (by default)" if way == "auto" else "")
        curves.append(
            Curve(name, "alignment included", result.lightcurve.ratio, seconds, result.quality.chi2_reduced)
        )
        best = result if way == "aperture" else best
    assert best is not None
    curves += [_peer(name, measure, best, scene, path) for name, measure in _peers(best).items()]
    light = scene.target_light(np.arange(scene.frames))
    curves = [replace(curve, flux=curve.flux / _level(curve.flux, light)) for curve in curves]
    picture = PICTURE if frames is None else scratch / PICTURE.name
    draw(curves, light, scene, picture)
    return _record(curves, light, scene)


def by_way(plan: ReductionPlan, way: str) -> ReductionPlan:
    """The plan with an extraction."""
    return ReductionPlan.model_validate(plan.model_dump() | {"extract": way})


def _umbra(plan: ReductionPlan, path: Path, scratch: Path) -> tuple[float, ReductionResult]:
    """Wall seconds of a whole reduction, alignment included, and its result."""
    folder = scratch / "stars"
    folder.mkdir(exist_ok=True)
    stack = open_in_place(path, TimeOptions(meaning="start"))
    assert stack is not None
    began = time.perf_counter()
    result = reduce(plan, stack, folder)
    seconds = time.perf_counter() - began
    stack.close()
    return seconds, result


def _peers(best: ReductionResult) -> dict[str, peers.Measure]:
    radius, sky = best.photometry.aperture_px, best.photometry.sky_px
    return {
        "photutils": peers.photutils_table(radius, sky),
        "sep": peers.sep_exact(radius, sky),
        "static mask": static_mask(radius, sky),
    }


def static_mask(radius: float, sky: tuple[float, float]) -> peers.Measure:
    """Whole pixels within the radius of the star's own pixel, the same ones on every frame; sky clipped."""
    half = int(np.ceil(sky[1])) + 1
    rows, columns = np.indices((2 * half + 1, 2 * half + 1)) - half
    distance = np.hypot(rows, columns)
    inside = distance <= radius
    ring = (distance >= sky[0]) & (distance < sky[1])

    def measure(frame: NDArray[Any], places: Floats) -> Floats:
        flux = np.empty(len(places))
        wide = np.pad(frame.astype(np.float64), half, constant_values=np.nan)
        for k, (x, y) in enumerate(np.floor(places + 0.5).astype(int)):
            box = wide[y : y + 2 * half + 1, x : x + 2 * half + 1]
            level = box[ring]
            level = level[np.isfinite(level)]
            level = level[np.abs(level - level.mean()) <= 3.0 * level.std()]
            flux[k] = (box[inside] - level.mean()).sum()
        return flux

    return measure


def _peer(name: str, measure: peers.Measure, best: ReductionResult, scene: Scene, path: Path) -> Curve:
    """Target over the sum of references at the places that Umbra found."""
    stars = [s.index for role in ("target", "reference") for s in best.stars if s.role == role]
    table = np.concatenate([np.load(part).reshape(-1, len(best.stars)) for part in best.segments])
    places = np.stack([table["x"][:, stars], table["y"][:, stars]], axis=2).astype(np.float64)
    flux = np.empty((scene.frames, len(stars)))
    began = time.perf_counter()
    for i, frame in enumerate(SerReader(path, scene)):
        flux[i] = measure(frame, places[i])
    seconds = time.perf_counter() - began
    return Curve(name, "places given", peers.ratio_curve(flux, len(stars) - 1), seconds)


def _level(flux: Floats, light: Floats) -> float:
    return float(np.nanmean(flux[light == 1.0]))


def scatter(curve: Curve, light: Floats) -> float:
    """Standard deviation outside the event, relative to the level there."""
    return float(np.nanstd(curve.flux[light == 1.0]))


def _record(curves: list[Curve], light: Floats, scene: Scene) -> Record:
    record = Record(
        "figure9",
        {
            "frames": scene.frames,
            "width": scene.width,
            "height": scene.height,
            "dtype": scene.dtype,
            "fwhm_px": scene.fwhm_px,
            "target_e": scene.target_star.flux_e,
            "sky_e": scene.sky_e,
        },
    )
    record.timed = [Timed(c.name, c.how, scene.frames, cpu_s=[c.seconds], wall_s=[c.seconds]) for c in curves]
    dark = light == 0.0
    record.values = {
        "scatter": {c.name: round(scatter(c, light), 4) for c in curves},
        "level_in_the_event": {c.name: round(float(np.nanmean(c.flux[dark])), 4) for c in curves},
        "seconds": {c.name: round(c.seconds, 2) for c in curves},
        "chi2_reduced": {c.name: round(c.chi2, 3) for c in curves if c.chi2 is not None},
        "frames_lost": {c.name: int(np.isnan(c.flux).sum()) for c in curves},
    }
    others = [c for c in curves if c.chi2 is None]
    least = min(scatter(c, light) for c in others)
    record.targets = [
        Target("scatter over that of the best peer", 1.02, scatter(curves[0], light) / least, at_least=False)
    ]
    return record


def draw(curves: list[Curve], light: Floats, scene: Scene, path: Path) -> None:
    """One row for each curve: all of it, the event, and its noise."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    minutes = (np.arange(scene.frames) + 0.5) * scene.cadence_s / 60.0
    event = scene.occultations[0]
    middle = (event.disappear_s + event.reappear_s) / 120.0
    half = (event.reappear_s - event.disappear_s) / 120.0
    figure, axes = plt.subplots(
        len(curves), 3, figsize=(12.5, 1.3 * len(curves) + 1.0), sharey="row",
        gridspec_kw={"width_ratios": (5.0, 2.2, 0.8), "wspace": 0.04, "hspace": 0.14},
    )  # fmt: skip
    noise = [scatter(curve, light) for curve in curves]
    bins = np.linspace(*RANGE, 100)
    for k, (curve, row) in enumerate(zip(curves, axes, strict=True)):
        colour = "#1f5fa8" if curve.chi2 is not None else "#b4552d"
        for axis in row[:2]:
            axis.plot(minutes, curve.flux, ".", ms=1.3, color=colour, alpha=0.45, rasterized=True)
            axis.plot(minutes, light, "-", lw=0.9, color="black")
        row[0].set_xlim(0.0, minutes[-1])
        row[1].set_xlim(middle - 2.0 * half, middle + 2.0 * half)
        row[2].hist(
            curve.flux[light == 1.0], bins=bins, orientation="horizontal", color=colour, alpha=0.75
        )  # fmt: skip
        row[2].set_xticks([])
        row[0].set_ylim(*RANGE)
        row[0].set_yticks([0.0, 1.0])
        row[0].text(
            0.008, 0.93, f"{curve.name}", transform=row[0].transAxes, va="top", fontsize=10, weight="bold",
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        row[0].text(
            0.992, 0.93, f"σ = {noise[k]:.3f}    {curve.seconds:.1f} s ({curve.how})",
            transform=row[0].transAxes, va="top", ha="right", fontsize=10,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        for axis in row:
            axis.tick_params(direction="in", labelsize=8, top=True, right=True)
            if k + 1 < len(curves):
                axis.set_xticklabels([])
    axes[0, 0].set_title(f"{scene.frames:,} frames", fontsize=10)
    axes[0, 1].set_title("the event", fontsize=10)
    axes[0, 2].set_title("outside it", fontsize=10)
    axes[-1, 0].set_xlabel("minutes")
    axes[-1, 1].set_xlabel("minutes")
    figure.supylabel("normalised flux (line: truth)", fontsize=11, x=0.085)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
