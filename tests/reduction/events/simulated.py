"""Light curves with known truth."""

import numpy as np
from numpy.typing import NDArray

from reduction.events.curve import EventCurve
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]

NOON_NS = 1_700_000_000_000_000_000


def curve_of_flux(
    flux: Floats, sigma: Floats | float = np.nan, cadence_s: float = 0.04, dated: bool = True
) -> EventCurve:
    """A curve of samples without dead time."""
    n = flux.size
    return EventCurve(
        name="simulated",
        time_s=np.asarray(cadence_s * np.arange(n), np.float64),
        ref_ns=NOON_NS if dated else UNKNOWN_NS,
        exposure_s=np.full(n, cadence_s),
        flux=np.asarray(flux, np.float64),
        sigma=np.broadcast_to(np.asarray(sigma, np.float64), (n,)).copy(),
        usable=np.ones(n, bool),
        frame=np.arange(float(n)),
        utc_sigma_s=np.full(n, 1e-3),
    )


def memory(n: int, phi: float, rng: np.random.Generator) -> Floats:
    """Noise of unit variance, each sample `phi` times the one before and something new."""
    out = rng.standard_normal(n)
    for i in range(1, n):
        out[i] = phi * out[i - 1] + np.sqrt(1.0 - phi * phi) * out[i]
    return out


def pink(n: int, rng: np.random.Generator) -> Floats:
    """Noise with power as 1/f, a part of a record four times as long."""
    f = np.fft.rfftfreq(4 * n)
    f[0] = np.inf
    whole = np.fft.irfft(np.fft.rfft(rng.standard_normal(4 * n)) / np.sqrt(f), 4 * n)
    return np.asarray(whole[:n] / whole.std(), np.float64)


def spoilt(values: Floats, rng: np.random.Generator, share: float = 0.1, size: float = 8.0) -> Floats:
    """The same with bad samples."""
    return np.where(rng.random(values.size) < share, size * rng.standard_normal(values.size), values)
