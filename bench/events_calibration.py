"""Calibration of the false-alarm probability: its constants, from searches of empty curves.

``python -m bench.events_calibration [--rounds N]`` searches curves of 16 to 6,000 samples in white noise,
noise with memory and 1/f noise, without bad samples and with three kinds of them, and prints `PLACE` and
`WIDTH` of ``reduction/events/false_alarm.py``. A round is 5,124 curves, about 30 s on one core; the constants
in use are those of `ROUNDS`. The square of the score is fitted, above the tenth of each kind's curves that
shows most, by a Gumbel distribution whose place and width are linear in `features`; of the others it counts
that they are below. ``python -m bench events_false_alarms`` verifies them with curves of other noise.
"""

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.empty_curves import Course, Floats, curve_of, half_pink, memory, off, pink, white, wide
from reduction.events.false_alarm import LEAST_WIDTH, PLACE, WIDTH, features
from reduction.events.search import strongest

ROUNDS = 5
SEED = 1
LENGTHS = (16, 24, 36, 60, 100, 160, 250, 400, 700, 1200, 2500, 6000)
TOP = 0.1
"""Share of the curves of a kind whose scores are fitted."""

NOISES: dict[str, Course] = {
    "white": white, "memory 0.3": memory(0.3), "memory 0.6": memory(0.6), "memory 0.85": memory(0.85),
    "two lags": memory(0.5, 0.15), "1/f": pink, "half 1/f": half_pink,
}  # fmt: skip
WEIGHTS = {"white": 3.0, "1/f": 1.0, "half 1/f": 1.0}
"""Of the kinds of noise, others than 1."""

BAD = ("", "off", "wide", "few")


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """Empty curves that were searched: kind, score and what its distribution depends on."""

    kind: NDArray[np.intp]
    square: Floats
    features: dict[str, Floats]
    weight: Floats


def course(noise: str, bad: str, n: int, rng: np.random.Generator) -> Floats:
    """Noise of a kind with bad samples of a kind."""
    values = NOISES[noise](n, rng)
    if bad == "off":
        return off(values, rng)
    if bad == "wide":
        return wide(values, rng)
    return wide(values, rng, 0.03) if bad == "few" else values


def repetitions(n: int) -> int:
    """Curves of one kind in a round."""
    if n > 1200:
        return 2 if n < 3000 else 1
    return 20 if n <= 400 else 10


def searched(rounds: int, seed: int = SEED) -> Searched:
    """Search empty curves of all kinds."""
    rng = np.random.default_rng(seed)
    kinds = [(n, noise, bad) for n in LENGTHS for noise in NOISES for bad in BAD]
    kind: list[int] = []
    square: list[float] = []
    rows: list[dict[str, float]] = []
    for _ in range(rounds):
        for number, (n, noise, bad) in enumerate(kinds):
            for _ in range(repetitions(n)):
                curve = curve_of(course(noise, bad, n, rng))
                best = strongest(curve, curve.usable)
                if best is not None:
                    kind.append(number)
                    square.append(best.score**2)
                    rows.append(features(best.noise, best.samples, best.run))
    weights = [
        WEIGHTS.get(noise, 1.0) * (1.0 if bad else 1.5) * (3.0 if n > 1200 else 0.5 if n < 30 else 1.0)
        for n, noise, bad in kinds
    ]
    return Searched(
        np.array(kind),
        np.array(square),
        {name: np.array([row[name] for row in rows]) for name in rows[0]},
        np.array(weights)[kind],
    )


def fitted(found: Searched) -> tuple[dict[str, float], dict[str, float]]:
    """Place and width by maximum likelihood."""
    from scipy.optimize import minimize

    place = np.stack([found.features[name] for name in PLACE])
    width = np.stack([found.features[name] for name in WIDTH])
    from_here = np.zeros(found.kind.max() + 1)
    for number in np.unique(found.kind):
        from_here[number] = np.quantile(found.square[found.kind == number], 1.0 - TOP)
    least = from_here[found.kind]
    above = found.square > least

    def unlikelihood(constants: Floats) -> float:
        at = constants[: len(PLACE)] @ place
        scale = np.maximum(constants[len(PLACE) :] @ width, LEAST_WIDTH)
        z, bound = (found.square - at) / scale, (least - at) / scale
        log = np.where(
            above, -np.log(scale) - z - np.exp(np.minimum(-z, 50.0)), -np.exp(np.minimum(-bound, 50.0))
        )
        return -float((found.weight * log).sum() / found.weight.sum())

    start = np.zeros(len(PLACE) + len(WIDTH))
    start[0], start[len(PLACE)] = 11.0, 2.5
    best = minimize(unlikelihood, start, method="L-BFGS-B", options={"maxiter": 800, "maxfun": 200_000}).x
    return (
        {name: round(float(value), 3) for name, value in zip(PLACE, best, strict=False)},
        {name: round(float(value), 3) for name, value in zip(WIDTH, best[len(PLACE) :], strict=True)},
    )


def main() -> None:
    """Simulate, fit and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.events_calibration", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of simulation ({ROUNDS})")
    place, width = fitted(searched(parser.parse_args().rounds))
    print(f"PLACE = {place}\nWIDTH = {width}")


if __name__ == "__main__":
    main()
