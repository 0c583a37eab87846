"""What the scenes' tests share: a reduced recording read as a user would, and its peers."""

import csv
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from cluster.recording import ReductionRequest, Times, reduce_to_folder
from ingest.convert import stack_of
from ingest.timeoptions import TimeOptions
from reduction.plan import Position, ReductionPlan
from reduction.result import Flag, ReductionResult
from reduction.run import reduce
from reduction.synthetic import Scene
from reduction.timing import UNKNOWN_NS
from tests.scenes.scenes import SceneCase

Floats = NDArray[np.float64]
SLOW = {"photutils": 2}
"""Peers that take longer than everything else together: every so many frames are given to them."""

Photometry = Callable[[Floats, Floats, Floats, float, tuple[float, float]], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """The output folder of one scene, read as a user would."""

    name: str
    case: SceneCase
    recording: Path
    columns: dict[str, Floats]
    utc: list[str]
    flags: NDArray[np.int64]
    summary: dict[str, Any]
    stars: Path

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Unflagged samples (but for a reference that is missing) that truly lie outside of the event."""
        harmless = Flag.REFERENCE_PARTIAL.value
        return np.asarray(((self.flags & ~harmless) == 0) & (self.light == 1.0), np.bool_)

    @property
    def light(self) -> Floats:
        """True fraction of the target's light."""
        frames = np.floor(self.columns["frame"]).astype(np.int64)
        light = self.case.scene.target_light(frames)
        second = self.columns["frame"] % 1.0 > 0.25
        light[second] = self.case.scene.target_light(frames[second], 1)
        return light

    def truth_index(self, star: dict[str, Any]) -> int:
        """Index in the scene of a star of the summary."""
        truth = self.case.scene.truth(0)
        distance = np.hypot(truth.x - star["x"], truth.y - star["y"])
        assert distance.min() < 2.0, (
            f"star {star['name']} at {star['x']}, {star['y']} is no star of the scene"
        )
        return int(np.argmin(distance))


class DrawnOnce(Scene):
    """A scene that keeps its frames: to draw one takes longer than to measure it."""

    __slots__ = ("kept",)
    kept: dict[int, NDArray[Any]]

    def frame(self, frame: int) -> NDArray[Any]:
        """As `Scene.frame`; the same array again, not to be written to."""
        if frame not in self.kept:
            self.kept[frame] = super().frame(frame)
            self.kept[frame].flags.writeable = False
        return self.kept[frame]


def drawn_once(scene: Scene) -> DrawnOnce:
    """The same scene, which keeps its frames."""
    found = DrawnOnce(**{field.name: getattr(scene, field.name) for field in fields(scene)})
    object.__setattr__(found, "kept", {})
    return found


def reduced_unnamed(case: SceneCase, recording: Path, scratch: Path) -> ReductionResult:
    """What a reduction says that nobody told which star is the target."""
    with closing(stack_of(recording, scratch, TimeOptions(meaning="start"))) as stack:
        return reduce(ReductionPlan(**dict(case.options)), stack, scratch)


def check_unnamed(reduced: Reduced, scratch: Path) -> None:
    """The occulted star is found among all, and its event is timed."""
    case, scene = reduced.case, reduced.case.scene
    result = reduced_unnamed(case, reduced.recording, scratch)
    taken = next(star for star in result.stars if star.role == "target")
    truth = scene.truth(0)
    assert int(np.argmin(np.hypot(truth.x - taken.x, truth.y - taken.y))) == scene.target
    assert result.event is not None
    assert result.event.status == "positive", result.event.reason
    assert result.event.false_alarm_probability < 1e-3
    (event,) = result.event.events
    (hidden,) = scene.occultations
    start = int(scene.frame_start_ns(np.zeros(1, np.int64))[0])
    for edge, seconds in ((event.d, hidden.disappear_s), (event.r, hidden.reappear_s)):
        if seconds < 0:
            assert edge is None
            continue
        assert edge is not None
        assert edge.utc_ns != UNKNOWN_NS
        # the light of a saturated star that is half hidden is more than half of what was recorded
        slack = 0.1 * scene.exposure_s if case.target_saturated else 1e-3
        error = (edge.utc_ns - start) * 1e-9 - seconds
        assert abs(error) < 4.0 * edge.utc.sigma + slack, (edge.kind, error, edge.utc.sigma)


def reduced_case(name: str, case: SceneCase, folder: Path) -> Iterator[Reduced]:
    """Write the recording of a scene, reduce it, hand over what it gave, and remove it all."""
    case = replace(case, scene=drawn_once(case.scene))
    recording = case.write(case.scene, folder)
    star = case.scene.target_star
    plan = ReductionPlan(target=Position(x=round(star.x), y=round(star.y)), **dict(case.options))
    wanted = ReductionRequest(inputs=(str(recording),), plan=plan, times=Times(meaning="start"))
    out = folder / "out"
    reduce_to_folder(wanted, out)
    with (out / "lightcurve.csv").open() as file:
        rows = list(csv.DictReader(file))
    yield Reduced(
        name=name,
        case=case,
        recording=recording,
        columns={
            key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0] if key != "utc"
        },
        utc=[row["utc"] for row in rows],
        flags=np.array([int(row["flags"]) for row in rows]),
        summary=json.loads((out / "summary.json").read_text()),
        stars=out / "stars.parquet",
    )
    shutil.rmtree(folder)


def weighted_mean(values: Floats, sigmas: Floats) -> tuple[float, float]:
    """Mean with inverse-variance weights, and its sigma."""
    weights = sigmas**-2
    return float(np.average(values, weights=weights)), float(weights.sum() ** -0.5)


def scatter(ratio: Floats) -> float:
    """Standard deviation relative to the mean.

    With the truth as baseline there are no outliers to be robust against, and on 520 samples of the same
    photons this differs between two methods by 0.3 % by chance; the median absolute deviation by 2 %.
    """
    return float(ratio.std() / ratio.mean())


def star_table(reduced: Reduced, column: str = "flux") -> dict[str, Floats]:
    """A column of the star table: by the star's name, one value per row of the light curve."""
    table = pyarrow.parquet.read_table(reduced.stars, columns=["frame", "star", column]).to_pydict()
    rows = {frame: k for k, frame in enumerate(reduced.columns["frame"].tolist())}
    out: dict[str, Floats] = {}
    for frame, star, value in zip(table["frame"], table["star"], table[column], strict=True):
        out.setdefault(star, np.full(len(rows), np.nan))[rows[frame]] = value
    return out


def check_scatter(reduced: Reduced, peers: Mapping[str, Photometry]) -> None:
    """Our ratio scatters no more than 1.02 times that of each peer, over the same frames."""
    for name, take in peers.items():
        theirs = peer_ratio(reduced, take, SLOW.get(name, 1))
        same = np.isfinite(theirs)
        ours, found = scatter(reduced.columns["ratio"][same]), scatter(theirs[same])
        assert same.sum() > 100
        assert ours <= 1.02 * found, (name, ours, found)


def peer_ratio(reduced: Reduced, take: Photometry, every: int = 1) -> Floats:
    """Target over the sum of references by another package: same frames, positions and apertures.

    NaN outside of `Reduced.outside`, of which one in `every` is taken; without references, the target's flux.
    """
    photometry = reduced.summary["photometry"]
    stars = reduced.summary["stars"]
    names = [star["name"] for role in ("target", "reference") for star in stars if star["role"] == role]
    all_x, all_y = star_table(reduced, "x"), star_table(reduced, "y")
    ratio = np.full(reduced.flags.size, np.nan)
    for row in np.flatnonzero(reduced.outside)[::every]:
        x, y = np.array([all_x[n][row] for n in names]), np.array([all_y[n][row] for n in names])
        pixels = reduced.case.scene.frame(int(reduced.columns["frame"][row])).astype(np.float64)
        if reduced.case.scene.gamma != 1.0:
            full = 2.0**reduced.case.scene.bit_depth - 1.0
            pixels = full * (pixels / full) ** (1.0 / reduced.case.scene.gamma)
        flux = take(pixels, x, y, photometry["aperture_px"], tuple(photometry["sky_px"]))
        ratio[row] = flux[0] / (flux[1:].sum() if flux.size > 1 else 1.0)
    return ratio


def photutils_fluxes(pixels: Floats, x: Floats, y: Floats, radius: float, sky: tuple[float, float]) -> Floats:
    """Exact apertures, sigma-clipped mean of the annulus."""
    from astropy.stats import SigmaClip
    from photutils.aperture import ApertureStats, CircularAnnulus, CircularAperture, aperture_photometry

    places = np.column_stack([x, y])
    aperture = CircularAperture(places, radius)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what astropy's clipping says of the pixels it drops
        level = ApertureStats(pixels, CircularAnnulus(places, *sky), sigma_clip=SigmaClip(3.0)).mean
        sums = aperture_photometry(pixels, aperture, method="exact")["aperture_sum"]
    return np.asarray(sums - level * aperture.area, np.float64)


def sep_fluxes(pixels: Floats, x: Floats, y: Floats, radius: float, sky: tuple[float, float]) -> Floats:
    """Exact apertures, mean of the annulus."""
    import sep

    flux, _, _ = sep.sum_circle(pixels, x, y, radius, bkgann=sky, subpix=0)
    return np.asarray(flux, np.float64)


def static_mask_fluxes(
    pixels: Floats, x: Floats, y: Floats, radius: float, sky: tuple[float, float]
) -> Floats:
    """Whole pixels within the radius of the pixel nearest to each star, less the median of the annulus."""
    flux = np.full(x.size, np.nan)
    reach = int(np.ceil(max(radius, sky[1])))
    for k, (px, py) in enumerate(zip(x, y, strict=True)):
        if not (np.isfinite(px) and np.isfinite(py)):
            continue
        left, top = max(0, round(px) - reach), max(0, round(py) - reach)
        around = pixels[top : round(py) + reach + 1, left : round(px) + reach + 1]
        rows, columns = np.indices(around.shape)
        away = np.hypot(columns + left - round(px), rows + top - round(py))
        mask, ring = away <= radius, (away >= sky[0]) & (away < sky[1])
        flux[k] = around[mask].sum() - mask.sum() * np.median(around[ring])
    return flux
