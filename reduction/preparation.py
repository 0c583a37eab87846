"""From plan, recording and masters to the recipe of its images, and what must be said of it."""

from collections.abc import Iterator

import numpy as np

from reduction.caveats import Caveat, Note
from reduction.levels import luma_range, sampled_luma
from reduction.plan import ReductionPlan
from reduction.response import Curve, check_covered, response_of
from reduction.sampling import Fields
from reduction.scan import Scan
from reduction.stack import Stack
from reduction.view import NOTHING, Calibration, Recipe


def recipe_of(
    plan: ReductionPlan, stack: Stack, calibration: Calibration = NOTHING, scan: Scan | None = None
) -> Recipe:
    """How the frames of a recording become images.

    Parameters
    ----------
    plan : ReductionPlan
    stack : Stack
    calibration : Calibration
        Masters, of linear levels.
    scan : Scan, optional
        Without it (before the recording has been read) black and white of its luma are not known; the
        images' type is the same.

    Raises
    ------
    RequestError
        A response is asked for that does not fit the recording.
    """
    if scan is None:
        response = response_of(plan, stack.info, None)
        return Recipe(calibration, response, channel=plan.channel, fields=_fields(plan))
    lowest, highest = extremes(scan)
    luma = sampled_luma(stack) if plan.gamma is not None else luma_range(stack, lowest, highest)
    check_covered(plan, stack.info.name, lowest, highest)
    response = response_of(plan, stack.info, luma)
    return Recipe(calibration, response, luma=luma, channel=plan.channel, fields=_fields(plan))


def _fields(plan: ReductionPlan) -> Fields:
    """The plan's first field, which has been judged before."""
    if plan.fields == "auto":
        raise ValueError("fields are judged before a recipe is made: reduction.interlace.settled_fields")
    return plan.fields


def response_before(plan: ReductionPlan, stack: Stack) -> Curve:
    """The response of the recording, before it has been read: its masters go through the same.

    Raises
    ------
    RequestError
        As `response_of`.
    """
    return response_of(plan, stack.info, None if plan.gamma is None else sampled_luma(stack))


def extremes(scan: Scan) -> tuple[float, float]:
    """Smallest and largest finite sample of a recording, ADU; NaN without any."""
    low, high = scan.lowest[np.isfinite(scan.lowest)], scan.highest[np.isfinite(scan.highest)]
    return (float(low.min()), float(high.max())) if low.size else (float("nan"), float("nan"))


def recipe_notes(plan: ReductionPlan, recipe: Recipe) -> Iterator[Note]:
    """What a reader must know of how images were made."""
    luma = recipe.luma
    if luma is not None:
        consequence = (
            "levels count from black" if plan.gamma is not None else "black is an offset like any other"
        )
        yield Note(
            Caveat.LIMITED_RANGE,
            f"Luma is coded from {luma.black:g} (black) to {luma.white:g} (white), says the {luma.source}: "
            f"stars saturate at {luma.white:g}, {consequence}.",
        )
