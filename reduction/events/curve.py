"""The light curve that event search and event fit take, whoever measured it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Note
from reduction.errors import DataError
from reduction.result import UNUSABLE, Flag, LightCurve
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]

REPAIR = 0.05
"""Share of a star's light that a repaired pixel may be wrong by, added to the sigma of such samples: a defect
that a star drifts across would pass for a shallow event."""


@dataclass(frozen=True, slots=True, eq=False)
class EventCurve:
    """A normalised light curve in order of time; every array is ``(n_sample,)``.

    Attributes
    ----------
    name : str
        Of the recording or the file.
    time_s : array
        Mid-exposure, seconds after `ref_ns`, rising; of unusable samples too.
    ref_ns : int
        UTC of ``time_s == 0``, POSIX nanoseconds; `UNKNOWN_NS` where the curve has no dates
        (seconds then count from an origin of the file's own, or samples where nothing is known).
    exposure_s : array
        Seconds of light in each sample; NaN where unknown.
    flux, sigma : array
        Flux over its out-of-event level (about 1), and its one-sigma error; sigma NaN where the file has
        none.
    usable : array of bool
        Samples that may be searched and fitted.
    frame : array
        Frame (or field: n + 0.5) of each sample.
    utc_sigma_s : array
        One-sigma uncertainty of each time against UTC, seconds; NaN where unknown. It is common to
        neighbouring samples: no number of them makes it smaller.
    notes : tuple of Note
        Caveats about the curve.
    """

    name: str
    time_s: Floats
    ref_ns: int
    exposure_s: Floats
    flux: Floats
    sigma: Floats
    usable: NDArray[np.bool_]
    frame: Floats
    utc_sigma_s: Floats
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        n = self.time_s.shape
        for array in (
            self.exposure_s,
            self.flux,
            self.sigma,
            self.usable,
            self.frame,
            self.utc_sigma_s,
        ):
            if array.shape != n:
                raise ValueError("the arrays of a curve differ in length")
        if np.any(np.diff(self.time_s) <= 0) or not np.isfinite(self.time_s).all():
            raise ValueError("the times of a curve must be finite and rise")

    @property
    def dated(self) -> bool:
        """Whether its seconds are tied to UTC."""
        return self.ref_ns != UNKNOWN_NS

    def cadence_s(self) -> float:
        """Median interval between neighbouring samples, seconds; NaN with one sample."""
        return float(np.median(np.diff(self.time_s))) if self.time_s.size > 1 else float("nan")

    def utc_ns(self, seconds: float) -> int:
        """UTC of an instant `seconds` after the reference, POSIX nanoseconds; `UNKNOWN_NS` undated."""
        return self.ref_ns + round(seconds * 1e9) if self.dated else UNKNOWN_NS


def curve_of(lightcurve: LightCurve, name: str, cadence_s: float | None = None) -> EventCurve:
    """Return the curve of a reduction: its normalised flux, in order of time.

    Samples without a time are unusable in a curve that has times. A curve without any is laid out by
    frame, `cadence_s` (or one second) apart, undated.

    Raises
    ------
    DataError
        With fewer than two samples that can be placed in time.
    """
    known = lightcurve.mid_ns != UNKNOWN_NS
    good = ((lightcurve.flags & np.uint32(UNUSABLE.value)) == 0) & np.isfinite(lightcurve.flux_norm)
    if known.sum() >= 2:
        ref = int(lightcurve.mid_ns[known].min())
        at = np.flatnonzero(known)
        seconds = (lightcurve.mid_ns[at] - ref) * 1e-9
        order = np.argsort(seconds, kind="stable")
        at, seconds = at[order], seconds[order]
        first = np.concatenate([[True], np.diff(seconds) > 0])  # of samples at one instant, the first
        at, seconds = at[first], seconds[first]
    else:
        ref = UNKNOWN_NS
        at = np.arange(lightcurve.frame.size)
        seconds = (lightcurve.frame - lightcurve.frame[0]) * (cadence_s or 1.0)
    repaired = (lightcurve.flags & np.uint32(Flag.REPAIRED.value)) != 0
    if at.size < 2:
        raise DataError(f"{name}: {at.size} samples with a place in time; an event search needs two at least")
    return EventCurve(
        name=name,
        time_s=np.asarray(seconds, np.float64),
        ref_ns=ref,
        exposure_s=lightcurve.exposure_s[at],
        flux=lightcurve.flux_norm[at],
        sigma=np.where(
            repaired[at], np.hypot(lightcurve.flux_norm_sigma[at], REPAIR), lightcurve.flux_norm_sigma[at]
        ),
        usable=good[at],
        frame=lightcurve.frame[at],
        utc_sigma_s=lightcurve.utc_sigma_s[at],
    )
