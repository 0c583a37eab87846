"""What a dialect says of a light curve, before anything is chosen, assumed or normalised."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.instants import DAY_NS
from ingest.stamps import Insertion
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, RequestError
from reduction.events.curve import Floats
from reduction.timing import UNKNOWN_NS, Correction, Instant

Dating = Literal["utc", "clock", "seconds", "none"]
"""How times are written: with their date, as time of day, as seconds after an instant, not at all."""

HEAD = 1 << 20
MOST_ROWS = 20_000_000


@dataclass(frozen=True, slots=True, eq=False)
class RawCurve:
    """A file's own words; arrays are ``(n_row,)``.

    Attributes
    ----------
    program : str
        Name of the dialect.
    fluxes : mapping of str to array
        Every flux column by its name, in the file's order; NaN where empty.
    frame : array
    stamp_ns : array, int64
        UTC nanoseconds; since midnight of the first day (`clock`, midnight unwrapped) or since the file's
        reference (`seconds`) where undated; `UNKNOWN_NS` where there is none.
    resolution_s : array
        Half the last digit written of each time, seconds.
    dating : Dating
    exposure_s : array
        Seconds; NaN where the file does not say.
    meaning : Instant or None
        Which instant of the exposure the file says a time names.
    said_by : str
        Who says so, where it is not the format itself.
    inserted : Insertion or None
    included : tuple of Correction
        As in `ingest.stamps.Stamps`.
    sigmas : mapping of str to array
        One-sigma errors of fluxes by the same names.
    target, reference : str or None
        Columns that the file itself names so.
    level : float or None
        Out-of-event level, where the file states it.
    time_sigma_s : array or None
        Uncertainty of the times against UTC, where the file states it.
    flags : array, uint32, or None
        Bits of `reduction.result.Flag` that the file states.
    notes : tuple of Note
    provenance : mapping of str to str
    """

    program: str
    fluxes: Mapping[str, Floats]
    frame: Floats
    stamp_ns: NDArray[np.int64]
    resolution_s: Floats
    dating: Dating
    exposure_s: Floats
    meaning: Instant | None = None
    said_by: str = ""
    inserted: Insertion | None = None
    included: tuple[Correction, ...] = ()
    sigmas: Mapping[str, Floats] = field(default_factory=dict)
    target: str | None = None
    reference: str | None = None
    level: float | None = None
    time_sigma_s: Floats | None = None
    flags: NDArray[np.uint32] | None = None
    notes: tuple[Note, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)


def decoded(data: bytes) -> str:
    """Text of a file; bytes that are no UTF-8 (names of folders in another encoding) are replaced."""
    return data.decode("utf-8-sig", errors="replace")


def stated_notes(text: str) -> tuple[Note, ...]:
    """Caveats in comment lines that Umbra wrote."""
    known = {caveat.value: caveat for caveat in Caveat}
    found = re.findall(r"^# caveat ([a-z-]+): (.+)$", text[:HEAD], re.MULTILINE)
    return tuple(Note(known[code], message) for code, message in found if code in known)


def flux_of(cell: str, name: str, row: int) -> float:
    """A flux; NaN where the cell is empty or says that there is none.

    Raises
    ------
    DataError
        It is neither.
    """
    text = cell.strip()
    if not text or text.lower() in {"nan", "none", "null", "-"}:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{name}: row {row}: {text[:40]!r} is no flux; is the file damaged?") from None
    return value if np.isfinite(value) and abs(value) < 1e30 else float("nan")


def frame_of(cell: str, name: str, row: int) -> float:
    """A frame number, halves for second fields.

    Raises
    ------
    DataError
        It is none.
    """
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if not abs(value) < MOST_ROWS:
        raise DataError(f"{name}: row {row}: {cell.strip()[:40]!r} is no frame number; is the file damaged?")
    return value


def unwrapped(clock_ns: Sequence[int]) -> NDArray[np.int64]:
    """Times of day, nanoseconds, with a day added at every midnight; `UNKNOWN_NS` stays."""
    out = np.array(clock_ns, np.int64)
    known = np.flatnonzero(out != UNKNOWN_NS)
    steps = np.diff(out[known])
    out[known[1:]] += np.cumsum(steps < -(DAY_NS // 2)) * DAY_NS
    return out


def chosen(wanted: str, there: Sequence[str], name: str, option: str) -> str:
    """The one column that `wanted` names: exactly, without regard to case, by its end, or by its number.

    Raises
    ------
    RequestError
        None or several.
    """
    if wanted in there:
        return wanted
    low = wanted.strip().lower()
    for matches in (
        [column for column in there if column.lower() == low],
        [column for column in there if column.lower().endswith(("-" + low, " " + low, f"({low})"))],
        [there[int(low) - 1]] if low.isascii() and low.isdigit() and 0 < int(low[:9]) <= len(there) else [],
    ):
        if len(matches) == 1:
            return matches[0]
    raise RequestError(f"{name}: {option} {wanted}: no one column is called so; there are {', '.join(there)}")
