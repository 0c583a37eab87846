"""Routes of recordings' frames: pictures, star picking, the frame with the best seeing."""

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.database.transactions import Database
from api.dependencies import DatabaseDep, IdPath
from api.observations.tables import Observation, ObservationFile
from api.problems import RefusedError, responses
from api.results.frame_facts import full_scale
from api.results.pictures import (
    Stretch,
    encoded,
    frame_of,
    part_of,
    plane_of,
    recorded,
    shrunk,
    stretched,
)
from api.results.service import ReducingDep
from api.results.stars import PickedView, star_of
from api.results.views import PREFIX
from reduction.errors import RequestError
from reduction.plan import Settings
from reduction.stack import Stack

PRIVATE = "private, max-age=86400"
LOOKS = 24
"""Frames that are looked at for the best seeing."""

router = APIRouter(prefix=PREFIX, tags=["results"])
MaySee = Annotated[Permit, may(Operation.SEE_FILES)]
Member = Annotated[str | None, Query(max_length=250, description="Which recording of an archive.")]
Frame = Annotated[int, Path(ge=0, lt=1 << 31)]
Roi = Annotated[str | None, Query(max_length=40, description="left,top,width,height, pixels.")]


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


def recording_of(database: Database, permit: Permit, file_id: str) -> ObservationFile:
    """The row of a recording whose frames the caller may see.

    Raises
    ------
    RefusedError
        404: not there, or not theirs; 409: no recording, or not accepted.
    """
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
    roi: Roi = None,
    stretch: Stretch = "zscale",
    low: Annotated[float, Query(ge=0, le=100)] = 0.5,
    high: Annotated[float, Query(ge=0, le=100)] = 99.7,
    black: Annotated[float | None, Query(description="Level that is black; `white` is needed, too.")] = None,
    white: Annotated[float | None, Query(description="Level that is white.")] = None,
    zoom: Annotated[int, Query(ge=1, le=16)] = 1,
    shrink: Annotated[int, Query(ge=1, le=64, description="A pixel is the mean of so many squared.")] = 1,
) -> Response:
    """Return a frame, stretched; `low` and `high` are the percentiles of asinh and percentile.

    With `black` and `white`, in the recording's levels, the stretch lies between these on every frame.
    """
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        frame_pixels = recorded(stack, frame)
    if (black is None) != (white is None):
        raise RequestError("black and white: give both, or none")
    ends = None if black is None or white is None else (black, white)
    part = shrunk(plane_of(part_of(frame_pixels, roi)), shrink)
    pixels = stretched(part, stretch, (min(low, high), max(low, high)), ends)
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
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        image, full = frame_of(stack, frame), full_scale(stack)
    return star_of(image, frame, x, y, full)


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
    ] = LOOKS,
) -> ReferenceView:
    """Propose the frame on which stars are best marked: the narrowest stars of frames over the recording."""
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        return reference_of(stack, looks)


def reference_of(stack: Stack, looks: int = LOOKS) -> ReferenceView:
    """The frame with the narrowest stars of so many that are spread evenly over a recording."""
    from reduction.picking import best_seeing

    count = stack.info.frames
    numbers = np.unique(np.linspace(0, count - 1, min(looks, count)).round().astype(int)).tolist()
    best, found = best_seeing(lambda number: frame_of(stack, number), numbers)
    views = [SeeingView(frame=each.frame, fwhm=each.fwhm, stars=each.stars) for each in found]
    chosen = None if best is None else SeeingView(frame=best.frame, fwhm=best.fwhm, stars=best.stars)
    return ReferenceView(best=chosen, looked_at=tuple(views), frames=count)
