"""The frame viewer: frames of a recording, their times and levels, and stars that are marked on them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi.responses import RedirectResponse, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import IdPath
from api.observations.tables import Observation, ObservationFile
from api.results.frame_facts import (
    FrameView,
    RecordingView,
    full_scale,
    nearest_frame,
    recording_view,
)
from api.results.frame_routes import ReferenceView, recording_of, reference_of
from api.results.pictures import frame_of
from api.results.pixel_routes import frame_view
from api.results.service import ReducingDep
from api.results.stars import StarProfileView, profile_of, star_of
from api.results.views import PREFIX
from api.web import frame_charts
from api.web.frame_state import ZOOMS, Mark, View, number_of, place_of, place_text, read_view, text_of
from api.web.limb_words import two_digits
from api.web.pages import Visit, VisitDep, page_router
from reduction.errors import DataError, RequestError
from reduction.stack import Stack

WIDEST, HIGHEST = 960, 640
"""Of the plain picture, pixels of the screen."""

LARGEST_FIT = 4
"""A small frame is shown as much larger as this."""

STRETCHES = (
    ("zscale", "zscale"),
    ("asinh", "asinh"),
    ("percentile", "percentile"),
    ("minmax", "all levels"),
    ("linear", "linear"),
)
TOOLS = (
    ("look", "Look", "L"),
    ("target", "Target", "T"),
    ("reference", "Reference", "R"),
    ("guide", "Guide", "G"),
)

router = page_router()
MaySee = Annotated[Permit, may(Operation.SEE_FILES)]


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of a frame as the plain page shows it.

    Attributes
    ----------
    left, top, across, down : int
        The part, pixels of the frame.
    zoom, shrink : int
        Pixels of the screen for one of the frame, or the other way round; one of them is 1.
    """

    left: int
    top: int
    across: int
    down: int
    zoom: int
    shrink: int
    address: str

    @property
    def scale(self) -> float:
        """Pixels of the screen for one of the frame."""
        return self.zoom / self.shrink

    @property
    def width(self) -> int:
        """Of the picture."""
        return self.across // self.shrink * self.zoom

    @property
    def height(self) -> int:
        """Of the picture."""
        return self.down // self.shrink * self.zoom

    def place(self, x: float, y: float) -> tuple[float, float]:
        """The frame's place at a pixel of the picture."""
        half = 0.5 / self.scale
        return self.left + x / self.scale + half - 0.5, self.top + y / self.scale + half - 0.5

    def shown(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the frame is in the picture."""
        return round((x - self.left + 0.5) * self.scale, 2), round((y - self.top + 0.5) * self.scale, 2)


def picture_of(file: str, view: View, width: int, height: int) -> Picture:
    """The part of a frame that a view shows."""
    if view.zoom == 0:
        shrink = max(1, -(-width // WIDEST), -(-height // HIGHEST))
        zoom = 1 if shrink > 1 else max(1, min(LARGEST_FIT, WIDEST // width, HIGHEST // height))
        left, top, across, down = 0, 0, width, height
    else:
        shrink, zoom = 1, view.zoom
        across, down = min(width, WIDEST // zoom), min(height, HIGHEST // zoom)
        cx = width / 2 if view.cx is None else view.cx
        cy = height / 2 if view.cy is None else view.cy
        left = int(min(max(cx - across / 2, 0), width - across))
        top = int(min(max(cy - down / 2, 0), height - down))
    query: dict[str, Any] = {"stretch": view.stretch}
    if zoom > 1:
        query["zoom"] = zoom
    if shrink > 1:
        query["shrink"] = shrink
    if (across, down) != (width, height):
        query["roi"] = f"{left},{top},{across},{down}"
    if view.black is not None and view.white is not None:
        query |= {"black": f"{view.black:g}", "white": f"{view.white:g}"}
    if view.member is not None:
        query["member"] = view.member
    address = f"{PREFIX}/files/{file}/frames/{view.frame}.png?{urlencode(query, safe=',')}"
    return Picture(left, top, across, down, zoom, shrink, address)


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and what is told beside it."""

    recording: RecordingView
    frame: FrameView
    star: StarProfileView | None
    told: str
    """Why there is no star to be told of."""


@router.get("/files/{file_id}/view")
def view_frames(file_id: IdPath, visit: VisitDep, permit: MaySee, reducing: ReducingDep) -> Response:
    """Show a frame; a click on it, a time or a star by numbers lead to the address that has them."""
    asked = visit.request.query_params
    row = recording_of(visit.database, permit, file_id)
    view = read_view(asked.multi_items())
    if view.member is None and len(_lights(row)) > 1:
        return _choose(visit, row)
    reference: ReferenceView | None = None
    panel, problem = text_of(asked, "panel"), ""
    with reducing.stacks.opened(row.sha256, view.member) as stack:
        view = _with_levels(view.changed(frame=min(view.frame, stack.info.frames - 1)))
        try:
            moved = _moved(visit, view, stack)
        except (DataError, RequestError) as error:
            moved, problem = None, str(error)
        if moved is not None:
            return RedirectResponse(f"{visit.path}{moved.query()}{panel and '&panel=1'}", 303)
        if text_of(asked, "best"):
            reference = reference_of(stack)
            if reference.best is not None:
                view = view.changed(frame=reference.best.frame)
        seen = _seen(view, stack, row.name)
    values = _values(row, view, seen, problem or seen.told) | {"reference": reference}
    if panel:
        return visit.fragment("frames/panel.html", **values)
    with visit.database.reading() as session:
        observation = session.get(Observation, row.observation)
        may_reduce = observation is not None and visit.may(Operation.REDUCE, observation, session)
    return visit.page(
        "frames/view.html", **values, may_reduce=may_reduce, station=observation and observation.station
    )


def _with_levels(view: View) -> View:
    """A linear stretch needs levels; without them it is that of zscale."""
    lacking = view.black is None or view.white is None
    if lacking:
        view = view.changed(black=None, white=None)
    return view.changed(stretch="zscale") if lacking and view.stretch == "linear" else view


def _moved(visit: Visit, view: View, stack: Stack) -> View | None:
    """The view that a click, a jump or another step leads to; None where nothing of the kind was asked."""
    asked = visit.request.query_params
    if instant := text_of(asked, "time"):
        return view.changed(frame=_frame_at(instant, stack))
    if label := text_of(asked, "drop"):
        return view.without(label) if label in {mark.label for mark in view.marks} else view
    if text_of(asked, "anew"):
        return _marked_anew(view, stack)
    x, y = number_of(asked, "x"), number_of(asked, "y")
    if x is None or y is None:
        if (left := number_of(asked, "click.x")) is None or (top := number_of(asked, "click.y")) is None:
            return None
        x, y = picture_of("", view, stack.info.width, stack.info.height).place(left, top)
        if view.tool == "look":
            return view.changed(cx=x, cy=y, zoom=ZOOMS[min(ZOOMS.index(view.zoom) + 1, len(ZOOMS) - 1)])
    role = text_of(asked, "as") or view.tool
    return _marked(view, stack, role if role in {"target", "reference", "guide"} else "target", x, y)


def _marked(view: View, stack: Stack, role: str, x: float, y: float) -> View:
    """With the star near a place.

    Raises
    ------
    DataError
        There is none.
    RequestError
        Stars are marked on another frame.
    """
    if view.marks and view.at is not None and view.at != view.frame:
        raise RequestError(
            f"stars are marked on frame {view.at}, this is {view.frame}: go there, or mark all of them here"
        )
    star = star_of(frame_of(stack, view.frame), view.frame, x, y, full_scale(stack))
    return view.with_mark(role, star.x, star.y)


def _marked_anew(view: View, stack: Stack) -> View:
    """The same stars, where they are on this frame; each within a few pixels of where it was.

    Raises
    ------
    DataError
        One is not there.
    """
    image, full = frame_of(stack, view.frame), full_scale(stack)

    def there(text: str) -> str:
        star = star_of(image, view.frame, *place_of(text), full)
        return place_text(star.x, star.y)

    return view.changed(
        t=view.t and there(view.t), r=tuple(map(there, view.r)), g=tuple(map(there, view.g)), at=view.frame
    )


def _frame_at(text: str, stack: Stack) -> int:
    """The frame nearest to an instant; a time of day alone is of the recording's night.

    Raises
    ------
    RequestError
        It is no instant, or the recording has no times.
    """
    times = stack.times
    known = times.mid_ns[times.known]
    if not known.size:
        raise RequestError("the recording has no times; go to a frame by its number")
    first, last = int(known.min()), int(known.max())
    written = text.strip().removesuffix("UTC").strip().replace("T", " ").removesuffix("Z")
    date = datetime.fromtimestamp(first * 1e-9, UTC).strftime("%Y-%m-%d")
    whole, _, rest = (written if "-" in written else f"{date} {written}").partition(".")
    try:
        instant = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        part = round(float(f"0.{rest or 0}") * 1e9)
    except ValueError as error:
        raise RequestError(f"time {text!r:.40}: give HH:MM:SS, or YYYY-MM-DD HH:MM:SS.fff, UTC") from error
    ns = int(instant.timestamp()) * 1_000_000_000 + part
    if "-" not in written and ns < first - 1_000_000_000 and ns + DAY_NS <= last + 1_000_000_000:
        ns += DAY_NS  # after midnight
    found = nearest_frame(times, ns)
    assert found is not None
    return found


DAY_NS = 86_400 * 1_000_000_000


def _seen(view: View, stack: Stack, name: str) -> Seen:
    """All that is told of a frame."""
    recording, frame = recording_view(stack, view.member or name), frame_view(stack, view.frame)
    mark = view.selected
    if mark is None:
        return Seen(recording, frame, None, "")
    try:
        star = _star(view, mark, stack)
    except (DataError, RequestError) as error:
        return Seen(recording, frame, None, f"{mark.label}: {error}")
    return Seen(recording, frame, star, "")


def _star(view: View, mark: Mark, stack: Stack) -> StarProfileView:
    image, gain = frame_of(stack, view.frame), stack.info.gain_e_per_adu
    sky = (view.i, view.o)
    return profile_of(image, view.frame, (mark.x, mark.y), full_scale(stack), view.a, sky, gain)


def _values(row: ObservationFile, view: View, seen: Seen, problem: str) -> dict[str, Any]:
    """What the templates are given."""
    levels = seen.frame.levels
    ends = (view.black, view.white) if view.black is not None and view.white is not None else None
    shown = ends or (levels.zscale if view.stretch == "zscale" else levels.percentile)
    if (
        view.stretch == "minmax"
        and ends is None
        and levels.minimum is not None
        and levels.maximum is not None
    ):
        shown = (levels.minimum, levels.maximum)
    star = seen.star
    return {
        "file": row,
        "view": view,
        "recording": seen.recording,
        "frame": seen.frame,
        "star": star,
        "problem": problem,
        "picture": picture_of(row.id, view, seen.recording.width, seen.recording.height),
        "shown": shown,
        "histogram": frame_charts.histogram(levels, shown),
        "profile": frame_charts.radial_profile(star) if star is not None else None,
        "growth": frame_charts.growth_curve(star) if star is not None else None,
        "stretches": STRETCHES,
        "tools": TOOLS,
        "two_digits": two_digits,
        "zooms": ZOOMS,
        "steps": _steps(view.frame, seen.recording.frames),
        "state": _state(row, view, seen, shown),
    }


def _state(row: ObservationFile, view: View, seen: Seen, ends: tuple[float, float] | None) -> dict[str, Any]:
    """What the island is told: `static/viewer.js` draws from it."""
    recording, star = seen.recording, seen.star
    return {
        "pixels": f"{PREFIX}/files/{row.id}/frames",
        "member": view.member,
        "query": view.query(),
        "planned": view.planned,
        "frame": view.frame,
        "frames": recording.frames,
        "width": recording.width,
        "height": recording.height,
        "cadence": recording.cadence_s,
        "stretch": view.stretch,
        "ends": ends,
        "held": view.black is not None,
        "zoom": view.zoom,
        "centre": None if view.cx is None or view.cy is None else [view.cx, view.cy],
        "tool": view.tool,
        "at": view.at,
        "marks": [{"role": m.role, "label": m.label, "x": m.x, "y": m.y} for m in view.marks],
        "selected": view.selected.label if view.selected is not None else None,
        "radii": None if star is None else [star.aperture_px, star.sky_inner_px, star.sky_outer_px],
    }


def _steps(frame: int, frames: int) -> list[tuple[str, str, int | None]]:
    """Links to other frames: name, sign, number (None: there is none)."""
    ten, last = max(10, frames // 100), frames - 1

    def there(number: int) -> int | None:
        number = min(max(number, 0), last)
        return None if number == frame else number

    return [
        ("First frame", "|◀", there(0)),
        (f"{ten} frames back", "◀◀", there(frame - ten)),
        ("Previous frame", "◀", there(frame - 1)),
        ("Next frame", "▶", there(frame + 1)),
        (f"{ten} frames on", "▶▶", there(frame + ten)),
        ("Last frame", "▶|", there(last)),
    ]


def _lights(row: ObservationFile) -> list[dict[str, Any]]:
    """Recordings of an archive that show the sky."""
    return [each for each in row.finding.get("recordings", ()) if each.get("role") == "light"]


def _choose(visit: Visit, row: ObservationFile) -> Response:
    """Which recording of an archive is meant."""
    return visit.page("frames/members.html", file=row, members=_lights(row))
