"""Corrections that a person asks for, put into the chain from recorded stamp to mid-exposure.

Nothing is corrected twice: what the recording's writer, or an earlier run, has applied is in the ledger, and
asking for it again is refused. The instrument's delay is one interval, whether a camera's table or a measured
acquisition delay states it.
"""

from dataclasses import dataclass, replace

import numpy as np

from ingest.cameras import FRAME_S, CameraDelay, camera_delay
from ingest.clocks import Clock
from ingest.stamps import SHOWN, Shift, Stamps, recover_stamps, solve
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.timing import RowTimes, TimeSolution

INSTRUMENT = frozenset({"camera", "acquisition"})
CADENCE_TOLERANCE = 0.02
LARGEST_DELAY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Rows:
    """A sensor that is read row by row: ``--row-time`` and its companions.

    Attributes
    ----------
    sensor_row_s : float
        Seconds from one sensor row to the next.
    sigma_s : float
        Its uncertainty.
    upwards : bool
        The sensor is read from the bottom of the recorded frame.
    binning : int
        Sensor rows in one recorded row.
    stamp_row : str
        ``first``, ``middle`` or ``last`` row read: whose exposure the stamps name.

    Raises
    ------
    RequestError
        A number is out of range.
    """

    sensor_row_s: float
    sigma_s: float = 0.0
    upwards: bool = False
    binning: int = 1
    stamp_row: str = "first"

    def __post_init__(self) -> None:
        if not 0 < self.sensor_row_s <= 1 or not 0 <= self.sigma_s <= 1:
            raise RequestError(f"--row-time {self.sensor_row_s:g}: give seconds from row to row, above 0")
        if not 1 <= self.binning <= 64:
            raise RequestError(f"--row-binning {self.binning}: give sensor rows per recorded row, 1 or more")
        if self.stamp_row not in {"first", "middle", "last"}:
            raise RequestError(f"--stamp-row {self.stamp_row}: give first, middle or last")

    @property
    def times(self) -> RowTimes:
        """The same for the times' solution."""
        step = self.sensor_row_s * self.binning
        read = {"first": 0.0, "middle": 0.5, "last": 1.0}[self.stamp_row]
        text = (
            f"--row-time {self.sensor_row_s:g} s, read {'upwards' if self.upwards else 'downwards'}, "
            f"{self.binning} sensor row{'s' if self.binning > 1 else ''} per recorded row; stamps are of the "
            f"{self.stamp_row} row read"
        )
        return RowTimes(
            per_row_s=-step if self.upwards else step,
            reference=1.0 - read if self.upwards else read,
            sigma_s=self.sigma_s * self.binning,
            source=text,
        )


@dataclass(frozen=True, slots=True)
class Corrections:
    """What the options ask for; None and () ask for nothing.

    Attributes
    ----------
    camera : str or None
        ``--camera``: camera, standard and mode, see `ingest.cameras`.
    acquisition_delay_s : float or None
        ``--acquisition-delay``: by how much stamps are late (positive) beyond the instant that they name.
    acquisition_sigma_s : float
        Its uncertainty.
    clock : Clock or None
    rows : Rows or None

    Raises
    ------
    RequestError
        They exclude each other, or a number is out of range.
    """

    camera: str | None = None
    acquisition_delay_s: float | None = None
    acquisition_sigma_s: float = 0.0
    clock: Clock | None = None
    rows: Rows | None = None

    def __post_init__(self) -> None:
        delay = self.acquisition_delay_s
        if delay is not None and not abs(delay) <= LARGEST_DELAY_S:
            raise RequestError(f"--acquisition-delay {delay:g}: give seconds by which stamps are late")
        if not 0 <= self.acquisition_sigma_s <= LARGEST_DELAY_S:
            raise RequestError(f"--acquisition-sigma {self.acquisition_sigma_s:g}: give seconds, 0 or more")
        if delay is None and self.acquisition_sigma_s:
            raise RequestError("--acquisition-sigma is given without --acquisition-delay")
        if self.camera is not None:
            camera_delay(self.camera)
            if delay is not None:
                raise RequestError(
                    "--camera and --acquisition-delay exclude each other: both lead from the recorded stamp "
                    "to the exposure, and nothing is corrected twice"
                )

    @property
    def asked(self) -> bool:
        """Whether anything is asked for."""
        return self != Corrections()

    def shifts(self) -> list[Shift]:
        """Entries of the chain that they make."""
        found = []
        if self.clock is not None:
            found.append(Shift("clock", -self.clock.offset_s, self.clock.uncertainty_s, self.clock.source))
        if self.acquisition_delay_s is not None:
            text = f"--acquisition-delay {self.acquisition_delay_s:g} s"
            found.append(Shift("acquisition", -self.acquisition_delay_s, self.acquisition_sigma_s, text))
        if self.camera is not None:
            camera = camera_delay(self.camera)
            found.append(Shift("camera", -camera.delay_s, camera.sigma_s, camera.source))
        return found


def corrected(solution: TimeSolution, wanted: Corrections) -> TimeSolution:
    """The same times with further corrections in their chain.

    Parameters
    ----------
    solution : TimeSolution
        As solved before, with what its ledger holds already.
    wanted : Corrections

    Raises
    ------
    RequestError
        There are no times to correct, an interval is corrected already, or a correction does not fit them.
    """
    if not wanted.asked:
        return solution
    shifts = wanted.shifts()
    if shifts:
        solution = _with_shifts(solution, wanted, shifts)
    if wanted.rows is not None:
        solution = _with_rows(solution, wanted.rows)
    return solution


def _with_shifts(solution: TimeSolution, wanted: Corrections, shifts: list[Shift]) -> TimeSolution:
    names = ", ".join(f"--{shift.what.replace('acquisition', 'acquisition-delay')}" for shift in shifts)
    if not solution.known.any():
        raise RequestError(f"{names}: the recording has no times to correct; give them by --times")
    _refuse_twice(solution, shifts)
    found = recover_stamps(solution)
    if found is None:
        steps = ", ".join(entry.what for entry in solution.ledger) or "no ledger"
        raise RequestError(
            f"{names}: the way from the stamps ({solution.source}) to these times is not known ({steps}); "
            "ingest the recording again with these options"
        )
    stamps, before = found
    if wanted.camera is not None:
        stamps, back = _for_camera(stamps, camera_delay(wanted.camera))
        before = [*before, *back]
    notes = []
    if wanted.clock is not None and wanted.clock.kind == "none":
        text = (
            "--clock none: nothing kept the clock behind the stamps; "
            f"each time is taken as {wanted.clock.uncertainty_s:g} s uncertain"
        )
        notes.append(Note(Caveat.CLOCK_UNKNOWN, text))
    stamps = replace(stamps, notes=(*stamps.notes, *notes))
    return replace(solve(stamps, None, [*before, *shifts]), rows=solution.rows)


def _refuse_twice(solution: TimeSolution, shifts: list[Shift]) -> None:
    """Refuse what the ledger holds already, whoever applied it."""
    for shift in shifts:
        same = INSTRUMENT if shift.what in INSTRUMENT else {shift.what}
        for entry in solution.ledger:
            if entry.what in same:
                who = "by whoever wrote the recording" if entry.included else "already"
                raise RequestError(
                    f"{shift.source.split(':')[0].split(' ')[0]}: the interval is corrected {who}: "
                    f"{entry.what}, from {entry.start} to {entry.end}, {entry.value_s:+.6g} s "
                    f"({entry.source}); nothing is corrected twice"
                )


def _for_camera(stamps: Stamps, camera: CameraDelay) -> tuple[Stamps, list[Shift]]:
    """Stamps from which a camera's figure leads: an inserter's, of an integration as long as the mode's.

    Where a recorder joined the repeats of each picture, the way back to the first of them is a step too.
    """
    shown = stamps.said_by.endswith(SHOWN)
    if stamps.meaning is not None and stamps.inserted is None and not shown:
        raise RequestError(
            f"--camera {camera.name}: its delay leads from an inserter's stamp to mid-exposure, but these "
            f"stamps ({stamps.source}) name the {stamps.meaning} of the exposure: nothing is corrected twice"
        )
    cadence = solve(replace(stamps, notes=())).cadence_s()
    frame = FRAME_S[camera.standard]
    if cadence is not None and not any(
        abs(cadence / (frame * count) - 1) < CADENCE_TOLERANCE for count in {1, camera.frames}
    ):
        raise RequestError(
            f"--camera {camera.name}: {camera.standard} frames follow each other every {frame:.5g} s "
            f"(integrated {camera.exposure_s:.5g} s), those of the recording every {cadence:.5g} s; "
            "choose the camera's other standard or mode"
        )
    notes = [note for note in stamps.notes if note.caveat is not Caveat.EXPOSURE_ASSUMED]
    back = []
    if shown:
        known = stamps.exposure_s[np.isfinite(stamps.exposure_s)]
        interval_s = float(np.median(known)) if known.size else camera.exposure_s
        text = f"from the {SHOWN} to the end of its first field"
        back = [Shift("inserter", 0.5 * (frame - interval_s), 0.0, text)]
    elif camera.frames > 1:
        text = (
            f"--camera {camera.name}: a picture is repeated in {camera.frames} video frames; the times hold "
            "for the first frame of each, and the reduction joins the repeats"
        )
        notes.append(Note(Caveat.INTEGRATED, text))
    exposure = np.full(stamps.exposure_s.shape, camera.exposure_s)
    inserted = stamps.inserted or "first field"
    return replace(stamps, exposure_s=exposure, inserted=inserted, notes=tuple(notes)), back


def _with_rows(solution: TimeSolution, rows: Rows) -> TimeSolution:
    if solution.rows is not None:
        raise RequestError(
            f"--row-time: the times carry row times already ({solution.rows.source}); "
            "nothing is corrected twice"
        )
    return replace(solution, rows=rows.times)
