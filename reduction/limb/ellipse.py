"""The limb that fits the times of a campaign: an ellipse or a circle, with everything that is uncertain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.events.results import Figure
from reduction.limb.descent import Minima, descend, whitened
from reduction.limb.intervals import axis_figure, figure, length_figure, reaching
from reduction.limb.likelihood import Prior, Times, log_path, misfit
from reduction.limb.posterior import Components, Sample, adapted, components, draw, spread_relief
from reduction.limb.shape import Ellipse, Floats, pass_by, unpack
from reduction.limb.starts import circles, distinct, ellipses, extent_km

Model = Literal["ellipse", "circle"]
ELLIPSE_TIMES = 7
"""Times from which on an ellipse is fitted unless something else is asked for: it has five parameters."""
ENOUGH = 700.0
"""Effective draws below which a second sample is drawn."""
MOST_RELIEF = 0.3
"""Of the half-extent of the points: the largest relief tried."""
UNDETERMINED_DEG = 120.0
"""A position angle whose 0.95 interval is wider than this is undetermined."""
FREE_S = 300.0
"""Sigma of a clock that says nothing: D and R of its station then only tell the length of the chord."""
KNEE = 0.5
"""Relief, in errors of the times along the path, below which the prior of the relief is level."""


@dataclass(frozen=True, slots=True)
class Solution:
    """One of several limbs that explain the times: each has its share of the posterior."""

    ellipse: Ellipse
    chi2: float  # with the relief of the fit
    probability: float


@dataclass(frozen=True, slots=True)
class Influence:
    """What one chord does to the fit.

    Attributes
    ----------
    chord : int
    leverage : float
        Parameters that this chord determines by itself; all chords' sum up to the number of parameters.
    moves : str
        The parameter that would change most without it,
    by_sigma : float
        and by how many of its sigmas.
    """

    chord: int
    leverage: float
    moves: str
    by_sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class LimbFit:
    """A fitted limb.

    Attributes
    ----------
    model : "ellipse" or "circle"
    ellipse : Ellipse
        The most probable one.
    figures : mapping of Figure
        ``f_km``, ``g_km``: the centre against the prediction, east and north; ``semi_major_km``,
        ``semi_minor_km``, ``diameter_km`` (of the circle of equal area), ``oblateness``, ``pa_deg``,
        ``relief_km``. Values are medians, of the draws that belong to the first solution.
    centre_covariance : array, (2, 2)
        Of f and g, km^2.
    pa_determined : bool
        False where the limb may as well be round.
    residual_s, residual_sigma_s : array, (n_edge,)
        Observed less computed time; its sigma, the time's, the clock's and the relief's.
    chi2_reduced : float
        Of the times alone, without relief; NaN without a degree of freedom.
    freedom : int
        Degrees of freedom.
    solutions : tuple of Solution
        That of the figures first; one where there is no other.
    influence : tuple of Influence
        Of each chord.
    sample : Sample
        Of the whole posterior.
    weight : array, (n_draw,)
        Of each draw in the figures: 0 of those that belong to another solution.
    notes : tuple of Note
    """

    model: Model
    ellipse: Ellipse
    figures: Mapping[str, Figure]
    centre_covariance: Floats
    pa_determined: bool
    residual_s: Floats
    residual_sigma_s: Floats
    chi2_reduced: float
    freedom: int
    solutions: tuple[Solution, ...]
    influence: tuple[Influence, ...]
    sample: Sample
    weight: Floats
    notes: tuple[Note, ...]

    def band(self, angles: Floats, level: float = 0.68) -> tuple[Floats, Floats]:
        """Distances of the limb from its centre, ``(n,)`` each, between which `level` of the posterior lies.

        Parameters
        ----------
        angles : array, (n,)
            Directions, degrees from north through east.
        """
        rng = np.random.default_rng(0)
        chosen = self.sample.x[rng.choice(len(self.sample.x), 400, p=self.weight)]
        way = np.stack([np.sin(np.radians(angles)), np.cos(np.radians(angles))], axis=1)
        centre = np.broadcast_to([self.ellipse.f_km, self.ellipse.g_km], way.shape)
        path = pass_by(chosen, centre, way)
        reach = np.where(path.half_s > 0, path.closest_s + path.half_s, np.nan)
        edges = np.nanquantile(reach, [(1 - level) / 2, (1 + level) / 2], axis=0)
        return edges[0], edges[1]


def fit_limb(times: Times, prior: Prior, model: Model | None = None, seed: int = 0) -> LimbFit:
    """Fit a limb to the times of a campaign.

    Parameters
    ----------
    times : Times
        Of at least one chord.
    prior : Prior
        With a diameter where there are one or two chords only.
    model : str or None
        None: an ellipse from `ELLIPSE_TIMES` times on, else a circle.
    seed : int
        Of the draws.

    Returns
    -------
    LimbFit

    Raises
    ------
    DataError
        Too few times for the model.
    """
    model = model or ("ellipse" if times.edges >= ELLIPSE_TIMES else "circle")
    known = prior.diameter_km is not None and prior.sigma_km is not None
    needed = (5 if model == "ellipse" else 3) - int(known)
    if times.edges < needed:
        raise DataError(
            f"{times.edges} time{'s' if times.edges != 1 else ''} of D and R: {_article(model)} needs "
            f"{needed} at least; give the body's diameter with its sigma, or more chords"
        )
    parts = limb_components(times, prior, model)
    sample = draw(times, prior, parts, seed)
    for round_ in range(2):
        if sample.effective >= ENOUGH:
            break
        again = adapted(times, prior, parts, sample, seed + round_)
        sample = again if again.effective > sample.effective else sample
    return _described(times, prior, model, sample, parts)


def limb_components(times: Times, prior: Prior, model: Model) -> Components:
    """Laplace approximations of the posterior about every limb that explains the times."""
    radius = prior.diameter_km / 2 if prior.diameter_km is not None else extent_km(times) / 2
    modes = circles(times, prior, radius)
    if model == "ellipse":
        modes = ellipses(times, prior, modes, 0.05 * radius)
    most = MOST_RELIEF * max(radius, 4 * times.noise_km())
    return components(times, prior, modes.x, KNEE * times.noise_km(), most)


def _article(model: Model) -> str:
    return "an ellipse" if model == "ellipse" else "a circle"


def _described(times: Times, prior: Prior, model: Model, sample: Sample, parts: Components) -> LimbFit:
    solutions, nearest, best = _solutions(times, prior, sample, parts)
    x, relief = best[None, :], np.array([sample.best_relief_km])
    found = misfit(times, x, relief)
    bare = whitened(times, prior, x, np.zeros(1))[0, : times.edges]
    first = np.where(nearest == 0, sample.weight, 0)
    first = first / first.sum()
    between = spread_relief(sample.relief_km, parts.relief_km, KNEE * times.noise_km())
    figures = _figures(sample.x, between, first, unpack(best))
    pa = figures["pa_deg"].intervals[1]
    determined = model == "ellipse" and pa[1] - pa[0] < UNDETERMINED_DEG
    free = int((times.clock_s >= FREE_S).sum())
    freedom = times.edges - free - x.shape[1] + int(prior.sigma_km is not None)
    apart = sample.x[:, :2] - first @ sample.x[:, :2]
    return LimbFit(
        model=model,
        ellipse=unpack(best),
        figures=figures,
        centre_covariance=(apart * first[:, None]).T @ apart,
        pa_determined=determined,
        residual_s=found.residual_s[0],
        residual_sigma_s=np.sqrt(found.variance[0] + times.clock_s[times.owner] ** 2),
        chi2_reduced=float((bare**2).sum() / freedom) if freedom > 0 else float("nan"),
        freedom=freedom,
        solutions=solutions,
        influence=_influence(times, prior, best, sample.best_relief_km),
        sample=sample,
        weight=first,
        notes=_notes(model, determined, freedom, solutions, sample, prior),
    )


def _figures(x: Floats, relief_km: Floats, weight: Floats, best: Ellipse) -> dict[str, Figure]:
    """At the levels at which the limb may be round, its axes may be its radius, in any direction."""
    radius = np.exp(x[:, 2])
    answer = {
        "f_km": figure(x[:, 0], weight),
        "g_km": figure(x[:, 1], weight),
        "diameter_km": figure(2 * radius, weight),
        "relief_km": figure(relief_km, weight, "bounded"),
    }
    mean = figure(radius, weight)
    if x.shape[1] == 3:
        nothing = Figure(0.0, 0.0, ((0.0, 0.0),) * 3)
        anywhere = Figure(0.0, 90.0, ((-90.0, 90.0),) * 3)
        return {
            **answer, "semi_major_km": mean, "semi_minor_km": mean, "oblateness": nothing, "pa_deg": anywhere
        }  # fmt: skip
    eta = np.hypot(x[:, 3], x[:, 4])
    flattening = length_figure(-np.expm1(-2 * eta), weight, eta)
    is_round = [low == 0 for low, _ in flattening.intervals]
    angle = np.degrees(0.5 * np.arctan2(x[:, 4], x[:, 3])) % 180
    return {
        **answer,
        "semi_major_km": reaching(figure(radius * np.exp(eta), weight), mean, is_round),
        "semi_minor_km": reaching(figure(radius * np.exp(-eta), weight), mean, is_round),
        "oblateness": flattening,
        "pa_deg": axis_figure(best.pa_deg, angle, weight, is_round),
    }


def _solutions(
    times: Times, prior: Prior, sample: Sample, parts: Components
) -> tuple[tuple[Solution, ...], NDArray[np.int64], Floats]:
    """Distinct limbs at the fit's relief, the likeliest first; each draw's nearest; the first's parameters.

    Each one's probability is the share of its draws, weighed by the predicted path. The mirror image of a
    circle on one or two chords is told of also where it explains nothing.
    """
    at = parts.relief_km == sample.best_relief_km
    start = np.concatenate([sample.best_x[None, :], parts.x[at]])
    mirrored = sample.x.shape[1] == 3 and times.clock_s.size <= 2
    if mirrored:
        start = np.concatenate([start, _mirror(times, sample.best_x)[None, :]])
    relief = np.full(len(start), sample.best_relief_km)
    minima = distinct(descend(times, prior, start, relief, 10))
    order = np.argsort(((minima.x - sample.best_x) ** 2).sum(axis=1), kind="stable")
    order = np.concatenate([order[:1], np.sort(order[1:])])
    apart = sample.x[:, None, :] - minima.x[order]
    nearest = np.einsum("nmp,mpq,nmq->nm", apart, minima.normal[order], apart).argmin(axis=1)
    path = log_path(prior, sample.x[:, :2])
    weighed = sample.weight * np.exp(path - path.max())
    share = np.array([weighed[nearest == k].sum() for k in range(order.size)]) / weighed.sum()
    if prior.path_km2 is not None and share.argmax() > 0:
        rank = np.argsort(-share, kind="stable")
        order, share, nearest = order[rank], share[rank], np.argsort(rank)[nearest]
    found = [
        Solution(unpack(minima.x[k]), float(minima.cost[k]), float(p))
        for k, p in zip(order, share, strict=True)
    ]
    if mirrored and len(found) == 1:
        image = _mirror(times, sample.best_x)[None, :]
        cost = float((whitened(times, prior, image, relief[:1]) ** 2).sum())
        found.append(Solution(unpack(image[0]), cost, 0.0))
    kept = [one for one in found[1:] if mirrored or one.probability > 1e-3 or one.chi2 < found[0].chi2 + 25]
    return (found[0], *kept), nearest, minima.x[order[0]]


def _mirror(times: Times, x: Floats) -> Floats:
    """The circle on the other side of the chords."""
    along = times.velocity.mean(axis=0)
    across = np.array([-along[1], along[0]]) / np.hypot(*along)
    answer = x.copy()
    answer[:2] -= 2 * across * (across @ (x[:2] - times.point.mean(axis=0)))
    return answer


def _influence(times: Times, prior: Prior, x: Floats, relief_km: float) -> tuple[Influence, ...]:
    """Leverages and what the fit would lose with each chord, to first order."""
    best: Minima = descend(times, prior, x[None, :], np.array([relief_km]), 1)
    jacobian, rho = best.jacobian[0], best.rho[0]
    p = jacobian.shape[1]
    scale = 1 / np.sqrt(np.maximum(np.diag(best.normal[0]), 1e-300))
    covariance = np.linalg.pinv(best.normal[0] * np.outer(scale, scale)) * np.outer(scale, scale)
    names = ("f_km", "g_km", "diameter_km", "elongation", "elongation")[:p]
    answer = []
    for chord in range(times.clock_s.size):
        rows = np.flatnonzero(times.owner == chord)
        part = jacobian[rows]
        hat = part @ covariance @ part.T
        rest = np.linalg.pinv(np.eye(rows.size) - hat, rcond=1e-6)
        moved = -(covariance @ part.T @ rest @ rho[rows]) / np.sqrt(np.diag(covariance))
        most = int(np.argmax(np.abs(moved)))
        answer.append(Influence(chord, float(np.trace(hat)), names[most], float(moved[most])))
    return tuple(answer)


def _notes(
    model: Model,
    determined: bool,
    freedom: int,
    solutions: tuple[Solution, ...],
    sample: Sample,
    prior: Prior,
) -> tuple[Note, ...]:
    notes = []
    if len(solutions) > 1 and solutions[1].probability > 1e-3:
        shares = ", ".join(f"{100 * one.probability:.1f} %" for one in solutions)
        weighed = "" if prior.path_km2 is None else "; the predicted path's error is weighed in"
        text = f"{len(solutions)} limbs explain the times ({shares}): the figures are those of the first"
        notes.append(Note(Caveat.SOLUTIONS_SEVERAL, text + weighed))
    if model == "circle":
        notes.append(
            Note(Caveat.CIRCLE_ASSUMED, "the limb was taken to be a circle: errors hold for one only")
        )
    elif not determined:
        notes.append(
            Note(Caveat.ANGLE_UNDETERMINED, "the limb may as well be round: its position angle says nothing")
        )
    if freedom <= 0:
        notes.append(Note(Caveat.NO_FREEDOM, "as many parameters as times: nothing tests the fit"))
    if sample.effective < ENOUGH / 3:
        notes.append(
            Note(
                Caveat.POSTERIOR_COARSE,
                f"{sample.effective:.0f} effective draws only describe the posterior: rough intervals",
            )
        )
    return tuple(notes)
