"""How likely noise alone makes a run as significant as the one that was found.

Of all starts and lengths searched the most significant run is taken, under a noise that is estimated from
the same samples. Its distribution was simulated by the search itself, in white noise, with memory, 1/f noise
and bad samples, for curves of 16 to 5,000 samples. The square of the score then follows, in its upper part, a
Gumbel distribution whose place and width change slowly with the number of samples, their memory and the share
of bad ones: `PLACE` and `WIDTH` were fitted to those simulations by maximum likelihood, and are verified by
others (``python -m bench events_false_alarms``).
"""

import math

from reduction.events.results import NoiseModel

PLACE = (11.0, 2.0, 2.0, 0.5, 15.0)
WIDTH = (2.0, 0.0, 0.4, 0.0, 5.0)
"""Coefficients of the terms of `features`."""

LEAST_WIDTH = 1.4


def features(noise: NoiseModel, samples: int) -> tuple[float, float, float, float, float]:
    """What the distribution depends on: 1, log of the samples, memory, memory in short curves, bad share."""
    size = math.log(max(samples, 8) / 300.0)
    memory = math.log(max(min(long_run(noise), 10.0), 1.0))
    return 1.0, size, memory, memory * max(-size, 0.0), min(noise.bad_share, 0.15)


def long_run(noise: NoiseModel) -> float:
    """Sigma of a long mean over that of white noise of the same sigma."""
    left = 1.0 - sum(noise.ar)
    return noise.innovation / left if left > 0 else math.inf


def _gumbel(noise: NoiseModel, samples: int) -> tuple[float, float]:
    terms = features(noise, samples)
    place = sum(a * b for a, b in zip(PLACE, terms, strict=True))
    width = sum(a * b for a, b in zip(WIDTH, terms, strict=True))
    return place, max(width, LEAST_WIDTH)


def false_alarm_probability(score: float, noise: NoiseModel, samples: int, stars: int = 1) -> float:
    """Probability that noise alone, in one of `stars` curves, yields a score as high.

    Parameters
    ----------
    score : float
        Of the most significant run (`Strongest.score`), sigma.
    noise : NoiseModel
    samples : int
        That were searched.
    stars : int
        Curves searched, this one among them.
    """
    place, width = _gumbel(noise, samples)
    expected = math.exp(min(-(score * score - place) / width, 50.0))
    return -math.expm1(-expected * max(stars, 1))


def least_score(probability: float, noise: NoiseModel, samples: int, stars: int = 1) -> float:
    """Score from which the false-alarm probability is below `probability`."""
    place, width = _gumbel(noise, samples)
    expected = -math.log1p(-probability) / max(stars, 1)
    return math.sqrt(max(place - width * math.log(expected), 0.0))
