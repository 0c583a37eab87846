"""From the fields of a burnt-in time to the stamps of frames, and what is to be told about them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ingest.instants import SECOND_NS
from ingest.ocr.layouts import MEANINGS, Layout
from ingest.ocr.options import Vti
from ingest.ocr.parse import Readings
from ingest.ocr.phase import NOMINAL_S
from ingest.ocr.read import Overlay, Reading
from ingest.ocr.solve import Order, Solution, field_order, interleaved, solve
from ingest.ocr.witness import Check, check, shown_digits
from ingest.stamps import Insertion, Stamps
from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]
ROUNDED = 12.0**-0.5
"""Standard deviation of what rounding to whole units leaves, units."""

CELL_WORDS = (
    "tens of hours", "hours", "tens of minutes", "minutes", "tens of seconds", "seconds", "decimals"
)  # fmt: skip
PLACES = 5
LEAST_READ = 20
"""Fields from which a leading digit is judged."""


@dataclass(frozen=True, slots=True, eq=False)
class BurntIn:
    """What was read of a recording, frame for frame.

    Attributes
    ----------
    overlay : Overlay
        Where the line stands.
    order : Order
        Of the fields; `first` is None where frames are whole.
    solution : Solution
        Of the fields in the order of their exposure, or of whole frames.
    stamps : Stamps
        Of frames.
    sure : array, (t,), float64
        Probability that the time of each frame is right.
    repaired, unsure, mixed : array, (t,), bool
        A digit was not read as the time is; the time may be another; the two fields are of two frames.
    checked : Check
        What the recording's own glyphs said about digits that stand still.
    """

    overlay: Overlay
    order: Order
    solution: Solution
    stamps: Stamps
    sure: Floats
    repaired: NDArray[np.bool_]
    unsure: NDArray[np.bool_]
    mixed: NDArray[np.bool_]
    checked: Check

    @property
    def drift_ppm(self) -> float | None:
        """Camera's fields, later than nominal; None for no usual rate, or too few fields."""
        clock, unit = self.solution.clock, self.overlay.layout.unit_s
        n = clock.phase.size
        near = min(NOMINAL_S, key=lambda nominal: abs(nominal - clock.step * unit))
        if n < 2 or abs(near - clock.step * unit) > 1e-3 * near:
            return None
        measured = clock.step + (clock.phase[-1] - clock.phase[0]) / (n - 1)
        return float((measured * unit / near - 1.0) * 1e6)

    @property
    def residual_s(self) -> float:
        """Root mean square of times shown about the line, seconds."""
        read = self.solution.residual[np.isfinite(self.solution.residual)]
        return float(np.sqrt(np.mean(read**2))) * self.overlay.layout.unit_s if read.size else float("nan")


def burnt_in(reading: Reading, vti: Vti, name: str) -> BurntIn:
    """Solve for the times of a recording's frames.

    Parameters
    ----------
    reading : Reading
        Of all its frames.
    vti : Vti
        The date.
    name : str
        Of the recording, for messages.

    Raises
    ------
    DataError
        The times that were read lie on no line.
    """
    even, odd = reading.even, reading.odd
    if odd is None:
        order, fields, together = Order(None, 0, 0), even, 1
    else:
        order = field_order(even, odd)
        fields, together = (even, 1) if order.first is None else (interleaved(even, odd, order.first), 2)
    solution = solve(fields, together)
    if solution is None:
        read = int((fields.ticks >= 0).sum())
        raise DataError(
            f"{name}: a burnt-in {reading.overlay.layout.model} line was found, but its times make no "
            f"sense: {read} of {fields.ticks.size} could be read, and too few of them lie on one line; "
            "say --vti off, or give --times"
        )
    if _leads_with_zero(solution, fields):
        raise DataError(
            f"{name}: the burnt-in fraction of a second never reaches 0.1 though seconds pass: its first "
            "digit is no tenth; the line is not understood; give --times"
        )
    which, seen = _kept(reading, order, together)
    checked = check(fields, solution, reading.overlay.layout, which, seen)
    if checked.exchanged:
        again = solve(checked.readings, together)
        if again is not None:
            solution = again
            checked = replace(
                check(checked.readings, again, reading.overlay.layout, which, seen),
                exchanged=checked.exchanged,
            )
    return _of_frames(reading.overlay, order, solution, together, vti, checked)


def _leads_with_zero(solution: Solution, fields: Readings) -> bool:
    """Whether a fraction begins with zero over more than a second: milliseconds with a digit before."""
    read = solution.read & ~solution.flagged
    seconds = np.floor_divide(solution.ticks[read], fields.per_second)
    if fields.decimals < 2 or np.unique(seconds).size < 2 or np.count_nonzero(read) < LEAST_READ:
        return False
    return not shown_digits(solution.ticks[read], fields)[:, 6].any()


def _kept(reading: Reading, order: Order, together: int) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Fields, in the order of their exposure, of which pictures were kept, and the pictures."""
    if together == 1 or reading.odd_cells is None:
        return reading.kept, reading.even_cells
    first, second = reading.even_cells, reading.odd_cells
    if order.first == 1:
        first, second = second, first
    which = (together * reading.kept[:, None] + np.arange(2)).ravel()
    return which, np.stack([first, second], axis=1).reshape(-1, *first.shape[1:])


def _of_frames(
    overlay: Overlay, order: Order, solution: Solution, together: int, vti: Vti, checked: Check
) -> BurntIn:
    layout, step = overlay.layout, solution.clock.step
    first = slice(0, None, together)
    last = slice(together - 1, None, together)
    sure = np.minimum(solution.sure[first], solution.sure[last])
    jump = solution.number[last] - solution.number[first] - (together - 1)
    repaired = ~(solution.read[first] & solution.read[last])
    unread = ~solution.read[first]
    spread = np.maximum(solution.spread[first], solution.spread[last])
    squares = (
        ROUNDED**2 + np.where(unread, solution.clock.scatter**2, 0.0) + spread**2 + (jump * step / 2.0) ** 2
    )
    unit = layout.unit_s
    ticks = solution.ticks[first]
    known = np.isfinite(ticks)
    stamp = np.full(ticks.size, UNKNOWN_NS, np.int64)
    stamp[known] = vti.midnight_ns + np.rint(ticks[known] * (unit * SECOND_NS)).astype(np.int64)
    exposure = np.full(ticks.size, step * unit * together)
    meaning = MEANINGS[layout.model]
    inserted: Insertion | None = "first field" if together == 2 and meaning.instant == "end" else None
    doubtful = np.zeros(solution.ticks.size, np.bool_)
    shown = shown_digits(solution.ticks, checked.readings)
    for cell, digit in checked.unsure:
        doubtful |= shown[:, cell] == digit
    unsure = (solution.flagged | doubtful)[first] | (solution.flagged | doubtful)[last]
    return BurntIn(
        overlay=overlay,
        order=order,
        solution=solution,
        stamps=Stamps(
            stamp_ns=stamp,
            exposure_s=exposure,
            sigma_s=np.sqrt(squares) * unit,
            meaning=None if inserted is not None else meaning.instant,
            source=meaning.source,
            sigma_stated=True,
            inserted=inserted,
        ),
        sure=sure,
        repaired=repaired,
        unsure=unsure,
        mixed=jump != 0,
        checked=checked,
    )


def burnt_in_notes(found: BurntIn) -> list[Note]:
    """Caveats: what was read, repaired and left unsure; fields that are missing or come twice."""
    notes = [Note(Caveat.BURNT_IN_TIME, summary(found))]
    if found.unsure.any():
        text = f"{_frames(found.unsure)}: the burnt-in time is not sure; the sigma says how far it may be off"
        notes.append(Note(Caveat.BURNT_IN_UNSURE, text))
    notes += _glyph_notes(found.checked)
    if found.mixed.any():
        notes.append(Note(Caveat.BURNT_IN_UNSURE, f"{_frames(found.mixed)}: two fields of different frames"))
    steps = np.diff(found.solution.number)
    missing, back = steps[steps > 1] - 1, np.flatnonzero(steps < 1)
    together = 1 if found.order.first is None else 2
    what = "field" if together == 2 else "frame"
    if missing.size:
        place = int(np.flatnonzero(steps > 1)[0] + 1) // together
        count = _count(int(missing.sum()), what)
        text = f"the burnt-in time shows {count} missing, the first before frame {place}"
        notes.append(Note(Caveat.FRAMES_DROPPED, text))
    if back.size:
        place = int(back[0] + 1) // together
        count = _count(back.size, "time")
        text = f"the burnt-in time steps back or stands still {count}, first at frame {place}"
        notes.append(Note(Caveat.FRAMES_REPEATED, text))
    return notes


def _glyph_notes(checked: Check) -> list[Note]:
    """What the recording's own glyphs changed, and what they leave in doubt."""
    notes = []
    for cell, read, shown in checked.exchanged:
        where = CELL_WORDS[min(cell, 6)]
        text = f"{where}: read as {read}, but its glyph is the recording's {shown}, which is taken"
        notes.append(Note(Caveat.BURNT_IN_TIME, text))
    for cell, digit in checked.unsure:
        text = f"{CELL_WORDS[min(cell, 6)]}: {digit} is read there, not surely, and nothing else tells it"
        notes.append(Note(Caveat.BURNT_IN_UNSURE, text))
    return notes


def summary(found: BurntIn) -> str:
    """The reading in a sentence for people."""
    crop, layout = found.overlay.crop, found.overlay.layout
    rows = (crop.top, crop.bottom) if not found.overlay.interlaced else (2 * crop.top, 2 * crop.bottom)
    order = {0: ", top field first", 1: ", bottom field first", None: ", whole frames"}[found.order.first]
    drift = found.drift_ppm
    said = "" if drift is None else f", the camera's clock {drift:+.1f} ppm from nominal"
    n = found.repaired.size
    return (
        f"times are those burnt in ({layout.model}, rows {rows[0]:.0f}-{rows[1] - 1:.0f}{order}): "
        f"{n - int(found.repaired.sum())} of {n} frames read digit for digit, {int(found.repaired.sum())} "
        f"repaired by their neighbours, {int(found.unsure.sum())} unsure; residuals "
        f"{found.residual_s * 1e3:.3f} ms{said}"
    )


def _frames(which: NDArray[np.bool_]) -> str:
    places = np.flatnonzero(which)
    listed = ", ".join(map(str, places[:PLACES].tolist())) + (", ..." if places.size > PLACES else "")
    return f"{_count(places.size, 'frame')} ({listed})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def layout_words(layout: Layout) -> str:
    """What the line holds, for people."""
    parts = [f"{layout.decimals} decimals"]
    if len(layout.fractions) == 2:
        parts.append("one fraction for each field")
    if layout.counter:
        parts.append("field counter")
    return ", ".join(parts)
