"""A synthetic result with everything a reader of outputs meets: event, clouds, flags, gaps, losses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reduction.caveats import Caveat, Note
from reduction.events.analyse import analyse_lightcurve
from reduction.plan import Position, ReductionPlan, Sky
from reduction.result import (
    STAR_DTYPE,
    AlignmentSummary,
    Flag,
    LightCurve,
    PhotometrySummary,
    Provenance,
    Quality,
    ReductionResult,
    Star,
)
from reduction.stack import SourceInfo
from reduction.timing import UNKNOWN_NS, Correction, TimeSolution, no_times

START_NS = 1_714_856_576_120_000_000  # 2024-05-04T21:02:56.12Z
STEP_NS = 40_000_000

STARS = (
    Star(0, "T", "target", False, 151.3, 118.7, 5210.0, 160.0, 0.0, False),
    Star(1, "R1", "reference", True, 212.4, 75.1, 21500.0, 240.0, 0.71, False),
    Star(2, "R2", "reference", True, 61.8, 181.2, 12800.0, 210.0, 0.29, False),
    Star(3, "G1", "guide", True, 262.6, 197.9, 60300.0, 330.0, 0.0, True),
    Star(4, "S1", "star", False, 163.9, 126.3, 3100.0, 155.0, 0.0, False),
    Star(5, "S2", "star", False, 20.2, 30.7, 2900.0, 154.0, 0.0, False),
    Star(6, "S3", "star", False, 305.0, 12.0, 2500.0, 153.0, 0.0, False),
)


def make_result(
    scratch: Path,
    points: int = 2000,
    timed: bool = True,
    clean: bool = False,
    seed: int = 7,
    name: str = "2024-05-04_Chariklo.ser",
) -> ReductionResult:
    """Make a result of `points` samples; `clean` leaves out flags, clouds and caveats."""
    rng = np.random.default_rng(seed)
    times = _times(points, timed, clean)
    lightcurve, stars_flux = _lightcurve(points, times, clean, rng)
    plan = ReductionPlan(
        target=Position(x=151.3, y=118.7),
        references=(Position(x=212.4, y=75.1), Position(x=61.8, y=181.2)),
        sky_px=Sky(inner=7.5, outer=12.0),
        segment=1024,
    )
    return ReductionResult(
        plan=plan,
        source=SourceInfo("ser", name, (points, 240, 320), "uint8", 8, metadata={"observer": "A. <N>"}),
        times=times,
        lightcurve=lightcurve,
        stars=STARS,
        segments=_segments(scratch, points, stars_flux, lightcurve, rng),
        reference_image=_image(rng),
        alignment=AlignmentSummary(
            method="correlation, then guides",
            counts={"guides": points - 4, "correlation": 1, "lost": 0 if clean else 3},
            lost_frames=0 if clean else int(np.count_nonzero(lightcurve.flags & np.uint32(Flag.LOST))),
            guides=3,
            shift_sigma_px=0.031,
            range_x_px=25.2,
            range_y_px=11.4,
            rotation_deg=0.02,
        ),
        photometry=_photometry(),
        quality=Quality(points, points - 6, 0.0308, 0.0301, 1.04, 1.0, 32.1),
        notes=() if clean else _notes(),
        provenance=_provenance(plan),
        event=analyse_lightcurve(lightcurve, name, 0.04, plan.event),
    )


def without_reference(result: ReductionResult) -> ReductionResult:
    """The same curve, as if no reference star had been measurable."""
    curve = result.lightcurve
    gone = np.full(curve.frame.size, np.nan)
    flags = curve.flags | np.uint32(Flag.BAD_REFERENCE)
    bare = replace(
        curve, reference_flux=gone, reference_sigma=gone, ratio=gone, ratio_sigma=gone,
        flux_norm=gone, flux_norm_sigma=gone, flags=flags,
    )  # fmt: skip
    return replace(result, lightcurve=bare)


def _times(points: int, timed: bool, clean: bool) -> TimeSolution:
    if not timed:
        return no_times(points, 0.04)
    mid = START_NS + STEP_NS * np.arange(points, dtype=np.int64)
    if not clean:
        mid[points // 5 :] += 7 * STEP_NS
        mid[(4 * points) // 5 :] += 130 * STEP_NS
        mid[points // 3] = UNKNOWN_NS
    unknown = mid == UNKNOWN_NS
    return TimeSolution(
        mid_ns=mid,
        sigma_s=np.where(unknown, np.nan, 5e-4),
        exposure_s=np.full(points, 0.04),
        meaning="end",
        source="SER trailer",
        ledger=(Correction("stamp meaning", "end", "mid", -0.02, 5e-4, "--time-is end"),),
    )


def _lightcurve(
    n: int, times: TimeSolution, clean: bool, rng: np.random.Generator
) -> tuple[LightCurve, NDArray[np.float64]]:
    frame = np.arange(n, dtype=np.float64)
    event = (frame >= 0.52 * n) & (frame < 0.56 * n)
    cloud = np.ones(n) if clean else 1 - 0.7 * np.exp(-(((frame - 0.27 * n) / (0.05 * n)) ** 2))
    target_sigma = np.sqrt(5210 * cloud * ~event * 2.2 + 140.0**2)
    reference_sigma = np.full(n, 320.0)
    target = 5210 * cloud * np.where(event, 0.03, 1.0) + rng.normal(0, target_sigma)
    reference = 34300 * cloud + rng.normal(0, reference_sigma)
    flags = np.zeros(n, np.uint32)
    lost = np.zeros(n, bool)
    if not clean:
        _set_flags(flags, n, times)
        lost = (flags & np.uint32(Flag.LOST)) != 0
        target[lost] = np.nan
        reference[lost] = np.nan
    level = 5210 / 34300
    norm = target / reference / level
    norm_sigma = np.abs(norm) * np.hypot(target_sigma / np.abs(target), reference_sigma / reference)
    medians = np.nanmedian(target) / np.nanmedian(reference)
    curve = LightCurve(
        frame=frame,
        mid_ns=times.mid_ns,
        utc_sigma_s=times.sigma_s,
        exposure_s=times.exposure_s,
        target_flux=target,
        target_sigma=np.where(lost, np.nan, target_sigma),
        reference_flux=reference,
        reference_sigma=np.where(lost, np.nan, reference_sigma),
        ratio=norm * level / medians,
        ratio_sigma=norm_sigma * level / medians,
        flux_norm=norm,
        flux_norm_sigma=norm_sigma,
        target_x=np.where(lost, np.nan, 151.3 + 25 * frame / n + rng.normal(0, 0.03, n)),
        target_y=np.where(lost, np.nan, 118.7 + 11 * np.sin(frame / n * 6) + rng.normal(0, 0.03, n)),
        target_sky=52 + 20 * (1 - cloud),
        flags=flags,
        baseline=~event & ~lost,
    )
    return curve, np.stack([target, reference])


def _set_flags(flags: NDArray[np.uint32], n: int, times: TimeSolution) -> None:
    flags[[n // 10, n // 10 + 1, (7 * n) // 10]] |= np.uint32(Flag.LOST)
    flags[n // 20 : n // 20 + 5] |= np.uint32(Flag.SATURATED)
    flags[n // 2 - n // 20 :: max(1, n // 4)] |= np.uint32(Flag.REPEATED)
    flags[[n // 5, (4 * n) // 5]] |= np.uint32(Flag.TIME_GAP)
    flags[[n // 4, n // 4 + 1]] |= np.uint32(Flag.WEAK_TRACKING)
    flags[~times.known] |= np.uint32(Flag.TIME_UNSURE)


def _segments(
    scratch: Path,
    points: int,
    fluxes: NDArray[np.float64],
    curve: LightCurve,
    rng: np.random.Generator,
) -> tuple[Path, ...]:
    scratch.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, start in enumerate(range(0, points, 1024)):
        stop = min(start + 1024, points)
        rows = np.zeros((stop - start, len(STARS)), STAR_DTYPE)
        rows["frame"] = curve.frame[start:stop, None]
        rows["star"] = [star.index for star in STARS]
        for j, star in enumerate(STARS):
            rows["x"][:, j] = star.x + curve.target_x[start:stop] - 151.3
            rows["y"][:, j] = star.y + curve.target_y[start:stop] - 118.7
            rows["flux"][:, j] = fluxes[0, start:stop] if j == 0 else star.flux
            rows["sigma"][:, j] = star.sigma
        rows["sky"] = rng.normal(52, 0.3, rows.shape)
        rows["sky_sigma"] = 0.3
        rows["flags"] = curve.flags[start:stop, None]
        path = scratch / f"stars-{k:05d}.npy"
        np.save(path, rows.reshape(-1))
        paths.append(path)
    return tuple(paths)


def _image(rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = np.mgrid[:240, :320]
    image = 52 + rng.normal(0, 0.8, (240, 320))
    for star in STARS:
        width = 2 * 1.35**2
        image += star.flux / (np.pi * width) * np.exp(-((x - star.x) ** 2 + (y - star.y) ** 2) / width)
    image[5, 7] = np.nan
    return image.astype(np.float32)


def _photometry() -> PhotometrySummary:
    radii = np.arange(1.0, 10.01, 0.5)
    growth = 1 - np.exp(-(radii**2) / (2 * 1.35**2))
    sigma = np.hypot(0.02, 0.0088 * radii) / growth
    return PhotometrySummary(
        aperture_px=3.0,
        sky_px=(7.5, 12.0),
        gain=2.21,
        gain_sigma=0.05,
        gain_source="variance-mean fit of 400 frames",
        read_noise=3.4,
        read_noise_source="variance-mean fit of 400 frames",
        fwhm_px=3.18,
        saturation_adu=255.0,
        radii_px=tuple(radii.tolist()),
        growth=tuple(growth.tolist()),
        predicted_sigma=tuple(sigma.tolist()),
    )


def _notes() -> tuple[Note, ...]:
    return (
        Note(Caveat.FRAMES_LOST, "3 of 2,000 frames could not be aligned; they carry no flux"),
        Note(Caveat.TIME_GAPS, "137 frames are missing in 2 gaps, the longest after frame 1,599"),
        Note(Caveat.UNCALIBRATED, "no bias, dark or flat was given <b>&"),
    )


def _provenance(plan: ReductionPlan) -> Provenance:
    return Provenance(
        plan=plan,
        plan_digest=plan.digest,
        pixel_digest="ab" * 32,
        time_digest="cd" * 32,
        calibration={"dark": "ef" * 32},
        key="0123456789abcdef" * 4,
        version="0.1.0",
        stages={"survey": 1, "measure": 2},
        device="cpu",
        libraries={"numpy": "2.4.6", "scipy": "1.17.0"},
        seconds={"survey": 0.61, "measure": 1.92},
    )
