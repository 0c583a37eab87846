"""Scatter of faint stars by every way of taking fluxes, beside what is possible at all.

Fields of faint stars of one flux, and bright ones to divide by, are recorded, written as SER and reduced as
``umbra reduce`` does it, drift and placing included. photutils, sep and a static mask get the places that
Umbra found, its annulus, and of many radii the one that scatters least in hindsight. All ways see the same
frames, so ratios of scatters are known three times better than the scatters.
"""

import functools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray
from photutils.aperture import CircularAnnulus, CircularAperture

from bench.record import Record, Target
from ingest.formats import open_in_place
from ingest.timeoptions import TimeOptions
from ingest.writers import write_ser
from reduction.plan import Position, ReductionPlan
from reduction.result import ReductionResult
from reduction.run import reduce
from reduction.synthetic import FluxBounds, flux_bounds, star_image

Floats = NDArray[np.float64]

FRAMES = 400
HEIGHT, WIDTH = 160, 208
FAINT = (
    (104.25, 62.75), (80.5, 34.25), (128.875, 36.5), (64.25, 80.5), (144.125, 82.25), (84.5, 112.75),
    (126.25, 118.5),
)  # fmt: skip
BRIGHT = (
    (30.25, 30.5, 60_000.0), (178.5, 32.125, 44_000.0), (176.75, 130.25, 28_000.0), (32.5, 128.625, 20_000.0),
)  # fmt: skip
SKY_E, READ_E, OFFSET_ADU = 300.0, 3.0, 100.0
PIXEL_E2 = SKY_E + READ_E**2 + 1.0 / 12.0
STEP = 8
"""Places of stars in a pixel, per axis, that are drawn."""
WIND_PX, DRIFT_PX = 0.3, (5.0, 3.0)
HALF_PX = 40
RADII = (0.5, 0.58, 0.66, 0.74, 0.84, 0.96, 1.1, 1.3)
"""Radii that the peers try, FWHM."""
BLOCKS = 20

PROFILES: dict[str, float | None] = {
    "Gaussian": None,
    "Moffat 4.765": 4.765,
    "Moffat 3": 3.0,
    "Moffat 2.5": 2.5,
}
FWHMS_PX = (2.0, 3.0, 4.5)
SNRS = (3.0, 5.0, 10.0)
ELSEWHERE = (
    ("Gaussian", 1.3, 5.0),
    ("Moffat 3", 1.3, 5.0),
    ("Moffat 3", 1.3, 30.0),
    ("Gaussian", 2.0, 100.0),
    ("Moffat 3", 3.0, 100.0),
    ("Moffat 3", 3.0, 400.0),
)
DEFAULT, CIRCLE, MASK = "Umbra, by default", "Umbra, circle", "static mask"
EXACT = (CIRCLE, "photutils", "sep")
PEERS = ("photutils", "sep", MASK)


@dataclass(frozen=True, slots=True)
class Case:
    """Stars of one profile, width (FWHM, pixels) and signal to noise (of a perfect measurement)."""

    profile: str
    fwhm_px: float
    snr: float

    @property
    def flux_e(self) -> float:
        """Electrons of a faint star."""
        light = star_image(HALF_PX + 0.2, HALF_PX + 0.3, self.fwhm_px, (81, 81), PROFILES[self.profile])
        flux = 100.0
        for _ in range(60):
            flux *= self.snr / (flux * np.sqrt((light**2 / (PIXEL_E2 + flux * light)).sum()))
        return float(flux)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.profile}, FWHM {self.fwhm_px:g} px, S/N {self.snr:g}"


@functools.lru_cache(maxsize=STEP * STEP)
def _light(right: int, down: int, profile: str, fwhm_px: float) -> Floats:
    """Image of a star `right` and `down` steps from the middle of the box."""
    size = 2 * HALF_PX + 1
    return star_image(HALF_PX + right / STEP, HALF_PX + down / STEP, fwhm_px, (size, size), PROFILES[profile])


def frames_of(case: Case, frames: int, seed: int) -> Iterator[NDArray[np.uint16]]:
    """Frames with drift and wind, stars at places in steps of an eighth of a pixel."""
    rng = np.random.default_rng(seed)
    stars = [(x, y, case.flux_e) for x, y in FAINT] + list(BRIGHT)
    for i in range(frames):
        moved = np.array(DRIFT_PX) * i / frames + (WIND_PX * rng.standard_normal(2) if i else 0.0)
        mean = np.full((HEIGHT + 2 * HALF_PX, WIDTH + 2 * HALF_PX), SKY_E)
        for x, y, flux in stars:
            at = np.rint((np.array([x, y]) + moved) * STEP).astype(int)
            column, row = np.floor_divide(at + STEP // 2, STEP).tolist()
            right, down = (at - STEP * np.array([column, row])).tolist()
            box = mean[row : row + 2 * HALF_PX + 1, column : column + 2 * HALF_PX + 1]
            box += flux * _light(right, down, case.profile, case.fwhm_px)
        seen = rng.poisson(mean[HALF_PX:-HALF_PX, HALF_PX:-HALF_PX])
        noise = READ_E * rng.standard_normal(seen.shape)
        yield np.clip(np.rint(seen + noise + OFFSET_ADU), 0, 65535).astype(np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class Fluxes:
    """Faint and bright stars by one way, ``(n, s)``."""

    faint: Floats
    bright: Floats

    def scatter(self) -> float:
        """Relative sigma of a faint star over the bright ones, all faint ones together."""
        reference = self.bright.sum(axis=1)
        ratio = self.faint / (reference / reference.mean())[:, None]
        return float(np.sqrt(np.nanmean(np.nanvar(ratio, axis=0, ddof=1))) / np.nanmean(ratio))

    def without(self, frames: NDArray[np.int64]) -> "Fluxes":
        """The same less some frames."""
        return Fluxes(np.delete(self.faint, frames, axis=0), np.delete(self.bright, frames, axis=0))

    def ratio(self) -> float:
        """Light of the faint stars over that of the bright ones."""
        return float(self.faint.mean() / self.bright.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """One recording by all ways: fluxes by name, what Umbra chose, its reduced chi-square, and the bounds."""

    case: Case
    ways: dict[str, Fluxes]
    chosen: str
    chi2: float
    bounds: FluxBounds

    def against(self, theirs: str) -> tuple[float, float]:
        """Scatter by default over that by another way, and its error by a jackknife of blocks of frames."""
        ours, other = self.ways[DEFAULT], self.ways[theirs]
        parts = np.array_split(np.arange(len(ours.faint)), BLOCKS)
        each = np.array([ours.without(part).scatter() / other.without(part).scatter() for part in parts])
        return ours.scatter() / other.scatter(), float(np.sqrt((BLOCKS - 1) * each.var()))

    def best(self, names: tuple[str, ...]) -> str:
        """The way of least scatter among some."""
        return min(names, key=lambda name: self.ways[name].scatter())

    @property
    def bias(self) -> tuple[float, float]:
        """Ratio of faint to bright stars by default over the true one, and its error."""
        default = self.ways[DEFAULT]
        true = self.case.flux_e / float(np.mean([flux for *_, flux in BRIGHT]))
        found = float(default.faint.mean() / default.bright.mean()) / true
        return found, default.scatter() / float(np.sqrt(default.faint.size))


def study(case: Case, folder: Path, frames: int = FRAMES, seed: int = 5) -> Studied:
    """Record and reduce one field, and measure it with the peers."""
    path = folder / "field.ser"
    stamps = 1_760_000_000_000_000_000 + 50_000_000 * np.arange(frames)
    write_ser(path, frames_of(case, frames, seed), stamps_ns=stamps)
    default, (table, stars) = _reduced(path, folder, "auto")
    ways = {DEFAULT: Fluxes(*(table["flux"][:, s].astype(np.float64) for s in stars))}
    _, (circles, same) = _reduced(path, folder, "aperture")
    ways[CIRCLE] = Fluxes(*(circles["flux"][:, s].astype(np.float64) for s in same))
    every = np.concatenate(stars)
    places = np.stack([table["x"][:, every], table["y"][:, every]], axis=2).astype(np.float64)
    ways |= _by_peers(case, path, places, default.photometry.sky_px)
    inner, outer = default.photometry.sky_px
    bounds = flux_bounds(
        case.flux_e, case.fwhm_px, PIXEL_E2, PROFILES[case.profile], float(np.pi * (outer**2 - inner**2))
    )
    path.unlink()
    return Studied(case, ways, default.photometry.extraction, default.quality.chi2_reduced, bounds)


def _reduced(
    path: Path, folder: Path, extract: str
) -> tuple[ReductionResult, tuple[NDArray[Any], tuple[list[int], list[int]]]]:
    """A reduction, its star table and which of its stars are the faint and the bright ones."""
    target = Position(x=round(FAINT[0][0]), y=round(FAINT[0][1]))
    plan = ReductionPlan.model_validate(ReductionPlan(target=target).model_dump() | {"extract": extract})
    stack = open_in_place(path, TimeOptions(meaning="start"))
    assert stack is not None
    with closing(stack):
        result = reduce(plan, stack, folder)
    table = np.concatenate([np.load(part).reshape(-1, len(result.stars)) for part in result.segments])
    at = np.array([(star.x, star.y) for star in result.stars])
    faint = [k for k in (_nearest(at, x, y) for x, y in FAINT) if k >= 0]
    bright = [k for k in (_nearest(at, x, y) for x, y, _ in BRIGHT) if k >= 0]
    assert len(faint) > len(FAINT) // 2
    assert len(bright) == len(BRIGHT)
    return result, (table, (faint, bright))


def _nearest(at: Floats, x: float, y: float) -> int:
    distance = np.hypot(at[:, 0] - x, at[:, 1] - y)
    return int(distance.argmin()) if distance.min() < 2.0 else -1


def _by_peers(case: Case, path: Path, places: Floats, sky: tuple[float, float]) -> dict[str, Fluxes]:
    """Fluxes by each peer at the radius that scatters least."""
    radii = [factor * case.fwhm_px for factor in RADII]
    taken = {name: np.empty((len(RADII), *places.shape[:2])) for name in ("photutils", "sep", MASK)}
    pixels = np.memmap(path, "<u2", "r", 178, (len(places), HEIGHT, WIDTH))
    for i, at in enumerate(places):
        frame = pixels[i].astype(np.float64)
        level = _levels(frame, at, sky)
        for r, radius in enumerate(radii):
            circle = CircularAperture(at, radius)
            sums, _ = circle.do_photometry(frame, method="exact")
            taken["photutils"][r, i] = sums - level * circle.area
            flux, _, _ = sep.sum_circle(frame, at[:, 0], at[:, 1], radius, bkgann=sky, subpix=0)
            taken["sep"][r, i] = flux
        taken[MASK][:, i] = _masks(frame, at, radii, level)
    faint = places.shape[1] - len(BRIGHT)
    out: dict[str, Fluxes] = {}
    for name, values in taken.items():
        tried = [Fluxes(one[:, :faint], one[:, faint:]) for one in values]
        out[name] = min(tried, key=Fluxes.scatter)
    return out


def _levels(frame: Floats, at: Floats, sky: tuple[float, float]) -> Floats:
    """Mean of each annulus, clipped at three sigma."""
    level = np.empty(len(at))
    for k, mask in enumerate(CircularAnnulus(at, *sky).to_mask(method="center")):
        values = mask.get_values(frame)
        level[k] = values[np.abs(values - values.mean()) <= 3.0 * values.std()].mean()
    return level


def _masks(frame: Floats, at: Floats, radii: list[float], level: Floats) -> Floats:
    """Sums of whole pixels within each radius of the star's own pixel, ``(r, s)``."""
    half = int(max(radii)) + 1
    reach = np.hypot(*np.indices((2 * half + 1, 2 * half + 1)) - half)
    inside = np.array([reach <= max(radius, 1.0) for radius in radii], np.float64)
    flux = np.empty((len(radii), len(at)))
    for k, (x, y) in enumerate(np.rint(at).astype(int)):
        box = frame[y - half : y + half + 1, x - half : x + half + 1] - level[k]
        flux[:, k] = np.tensordot(inside, box, 2)
    return flux


def extraction(scratch: Path, frames: int | None, _repetitions: int) -> Record:
    """Scatter by default over that of the best circles and masks, and what is possible at all."""
    count = frames or FRAMES
    grid = [Case(p, f, s) for p in PROFILES for f in FWHMS_PX for s in SNRS]
    sky_limited = [study(case, scratch, count, seed) for seed, case in enumerate(grid)]
    elsewhere = [study(Case(*case), scratch, count, 100 + k) for k, case in enumerate(ELSEWHERE)]
    record = Record(
        "extraction",
        {
            "frames": count,
            "width": WIDTH,
            "height": HEIGHT,
            "dtype": "uint16",
            "stars": [len(FAINT), len(BRIGHT)],
            "snr": list(SNRS),
            "sky_e": SKY_E,
            "read_noise_e": READ_E,
        },
    )
    groups = {
        f"{p}, FWHM {f:g} px": [s for s in sky_limited if (s.case.profile, s.case.fwhm_px) == (p, f)]
        for p in PROFILES
        for f in FWHMS_PX
    }
    record.values = {
        "sky_limited": {
            name: summary(some)
            | {
                "scatter_over_bound": round(
                    mean_of([s.ways[DEFAULT].scatter() / s.bounds.known for s in some]), 4
                )
            }
            for name, some in groups.items()
        },
        "elsewhere": {one.case.name: summary([one]) for one in elsewhere},
    }
    record.targets = targets(sky_limited, groups, elsewhere)
    return record


def mean_of(values: list[float]) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(values))))


def summary(some: list[Studied]) -> dict[str, Any]:
    """Ratios of scatters, by default over others, found and possible; means over some recordings."""
    circle = [one.against(one.best(EXACT)) for one in some]
    mask = [one.against(MASK) for one in some]
    bias = [one.bias for one in some]
    values = {
        "over_best_circle": mean_of([ratio for ratio, _ in circle]),
        "error": float(np.sqrt(sum(error**2 for _, error in circle))) / len(some),
        "bound": mean_of([one.bounds.known / one.bounds.circle for one in some]),
        "over_static_mask": mean_of([ratio for ratio, _ in mask]),
        "bound_of_the_mask": mean_of([one.bounds.known / one.bounds.whole for one in some]),
        "chi2_reduced": float(np.mean([one.chi2 for one in some])),
        "bias_sigmas": float(np.max([abs(found - 1.0) / error for found, error in bias])),
        "bias": float(np.mean([found for found, _ in bias])) - 1.0,
    }
    return {name: round(value, 4) for name, value in values.items()} | {
        "extraction": "/".join(sorted({one.chosen for one in some}))
    }


def targets(
    sky_limited: list[Studied], groups: dict[str, list[Studied]], elsewhere: list[Studied]
) -> list[Target]:
    """What must be reached; the bound where that is all there is."""
    wide = [
        mean_of([1.0 / one.against(one.best(EXACT))[0] for one in some])
        for name, some in groups.items()
        if name.startswith("Moffat") and some[0].case.fwhm_px >= 3.0
    ]
    short = [
        mean_of([one.against(one.best(EXACT))[0] * one.bounds.circle / one.bounds.known for one in some])
        for some in groups.values()
    ]
    masks = [mean_of([1.0 / one.against(MASK)[0] for one in some]) for some in groups.values()]
    every = [one.against(one.best(PEERS))[0] for one in (*sky_limited, *elsewhere)]
    rest = [one.against(one.best(EXACT))[0] for one in elsewhere]
    return [
        Target("gain over the best exact circle, Moffat, FWHM of 3 px or more, least", 1.05, min(wide)),
        Target("gain over the best static mask, sky-limited, least", 1.05, min(masks)),
        Target(
            "ratio to the best exact circle over what is possible, most", 1.02, max(short), at_least=False
        ),
        Target("scatter over the best exact circle's, elsewhere, most", 1.01, max(rest), at_least=False),
        Target("scatter over the best peer's, everywhere, most", 1.02, max(every), at_least=False),
    ]
