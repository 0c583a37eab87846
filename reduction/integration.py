"""Integrating cameras: the video frames that repeat one picture become one sample.

A sample's pixels are the mean of its frames, its exposure the integration, its time that of the picture. The
recording is then reduced as any other: `reduction.pictures.IntegratedStack` is a view of it with one frame
per picture.
"""

from dataclasses import replace

import numpy as np

from reduction.caveats import Caveat
from reduction.errors import RequestError
from reduction.pictures import IntegratedStack, Pictures
from reduction.plan import ReductionPlan
from reduction.repeats import find_blocks, may_repeat
from reduction.result import Flag, LightCurve
from reduction.stack import SourceInfo, Stack
from reduction.timing import TimeSolution
from reduction.view import View


def by_pictures(plan: ReductionPlan, stack: Stack, coordinates: bool = False) -> tuple[ReductionPlan, Stack]:
    """The recording by pictures, where the plan asks for it or they are found, and the plan for it.

    Parameters
    ----------
    plan : ReductionPlan
    stack : Stack
    coordinates : bool
        Places of stars are given by video frame.

    Raises
    ------
    RequestError
        Pictures are asked for and not found, or do not go together with the plan or the camera's name.
    """
    asked = plan.integration
    named = _named_length(stack.times)
    if asked == "off" or (isinstance(asked, int) and asked < 2):
        return plan, stack
    length = asked if isinstance(asked, int) else named
    if isinstance(asked, int) and named is not None and named != asked:
        raise RequestError(
            f"{stack.info.name}: --integration {asked}, but the camera's delay is for x{named}; give the "
            "mode that was used"
        )
    if length is None and not (may_integrate(stack.info) and may_repeat(stack)):
        return plan, stack
    blocks = find_blocks(stack, length)
    if blocks is None:
        if length is None:
            return plan, stack
        raise RequestError(
            f"{stack.info.name}: where the pictures of {length} video frames begin cannot be seen: "
            "neighbouring frames differ alike throughout; if none is repeated give --integration off"
        )
    if length is not None and blocks.length != length:
        raise RequestError(
            f"{stack.info.name}: pictures repeat in {blocks.length} video frames, {length} were named"
        )
    if plan.fields in {"top", "bottom"}:
        raise RequestError(
            f"--fields {plan.fields}: both fields of an integrated picture are of one exposure"
        )
    if coordinates:
        raise RequestError("--coordinates counts video frames, not pictures: give --integration off")
    levels = plan.gamma is not None or plan.response is not None
    settled = {"fields": "off", "frame": max(blocks.block_of(plan.frame), 0)}
    return plan.model_copy(update=settled), IntegratedStack(stack, Pictures(blocks, levels))


def _named_length(times: TimeSolution) -> int | None:
    """Frames of a picture in the mode of the camera that the ledger names, above one."""
    for entry in times.ledger:
        if entry.what == "camera" and not entry.included and times.exposure_s.size:
            cadence = times.cadence_s()
            exposure = float(np.nanmedian(times.exposure_s))
            if cadence and np.isfinite(exposure) and round(exposure / cadence) > 1:
                return round(exposure / cadence)
    return None


def may_integrate(info: SourceInfo) -> bool:
    """Whether frames can be those of an analogue camera, and are not made of earlier frames by a codec."""
    kind = info.metadata.get("source_format", info.format)
    coded = any(note.caveat is Caveat.INTER_FRAME_VIDEO for note in info.notes)
    return kind in {"video", "ser"} and not coded


def numbered(curve: LightCurve, view: View) -> LightCurve:
    """The light curve with the numbers of its video frames or fields, and partial pictures flagged."""
    if view.recipe.pictures is None:
        return replace(curve, frame=view.sampling.frame_numbers(0, view.frames))
    blocks = view.recipe.pictures.blocks
    partial = np.where(blocks.partial, np.uint32(Flag.PARTIAL_INTEGRATION.value), np.uint32(0))
    return replace(curve, frame=blocks.starts.astype(np.float64), flags=curve.flags | partial)
