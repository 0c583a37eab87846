"""One recording, from a request to a folder of results: the one way every front end reduces."""

import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ingest.convert import stack_of
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError, ResourceError
from reduction.outputs.folder import check_out, write_outputs
from reduction.plan import ReductionPlan, Settings
from reduction.result import ReductionResult
from reduction.run import SegmentRunner, in_process, reduce, with_notes, with_seconds
from reduction.scan import Progress
from reduction.stack import Stack
from reduction.timing import Instant
from reduction.view import Calibration

if TYPE_CHECKING:
    from ingest.masters import Master

Kind = Literal["bias", "dark", "flat"]


class Times(Settings):
    """Where times come from, besides the container: the options of the command."""

    meaning: Instant | None = None
    table: str | None = None
    start_utc: str | None = None
    cadence_s: float | None = None

    def options(self) -> TimeOptions:
        """The same for the readers."""
        return TimeOptions(
            meaning=self.meaning,
            table=None if self.table is None else Path(self.table),
            start_utc=self.start_utc,
            cadence_s=self.cadence_s,
        )


class ReductionRequest(Settings):
    """What to reduce, how, and with which calibration frames. Paths are part of no key."""

    inputs: tuple[str, ...] = Field(min_length=1)
    plan: ReductionPlan = ReductionPlan()
    times: Times = Times()
    bias: str | None = None
    dark: str | None = None
    flat: str | None = None
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda:\d+)$")


def check_device(device: str) -> None:
    """Refuse a device that this version or this machine does not have.

    Raises
    ------
    ResourceError
        A CUDA device is asked for: kernels of this version run on the CPU.
    """
    if device.startswith("cuda"):
        raise ResourceError(
            f"--device {device}: this version of Umbra has CPU kernels only; use --device auto or cpu"
        )


def open_recording(request: ReductionRequest, scratch: Path, progress: Progress | None = None) -> Stack:
    """Open the recording for random access; formats without it are converted into `scratch`."""
    report = None if progress is None else partial(progress, "ingest")
    return stack_of(request.inputs, scratch, request.times.options(), report)


def load_calibration(request: ReductionRequest, stack: Stack) -> tuple[Calibration, list[Note]]:
    """Masters of a request, combined for the recording's geometry.

    A dark is scaled to the recording's exposure where both exposures are known and a bias is
    given; a flat has the bias taken off first.

    Raises
    ------
    RequestError
        A master does not fit the recording.
    """
    shape = stack.info.frame_shape
    bias = _master("bias", request.bias, shape)
    dark = _master("dark", request.dark, shape)
    flat = _master("flat", request.flat, shape)
    notes: list[Note] = []
    offset = None if bias is None else bias.array
    if dark is not None:
        offset = dark.array
        exposure = stack.info.exposure_s
        known = exposure is not None and dark.exposure_s is not None and dark.exposure_s > 0
        if known and abs(exposure / dark.exposure_s - 1.0) > 0.02:
            if bias is None:
                notes.append(
                    Note(
                        Caveat.UNCALIBRATED,
                        f"The dark was exposed {dark.exposure_s:g} s, the recording {exposure:g} s; without "
                        "a bias it is used as it is. Give --bias, or darks of the same exposure.",
                    )
                )
            else:
                scale = np.float32(exposure / dark.exposure_s)
                offset = bias.array + scale * (dark.array - bias.array)
    level = None
    if flat is not None:
        level = flat.array - (0.0 if bias is None else bias.array)
        middle = float(np.nanmedian(level))
        if not middle > 0:
            raise RequestError(f"{request.flat}: the flat's median is {middle:g} ADU; is it a flat?")
        level = (level / np.float32(middle)).astype(np.float32)
    masters = {"bias": bias, "dark": dark, "flat": flat}
    digests = {kind: master.digest for kind, master in masters.items() if master is not None}
    return Calibration(offset, level, digests), notes


def _master(kind: Kind, path: str | None, shape: tuple[int, ...]) -> "Master | None":
    if path is None:
        return None
    from ingest.masters import load_master

    return load_master(kind, [path], shape)


def reduce_to_folder(
    request: ReductionRequest,
    out: Path,
    overwrite: bool = False,
    progress: Progress | None = None,
    runner: SegmentRunner = in_process,
    block: int | None = None,
) -> ReductionResult:
    """Reduce a recording and write its results into `out`, all or nothing.

    Parameters
    ----------
    request : ReductionRequest
    out : Path
        Folder of the results; must not hold anything unless `overwrite`.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    runner : SegmentRunner
        Where pass 2 runs: in this process, or over Ray.
    block : int, optional
        Frames read at a time; changes memory, never results.

    Raises
    ------
    RequestError, DataError, ResourceError
        See each; nothing is written then.
    """
    check_device(request.device)
    check_out(out, overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix=".umbra-", dir=out.parent) as folder:
        scratch = Path(folder)
        stack = open_recording(request, scratch, progress)
        try:
            calibration, notes = load_calibration(request, stack)
            opened = time.perf_counter()
            result = reduce(request.plan, stack, scratch, calibration, progress, block, runner)
            result = with_notes(with_seconds(result, {"open": opened - began}), notes)
            write_outputs(result, out, overwrite)
        finally:
            stack.close()
    return result


def positions(values: Sequence[str], what: str) -> list[dict[str, float]]:
    """Positions from ``X,Y`` texts.

    Raises
    ------
    RequestError
        A text is not two numbers.
    """
    out: list[dict[str, float]] = []
    for text in values:
        parts = text.split(",")
        try:
            x, y = (float(part) for part in parts)
        except ValueError as error:
            raise RequestError(f"{what} {text!r}: give two numbers, X,Y, in pixels") from error
        out.append({"x": x, "y": y})
    return out
