"""The deep image of a recording on which a plate is solved: made as pass 1 of a reduction makes its own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba.stars import SATURATED, SEEN
from gpu_kernels.align import fit_stars
from gpu_kernels.detect import find_stars
from reduction.astrometry.stars import FrameStars
from reduction.blemishes import find_blemishes, treated
from reduction.errors import RequestError
from reduction.plan import ReductionPlan
from reduction.preparation import recipe_of
from reduction.register import Registered, register, sample_frames
from reduction.sample import find_saturation, median_level
from reduction.scan import Scan
from reduction.stack import Digest, Stack
from reduction.view import View

MOST_STARS = 400
LEAST_SIGMA_PX = 0.02
"""No centroid is believed to be better than this: pixels are not square to that."""

SATURATED_SIGMA_PX = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class DeepImage:
    """The aligned mean of a recording's frames on the pixels of one of them, and the stars on it."""

    view: View
    registered: Registered
    stars: FrameStars

    @property
    def frame(self) -> int:
        """Number of the frame whose pixels the image has."""
        return self.registered.grid_frame // self.view.sampling.per_frame


def deep_image(stack: Stack, plan: ReductionPlan) -> DeepImage:
    """Average frames aligned on `plan.frame`, and find the stars.

    Only a sample of the frames is read: frames that repeat others do no harm to a mean.

    Raises
    ------
    RequestError
        The frame does not exist, or cannot be matched to the others.
    DataError
        No star is found.
    """
    info = stack.info
    if plan.frame >= info.frames:
        raise RequestError(
            f"{info.name}: --frame {plan.frame}: the recording has frames 0 to {info.frames - 1}"
        )
    chosen = sample_frames(plan.survey_frames, np.zeros(info.frames, np.bool_))
    glance = _glance(stack, chosen)
    view = View(stack, recipe_of(plan, stack, scan=glance))
    view = treated(view, find_blemishes(view, chosen, plan))
    seen = view.sampling.of_samples(glance)
    index = view.sampling.samples_of(chosen)
    saturation = view.saturation_in_images(find_saturation(view, index, seen)[0])
    plan_sample = plan.frame * view.sampling.per_frame
    registered = register(view, seen, index, plan_sample, plan.max_stars, saturation, roi=plan.roi_px)
    view.forget()
    if registered.grid_frame != plan_sample:
        raise RequestError(
            f"{info.name}: frame {plan.frame} cannot be matched to the rest of the recording; choose another "
            "with --frame N"
        )
    return DeepImage(view, registered, _stars(view, registered, plan, saturation))


def _glance(stack: Stack, chosen: NDArray[np.int64]) -> Scan:
    """What a scan tells, of the chosen frames only."""
    frames = stack.info.frames
    highest, lowest = np.full(frames, np.nan), np.full(frames, np.nan)
    for frame in chosen:
        pixels = stack.read(int(frame), int(frame) + 1)
        finite = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
        if finite.size:
            lowest[frame], highest[frame] = float(finite.min()), float(finite.max())
    return Scan(Digest(""), np.zeros(frames, np.bool_), highest, lowest, np.zeros(frames, np.int64))


def _stars(view: View, registered: Registered, plan: ReductionPlan, saturation: float) -> FrameStars:
    """Stars of the deep image, brightest first, with the errors of their places."""
    image, sigma = registered.image, registered.field.sigma
    least = float(np.sqrt(view.rounding_variance(median_level(image)) / max(registered.stacked, 1)))
    found = find_stars(image, plan.detection_sigma, MOST_STARS, sigma, saturation, least_noise=least)
    fits = fit_stars(image, found.x, found.y, 0, sigma, found.noise**2, 0.0, saturation)
    good = (fits.status == SEEN) | (fits.status == SATURATED)
    error = np.where(fits.status == SATURATED, np.maximum(fits.error, SATURATED_SIGMA_PX), fits.error)
    error = np.maximum(np.where(good & np.isfinite(error), error, SATURATED_SIGMA_PX), LEAST_SIGMA_PX)
    to_full = view.geometry.to_full
    return FrameStars(
        to_full(found.x), to_full(found.y), error, found.flux, view.geometry.width, view.geometry.height
    )
