"""Routes of recordings' frames: pictures, star picking, the frame with the best seeing."""

import math
from dataclasses import asdict
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import DatabaseDep, IdPath
from api.observations.tables import Observation, ObservationFile
from api.problems import RefusedError, responses
from api.results.pictures import Stretch, encoded, frame_of, part_of, stretched
from api.results.service import ReducingDep
from api.results.views import PREFIX
from reduction.picking import best_seeing, pick
from reduction.plan import Settings
from reduction.stack import Stack

PRIVATE = "private, max-age=86400"
APERTURES_FWHM = (0.75, 1.0, 1.5, 2.0)
"""Radii that are proposed; light curves of faint stars are best near one FWHM and below."""

router = APIRouter(prefix=PREFIX, tags=["results"])
MaySee = Annotated[Permit, may(Operation.SEE_FILES)]
Member = Annotated[str | None, Query(max_length=250, description="Which recording of an archive.")]
Frame = Annotated[int, Path(ge=0, lt=1 << 31)]


class PickedView(Settings):
    """A star of a frame; pixels, the first one's centre is 0; errors are one sigma.

    `flux_error` holds the noise of the sky alone. `apertures_px` are radii to choose from.
    """

    frame: int
    x: float
    y: float
    error: float | None
    fwhm: float
    fwhm_error: float | None
    flux: float
    flux_error: float
    sky: float
    noise: float
    peak: float
    saturated: bool
    snr: float | None
    apertures_px: tuple[float, ...]


class SeeingView(Settings):
    """Width of a frame's stars, pixels, and how many there are."""

    frame: int
    fwhm: float
    stars: int


class ReferenceView(Settings):
    """The frame with the narrowest stars of those that were looked at; null where none has stars."""

    best: SeeingView | None
    looked_at: tuple[SeeingView, ...]
    frames: int


def _recording(database: DatabaseDep, permit: Permit, file_id: str) -> ObservationFile:
    with database.reading() as session:
        row = session.get(ObservationFile, file_id)
        permit.over(session, None if row is None else session.get(Observation, row.observation), "file")
    assert row is not None
    if row.role != "recording" or row.state != "accepted":
        raise RefusedError(409, f"{row.name}: is no accepted recording, it has no frames to be seen")
    return row


@router.get(
    "/files/{file_id}/frames/{frame}.{form}",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="A frame as a picture",
)
def frame_picture(
    file_id: IdPath,
    frame: Frame,
    form: Annotated[Literal["png", "webp"], Path()],
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    member: Member = None,
    roi: Annotated[str | None, Query(max_length=40, description="left,top,width,height, pixels.")] = None,
    stretch: Stretch = "zscale",
    low: Annotated[float, Query(ge=0, le=100)] = 0.5,
    high: Annotated[float, Query(ge=0, le=100)] = 99.7,
    zoom: Annotated[int, Query(ge=1, le=16)] = 1,
) -> Response:
    """Return a frame, stretched; `low` and `high` are the percentiles of asinh and percentile."""
    row = _recording(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        image = frame_of(stack, frame)
    pixels = stretched(part_of(image, roi), stretch, (min(low, high), max(low, high)))
    return Response(
        encoded(pixels, form, zoom), media_type=f"image/{form}", headers={"Cache-Control": PRIVATE}
    )


@router.get(
    "/files/{file_id}/frames/{frame}/star",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="The star near a place",
)
def star_near(
    file_id: IdPath,
    frame: Frame,
    x: Annotated[float, Query(ge=0, le=1e6)],
    y: Annotated[float, Query(ge=0, le=1e6)],
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    member: Member = None,
) -> PickedView:
    """Locate the star near x, y: centroid, width, flux, saturation, and apertures that suit it."""
    row = _recording(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        image, full = frame_of(stack, frame), full_scale(stack)
    found = pick(image, x, y, full)
    fields: dict[str, Any] = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(found).items()
    }
    radii = tuple(round(max(1.0, factor * found.fwhm), 2) for factor in APERTURES_FWHM)
    return PickedView(frame=frame, apertures_px=radii, **fields)


@router.get(
    "/files/{file_id}/reference",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="The frame with the best seeing",
)
def reference_frame(
    file_id: IdPath,
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    member: Member = None,
    looks: Annotated[
        int, Query(ge=2, le=64, description="Frames to look at, evenly over the recording.")
    ] = 24,
) -> ReferenceView:
    """Propose the frame on which stars are best marked: the narrowest stars of frames over the recording."""
    row = _recording(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        count = stack.info.frames
        numbers = np.unique(np.linspace(0, count - 1, min(looks, count)).round().astype(int)).tolist()
        best, found = best_seeing(lambda number: frame_of(stack, number), numbers)
    views = [SeeingView(frame=each.frame, fwhm=each.fwhm, stars=each.stars) for each in found]
    chosen = None if best is None else SeeingView(frame=best.frame, fwhm=best.fwhm, stars=best.stars)
    return ReferenceView(best=chosen, looked_at=tuple(views), frames=count)


def full_scale(stack: Stack) -> float:
    """Greatest value that a recording can have: by its bit depth, else its type."""
    kind = np.dtype(stack.info.dtype)
    if kind.kind != "u":
        return math.inf
    depth = stack.info.bit_depth or 8 * kind.itemsize
    return float(2 ** min(depth, 8 * kind.itemsize) - 1)
