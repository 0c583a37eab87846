"""What a frame viewer shows, as the page's address has it: frame, stretch, zoom, and the marked stars."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from pydantic import Field, ValidationError, field_validator

from api.results.pictures import Stretch
from reduction.errors import RequestError
from reduction.plan import ReductionPlan, Settings

Tool = Literal["look", "target", "reference", "guide"]
Level = Annotated[float, Field(allow_inf_nan=False)]
Radius = Annotated[float, Field(gt=0, le=200)]
PLACE = re.compile(r"^(-?\d{1,6}(?:\.\d{1,6})?),(-?\d{1,6}(?:\.\d{1,6})?)$")
MOST_MARKS = 40
ZOOMS = (0, 1, 2, 4, 8)
"""Pixels of the screen for one of the frame; 0: all of the frame is seen."""

LETTERS = {"target": "T", "reference": "R", "guide": "G"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A marked star.

    Attributes
    ----------
    role : str
        ``target``, ``reference`` or ``guide``.
    label : str
        ``T``, ``R1``, ``G2``.
    x, y : float
        Pixels; the first one's centre is 0.
    """

    role: str
    label: str
    x: float
    y: float

    @property
    def text(self) -> str:
        """As in an address."""
        return place_text(self.x, self.y)


class View(Settings):
    """What is shown, and what was asked of it by a click.

    Attributes
    ----------
    black, white : float or None
        Levels that stay the same on all frames; None: those of the stretch, anew on each frame.
    cx, cy : float or None
        Middle of what is seen.
    t, r, g : str, tuple of str
        Target, references, guides, as ``X,Y``.
    at : int or None
        The frame on which they were marked.
    a, i, o : float or None
        Aperture and sky annulus, pixels.
    sel : str
        Label of the star whose profile is shown.
    """

    member: Annotated[str, Field(max_length=250)] | None = None
    frame: Annotated[int, Field(ge=0, lt=1 << 31)] = 0
    stretch: Stretch = "zscale"
    black: Level | None = None
    white: Level | None = None
    zoom: Literal[0, 1, 2, 4, 8] = 0
    cx: Level | None = None
    cy: Level | None = None
    tool: Tool = "look"
    t: str = ""
    r: tuple[str, ...] = ()
    g: tuple[str, ...] = ()
    at: Annotated[int, Field(ge=0, lt=1 << 31)] | None = None
    a: Radius | None = None
    i: Radius | None = None
    o: Radius | None = None
    sel: Annotated[str, Field(pattern=r"^([TRG]\d{0,3})?$")] = ""

    @field_validator("zoom", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 4 else value

    @field_validator("t", "r", "g")
    @classmethod
    def _places(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        listed = (value,) if isinstance(value, str) else value
        if len(listed) > MOST_MARKS:
            raise ValueError(f"more than {MOST_MARKS} stars")
        for text in listed:
            if text and PLACE.match(text) is None:
                raise ValueError(f"{text!r:.40}: give X,Y in pixels")
        return value

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The marked stars: target, references, guides."""
        found = [("target", "T", self.t)] if self.t else []
        found += [("reference", f"R{k}", text) for k, text in enumerate(self.r, 1) if text]
        found += [("guide", f"G{k}", text) for k, text in enumerate(self.g, 1) if text]
        return tuple(Mark(role, label, *place_of(text)) for role, label, text in found)

    @property
    def selected(self) -> Mark | None:
        """The star whose profile is shown: the chosen one, else the target, else the first."""
        marks = self.marks
        chosen = [mark for mark in marks if mark.label == self.sel]
        return next(iter((*chosen, *marks)), None)

    def changed(self, **changes: Any) -> "View":
        """The same with other values."""
        return self.model_copy(update=changes)

    def with_mark(self, role: str, x: float, y: float) -> "View":
        """With one more star of a role; a target takes the place of the one before."""
        text = place_text(x, y)
        if role == "target":
            return self.changed(t=text, sel="T", **self._held)
        if role == "reference":
            return self.changed(r=(*self.r, text), sel=f"R{len(self.r) + 1}", **self._held)
        return self.changed(g=(*self.g, text), sel=f"G{len(self.g) + 1}", **self._held)

    def without(self, label: str) -> "View":
        """Without a star."""
        if label == "T":
            return self.changed(t="", sel="")
        number = int(label[1:] or 0) - 1
        field = "r" if label[:1] == "R" else "g"
        listed = getattr(self, field)
        return self.changed(**{field: listed[:number] + listed[number + 1 :]}, sel="")

    @property
    def _held(self) -> dict[str, Any]:
        return {"at": self.frame if not self.marks or self.at is None else self.at}

    def pairs(self, **changes: Any) -> list[tuple[str, str]]:
        """Names and values of an address; what is as it would be anyway is left out."""
        view = self.changed(**changes) if changes else self
        found: list[tuple[str, str]] = []
        for name, field in View.model_fields.items():
            value = getattr(view, name)
            if value == field.default or (name == "at" and not view.marks):
                continue
            listed = value if isinstance(value, tuple) else (value,)
            found += [(name, f"{one:g}" if isinstance(one, float) else str(one)) for one in listed]
        return found

    def query(self, **changes: Any) -> str:
        """Query of the address with changes, ``?`` before it."""
        return f"?{urlencode(self.pairs(**changes), safe=',')}"

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """What a form carries along."""
        return [(name, value) for name, value in self.pairs() if name not in without]

    @property
    def planned(self) -> list[tuple[str, str]]:
        """What the form of a reduction is filled with."""
        found = [("plan.frame", str(self.at if self.at is not None else self.frame))]
        if self.t:
            found.append(("plan.target", self.t))
        found += [
            (name, ";".join(given))
            for name, given in (("plan.references", self.r), ("plan.guides", self.g))
            if given
        ]
        radii = (("plan.aperture_px", self.a), ("plan.sky_px.inner", self.i), ("plan.sky_px.outer", self.o))
        found += [(name, f"{value:g}") for name, value in radii if value is not None]
        if self.member is not None:
            found.append(("member", self.member))
        return found


def place_text(x: float, y: float) -> str:
    """A place as in an address."""
    return f"{x:.2f},{y:.2f}"


def place_of(text: str) -> tuple[float, float]:
    """The place of a text that `View` has let through."""
    x, _, y = text.partition(",")
    return float(x), float(y)


def read_view(query: Sequence[tuple[str, str]]) -> View:
    """The view of an address.

    Raises
    ------
    RequestError
        A value is none.
    """
    listed: dict[str, Any] = {}
    for name, value in query:
        if name in {"r", "g"}:
            listed.setdefault(name, []).append(value)
        elif name in View.model_fields and value.strip():
            listed[name] = value.strip()
    try:
        view = View.model_validate(listed)
    except ValidationError as error:
        raise RequestError(_told(error)) from error
    if view.a is not None:
        _check_radii(view)
    return view


def _check_radii(view: View) -> None:
    """See that a reduction would take the aperture, and the annulus where both radii are given."""
    plan: dict[str, Any] = {"aperture_px": view.a}
    if view.i is not None and view.o is not None:
        plan["sky_px"] = {"inner": view.i, "outer": view.o}
    try:
        ReductionPlan.model_validate(plan)
    except ValidationError as error:
        raise RequestError(_told(error)) from error


def _told(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())


def text_of(query: Mapping[str, str], name: str) -> str:
    """A value of an address that is no part of what is shown."""
    return query.get(name, "").strip()


def number_of(query: Mapping[str, str], name: str) -> float | None:
    """A number of an address; None where it has none.

    Raises
    ------
    RequestError
        It is no number.
    """
    text = text_of(query, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise RequestError(f"{name} {text!r:.40}: give a number") from error
    if not abs(value) < 1e6:
        raise RequestError(f"{name} {text!r:.40}: give a number of pixels")
    return value


def labels(marks: Iterable[Mark]) -> str:
    """Labels of stars, for a sentence."""
    return ", ".join(mark.label for mark in marks)
