"""How likely noise alone makes a run as significant as the one that was found.

Of all starts and lengths searched the most significant run is taken, under a noise that is estimated from
the same samples. Its distribution was simulated by the search itself, in white noise, with memory and 1/f
noise, each with and without bad samples, for curves of 16 to 6,000 samples. The square of the score then
follows, in its upper part, a Gumbel distribution whose place and width change slowly with the number of
samples, their memory, whether some are bad, and how much of the curve the run takes (slow noise makes long
runs): `PLACE` and `WIDTH` were fitted to those simulations by maximum likelihood
(``python -m bench.events_calibration``), and are verified by others
(``python -m bench events_false_alarms``).
"""

import math

from reduction.events.results import NoiseModel

PLACE = {
    "one": 10.003, "size": 1.078, "few": -0.583, "memory": 1.155, "long": 1.142, "long with memory": -2.819,
    "spoilt": -0.268, "plain": -0.92, "plain and long": -0.976, "large and long": -0.076,
}  # fmt: skip
"""Place of the distribution: coefficients of `features`."""

WIDTH = {
    "one": 2.653, "size": 0.287, "long": 1.282, "spoilt": 0.198, "plain": 0.329, "large and long": 0.487,
}  # fmt: skip
"""Its width: the same."""

LEAST_WIDTH = 1.0


def features(noise: NoiseModel, samples: int, run: int) -> dict[str, float]:
    """What the distribution depends on, by name."""
    size = math.log(max(samples, 16) / 300.0)
    few = min(max(-size - 1.0, 0.0), 1.4)
    memory = math.log(max(min(long_run(noise), 10.0), 1.0))
    long = math.log(max(16.0 * run / max(samples, 1), 1.0))
    spoilt = 1.0 if noise.bad_share > 0 else 0.0
    plain = math.exp(-memory / 0.1)
    return {
        "one": 1.0,
        "size": size,
        "few": few,
        "memory": memory,
        "long": long,
        "long with memory": long * min(memory, 1.0),
        "spoilt": spoilt,
        "plain": plain,
        "plain and long": plain * long,
        "large and long": max(size, 0.0) * long,
    }


def long_run(noise: NoiseModel) -> float:
    """Sigma of a long mean over that of white noise of the same sigma."""
    left = 1.0 - sum(noise.ar)
    return noise.innovation / left if left > 0 else math.inf


def _gumbel(noise: NoiseModel, samples: int, run: int) -> tuple[float, float]:
    terms = features(noise, samples, run)
    place = sum(PLACE[name] * value for name, value in terms.items())
    width = sum(WIDTH.get(name, 0.0) * value for name, value in terms.items())
    return place, max(width, LEAST_WIDTH)


def false_alarm_probability(score: float, noise: NoiseModel, samples: int, run: int, stars: int = 1) -> float:
    """Probability that noise alone, in one of `stars` curves, yields a run that stands out as much.

    Parameters
    ----------
    score : float
        Of the most significant run (`Strongest.score`), sigma.
    noise : NoiseModel
    samples : int
        That were searched.
    run : int
        Of them in the run.
    stars : int
        Curves searched, this one among them.
    """
    place, width = _gumbel(noise, samples, run)
    expected = math.exp(min(-(score * score - place) / width, 50.0))
    return -math.expm1(-expected * max(stars, 1))


def least_score(probability: float, noise: NoiseModel, samples: int, run: int, stars: int = 1) -> float:
    """Score from which the false-alarm probability of a run of so many samples is below `probability`."""
    place, width = _gumbel(noise, samples, run)
    expected = -math.log1p(-probability) / max(stars, 1)
    return math.sqrt(max(place - width * math.log(expected), 0.0))
