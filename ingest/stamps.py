"""From what a recording's stamps say to mid-exposure times: one place for every reader.

A reader hands over `Stamps` as recorded; `solve` settles their meaning, moves them to mid-exposure and writes
the ledger; `review_times` looks for what a reader of the times must know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.instants import SECOND_NS, leap_second_inside
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS, Correction, Instant, TimeSolution, no_times, utc_text

HALF_SECOND = 0.5
GAP_CADENCES = 1.5
TO_MID = {"start": 0.5, "mid": 0.0, "end": -0.5}
STAMP, MID = "recorded stamp", "mid-exposure"
SHOWN = "middle of the interval in which each picture was shown"
"""End of `Stamps.said_by` where a recorder of analogue video joined repeated pictures and stamped them so."""
Insertion = Literal["first field", "second field"]
"""Which of a frame's fields, in the order of their exposure, an inserter's stamp was read from."""
STEP_ENDS = {
    "clock": "recorded stamp in UTC",
    "acquisition": "instant that the stamp names",
    "inserter": "inserted time of the first field",
    "camera": MID,
    "stamp meaning": MID,
}
"""The steps from stamp to mid-exposure in their order, and the instant to which each leads."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """Times as recorded, before anything is assumed or corrected.

    Attributes
    ----------
    stamp_ns : array, (t,), int64
        UTC nanoseconds; `UNKNOWN_NS` where there is none.
    exposure_s : array, (t,), float64
        Seconds; NaN where unknown.
    sigma_s : array, (t,), float64
        Uncertainty of the stamps themselves (resolution of the clock), seconds.
    meaning : Instant or None
        Which instant of the exposure the format says they name; None if it does not.
    source : str
        ``SER trailer``, ``FITS DATE-OBS``; part of the digest, so never a path.
    sigma_stated : bool
        Somebody stated the sigmas: whole seconds do not overrule them.
    notes : tuple of Note
        Caveats that the reader found.
    inserted : Insertion or None
        A video time inserter's stamps, the VSYNC that ends the exposure of a camera without internal delay,
        and of which field; `meaning` is not looked at then.
    included : tuple of Correction
        What the recording's writer has corrected already, with `Correction.included`; made by `applied`.
    said_by : str
        Who says the meaning, where it is not the format.
    doubt_s : float
        How far off the instant may be all the same, seconds: a picture that a camera showed late.
    """

    stamp_ns: NDArray[np.int64]
    exposure_s: NDArray[np.float64]
    sigma_s: NDArray[np.float64]
    meaning: Instant | None
    source: str
    sigma_stated: bool = False
    notes: tuple[Note, ...] = ()
    inserted: Insertion | None = None
    included: tuple[Correction, ...] = ()
    said_by: str = ""
    doubt_s: float = 0.0

    @property
    def exposure_known(self) -> bool:
        """Whether every stamped frame has an exposure."""
        stamped = self.stamp_ns != UNKNOWN_NS
        return bool(np.isfinite(self.exposure_s[stamped]).all())


@dataclass(frozen=True, slots=True)
class Shift:
    """One step that moves all stamps by the same time: `what` is a key of `STEP_ENDS`."""

    what: str
    value_s: float
    sigma_s: float
    source: str


def applied(what: str, value_s: float, source: str) -> Correction:
    """A correction that the recording's writer has applied: it is stated, not added, and not made again.

    Parameters
    ----------
    what : str
        A key of `STEP_ENDS`.
    value_s : float
        What the writer added, seconds; 0 where it does not say.
    source : str
        Where the recording says so.
    """
    return Correction(what, f"stamp before the writer's {what}", STAMP, value_s, 0.0, source, included=True)


def solve(stamps: Stamps, meaning: Instant | None = None, shifts: Sequence[Shift] = ()) -> TimeSolution:
    """Mid-exposure times of recorded stamps.

    The option `meaning` overrules what the format says. Where neither says, a stamp is taken as mid-exposure
    with half the exposure as its sigma. Unknown exposures are taken as the cadence.

    Parameters
    ----------
    stamps : Stamps
        As recorded.
    meaning : Instant, optional
        The option ``--time-is``.
    shifts : sequence of Shift
        Further steps of the chain; with a ``camera`` among them the stamps are an inserter's.
    """
    known = stamps.stamp_ns != UNKNOWN_NS
    notes = list(stamps.notes)
    if not known.any():
        return reviewed(replace(no_times(known.size), exposure_s=stamps.exposure_s, notes=tuple(notes)))
    sigma, whole = _clock_sigma(stamps, known)
    notes += whole
    exposure, assumed = _exposures(stamps, known)
    notes += assumed
    steps = {shift.what: shift for shift in shifts}
    settled: Instant | None = None
    doubt = np.zeros(known.size)
    shift_s = np.zeros(known.size)
    if stamps.inserted is not None:
        notes += _inserter_steps(stamps, exposure[known], steps)
    elif "camera" not in steps:
        settled, doubt, origin, unsaid = _settle_meaning(stamps, exposure, known, meaning)
        notes += unsaid
        shift_s = np.where(np.isfinite(exposure), exposure, 0.0) * TO_MID[settled]
        middle, spread = float(np.median(shift_s[known])), float(np.median(doubt[known]))
        steps["stamp meaning"] = Shift("stamp meaning", middle, spread, f"{settled} of exposure, {origin}")
    constants = [step for step in steps.values() if step.what != "stamp meaning"]
    mid = np.full(known.size, UNKNOWN_NS, np.int64)
    mid[known] = stamps.stamp_ns[known] + np.rint(shift_s[known] * SECOND_NS).astype(np.int64)
    mid[known] += sum(_ns(step.value_s) for step in constants)
    squares = sigma**2 + doubt**2 + sum(step.sigma_s**2 for step in constants)
    return reviewed(
        TimeSolution(
            mid_ns=mid,
            sigma_s=np.where(known, np.sqrt(squares), np.nan),
            exposure_s=exposure,
            meaning=settled,
            source=stamps.source,
            ledger=(*stamps.included, *_chain(steps)),
            notes=tuple(notes),
        )
    )


def _inserter_steps(stamps: Stamps, exposure: NDArray[np.float64], steps: dict[str, Shift]) -> list[Note]:
    """Add the steps from an inserter's stamp; without a camera among them, those of one without delay."""
    field_s = 0.5 * float(np.median(exposure)) if np.isfinite(exposure).any() else 0.0
    second = stamps.inserted == "second field"
    if "inserter" not in steps:
        text = f"{stamps.source}: VSYNC that ends the {stamps.inserted}'s exposure"
        steps["inserter"] = Shift("inserter", -field_s if second else 0.0, 0.0, text)
    if "camera" in steps:
        return []
    text = "end of the first field is the middle of the frame, for a camera without internal delay"
    steps["stamp meaning"] = Shift("stamp meaning", 0.0, 0.0, text)
    note = Note(
        Caveat.CAMERA_UNKNOWN,
        f"{stamps.source}: an integrating camera shows its pictures late; the times hold for one without "
        "internal delay; say --camera NAME where it has one",
    )
    return [note]


def _chain(steps: Mapping[str, Shift]) -> list[Correction]:
    """Entries of the ledger, in the order of the steps, each from where the one before ended."""
    ledger: list[Correction] = []
    for what, end in STEP_ENDS.items():
        if what in steps:
            step, start = steps[what], ledger[-1].end if ledger else STAMP
            ledger.append(Correction(what, start, end, step.value_s, step.sigma_s, step.source))
    return ledger


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def _settle_meaning(
    stamps: Stamps, exposure: NDArray[np.float64], known: NDArray[np.bool_], option: Instant | None
) -> tuple[Instant, NDArray[np.float64], str, list[Note]]:
    """Instant that the stamps name, the doubt about it in seconds, its source, a note if it is assumed."""
    settled = option or stamps.meaning
    if settled is not None:
        who = "option --time-is" if option else stamps.said_by or stamps.source
        return settled, np.full(known.size, 0.0 if option else stamps.doubt_s), who, []
    doubt = np.where(np.isfinite(exposure), exposure / 2, 0.0)
    note = Note(
        Caveat.TIME_MEANING_ASSUMED,
        f"{stamps.source}: nothing says whether they are start, middle or end of an exposure; "
        f"taken as middle, {_seconds(doubt[known])} s uncertain; say --time-is start, mid or end",
    )
    return "mid", doubt, "assumed: neither the recording nor an option says", [note]


def recover_stamps(solution: TimeSolution) -> tuple[Stamps, list[Shift]] | None:
    """Stamps behind a solution of `solve`, and the shifts added; None where its ledger holds more."""
    own = [entry for entry in solution.ledger if not entry.included]
    steps = {e.what: Shift(e.what, e.value_s, e.sigma_s, e.source) for e in own}
    if not own or _chain(steps) != own:
        return None
    known = solution.known
    inserted: Insertion | None = "first field" if "inserter" in steps else None
    meant = None if inserted else solution.meaning
    length = np.where(np.isfinite(solution.exposure_s), solution.exposure_s, 0.0)
    shift_ns = np.rint(length * TO_MID[meant or "mid"] * SECOND_NS).astype(np.int64)
    shifts = [step for step in steps.values() if step.what != "stamp meaning"]
    stamp = np.full(known.size, UNKNOWN_NS, np.int64)
    stamp[known] = solution.mid_ns[known] - shift_ns[known] - sum(_ns(shift.value_s) for shift in shifts)
    assumed = meaning_assumed(solution)
    doubt_s = steps["stamp meaning"].sigma_s if "stamp meaning" in steps and not assumed else 0.0
    variance = solution.sigma_s**2 - ((length / 2) ** 2 if assumed else doubt_s**2)
    variance = variance - sum(shift.sigma_s**2 for shift in shifts)
    again = {Caveat.TIME_MEANING_ASSUMED, Caveat.CAMERA_UNKNOWN}
    said = steps["stamp meaning"].source.partition(" of exposure, ")[2] if "stamp meaning" in steps else ""
    stamps = Stamps(
        stamp_ns=stamp,
        exposure_s=solution.exposure_s,
        sigma_s=np.sqrt(np.maximum(variance, 0.0)),
        meaning=None if assumed else meant,
        source=solution.source,
        sigma_stated=True,
        notes=tuple(note for note in solution.notes if note.caveat not in again),
        inserted=inserted,
        included=tuple(entry for entry in solution.ledger if entry.included),
        said_by="" if assumed else said,
        doubt_s=doubt_s,
    )
    return stamps, shifts


def meaning_assumed(solution: TimeSolution) -> bool:
    """Whether the meaning of the stamps is a guess that an option may overrule."""
    return any(note.caveat is Caveat.TIME_MEANING_ASSUMED for note in solution.notes)


def reviewed(solution: TimeSolution) -> TimeSolution:
    """The same times with the caveats of `review_times`, each once."""
    absent = any(note.caveat is Caveat.TIMES_ABSENT for note in solution.notes)
    found = [note for note in review_times(solution) if not (absent and note.caveat is Caveat.TIMES_ABSENT)]
    return replace(solution, notes=tuple(dict.fromkeys((*solution.notes, *found))))


def review_times(solution: TimeSolution) -> list[Note]:
    """Caveats that the times themselves show: absent, partial, not monotonic, gaps, a leap second inside."""
    known = solution.known
    if not known.any():
        return [
            Note(
                Caveat.TIMES_ABSENT,
                "the recording holds no times; give --times FILE.csv, or --start-utc T with --cadence S",
            )
        ]
    notes = []
    missing = np.flatnonzero(~known)
    if missing.size:
        text = f"{missing.size} of {known.size} frames have no time, the first is frame {missing[0]}"
        notes.append(Note(Caveat.TIMES_PARTIAL, text))
    numbers = np.flatnonzero(known)
    times = solution.mid_ns[known]
    steps = np.diff(times)
    back = np.flatnonzero(steps <= 0)
    if back.size:
        frame = int(numbers[back[0] + 1])
        text = (
            f"times do not increase at {back.size} of {known.size} frames, first at frame {frame} "
            f"({utc_text(int(times[back[0] + 1]))} after {utc_text(int(times[back[0]]))})"
        )
        notes.append(Note(Caveat.TIMES_NOT_MONOTONIC, text))
    notes += _gaps(numbers, steps, solution.cadence_s())
    leap = leap_second_inside(int(times.min()), int(times.max()))
    if leap is not None:
        text = f"a leap second before {utc_text(leap, 0)} is inside: intervals across it are one second short"
        notes.append(Note(Caveat.LEAP_SECOND, text))
    return notes


def _gaps(numbers: NDArray[np.intp], steps: NDArray[np.int64], cadence_s: float | None) -> list[Note]:
    """Intervals longer than one and a half cadences between neighbouring frames that have times."""
    if cadence_s is None or cadence_s <= 0:
        return []
    neighbours = np.diff(numbers) == 1
    gaps = np.flatnonzero(neighbours & (steps * 1e-9 > GAP_CADENCES * cadence_s))
    if not gaps.size:
        return []
    first = gaps[0]
    count = "1 gap" if gaps.size == 1 else f"{gaps.size} gaps"
    text = (
        f"{count} in time (cadence {cadence_s:.6g} s), the first of {steps[first] * 1e-9:.6g} s "
        f"before frame {numbers[first + 1]}"
    )
    return [Note(Caveat.TIME_GAPS, text)]


def _clock_sigma(stamps: Stamps, known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], list[Note]]:
    """Sigma of the stamps; half a second where two or more stamps all fall on whole seconds."""
    sigma = np.where(np.isfinite(stamps.sigma_s), stamps.sigma_s, 0.0)
    whole = known.sum() > 1 and not np.any(stamps.stamp_ns[known] % SECOND_NS)
    if stamps.sigma_stated or not whole or bool((sigma[known] > HALF_SECOND).any()):
        return sigma, []
    note = Note(
        Caveat.WHOLE_SECONDS,
        f"{stamps.source}: all stamps are whole seconds; each time is taken as {HALF_SECOND} s uncertain",
    )
    already = any(old.caveat is Caveat.WHOLE_SECONDS for old in stamps.notes)
    return np.full(known.size, HALF_SECOND), [] if already else [note]


def _exposures(stamps: Stamps, known: NDArray[np.bool_]) -> tuple[NDArray[np.float64], list[Note]]:
    """Exposures, the cadence standing for those unknown."""
    if stamps.exposure_known:
        return stamps.exposure_s, []
    cadence = replace(no_times(known.size), mid_ns=stamps.stamp_ns).cadence_s()
    if cadence is None or cadence <= 0:
        return stamps.exposure_s, []
    note = Note(
        Caveat.EXPOSURE_ASSUMED,
        f"{stamps.source}: the exposure is not recorded; taken as the cadence, {cadence:.6g} s",
    )
    return np.where(np.isfinite(stamps.exposure_s), stamps.exposure_s, cadence), [note]


def _seconds(values: NDArray[np.float64]) -> str:
    return f"{float(np.median(values)):.4g}"
