"""A light curve as a table: what every dialect is read into, and what every export is written from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Note
from reduction.errors import DataError
from reduction.events.curve import EventCurve
from reduction.result import UNUSABLE, LightCurve
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]

FURTHER = (
    "target_flux", "target_sigma", "reference_flux", "reference_sigma", "ratio", "ratio_sigma",
    "target_x", "target_y", "target_sky", "baseline",
)  # fmt: skip
"""Columns of a reduction that other programs' curves do not have; named as in ``lightcurve.csv``."""


@dataclass(frozen=True, slots=True, eq=False)
class CurveTable:
    """A light curve in the order of its file; every array is ``(n_sample,)``.

    Attributes
    ----------
    name : str
        Of the recording or the file.
    program : str
        Who measured it: ``PyMovie CSV``, ``Umbra``, ...
    frame : array
        Frame, n + 0.5 for second fields.
    mid_ns : array, int64
        Mid-exposure, POSIX UTC nanoseconds; `UNKNOWN_NS` where unknown. Not `dated`: nanoseconds from an
        origin of the file's own, of times of day from midnight.
    dated : bool
        Whether the times are tied to UTC.
    exposure_s, utc_sigma_s : array
        Exposure of each sample and uncertainty of its time, seconds; NaN where unknown.
    flux, sigma : array
        Over the out-of-event level, and its one-sigma error; NaN where there is none.
    flags : array, uint32
        Bits of `reduction.result.Flag`.
    level : float
        Out-of-event level in the units of the file, by which `flux` was divided; 1 where it was normalised.
    notes : tuple of Note
        Caveats.
    provenance : mapping of str to str
        What is known of how it came about: version, digests, ...
    further : mapping of str to array
        Other columns of a reduction, of `FURTHER`.
    """

    name: str
    program: str
    frame: Floats
    mid_ns: NDArray[np.int64]
    dated: bool
    exposure_s: Floats
    utc_sigma_s: Floats
    flux: Floats
    sigma: Floats
    flags: NDArray[np.uint32]
    level: float = 1.0
    notes: tuple[Note, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    @property
    def timed(self) -> NDArray[np.bool_]:
        """Samples with a time."""
        return np.not_equal(self.mid_ns, UNKNOWN_NS)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Samples whose flux means something."""
        good: NDArray[np.bool_] = ((self.flags & np.uint32(UNUSABLE.value)) == 0) & np.isfinite(self.flux)
        return good

    def event_curve(self) -> EventCurve:
        """The curve in order of time, for event search and fit.

        Of samples at one instant the first is kept. A curve without any time is laid out by frame, an
        exposure (or one second) apart.

        Raises
        ------
        DataError
            With fewer than two samples that can be placed in time.
        """
        timed = np.flatnonzero(self.timed)
        if timed.size >= 2:
            origin = int(self.mid_ns[timed].min()) if self.dated else 0
            seconds = (self.mid_ns[timed] - origin) * 1e-9
            at = timed
        else:
            origin, at = 0, np.flatnonzero(np.isfinite(self.frame))
            seconds = self.frame[at] * _step_s(self.exposure_s)
        order = np.argsort(seconds, kind="stable")
        at, seconds = at[order], seconds[order]
        first = np.concatenate([[True], np.diff(seconds) > 0]) if at.size else np.zeros(0, bool)
        at, seconds = at[first], seconds[first]
        if at.size < 2:
            raise DataError(
                f"{self.name}: {at.size} samples with a place in time; an event search needs two at least"
            )
        return EventCurve(
            name=self.name,
            time_s=seconds,
            ref_ns=origin if self.dated and timed.size >= 2 else UNKNOWN_NS,
            exposure_s=self.exposure_s[at],
            flux=self.flux[at],
            sigma=self.sigma[at],
            usable=self.usable[at],
            frame=self.frame[at],
            utc_sigma_s=self.utc_sigma_s[at],
            notes=self.notes,
        )


def _step_s(exposure_s: Floats) -> float:
    known = exposure_s[np.isfinite(exposure_s) & (exposure_s > 0)]
    return float(np.median(known)) if known.size else 1.0


def table_of(
    lightcurve: LightCurve, name: str, provenance: Mapping[str, str], notes: tuple[Note, ...] = ()
) -> CurveTable:
    """The table of a reduction's light curve, every column kept."""
    return CurveTable(
        name=name,
        program="Umbra",
        frame=lightcurve.frame,
        mid_ns=lightcurve.mid_ns,
        dated=bool((lightcurve.mid_ns != UNKNOWN_NS).any()),
        exposure_s=lightcurve.exposure_s,
        utc_sigma_s=lightcurve.utc_sigma_s,
        flux=lightcurve.flux_norm,
        sigma=lightcurve.flux_norm_sigma,
        flags=lightcurve.flags,
        notes=notes,
        provenance=provenance,
        further={column: getattr(lightcurve, column) for column in FURTHER},
    )
