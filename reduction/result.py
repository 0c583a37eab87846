"""What a reduction yields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Note
from reduction.events.results import EventAnalysis
from reduction.plan import ReductionPlan
from reduction.stack import SourceInfo
from reduction.timing import TimeSolution

if TYPE_CHECKING:
    from reduction.astrometry.aim import Sky

Floats = NDArray[np.float64]
Role = Literal["target", "reference", "guide", "star"]


class Flag(IntFlag):
    """Bits of the `flags` column; 0 is good."""

    SATURATED = 1  # a pixel of the target's aperture is at the saturation level
    OFF_FRAME = 2  # the target's aperture leaves the frame
    LOST = 4  # tracking failed: no position, no flux
    REPEATED = 8  # pixels equal to the frame before
    TIME_GAP = 16  # frames are missing before this one
    BAD_REFERENCE = 32  # reference flux not significantly above zero, or no reference measurable
    REFERENCE_PARTIAL = 64  # a reference star of the ensemble is missing on this frame
    NOT_FINITE = 128  # a pixel of the aperture is not a number, or lies under burnt-in digits
    TIME_UNSURE = 256  # time missing, or out of order
    WEAK_TRACKING = 512  # position from one guide of several, from a coordinates file, or held
    REFERENCE_SATURATED = 1024  # a reference star is saturated
    REPAIRED = 2048  # a pixel of the target's aperture was repaired from its neighbours
    PARTIAL_INTEGRATION = 4096  # an integrating camera's picture with frames missing or too many


UNUSABLE = Flag.OFF_FRAME | Flag.LOST | Flag.BAD_REFERENCE | Flag.NOT_FINITE
"""With one of these, ratio is NaN or means nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class LightCurve:
    """The target's light curve; every array is ``(n_sample,)``.

    Fluxes are ADU of the recording (after calibration), positions full-frame pixels.
    `ratio` is F_N of the paper's equation 3, `flux_norm` the same normalised on the
    out-of-event baseline.
    """

    frame: Floats
    mid_ns: NDArray[np.int64]
    utc_sigma_s: Floats
    exposure_s: Floats
    target_flux: Floats
    target_sigma: Floats
    reference_flux: Floats
    reference_sigma: Floats
    ratio: Floats
    ratio_sigma: Floats
    flux_norm: Floats
    flux_norm_sigma: Floats
    target_x: Floats
    target_y: Floats
    target_sky: Floats
    flags: NDArray[np.uint32]
    baseline: NDArray[np.bool_]  # samples used as out-of-event baseline


@dataclass(frozen=True, slots=True)
class Star:
    """A measured star: `index` is its row in `stars.parquet`, positions on the plan's frame."""

    index: int
    name: str  # T, R1, R2, G1, S1, ...
    role: Role
    is_guide: bool
    x: float
    y: float
    flux: float  # baseline flux, ADU
    sigma: float  # predicted sigma of one sample, ADU
    weight: float  # of the reference ensemble, 0 for others
    saturated: bool


@dataclass(frozen=True, slots=True)
class AlignmentSummary:
    """How frames were brought onto each other."""

    method: str
    counts: Mapping[str, int]  # frames by step of the chain
    lost_frames: int
    guides: int
    shift_sigma_px: float  # median predicted error of the target's position
    range_x_px: float
    range_y_px: float
    rotation_deg: float  # largest rotation against the reference


@dataclass(frozen=True, slots=True)
class PhotometrySummary:
    """How fluxes were measured."""

    aperture_px: float
    sky_px: tuple[float, float]
    gain: float  # electrons per ADU
    gain_sigma: float
    gain_source: str
    read_noise: float | None  # electrons
    read_noise_source: str
    fwhm_px: float
    saturation_adu: float | None
    radii_px: tuple[float, ...]
    growth: tuple[float, ...]  # encircled fraction at each radius
    predicted_sigma: tuple[float, ...]  # of the target's normalised flux, at each radius
    extraction: str = "aperture"  # how fluxes were taken: aperture, optimal, mask or psf
    extraction_reason: str = "as asked"
    extraction_sigma: Mapping[str, float] = field(default_factory=dict)  # predicted, by what was weighed
    extraction_radius_px: float = float("nan")  # of the weights, or of the mask or circle
    extraction_fitted: int = 1  # stars fitted together with the target, itself among them
    seeing_followed: bool = False  # each frame's own width of the stars in the weights
    sky_estimate: str = "mean"


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of the light curve as a whole."""

    points: int
    good_points: int
    scatter: float  # robust sigma of ratio over the baseline, relative to its level
    predicted_scatter: float
    chi2_reduced: float
    sigma_scale: float  # factor applied to sigmas, 1.0 when the model held
    median_snr: float
    target_seen: bool = True  # False: its light never stood out; flux_norm is the ratio itself


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything needed to run this again."""

    plan: ReductionPlan
    plan_digest: str
    pixel_digest: str
    time_digest: str
    calibration: Mapping[str, str]  # kind -> digest
    key: str
    version: str
    stages: Mapping[str, int]
    device: str
    libraries: Mapping[str, str]
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class ReductionResult:
    """A whole reduction.

    `segments` are the files of the star table, one per segment in order, each a ``.npy`` structured
    array of `STAR_DTYPE`; they live in the caller's scratch folder until written out.
    """

    plan: ReductionPlan
    source: SourceInfo
    times: TimeSolution
    lightcurve: LightCurve
    stars: tuple[Star, ...]
    segments: tuple[Path, ...]
    reference_image: NDArray[np.float32]  # on the plan's frame's pixel grid
    alignment: AlignmentSummary
    photometry: PhotometrySummary
    quality: Quality
    notes: tuple[Note, ...]
    provenance: Provenance
    extra: Mapping[str, Any] = field(default_factory=dict)
    sky: "Sky | None" = None  # plate solution, and the target's place on the sky
    event: EventAnalysis | None = None


STAR_DTYPE = np.dtype(
    [
        ("frame", "<f8"),
        ("star", "<u2"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("flux", "<f8"),
        ("sigma", "<f4"),
        ("sky", "<f4"),
        ("sky_sigma", "<f4"),
        ("flags", "<u4"),
    ]
)
"""A row of the star table: one star on one frame."""
