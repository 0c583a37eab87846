"""A whole reduction: pass 1, pass 2 by segments, light curve, result."""

import functools
import hashlib
import importlib.metadata
import json
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from llvmlite import binding
from numpy.typing import NDArray

from gpu_kernels.beforehand import compile_beside
from reduction.alignment import alignment_of, note_held
from reduction.astrometry.aim import Sky
from reduction.blank import blank_notes, without_blank
from reduction.blemishes import find_blemishes, treated
from reduction.budget import block_frames, threads_for
from reduction.caveats import Caveat, Note
from reduction.clock import clock_is_told
from reduction.coordinates import Coordinates, target_of
from reduction.cores import in_order
from reduction.errors import DataError
from reduction.events.analyse import analyse_lightcurve
from reduction.integration import by_pictures, numbered
from reduction.interlace import settled_fields
from reduction.lightcurve import Roles, columns, make_lightcurve
from reduction.linenoise import lines_for
from reduction.occulted import settled_roles
from reduction.plan import Position, ReductionPlan
from reduction.preparation import recipe_notes, recipe_of
from reduction.register import sample_frames
from reduction.result import (
    Flag,
    LightCurve,
    PhotometrySummary,
    Provenance,
    Quality,
    ReductionResult,
    Role,
    Star,
)
from reduction.rows import at_target
from reduction.scan import Looker, Progress, Scan, scan
from reduction.segment import Segment, light, measure_segment, segments_of
from reduction.stack import Stack
from reduction.survey import Survey, survey
from reduction.timing import TimeSolution
from reduction.tracking import HELD, LOST, METHODS
from reduction.version import STAGES, VERSION
from reduction.view import NOTHING, Calibration, View, give_back_memory


class SegmentRunner(Protocol):
    """Runs pass 2: yields the segments in order, wherever they are measured."""

    def __call__(
        self,
        found: Survey,
        view: View,
        spans: Sequence[tuple[int, int]],
        block: int,
        done: Callable[[int], None],
    ) -> Iterator[Segment]:
        """Yield one Segment per (start, stop) of `spans`, in order; call `done` with frames finished."""
        ...


def in_process(
    found: Survey, view: View, spans: Sequence[tuple[int, int]], block: int, done: Callable[[int], None]
) -> Iterator[Segment]:
    """Measure the segments in this process, in as many threads as may work at once (`threads_for`)."""
    threads = threads_for(view.stack.info, block, light(found, view))
    if threads == 1 or len(spans) == 1:
        for start, stop in spans:
            yield measure_segment(found, view, start, stop, block, done)
        return
    lock = threading.Lock()

    def measured(span: tuple[int, int]) -> Segment:
        return measure_segment(found, view, *span, block, counted)

    def counted(frames: int) -> None:
        with lock:
            done(frames)

    yield from in_order(measured, spans, threads)


def default_block(stack: Stack) -> int:
    """Frames that are read at a time."""
    return block_frames(stack.info)


def reduce(
    plan: ReductionPlan,
    stack: Stack,
    scratch: Path,
    calibration: Calibration = NOTHING,
    progress: Progress | None = None,
    block: int | None = None,
    runner: SegmentRunner = in_process,
    device: str = "",
    coordinates: Coordinates | None = None,
    sky: Sky | None = None,
    looker: Looker | None = None,
) -> ReductionResult:
    """Reduce one recording.

    Parameters
    ----------
    plan : ReductionPlan
    stack : Stack
        Pixels, and the times beside them.
    scratch : Path
        Folder for the star table, one file per segment; the caller removes it.
    calibration : Calibration
        Masters to apply.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    block : int, optional
        Frames read at a time; changes memory, never results.
    runner : SegmentRunner
        Where pass 2 runs.
    device : str
        What that is, for the provenance, where it is more than this machine's CPU.
    coordinates : Coordinates, optional
        Places of stars by frame, for frames that nothing else places; the target's, where the plan has none.
    sky : Sky, optional
        Applied to the plan already (`Sky.applied`): settles which star the target is.
    looker : Looker, optional
        Where all frames are looked at in pass 1; here by default.

    Raises
    ------
    RequestError
        The plan does not fit the recording.
    DataError
        The recording holds nothing to measure.
    """
    began = time.perf_counter()
    if coordinates is not None:
        plan, calibration = _with_coordinates(plan, calibration, coordinates)
    asked, (plan, stack) = plan, by_pictures(plan, stack, coordinates is not None)
    size = block or default_block(stack)
    fields, of_fields = settled_fields(plan.fields, stack)
    settled = plan.model_copy(update={"fields": fields})
    compile_beside(View(stack, recipe_of(settled, stack, calibration)).dtype)
    recorded = scan(stack, size, progress, looker)
    view = View(stack, recipe_of(settled, stack, calibration, recorded))
    lines, of_lines = lines_for(view, plan, recorded)
    if lines is not None:
        view = View(stack, replace(view.recipe, lines=lines))
    times = view.sampling.times(stack.times)
    seen = view.sampling.of_samples(recorded)
    scanned = time.perf_counter()
    blemishes = find_blemishes(view, sample_frames(plan.survey_frames, recorded.repeated), plan)
    view = treated(view, blemishes)
    found = survey(view, seen, plan, progress, coordinates, sky)
    view.forget()
    surveyed = time.perf_counter()
    size = block or block_frames(stack.info, light=light(found, view))
    paths, places = _measure(found, view, plan, size, scratch, progress, runner)
    give_back_memory()
    measured = time.perf_counter()
    roles, searched, notes = settled_roles(found, paths, view.frames, plan.event)
    raw = without_blank(columns(paths, found.u.size, view.frames, roles), seen)
    curve, quality = make_lightcurve(raw, times, seen.repeated, roles.references.size == 0)
    times, curve = at_target(times, curve, stack.info.height)
    curve = numbered(curve, view)
    stars = _stars(found, roles)
    curved = time.perf_counter()
    event = None
    if plan.event.search:
        event = analyse_lightcurve(curve, stack.info.name, times.cadence_s(), plan.event, searched)
    seconds = {
        "scan": scanned - began,
        "survey": surveyed - scanned,
        "measure": measured - surveyed,
        "lightcurve": curved - measured,
        "event": time.perf_counter() - curved,
    }
    lost, held = (int((places["method"] == METHODS.index(step)).sum()) for step in (LOST, HELD))
    if lost + held == view.frames:
        raise DataError(
            f"{stack.info.name}: no frame could be placed against the reference; is this one field of stars?"
        )
    notes = [
        *stack.info.notes, *times.notes, *of_fields, *recipe_notes(plan, view.recipe), *blemishes.notes(),
        *of_lines,
        *found.notes, *notes,
        *blank_notes(recorded, stack.info),
        *_notes(curve, quality, view, recorded, times, found, lost), *note_held(places, found, view.frames),
    ]  # fmt: skip
    return ReductionResult(
        plan=asked,
        source=stack.info,
        times=times,
        lightcurve=curve,
        stars=stars,
        segments=tuple(paths),
        reference_image=found.image,
        alignment=alignment_of(found, places, lost),
        photometry=_photometry(found),
        quality=quality,
        notes=tuple(dict.fromkeys(notes)),
        provenance=_provenance(asked, recorded, stack.times, calibration, seconds, device),
        event=event,
    )


def _with_coordinates(
    plan: ReductionPlan, calibration: Calibration, coordinates: Coordinates
) -> tuple[ReductionPlan, Calibration]:
    """The plan with the target that a coordinates file names, and the file's digest among the others."""
    there = target_of(coordinates, plan.frame)
    if plan.target is None and there is not None:
        plan = plan.model_copy(update={"target": Position(x=there[0], y=there[1])})
    digests = {**calibration.digests, "coordinates": coordinates.digest}
    return plan, replace(calibration, digests=digests)


def _measure(
    found: Survey,
    view: View,
    plan: ReductionPlan,
    block: int,
    scratch: Path,
    progress: Progress | None,
    runner: SegmentRunner,
) -> tuple[list[Path], NDArray[Any]]:
    """Run pass 2 and keep its star tables on disk, so that memory does not grow with the recording."""
    spans = segments_of(view.frames, plan.segment)
    finished = 0

    def done(frames: int) -> None:
        nonlocal finished
        finished += frames
        if progress is not None:
            progress("measure", finished, view.frames)

    paths: list[Path] = []
    places: list[NDArray[Any]] = []
    for number, segment in enumerate(runner(found, view, spans, block, done)):
        path = scratch / f"stars-{number:06d}.npy"
        np.save(path, segment.rows)
        paths.append(path)
        places.append(segment.places)
    return paths, np.concatenate(places)


def _stars(found: Survey, roles: Roles) -> tuple[Star, ...]:
    """Name the stars: T, R1.., G1.. (guides that are no references), S1.. ."""
    weight = dict(zip(roles.references.tolist(), roles.weights.tolist(), strict=True))
    numbers = {"R": 0, "G": 0, "S": 0}
    out: list[Star] = []
    for s in range(found.u.size):
        role: Role
        if s == roles.target:
            name, role = "T", "target"
        else:
            letter, role = ("R", "reference") if s in weight else ("S", "star")
            if role == "star" and found.guides[s]:
                letter, role = "G", "guide"
            numbers[letter] += 1
            name = f"{letter}{numbers[letter]}"
        out.append(
            Star(
                index=s,
                name=name,
                role=role,
                is_guide=bool(found.guides[s]),
                x=float(found.geometry.to_full(found.u[s])),
                y=float(found.geometry.to_full(found.v[s])),
                flux=float(found.flux[s]),
                sigma=float(found.rms[s]),
                weight=float(weight.get(s, 0.0)),
                saturated=bool(found.saturated[s]),
            )
        )
    return tuple(out)


def _photometry(found: Survey) -> PhotometrySummary:
    noise, scale = found.noise, found.geometry.scale
    inv = noise.inv_gain
    return PhotometrySummary(
        aperture_px=found.aperture.radius * scale,
        sky_px=(found.sky[0] * scale, found.sky[1] * scale),
        gain=float(1.0 / inv) if inv > 0 else float("nan"),
        gain_sigma=float(noise.inv_gain_sigma / inv**2) if inv > 0 else float("nan"),
        gain_source=noise.gain_source,
        read_noise=noise.read_noise_e,
        read_noise_source=noise.read_noise_source,
        fwhm_px=found.fwhm * scale,
        saturation_adu=found.saturation if np.isfinite(found.saturation) else None,
        radii_px=tuple(float(r) * scale for r in found.radii),
        growth=tuple(float(g) for g in found.growth),
        predicted_sigma=tuple(float(p) for p in found.predicted),
        extraction=found.extraction.kind,
        extraction_reason=found.extraction.reason,
        extraction_sigma=dict(found.extraction.predicted),
        extraction_radius_px=found.extraction.radius * scale,
        extraction_fitted=max(found.extraction.groups.shape[1], 1),
        seeing_followed=found.extraction.guides.size > 0,
        sky_estimate=found.extraction.sky_estimate,
    )


def _notes(
    curve: LightCurve,
    quality: Quality,
    view: View,
    seen: Scan,
    times: TimeSolution,
    found: Survey,
    lost: int,
) -> Iterator[Note]:
    """Caveats that only the finished light curve shows."""
    n = view.frames

    def count(flag: Flag) -> int:
        return int((curve.flags & flag.value != 0).sum())

    if n < 30:
        count_text = "One frame" if n == 1 else f"{n} frames"
        yield Note(Caveat.FEW_FRAMES, f"{count_text} only: noise and stability cannot be judged from them.")
    if lost:
        yield Note(Caveat.FRAMES_LOST, f"{lost} of {n} frames could not be placed; they are flagged.")
    if count(Flag.SATURATED):
        yield Note(
            Caveat.FRAMES_SATURATED,
            f"The target is saturated on {count(Flag.SATURATED)} of {n} frames; there its light is no longer "
            "proportional, and the edge of an event may be off by up to a tenth of an exposure.",
        )
    if count(Flag.OFF_FRAME):
        yield Note(Caveat.OFF_FRAME, f"The target leaves the frame on {count(Flag.OFF_FRAME)} of {n} frames.")
    if not quality.target_seen:
        yield Note(
            Caveat.TARGET_NOT_SEEN,
            "The target's light never stands out of the noise: nothing can be normalised on it, and an event "
            "could not have been seen. Check --target.",
        )
    repeats = int(seen.repeated.sum())
    if repeats:
        yield Note(Caveat.FRAMES_REPEATED, f"{repeats} frames repeat the pixels of the frame before them.")
    if seen.not_finite.any():
        yield Note(
            Caveat.NOT_FINITE,
            f"{int((seen.not_finite > 0).sum())} frames hold pixels that are not numbers; apertures with one "
            "are flagged.",
        )
    if not times.known.any() and not any(note.caveat is Caveat.TIMES_ABSENT for note in times.notes):
        yield Note(
            Caveat.TIMES_ABSENT,
            "The recording holds no times; give them with --times or --start-utc and --cadence.",
        )
    if times.known.any() and times.meaning is not None and not clock_is_told(view.stack.info, times):
        yield Note(
            Caveat.CLOCK_UNKNOWN,
            f"{times.source}: the recording does not tell what kept its clock (GPS, NTP, nothing); the "
            "stated uncertainty of times is that of the stamps' resolution and meaning alone.",
        )
    if np.isfinite(seen.lowest).any() and np.dtype(view.stack.info.dtype).kind == "u":
        sky = found.noise.level
        luma = view.recipe.luma
        black = 0.0 if luma is None else luma.black
        above = sky if view.recipe.response.size else sky - black
        if above < 2.0 * np.sqrt(found.noise.variance) and float(np.nanmedian(seen.lowest)) == black:
            yield Note(
                Caveat.BLACK_CLIPPED,
                f"The sky ({sky:.1f} ADU) lies within two sigma of black: the camera clips the dark half of "
                "its noise, which biases faint fluxes. Raise the offset when recording.",
            )
    if quality.sigma_scale != 1.0:
        yield Note(
            Caveat.SIGMA_RESCALED,
            f"Sigmas were multiplied by {quality.sigma_scale:.2f}, so that they match the out-of-event "
            "scatter: there is noise the model does not know (scintillation, flat field, compression), or "
            "the gain is wrong.",
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """What a result's last bits depend on."""

    device: str
    libraries: dict[str, str]


@functools.cache  # to ask the installed packages takes ten milliseconds
def this_machine() -> Machine:
    """CPU model and the libraries that compute."""
    names = ("numpy", "scipy", "numba", "llvmlite", "astropy")
    cpu = f"cpu {platform.machine()} {binding.get_host_cpu_name()}"
    return Machine(cpu, {name: importlib.metadata.version(name) for name in names})


def result_key(plan: ReductionPlan, pixels: str, times: str, calibration: dict[str, str]) -> str:
    """SHA-256 of plan, pixels, times, calibration and the version of each stage's algorithm."""
    parts = [plan.digest, pixels, times, sorted(calibration.items()), sorted(STAGES.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _provenance(
    plan: ReductionPlan,
    seen: Scan,
    times: TimeSolution,
    calibration: Calibration,
    seconds: dict[str, float],
    device: str,
) -> Provenance:
    machine = this_machine()
    return Provenance(
        plan=plan,
        plan_digest=plan.digest,
        pixel_digest=seen.digest,
        time_digest=times.digest,
        calibration=dict(calibration.digests),
        key=result_key(plan, seen.digest, times.digest, calibration.digests),
        version=VERSION,
        stages=STAGES,
        device=f"{machine.device}, {device}" if device else machine.device,
        libraries=dict(machine.libraries),
        seconds=seconds,
    )


def with_seconds(result: ReductionResult, extra: dict[str, float]) -> ReductionResult:
    """The same result with further timings in its provenance."""
    seconds = {**result.provenance.seconds, **extra}
    return replace(result, provenance=replace(result.provenance, seconds=seconds))


def with_notes(result: ReductionResult, extra: Sequence[Note]) -> ReductionResult:
    """The same result with further caveats."""
    return replace(result, notes=tuple(dict.fromkeys((*result.notes, *extra))))
