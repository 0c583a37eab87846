"""Light curves without an event: noise of many kinds, with and without bad samples."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.autoregression import process_of, realised
from reduction.events.curve import EventCurve
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]
Course = Callable[[int, np.random.Generator], Floats]


def white(n: int, rng: np.random.Generator) -> Floats:
    """Noise without memory."""
    return rng.standard_normal(n)


def memory(*ar: float) -> Course:
    """Autoregressive noise."""

    def course(n: int, rng: np.random.Generator) -> Floats:
        return realised(process_of(ar, np.ones(n, bool)), rng.standard_normal(n))

    return course


def pink(n: int, rng: np.random.Generator) -> Floats:
    """Power as 1/f, a part of a record four times as long."""
    f = np.fft.rfftfreq(4 * n)
    f[0] = np.inf
    whole = np.fft.irfft(np.fft.rfft(rng.standard_normal(4 * n)) / np.sqrt(f), 4 * n)
    return np.asarray(whole[:n] / whole.std(), np.float64)


def half_pink(n: int, rng: np.random.Generator) -> Floats:
    """Half of the variance white, half as 1/f."""
    return np.asarray(np.sqrt(0.5) * (white(n, rng) + pink(n, rng)), np.float64)


def wide(values: Floats, rng: np.random.Generator, share: float = 0.1) -> Floats:
    """With bad samples of a wider Gaussian, 4 to 12 sigma."""
    bad = rng.uniform(4.0, 12.0) * rng.standard_normal(values.size)
    return np.where(rng.random(values.size) < share, bad, values)


def off(values: Floats, rng: np.random.Generator, share: float = 0.1) -> Floats:
    """With bad samples 4 to 15 sigma off, up or down."""
    n = values.size
    return np.where(
        rng.random(n) < share, values + rng.uniform(4.0, 15.0, n) * rng.choice((-1.0, 1.0), n), values
    )


def curve_of(values: Floats) -> EventCurve:
    """A curve of level 1 with noise of a tenth of it."""
    n = values.size
    unknown = np.full(n, np.nan)
    return EventCurve(
        name="empty",
        time_s=np.arange(n, dtype=np.float64),
        ref_ns=UNKNOWN_NS,
        exposure_s=np.ones(n),
        flux=1.0 + 0.1 * values,
        sigma=unknown,
        usable=np.ones(n, bool),
        frame=np.arange(n, dtype=np.float64),
        utc_sigma_s=unknown,
    )
