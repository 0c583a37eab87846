"""One recording, from a request to a folder of results: the one way every front end reduces."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.location import locate
from cluster.requests import ReductionRequest, Times, positions
from gpu_kernels.device import Accelerator, choose
from ingest.archives.opening import Opened, open_archive
from ingest.convert import stack_of
from ingest.scratch import scratch_folder
from ingest.solve.target import sky_of
from reduction.caveats import Caveat
from reduction.device_segment import DeviceRunner
from reduction.errors import ResourceError
from reduction.outputs.folder import check_out, import_beside, write_outputs
from reduction.preparation import response_before
from reduction.result import ReductionResult
from reduction.run import SegmentRunner, in_process, reduce, with_notes, with_seconds
from reduction.scan import Looker, Progress
from reduction.stack import SourceInfo, Stack

if TYPE_CHECKING:
    from cluster.crew import Crew
    from ingest.calibration import Loaded
    from ingest.convert import Writer
    from reduction.astrometry.aim import Sky
    from reduction.coordinates import Coordinates

__all__ = [
    "ReductionRequest", "Times", "check_device", "load_calibration", "open_recording", "positions",
    "reduce_to_folder", "with_sky",
]  # fmt: skip


def check_device(device: str) -> Accelerator | None:
    """The accelerator that a request means; None: the CPU.

    Raises
    ------
    ResourceError
        This machine has no such device.
    """
    try:
        return choose(device)
    except LookupError as error:
        raise ResourceError(f"--device {error.args[0]}; use --device auto or cpu") from error


def open_recording(
    request: ReductionRequest,
    scratch: Path,
    progress: Progress | None = None,
    writer: "Writer | None" = None,
) -> Stack:
    """Open the recording for random access; formats without it are converted into `scratch`, by `writer`."""
    report = None if progress is None else partial(progress, "ingest")
    return stack_of(request.inputs, scratch, request.times.options(), report, writer)


def load_calibration(request: ReductionRequest, stack: Stack, opened: Opened | None = None) -> "Loaded":
    """Masters of a request, combined for the recording's geometry; raises as `ingest.calibration.load`.

    `opened` is the archive that the recording came out of, with calibration frames of its own.
    """
    from ingest.archives.frames import frames_for
    from ingest.calibration import Named, Nearby, load

    nearby, notes = (Nearby(), ()) if opened is None else frames_for(opened, stack)
    named = Named(request.bias, request.dark, request.flat, request.calibration, nearby)
    loaded = load(stack, named, response_before(request.plan, stack))
    return replace(loaded, notes=(*loaded.notes, *notes)) if request.calibration else loaded


def reduce_to_folder(
    request: ReductionRequest,
    out: Path,
    overwrite: bool = False,
    progress: Progress | None = None,
    crew: "Crew | None" = None,
    block: int | None = None,
    stacks: Path | None = None,
) -> ReductionResult:
    """Reduce a recording and write its results into `out`, all or nothing.

    Parameters
    ----------
    request : ReductionRequest
    out : Path
        Folder of the results; must not hold anything unless `overwrite`.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    crew : Crew, optional
        An executor's: who shares the work; this process by default.
    block : int, optional
        Frames read at a time; changes memory, never results.
    stacks : Path, optional
        Folder in which a recording that has to be converted is, so that what is interrupted is gone on with
        the next time; the caller removes it. A folder that goes with this call by default.

    Raises
    ------
    RequestError, DataError, ResourceError
        See each; nothing is written then.
    """
    accelerator = check_device(request.device)
    check_out(out, overwrite)
    import_beside()
    began = time.perf_counter()
    given = request.inputs
    with _scratch_beside(out) as scratch:
        opened = open_archive(request.inputs, scratch / "archive", request.member, _unpacking(progress))
        if opened is not None:
            request = request.model_copy(update={"inputs": opened.inputs})
        writer = None if crew is None else crew.writer()
        stack = open_recording(request, stacks or scratch, progress, writer)
        try:
            loaded = load_calibration(request, stack, opened)
            sky, of_sky = sky_of(request.sky, given, stack)
            plan, masters = request.plan, loaded.calibration
            if sky is not None:
                plan, masters = sky.applied(plan, masters, stack.info)
            ready = time.perf_counter()
            runner, looker = _shared(crew, stack, request)
            if accelerator is not None:
                runner = DeviceRunner(accelerator, block)
            device = runner.device if isinstance(runner, DeviceRunner) else ""
            result = reduce(
                plan,
                stack,
                scratch,
                masters,
                progress,
                block,
                runner,
                device,
                _coordinates(request),
                sky,
                looker,
            )
            result = with_notes(with_sky(result, sky), of_sky)
            result = _with_calibration(with_seconds(result, {"open": ready - began}), loaded)
            result = replace(result, source=_as_recorded(result.source, stacks or scratch))
            if opened is not None:
                result = _out_of_archive(result, opened)
            write_outputs(result, out, overwrite)
        finally:
            stack.close()
    return result


def _shared(
    crew: "Crew | None", stack: Stack, request: ReductionRequest
) -> tuple[SegmentRunner, Looker | None]:
    """What measures and what looks: this process, or a crew."""
    if crew is None:
        return in_process, None
    location = locate(stack, request.inputs)
    return crew.segments(location), crew.looker(location)


def with_sky(result: ReductionResult, sky: "Sky | None") -> ReductionResult:
    """The same result with its plate solution, and how far the target is from where the sky has it."""
    if sky is None:
        return result
    star = next((star for star in result.stars if star.role == "target"), None)
    if star is not None and sky.goal is not None:
        sky = sky.measured(star.x, star.y)
    return with_notes(replace(result, sky=sky), sky.notes())


def _unpacking(progress: Progress | None) -> Callable[[int, int], None] | None:
    """A report of unpacking, in whole percent: bytes would be too large a number to read."""
    if progress is None:
        return None
    return lambda done, size: progress("unpack", 100 * done // max(1, size), 100)


def _out_of_archive(result: ReductionResult, opened: Opened) -> ReductionResult:
    """The same result, saying what archive the recording came out of."""
    source = result.source
    said = {"archive": opened.archive, "member": opened.recording.name}
    source = replace(source, metadata={**source.metadata, **said})
    return with_notes(replace(result, source=source), opened.notes)


def _coordinates(request: ReductionRequest) -> "Coordinates | None":
    """The coordinates file of a request."""
    if request.coordinates is None:
        return None
    from ingest.coordinates import read_coordinates

    return read_coordinates(Path(request.coordinates))


def _with_calibration(result: ReductionResult, loaded: "Loaded") -> ReductionResult:
    """The same result, saying what it was calibrated with instead of what the reader left aside."""
    source = result.source
    if loaded.settled:
        kept, own = (
            tuple(note for note in notes if note.caveat is not Caveat.FRAMES_EXCLUDED)
            for notes in (result.notes, source.notes)
        )
        result, source = replace(result, notes=kept), replace(source, notes=own)
    said = {f"calibration.{kind}": text for kind, text in sorted(loaded.used.items())}
    source = replace(source, metadata={**source.metadata, **said})
    return with_notes(replace(result, source=source), loaded.notes)


@contextmanager
def _scratch_beside(out: Path) -> Iterator[Path]:
    """A scratch folder on the disk of `out`; parents made for it go again where nothing came to stand.

    Raises
    ------
    ResourceError
        The disk is full, or fails.
    """
    made = [parent for parent in out.parents if not parent.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out.parent) as folder:
            yield folder
    except OSError as error:
        where = error.filename or f"scratch beside {out}"
        raise ResourceError(
            f"{where}: {error.strerror or error}; make room there, or choose another --out"
        ) from error
    finally:
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def _as_recorded(source: SourceInfo, scratch: Path) -> SourceInfo:
    """The recording's own name and format, where it was converted for this reduction only."""
    if not any(scratch.glob("*.zarr")):
        return source
    known = source.metadata
    name, kind = known.get("source_name", source.name), known.get("source_format", source.format)
    return replace(source, name=name, format=kind)
