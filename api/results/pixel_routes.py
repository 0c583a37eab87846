"""Routes of recordings' frames in numbers: what the recording is, times, levels, pixels, a star's profile."""

import hashlib
import io
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Path, Query, Response
from numpy.typing import NDArray

from api.dependencies import DatabaseDep, IdPath
from api.problems import responses
from api.results.frame_facts import (
    FrameView,
    RecordingView,
    full_scale,
    levels_view,
    pixel_flags,
    recording_view,
    time_flags,
    time_view,
)
from api.results.frame_routes import PRIVATE, Frame, MaySee, Member, Roi, recording_of
from api.results.pictures import frame_of, part_of, plane_of, recorded
from api.results.service import ReducingDep
from api.results.stars import StarProfileView, profile_of
from api.results.views import PREFIX
from reduction.stack import Stack

MEDIA = {"raw": "application/octet-stream", "npy": "application/x-npy"}
Radius = Annotated[float | None, Query(gt=0, le=200, description="Pixels; chosen where not given.")]

router = APIRouter(prefix=PREFIX, tags=["results"])


@router.get(
    "/files/{file_id}/frames",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="A recording whose frames can be seen",
)
def see_recording(
    file_id: IdPath, permit: MaySee, database: DatabaseDep, reducing: ReducingDep, member: Member = None
) -> RecordingView:
    """Tell size and type of the frames, and what their times are and how they came about."""
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        return recording_view(stack, member or row.name)


@router.get(
    "/files/{file_id}/frames/{frame}",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="Time, levels and flags of a frame",
)
def see_frame(
    file_id: IdPath,
    frame: Frame,
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    member: Member = None,
) -> FrameView:
    """Tell when a frame was exposed, its histogram and levels, and what is odd about it."""
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        return frame_view(stack, frame)


def frame_view(stack: Stack, frame: int) -> FrameView:
    """Tell a frame. Raises `RequestError` where the recording has none of that number."""
    image = recorded(stack, frame)
    before = recorded(stack, frame - 1) if frame and stack.known_digests is None else None
    levels = levels_view(plane_of(image), full_scale(stack))
    flags = [*time_flags(stack.times, frame), *pixel_flags(stack, frame, image, before)]
    if levels.saturated:
        flags.append(f"{levels.saturated} pixels at the largest level")
    if levels.not_finite:
        flags.append(f"{levels.not_finite} pixels are no numbers")
    return FrameView(frame=frame, time=time_view(stack.times, frame), flags=tuple(flags), levels=levels)


@router.get(
    "/files/{file_id}/frames/{frame}/pixels.{form}",
    response_class=Response,
    responses=responses(401, 403, 404, 409, 422, 503)
    | {200: {"content": {media: {} for media in MEDIA.values()}}},
    summary="A frame's pixels as recorded",
)
def frame_pixels(
    file_id: IdPath,
    frame: Frame,
    form: Annotated[Literal["raw", "npy"], Path()],
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    member: Member = None,
    roi: Roi = None,
) -> Response:
    """Return exact pixels: `npy` for `numpy.load`, `raw` the same without its head, little-endian, by rows.

    `X-Umbra-Dtype` and `X-Umbra-Shape` tell type and axes, `X-Umbra-Mid-Utc`, `X-Umbra-Sigma` and
    `X-Umbra-Flags` the middle of the exposure, its sigma in seconds, and what is odd about the time.
    """
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        pixels = part_of(recorded(stack, frame), roi)
        time, flags = time_view(stack.times, frame), time_flags(stack.times, frame)
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    headers = {
        "Cache-Control": PRIVATE,
        "ETag": f'"{_tag(row.sha256, member or "", frame, roi or "", form)}"',
        "X-Umbra-Dtype": pixels.dtype.str,
        "X-Umbra-Shape": ",".join(map(str, pixels.shape)),
        "X-Umbra-Mid-Utc": time.mid_utc or "",
        "X-Umbra-Sigma": "" if time.sigma_s is None else f"{time.sigma_s:.9g}",
        "X-Umbra-Flags": "; ".join(flags),
    }
    return Response(_content(pixels, form), media_type=MEDIA[form], headers=headers)


def _tag(*parts: object) -> str:
    """What names these pixels: recordings of the store never change."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:40]


def _content(pixels: NDArray[np.generic], form: str) -> bytes:
    if form == "raw":
        return pixels.tobytes()
    out = io.BytesIO()
    np.lib.format.write_array(out, pixels, allow_pickle=False)
    return out.getvalue()


@router.get(
    "/files/{file_id}/frames/{frame}/profile",
    responses=responses(401, 403, 404, 409, 422, 503),
    summary="Radial profile and growth curve of a star",
)
def star_profile(
    file_id: IdPath,
    frame: Frame,
    x: Annotated[float, Query(ge=0, le=1e6)],
    y: Annotated[float, Query(ge=0, le=1e6)],
    permit: MaySee,
    database: DatabaseDep,
    reducing: ReducingDep,
    member: Member = None,
    aperture: Radius = None,
    inner: Radius = None,
    outer: Radius = None,
    centred: Annotated[bool, Query(description="On the star's centroid; else on x, y exactly.")] = True,
) -> StarProfileView:
    """Measure the star near x, y within circles of every radius, with errors, as a reduction does.

    `inner` and `outer` are the sky annulus. Radii that are not given suit the star's width.
    """
    row = recording_of(database, permit, file_id)
    with reducing.stacks.opened(row.sha256, member) as stack:
        image, full, gain = frame_of(stack, frame), full_scale(stack), stack.info.gain_e_per_adu
    return profile_of(image, frame, (x, y), full, aperture, (inner, outer), gain, centred)
