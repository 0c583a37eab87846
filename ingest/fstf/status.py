"""What stands beside each frame: the values of the STATUS section, as one column per name.

Frames whose values are laid down alike are read together: the first of them is walked through, the others
are compared with it byte by byte where names and lengths stand.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingest.fstf.container import StatusSection
from ingest.fstf.frames import FrameTable
from ingest.rawfile import RawFile

WIDTHS = {0: 1, 1: 2, 2: 4, 3: 8, 4: 4}
"""Bytes of the types Int8, Int16, Int32, Int64 and Real4; 5 is a text, 6 (version 1) a list of texts."""

REAL, TEXT, TEXTS = 4, 5, 6
FIXED = {1: 0, 2: 12}
"""Bytes before the number of values: version 2 has stamp and exposure there."""

SIGNED = frozenset({"almanac_offset"})
"""Columns whose short integers may be negative; writers use the others as counts."""

BATCH = 4096
BATCH_BYTES = 64 << 20
MOST_BYTES = 1 << 20
"""Of one status: some texts of 64 KiB; what is longer is no status."""

MOST_SHAPES = 64
NUMBERS = {
    "SystemTime": "system_time_ms",
    "TrackedSatellites": "satellites",
    "GPSTrackedSatellites": "satellites",
    "AlmanacStatus": "almanac",
    "GPSAlmanacStatus": "almanac",
    "AlmanacOffset": "almanac_offset",
    "GPSAlmanacOffset": "almanac_offset",
    "SatelliteFixStatus": "fix",
    "GPSFixStatus": "fix",
    "Gain": "gain",
    "Gamma": "gamma",
    "Shutter": "shutter",
    "Offset": "offset",
    "Temperature": "temperature",
    "VideoCameraFrameId": "camera_frame",
    "HardwareTimerFrameId": "timer_frame",
    "IntegratedFrames": "integrated",
    "FRAMES-IN-INTERVAL": "integrated",
    "StartFrame": "first_video_frame",
    "EndFrame": "last_video_frame",
    "NTPStartTimestamp": "ntp_start_ms",
    "NTPEndTimestamp": "ntp_end_ms",
    "NTPTimestampError": "ntp_error_tenths",
    "StartTimestampSecondary": "secondary_start_ms",
    "EndTimestampSecondary": "secondary_end_ms",
}
"""Values that are numbers, and the column that each one goes to."""

WORDS = {
    "StartFrameTimestamp": "start_text",
    "EndFrameTimestamp": "end_text",
    "FRAME-TYPE": "frame_type",
    "CameraExposure": "camera_exposure",
    "Error": "error",
    "SystemError": "error",
}
"""Values that are texts, and the column that each one goes to."""


@dataclass(frozen=True, slots=True, eq=False)
class StatusTable:
    """The status of every frame.

    Attributes
    ----------
    stamp_ns : array, (t,), int64
        Version 2: nanoseconds since 2010-01-01 UTC; 0 where none is recorded.
    exposure_ns : array, (t,), int64
        Version 2; 0 where none is recorded.
    numbers : dict of str to array, (t,), float64
        The columns of `NUMBERS` that the file has; NaN where a frame lacks the value. Counts of frames and
        milliseconds keep their last digit up to 2**53.
    words : dict of str to list of str
        The columns of `WORDS` that the file has; empty where a frame lacks the value.
    damaged : array, (t,), bool
        Frames whose status could not be read to its end.
    """

    stamp_ns: NDArray[np.int64]
    exposure_ns: NDArray[np.int64]
    damaged: NDArray[np.bool_]
    numbers: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)

    def number(self, name: str) -> NDArray[np.float64]:
        """A column, all NaN where the file lacks it."""
        return self.numbers.get(name, np.full(self.stamp_ns.size, np.nan))

    def only(self, wanted: NDArray[np.bool_]) -> "StatusTable":
        """The rows that are wanted."""
        return StatusTable(
            self.stamp_ns[wanted],
            self.exposure_ns[wanted],
            self.damaged[wanted],
            {name: column[wanted] for name, column in self.numbers.items()},
            {
                name: [text for text, keep in zip(texts, wanted.tolist(), strict=True) if keep]
                for name, texts in self.words.items()
            },
        )


@dataclass(frozen=True, slots=True)
class _Value:
    """A value within a status: its name and type, where it stands and how many bytes it has."""

    name: str
    kind: int
    at: int
    size: int


def read_status(file: RawFile, frames: FrameTable, section: StatusSection, version: int) -> StatusTable:
    """Read the status of every frame, some thousands at a time.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    count = frames.frames
    table = StatusTable(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_))
    for name, kind in section.tags:
        if kind in WIDTHS and name in NUMBERS:
            table.numbers[NUMBERS[name]] = np.full(count, np.nan)
        elif kind in {TEXT, TEXTS} and name in WORDS:
            table.words[WORDS[name]] = [""] * count
    for start in range(0, count, BATCH):
        _read_batch(file, frames, section, version, table, range(start, min(start + BATCH, count)))
    return table


def _read_batch(
    file: RawFile, frames: FrameTable, section: StatusSection, version: int, table: StatusTable, batch: range
) -> None:
    """Frames of equal length together, then those that are shaped alike."""
    sizes = frames.status_bytes[batch.start : batch.stop]
    for size in np.unique(sizes).tolist():
        members = np.flatnonzero(sizes == size) + batch.start
        if size > MOST_BYTES:
            table.damaged[members] = True
            continue
        for part in np.array_split(members, -(-members.size * size // BATCH_BYTES) or 1):
            _take(file.gather(frames.status[part], size), part, section, version, table)


def _take(
    raw: NDArray[np.uint8],
    members: NDArray[np.intp],
    section: StatusSection,
    version: int,
    table: StatusTable,
) -> None:
    """Statuses of one length into the table."""
    fixed = FIXED[version]
    if raw.shape[1] <= fixed:
        table.damaged[members] = raw.shape[1] > 0 or fixed > 0
        return
    if fixed:
        table.stamp_ns[members] = np.ascontiguousarray(raw[:, :8]).view("<i8")[:, 0]
        table.exposure_ns[members] = np.ascontiguousarray(raw[:, 8:12]).view("<u4")[:, 0]
    left = np.arange(len(members))
    shapes = 0
    while left.size:
        first = raw[left[0]]
        values, frame, whole = _walk(first.tobytes(), fixed, section, version)
        same = (raw[left][:, frame] == first[frame]).all(axis=1) if shapes < MOST_SHAPES else left == left[0]
        shapes += 1
        alike = left[same]
        table.damaged[members[alike]] = not whole
        for value in values:
            _put(value, raw[alike], members[alike], table)
        left = left[~same]


def _walk(
    raw: bytes, at: int, section: StatusSection, version: int
) -> tuple[list[_Value], NDArray[np.intp], bool]:
    """Values of a status, the places of the bytes that shape it, and whether it holds together to its end."""
    values: list[_Value] = []
    shape = [at]
    count, at = raw[at], at + 1
    try:
        for _ in range(count):
            name, kind = section.tags[raw[at]]
            shape.append(at)
            if kind == TEXTS:
                at = _walk_list(raw, at + 1, name, values, shape)
            elif kind == TEXT:
                at = _walk_text(raw, at + 1, 1 if version == 1 else 2, name, values, shape)
            else:
                values.append(_Value(name, kind, at + 1, WIDTHS[kind]))
                at += 1 + WIDTHS[kind]
            if at > len(raw):
                return values[:-1], np.array(shape, np.intp), False
    except LookupError:  # beyond the end, or a value or type that the section does not define
        return values, np.array(shape, np.intp), False
    return values, np.array(shape, np.intp), True


def _walk_text(raw: bytes, at: int, wide: int, name: str, values: list[_Value], shape: list[int]) -> int:
    """A text whose length stands before it; returns where it ends."""
    size = int.from_bytes(raw[at : at + wide], "little")
    shape += [k for k in range(at, at + wide) if k < len(raw)]
    values.append(_Value(name, TEXT, at + wide, size))
    return at + wide + size


def _walk_list(raw: bytes, at: int, name: str, values: list[_Value], shape: list[int]) -> int:
    """A list of texts (version 1); returns where it ends."""
    count = raw[at]
    shape.append(at)
    at += 1
    for _ in range(count):
        at = _walk_text(raw, at, 1, name, values, shape)
        if at > len(raw):
            break
    return at


def _put(value: _Value, raw: NDArray[np.uint8], members: NDArray[np.intp], table: StatusTable) -> None:
    """One value of frames that are shaped alike into its column; of a list of texts the first stays."""
    part = np.ascontiguousarray(raw[:, value.at : value.at + value.size])
    if value.kind == TEXT:
        column = table.words.get(WORDS.get(value.name, ""))
        if column is None:
            return
        for number, text in zip(members.tolist(), part, strict=True):
            column[number] = column[number] or text.tobytes().decode("utf-8", "replace").strip("\0 ")
        return
    numbers = table.numbers.get(NUMBERS.get(value.name, ""))
    if numbers is not None:
        signed = value.size == 8 or NUMBERS[value.name] in SIGNED
        code = "f" if value.kind == REAL else "i" if signed else "u"
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            values = part.view(f"<{code}{value.size}")[:, 0].astype(np.float64)
        numbers[members] = np.where(np.isfinite(values), values, np.nan)
