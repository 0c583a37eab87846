"""Which flanks describe an event: every model that the settings allow, by AIC and BIC."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reduction.cores import on_all_cores
from reduction.events.badpoints import Contamination, Mask, unexplained
from reduction.events.cut import Cut, columns_of
from reduction.events.diffraction import Fringes, Light, fresnel_unit_km
from reduction.events.disc import Penumbra
from reduction.events.flanks import Flank, Floats, well
from reduction.events.gradual import Isothermal
from reduction.events.likelihood import Scene, surface
from reduction.events.noise import Whitener
from reduction.events.results import ModelScore, NoiseModel
from reduction.events.settings import EventSettings, Geometry, ModelName
from reduction.events.square import Sharp
from reduction.events.trial import Fitted

Flanks = tuple[Flank, Flank]

RADIAN_PER_MAS = np.pi / 180.0 / 3_600_000.0
AU_KM = 149_597_870.7

NARROWEST, WIDTHS = 0.6, 9
"""Shortest 10 to 90 % rise that is tried, in cadences, and how many up to that of the event's length."""

TELLING = 6.0
"""Fall of BIC from which a flank other than the sharp one is said: strong evidence (Kass & Raftery 1995)."""

WORTH_A_LOOK = 5.0
"""Fall of chi-square, to first order, from which the width of a flank is searched for."""

PROMISING = 4
"""Widths, of those tried to first order, that are fitted."""

BRIGHT, BRIGHTEST = 7.9, 4.0
"""Sigmas above the level of samples beside an event that together are a fringe, and of one at most."""

BAND = 0.4
"""Relative band of diffraction whose geometry nobody has given."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Flanks of one kind.

    Attributes
    ----------
    model : str
    make : callable
        Flanks from their widths at D and R, seconds; of given geometry the widths are not looked at.
    free : bool
        Whether the widths are fitted.
    rise : float
        10 to 90 % rise of a flank of width 1.
    """

    model: ModelName
    make: Callable[[float, float], Flanks]
    free: bool
    rise: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A shape at its best."""

    shape: Shape
    widths: tuple[float, float]
    score: ModelScore

    @property
    def flanks(self) -> Flanks:
        """At these widths."""
        return self.shape.make(*self.widths)


def star_diameter_km(geometry: Geometry) -> float | None:
    """Of the star at the body's distance; None where unknown."""
    if geometry.star_diameter_km is not None:
        return geometry.star_diameter_km
    if geometry.star_diameter_mas is None:
        return None
    return geometry.star_diameter_mas * RADIAN_PER_MAS * geometry.distance_au * AU_KM


def shapes(settings: EventSettings) -> list[Shape]:
    """Every kind of flank that the settings allow, the sharp one first."""
    geometry = settings.geometry
    found = [Shape("square", lambda _d, _r: (Sharp(), Sharp()), free=False)]
    if geometry is not None:
        speeds = tuple(geometry.velocity_km_s * normal for normal in (geometry.normal_d, geometry.normal_r))
        unit = fresnel_unit_km(geometry.wavelength_um, geometry.distance_au)
        star = star_diameter_km(geometry)
        light = Light(geometry.band_um / geometry.wavelength_um, (star or 0.0) / 2 / unit)
        fringes = (Fringes(unit / speeds[0], light), Fringes(unit / speeds[1], light))
        found.append(Shape("diffraction", lambda _d, _r: fringes, free=False))
        if star:
            discs = (Penumbra(star / 2 / speeds[0]), Penumbra(star / 2 / speeds[1]))
            found.append(Shape("disc", lambda _d, _r: discs, free=False))
    else:
        light = Light(BAND)
        made = Shape("diffraction", lambda d, r: (Fringes(d, light), Fringes(r, light)), free=True, rise=1.17)
        found.append(made)
    if not any(shape.model == "disc" for shape in found):
        found.append(
            Shape("disc", lambda d, r: (Penumbra(d), Penumbra(r)), free=True, rise=Penumbra(1.0).rise_s())
        )
    rise = Isothermal(1.0).rise_s()
    found.append(Shape("gradual", lambda d, r: (Isothermal(d), Isothermal(r)), free=True, rise=rise))
    return [s for s in found if s.model == "square" or not settings.models or s.model in settings.models]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A curve with the samples and the noise that all models are judged by.

    Attributes
    ----------
    cut : Cut
    scene : Scene
    flux, sigma : array, (n_sample,)
    seen : array of bool
    bad : Contamination
    columns : int
        Fitted besides the event.
    sharp : tuple of float
        D and R of the sharp edges.
    noise : NoiseModel
    """

    cut: Cut
    scene: Scene
    flux: Floats
    sigma: Floats
    seen: Mask
    bad: Contamination
    columns: int
    sharp: tuple[float, float]
    noise: NoiseModel

    @classmethod
    def of(cls, cut: Cut, fitted: Fitted, settings: EventSettings, noise: NoiseModel) -> "Comparison":
        """After the fit of sharp edges: samples by them count wherever they lie between the levels."""
        columns = columns_of(cut, settings.baseline_order)
        flux = np.where(cut.usable, cut.flux, 0.0)
        bad = Contamination.of(noise, int(cut.usable.sum()))
        flanks = (Sharp(), Sharp())
        gone = well(flanks, cut.start_s, cut.stop_s, fitted.d_s, fitted.r_s)
        found = fitted.parts[0][1]
        j, k = found.best()
        top = fitted.scene.level * fitted.scene.scale
        bottom = top - fitted.scene.level * float(found.surface.lost[j, k])
        length = cut.stop_s[cut.last] - cut.start_s[cut.first] + 4 * cut.cadence_s
        near = (cut.stop_s > cut.start_s[cut.first] - length) & (cut.start_s < cut.stop_s[cut.last] + length)
        seen = cut.usable & ~unexplained(flux, gone, (top, bottom), fitted.sigma, near, bad.limit())
        whitener = Whitener.of(noise, fitted.sigma, seen)
        scene = Scene.of(
            (cut.start_s, cut.stop_s), flux, seen, whitener, columns, fitted.scene.level, fitted.scene.scale
        )
        edges = (fitted.d_s, fitted.r_s)
        return cls(cut, scene, flux, fitted.sigma, seen, bad, len(columns), edges, noise)

    def best_edges(self, flanks: Flanks) -> tuple[float, float, float, float]:
        """D, R, loss and chi-square at their best about the sharp edges, for given flanks."""
        reach = max(2.0 * self.cut.cadence_s, 0.7 * max(f.rise_s() for f in flanks))
        d, r = self.sharp
        lost = chi2 = np.nan
        for _ in range(3):
            at_d = np.array([d]) if not np.isfinite(d) else d + reach * np.linspace(-1.0, 1.0, 13)
            at_r = np.array([r]) if not np.isfinite(r) else r + reach * np.linspace(-1.0, 1.0, 13)
            on = surface(self.scene, flanks, at_d, at_r)
            fits = np.where(on.lost > 0, on.chi2, np.inf)
            j, k = np.unravel_index(int(np.argmin(fits)), fits.shape)
            d, r, lost, chi2 = float(at_d[j]), float(at_r[k]), float(on.lost[j, k]), float(on.chi2[j, k])
            reach /= 5.0
        return d, r, lost, chi2

    def score(self, model: str, gone: Floats, lost: float, chi2: float, parameters: int) -> ModelScore:
        """Score of a model; samples that are bad under it count as such, and the memory passes over them."""
        scale = np.sqrt(self.reference / self.scene.freedom)
        left = self.flux - self._level(gone, lost) + lost * gone * self.scene.level
        z = left / (self.sigma * scale)
        bad = self.seen & (self.bad.bad_over_good(z) > 0)
        kept, whitener = self.seen & ~bad, self.scene.whitener
        if bad.any():
            whitener = Whitener.of(self.noise, self.sigma, kept)
            white = whitener(np.where(kept, left, 0.0))
            chi2 = float(white @ white)
        n = int(kept.sum())
        log = -0.5 * chi2 / scale**2 - n * (float(np.log(scale)) + 0.5 * float(np.log(2 * np.pi)))
        log += float(np.logaddexp(0.0, self.bad.bad_over_good(z[kept])).sum()) - 0.5 * whitener.log_det
        log += self.bad.log_bad(z[bad], (self.sigma * scale)[bad])
        count = parameters + self.columns + 3  # D, R and the depth
        penalty = count * float(np.log(self.seen.sum()))
        return ModelScore(
            model, count, float(log), float(2.0 * count - 2.0 * log), float(penalty - 2.0 * log),
            chi2 / max(n - count, 1),
        )  # fmt: skip

    @property
    def reference(self) -> float:
        """Chi-square that sets the scale of the noise, the same for all models."""
        return float(self.scene.freedom)

    def _level(self, gone: Floats, lost: float) -> Floats:
        """Out-of-event level at its best."""
        order = self.columns - 1
        columns = columns_of(self.cut, order)
        white = self.scene.whitener(
            np.concatenate([columns, (self.flux + lost * gone * self.scene.level)[None]])
        )
        level: Floats = np.linalg.lstsq(white[:-1].T, white[-1], rcond=None)[0] @ columns
        return level

    def bright_beside(self) -> bool:
        """Whether the light beside the event rises above its level: only diffraction can do that."""
        d, r = self.sharp
        if not (np.isfinite(d) and np.isfinite(r)):
            return False
        length = max(round((r - d) / self.cut.cadence_s), 4)
        reach = 3 * length * self.cut.cadence_s
        middle = self.cut.middle_s
        z = (self.flux - self.scene.level * self.scene.scale) / self.sigma
        for side in ((middle > d - reach) & (middle < d), (middle > r) & (middle < r + reach)):
            at = np.clip(z[side & self.cut.usable], -BRIGHTEST, BRIGHTEST)  # one bad sample is no fringe
            if at.size >= length:
                sums = np.convolve(at, np.ones(length), "valid") / np.sqrt(length)
                if sums.max() > BRIGHT:
                    return True
        return False

    def tried(self, shape: Shape, widths: tuple[float, float]) -> Tried:
        """A shape at given widths, its edges at their best."""
        flanks = shape.make(*widths)
        d, r, lost, chi2 = self.best_edges(flanks)
        gone = well(flanks, self.cut.start_s, self.cut.stop_s, d, r)
        free = 0 if not shape.free else (1 if widths[0] == widths[1] else 2)
        return Tried(shape, widths, self.score(shape.model, gone, lost, chi2, free))

    def widths(self, shape: Shape) -> Floats:
        """Widths that are tried, seconds."""
        longest = max(self.sharp[1] - self.sharp[0], 3 * self.cut.cadence_s)
        if not np.isfinite(longest):
            longest = 40.0 * self.cut.cadence_s
        rise = np.geomspace(NARROWEST * self.cut.cadence_s, max(1.2 * longest, self.cut.cadence_s), WIDTHS)
        widths: Floats = rise / shape.rise
        return widths

    def gains(self, shape: Shape, widths: Floats) -> Floats:
        """Fall of chi-square by each width to first order, edges and depth at their best."""
        d, r = self.sharp
        step = 0.05 * self.cut.cadence_s
        start, stop = self.cut.start_s, self.cut.stop_s
        sharp = (Sharp(), Sharp())
        moves = [well(sharp, start, stop, d, r)]
        if np.isfinite(d):
            moves.append(well(sharp, start, stop, d + step, r) - well(sharp, start, stop, d - step, r))
        if np.isfinite(r):
            moves.append(well(sharp, start, stop, d, r + step) - well(sharp, start, stop, d, r - step))
        rows = [well(shape.make(float(w), float(w)), start, stop, d, r) - moves[0] for w in widths]
        white = self.scene.projected(np.stack([*moves, *rows]))
        basis = np.linalg.qr(white[: len(moves)].T)[0].T
        left = self.scene.white - (basis @ self.scene.white) @ basis
        others = white[len(moves) :] - (white[len(moves) :] @ basis.T) @ basis
        square = np.einsum("ij,ij->i", others, others)
        gain: Floats = (others @ left) ** 2 / np.maximum(square, 1e-12)
        return gain

    def best_of(self, shape: Shape) -> Tried:
        """A shape with its widths at their best, if they can be told at all."""
        if not shape.free:
            return self.tried(shape, (0.0, 0.0))
        widths = self.widths(shape)
        gains = self.gains(shape, widths)
        if gains.max() < WORTH_A_LOOK:
            narrowest = float(widths[0])
            return self.tried(shape, (narrowest, narrowest))
        promising = np.sort(np.argsort(gains)[::-1][:PROMISING])
        best = min((self.tried(shape, (float(w), float(w))) for w in widths[promising]), key=_bic)
        step = float(widths[1] / widths[0])
        for which in ((1, 1), (1, 0), (0, 1), (1, 0), (0, 1)):
            step = step**0.6
            for factor in (1 / step, step):
                moved = tuple(w * (factor if on else 1.0) for w, on in zip(best.widths, which, strict=True))
                best = min(best, self.tried(shape, (moved[0], moved[1])), key=_bic)
        return best


def _bic(one: Tried) -> float:
    return one.score.bic


def compare(comparison: Comparison, settings: EventSettings) -> list[Tried]:
    """Every model at its best, the one that is said first.

    That is the sharp edge, unless another's BIC is lower by `TELLING`. The kinds of flank are fitted side by
    side, each with projections of its own, so that results do not depend on the number of cores.
    """

    def fitted(shape: Shape) -> Tried:
        return replace(comparison, scene=replace(comparison.scene, strips={})).best_of(shape)

    slowest_first = shapes(settings)[::-1]
    tried = on_all_cores(fitted, slowest_first)[::-1]
    sharp, others = tried[0], sorted(tried[1:], key=_bic)
    fringes = next((one for one in others if one.shape.model == "diffraction"), None)
    if fringes is not None and comparison.bright_beside():
        return [fringes, *sorted([one for one in tried if one is not fringes], key=_bic)]
    if others and others[0].score.bic < sharp.score.bic - TELLING:
        return [others[0], *sorted([sharp, *others[1:]], key=_bic)]
    return [sharp, *others]
