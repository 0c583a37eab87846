"""What inserters write: which cells hold hours, minutes, seconds, their fraction, and a counter of fields.

============= ============================= ====================================================
model         line                          time
============= ============================= ====================================================
iota          ``P7 HH:MM:SS FFFF FFFF NNNN`` 0.1 ms; each field fills one of the two fractions
kiwi          ``HH:MM:SS EEE OOO NNNNNN``   ms of the latest even and odd field, both filled
gps-boxsprite ``HH:MM:SS mmmm.m``           0.1 ms
ghs           ``HH:MM:SS.mmm``              ms
generic       ``HH:MM:SS.f``                as many decimals as there are
============= ============================= ====================================================

Sources: formats C9 (observers' manuals and the reading boxes of PyMovie and Tangra).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ingest.ocr.cells import Cells
from ingest.ocr.crop import PITCH
from reduction.errors import DataError
from reduction.timing import Instant

Model = Literal["iota", "kiwi", "gps-boxsprite", "ghs", "generic"]
MODELS: tuple[Model, ...] = get_args(Model)
GAP = 1.4
"""Cells, from which two digits are of different groups."""

Group = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """Which instant of a field's exposure a model's time names, with its source; None where none is known."""

    instant: Instant | None
    source: str


MEANINGS: dict[Model, Meaning] = {
    "iota": Meaning("end", "IOTA-VTI: the field's vertical sync, which ends its exposure"),
    "kiwi": Meaning("end", "KIWI-OSD: the field's vertical sync, which ends its exposure"),
    "gps-boxsprite": Meaning(None, "GPSBOXSPRITE"),
    "ghs": Meaning(None, "GHS"),
    "generic": Meaning(None, "burnt-in time"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Cells of a line by what they hold.

    Attributes
    ----------
    model : Model
        The inserter.
    clock : Group
        The six cells of hours, minutes and seconds.
    fractions : tuple of Group
        One group of cells, or two of which each is for one parity of fields.
    alternate : bool
        Of two fractions only one is filled in a field.
    counter : Group
        Cells of the field counter, from the left; empty where there is none.
    """

    model: Model
    clock: Group
    fractions: tuple[Group, ...]
    alternate: bool
    counter: Group

    @property
    def decimals(self) -> int:
        """Decimals of a second."""
        return len(self.fractions[0]) if self.fractions else 0

    @property
    def unit_s(self) -> float:
        """Smallest step of the time that is shown, seconds."""
        return float(10.0**-self.decimals)


def find_layout(cells: Cells, model: Model | None = None) -> Layout | None:
    """Match the cells of a line with a layout; None where the line holds no time.

    Parameters
    ----------
    cells : Cells
        Of the line.
    model : Model, optional
        What a person says it is.

    Raises
    ------
    DataError
        The line holds a time, but not in the layout of `model`.
    """
    groups = _groups(cells)
    sizes = [len(group) for group in groups]
    for exactly in (True, False):  # a sign beside the hours may look like a digit: they are the last two
        for k in range(len(groups) - 2):
            if sizes[k + 1 : k + 3] == [2, 2] and (sizes[k] == 2 if exactly else sizes[k] > 2):
                clock = (*groups[k][-2:], *groups[k + 1], *groups[k + 2])
                return _with_fraction(cells, clock, groups[k + 3 :], model)
    return None


def _groups(cells: Cells) -> list[Group]:
    """Runs of digit cells without a gap or a mark between them."""
    groups: list[list[int]] = []
    before: int | None = None
    parted = True
    for k, digit in enumerate(cells.is_digit):
        if not digit:
            parted = True
            continue
        if before is None or parted or cells.column[k] - cells.column[before] > GAP * PITCH:
            groups.append([])
        groups[-1].append(k)
        before, parted = k, False
    return [tuple(group) for group in groups]


def _with_fraction(cells: Cells, clock: Group, rest: list[Group], model: Model | None) -> Layout:
    found = _fraction(cells, clock, rest)
    if model is None or found.model == model or (found.model == "generic" and model == "ghs"):
        return found if model is None else Layout(model, *_parts(found))
    if model in {"ghs", "generic"} and found.fractions:
        return Layout(model, clock, found.fractions[:1], False, ())
    raise DataError(
        f"the burnt-in line is not that of {model}: groups of {[len(g) for g in (clock, *rest)]} digits "
        f"look like {found.model}; say --vti auto or {found.model}"
    )


def _parts(layout: Layout) -> tuple[Group, tuple[Group, ...], bool, Group]:
    return layout.clock, layout.fractions, layout.alternate, layout.counter


def _fraction(cells: Cells, clock: Group, rest: list[Group]) -> Layout:
    """The model by the groups of digits behind the seconds."""
    sizes = [len(group) for group in rest]
    filled = [float(np.mean(cells.digits[list(group)])) for group in rest]
    if len(sizes) >= 2 and sizes[0] == sizes[1] == 4 and filled[0] + filled[1] < 1.5:
        return Layout("iota", clock, (rest[0], rest[1]), True, _joined(rest[2:]))
    if len(sizes) >= 3 and sizes[0] in {3, 4} and sizes[1] == sizes[0]:
        ends = rest[0][-3:], rest[1][-3:]
        return Layout("kiwi", clock, ends, False, _joined(rest[2:]))
    if len(sizes) >= 2 and sizes[0] in {3, 4} and sizes[1] == 1:
        return Layout("gps-boxsprite", clock, ((*rest[0][-3:], rest[1][0]),), False, ())
    if sizes:
        return Layout("generic", clock, (rest[0],), False, ())
    return Layout("generic", clock, (), False, ())


def _joined(rest: list[Group]) -> Group:
    """The counter: the first group behind the fractions."""
    return rest[0] if rest else ()
