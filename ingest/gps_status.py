"""What a GPS receiver said of itself beside each frame, in one form for every format, and what follows.

Formats code the same facts differently (in RAVF 0 is a certain almanac, in ADV an uncertain one): a reader
translates into the codes here. Nothing is ever corrected here: an offset that a format does not define
makes times unsure, and says so.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingest.instants import SECOND_NS, TAI_MINUS_GPS_NS, leap_second_table
from reduction.caveats import Caveat, Note
from reduction.timing import UNKNOWN_NS

UNKNOWN = -1
WHOLE_SECOND_S = 1.0
FREE_RUNNING = 5e-5  # relative drift of an uncompensated quartz clock that no satellite corrects
LEAST_LEAP_SECONDS = 10  # GPS minus UTC has been larger since 1996


class Almanac(IntEnum):
    """Whether the receiver knew how many leap seconds lie between GPS time and UTC."""

    UNKNOWN = UNKNOWN
    UNCERTAIN = 0
    CERTAIN = 1


class Fix(IntEnum):
    """What the receiver had from the satellites."""

    UNKNOWN = UNKNOWN
    NONE = 0
    HELD = 1
    """No fix now, one before: the receiver's own clock keeps the time."""
    TIME = 2
    POSITION = 3
    """Time and position."""


@dataclass(frozen=True, slots=True, eq=False)
class GpsStatus:
    """The receiver's state at every frame.

    Attributes
    ----------
    satellites : array, (t,), int16
        Satellites in use; -1 where unknown.
    almanac : array, (t,), int8
        Codes of `Almanac`.
    leap_seconds : array, (t,), int16
        GPS time minus UTC that the receiver used, seconds; -1 where unknown. Only where the writer is known
        to record that count.
    offset_s : array, (t,), int16
        Seconds by which the receiver found its almanac off, as recorded; 0 where it said none. Which sign
        it has is in no format, so it makes times unsure and corrects nothing.
    fix : array, (t,), int8
        Codes of `Fix`.
    """

    satellites: NDArray[np.int16]
    almanac: NDArray[np.int8]
    leap_seconds: NDArray[np.int16]
    offset_s: NDArray[np.int16]
    fix: NDArray[np.int8]

    def __post_init__(self) -> None:
        arrays = (self.satellites, self.almanac, self.leap_seconds, self.offset_s, self.fix)
        if len({array.shape for array in arrays}) != 1 or self.satellites.ndim != 1:
            raise ValueError("the columns of a GPS status differ in length")

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.satellites.size

    def of(self, frames: NDArray[np.intp]) -> "GpsStatus":
        """The rows of some frames."""
        return GpsStatus(
            self.satellites[frames],
            self.almanac[frames],
            self.leap_seconds[frames],
            self.offset_s[frames],
            self.fix[frames],
        )

    def text(self) -> str:
        """One line for people: satellites, fix, almanac; empty where all is unknown."""
        parts = []
        known = self.satellites[self.satellites >= 0]
        if known.size:
            low, high = int(known.min()), int(known.max())
            parts.append(f"{low} satellites" if low == high else f"{low} to {high} satellites")
        words = {
            Fix.NONE: "no fix",
            Fix.HELD: "time kept without a fix",
            Fix.TIME: "time fix",
            Fix.POSITION: "time and position fix",
        }
        parts += _shares(self.fix, {int(code): word for code, word in words.items()})
        words_of_almanac = {
            int(Almanac.UNCERTAIN): "almanac uncertain",
            int(Almanac.CERTAIN): "almanac certain",
        }
        parts += _shares(self.almanac, words_of_almanac)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class GpsReview:
    """What a status means for the times.

    Attributes
    ----------
    sigma_s : array, (t,), float64
        Uncertainty of each stamp by the state of the receiver, seconds, to be added in quadrature.
    notes : tuple of Note
        Caveats.
    """

    sigma_s: NDArray[np.float64]
    notes: tuple[Note, ...]


def review_gps(status: GpsStatus, stamp_ns: NDArray[np.int64], source: str) -> GpsReview:
    """Uncertainty of stamps and caveats that follow from the receiver's state.

    An uncertain almanac, or an offset beside it, makes whole seconds unsure. A count of leap seconds that
    was not that of the date makes times wrong by the difference. Without a fix the clock runs free: it drifts
    by up to `FREE_RUNNING` from the last frame with a fix, and by an unknown amount if there is none before.

    Parameters
    ----------
    status : GpsStatus
        One row per frame.
    stamp_ns : array, (t,), int64
        UTC nanoseconds; `UNKNOWN_NS` where there is none.
    source : str
        Whose stamps they are, for the caveats.

    Raises
    ------
    ValueError
        Status and stamps differ in length.
    """
    if stamp_ns.shape != status.satellites.shape:
        raise ValueError(f"{status.frames} rows of GPS status for {stamp_ns.size} frames")
    parts = [
        _almanac(status, source),
        _leap_seconds(status, stamp_ns, source),
        _fix(status, stamp_ns, source),
    ]
    variance = np.zeros(stamp_ns.size)
    for part in parts:
        variance += part.sigma_s**2
    return GpsReview(np.sqrt(variance), tuple(note for part in parts for note in part.notes))


def _almanac(status: GpsStatus, source: str) -> GpsReview:
    """Whole seconds are unsure where the almanac is."""
    unsure = (status.almanac == Almanac.UNCERTAIN) | (status.offset_s != 0)
    sigma = np.where(unsure, np.maximum(np.abs(status.offset_s), WHOLE_SECOND_S), 0.0)
    if not unsure.any():
        return GpsReview(sigma, ())
    offsets = np.unique(status.offset_s[unsure & (status.offset_s != 0)])
    seen = f", which states an offset of {', '.join(map(str, offsets))} s" if offsets.size else ""
    text = (
        f"{source}: the GPS almanac was not current at {_count(unsure)}{seen}: whole seconds are unsure, "
        f"{sigma.max():g} s uncertain; nothing is corrected; compare with another clock or station"
    )
    return GpsReview(sigma, (Note(Caveat.GPS_ALMANAC, text),))


def _leap_seconds(status: GpsStatus, stamp_ns: NDArray[np.int64], source: str) -> GpsReview:
    """A count of leap seconds that was not that of the date."""
    sigma = np.zeros(stamp_ns.size)
    stated = (status.leap_seconds >= LEAST_LEAP_SECONDS) & (stamp_ns != UNKNOWN_NS)
    if not stated.any():
        return GpsReview(sigma, ())
    midnights, offsets = leap_second_table()
    when = np.where(stated, stamp_ns, 0)
    # A stamp near a leap second may stand on either side of it: one side must agree.
    sides = [
        offsets[np.maximum(np.searchsorted(midnights, when + shift, side="right") - 1, 0)]
        for shift in (-2 * SECOND_NS, 2 * SECOND_NS)
    ]
    differences = [status.leap_seconds - (side - TAI_MINUS_GPS_NS) // SECOND_NS for side in sides]
    wrong = stated & (differences[0] != 0) & (differences[1] != 0)
    sigma[wrong] = np.abs(differences[1][wrong])
    if not wrong.any():
        return GpsReview(sigma, ())
    first = int(np.flatnonzero(wrong)[0])
    used, off = int(status.leap_seconds[first]), int(differences[1][first])
    text = (
        f"{source}: the GPS receiver counted {used} leap seconds at {_count(wrong)}, on that date there were "
        f"{used - off}: times are likely {abs(off)} s {'early' if off > 0 else 'late'}; nothing is corrected"
    )
    return GpsReview(sigma, (Note(Caveat.GPS_ALMANAC, text),))


def _fix(status: GpsStatus, stamp_ns: NDArray[np.int64], source: str) -> GpsReview:
    """A clock that runs free drifts since its last fix."""
    sigma = np.zeros(stamp_ns.size)
    free = (status.fix == Fix.NONE) | (status.fix == Fix.HELD)
    if not free.any():
        return GpsReview(sigma, ())
    timed = stamp_ns != UNKNOWN_NS
    numbers = np.arange(stamp_ns.size)
    last = np.maximum.accumulate(np.where(~free & timed & (status.fix != Fix.UNKNOWN), numbers, -1))
    since = np.zeros(stamp_ns.size)
    follows = free & timed & (last >= 0)
    since[follows] = (stamp_ns[follows] - stamp_ns[last[follows]]) / SECOND_NS
    sigma[follows] = np.abs(since[follows]) * FREE_RUNNING
    never = free & (last < 0)
    lost = never & (status.fix == Fix.NONE)
    sigma[lost] = WHOLE_SECOND_S
    text = f"{source}: the GPS receiver had no fix at {_count(free)}: its clock ran free"
    if follows.any():
        text += f", by up to {FREE_RUNNING * 1e6:g} microseconds a second since the last fix"
    if lost.any():
        text += f"; it never had one here: times may be wrong by any amount, {WHOLE_SECOND_S:g} s is a guess"
    elif never.any():
        text += "; how long before the recording the last fix was is not stated"
    return GpsReview(sigma, (Note(Caveat.GPS_FIX, text),))


def _count(chosen: NDArray[np.bool_]) -> str:
    """How many frames, and where they begin."""
    number, first = int(chosen.sum()), int(np.flatnonzero(chosen)[0])
    if number == chosen.size:
        return "all frames"
    return f"{number} of {chosen.size} frames, first at frame {first}"


def _shares(codes: NDArray[np.int8], words: dict[int, str]) -> list[str]:
    """The words of the codes that occur, with their counts where there are several."""
    found = [(word, int((codes == code).sum())) for code, word in words.items()]
    found = [(word, number) for word, number in found if number]
    if len(found) == 1 and found[0][1] == codes.size:
        return [found[0][0]]
    return [f"{word} at {number} frames" for word, number in found]
