"""A RAVF file as a source and as a stack, read in place."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.frame_status import FrameStatus, status_table
from ingest.gps_status import GpsStatus, review_gps
from ingest.ravf.frames import FrameTable, locate_frames
from ingest.ravf.header import COLOURS, MAX_HEADER_BYTES, RavfHeader, Value, parse_header
from ingest.ravf.samples import SampleOrder, read_samples, settle_samples
from ingest.ravf.status import (
    accuracy_notes,
    accuracy_s,
    exposures_s,
    gps_status,
    is_astrid,
    review_counter,
    stamps_ns,
)
from ingest.rawfile import RawFile, check_span, frames_per_shard, read_blocks
from ingest.stamps import Stamps, solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.caveats import Caveat, Note
from reduction.stack import FrameBlock, SourceInfo

TYPES = ("light", "bias", "dark", "flat")
MAX_KEPT = 200
MAX_TEXT = 400
STRUCTURE = frozenset(
    {"OFFSET-FRAMES", "OFFSET-INDEX", "FRAMES-COUNT", "COLOR-TYPE", "IMAGE-ENDIANESS", "IMAGE-FORMAT"}
    | {"IMAGE-WIDTH", "IMAGE-HEIGHT", "IMAGE-ROW-STRIDE"}
)
TOGETHER = (("LATITUDE", "LONGITUDE"), ("RA", "DEC"))  # writers leave zeros where they know nothing
NAMES = {"OBJNAME": "object", "INSTRUMENT-GAIN": "gain", "INSTRUMENT-OFFSET": "offset", "DEC": "declination"}


class RavfStack:
    """A RAVF file, as a source and as a stack.

    Light frames are the recording; bias, dark and flat frames of the same file are left out and stated.
    Mono and Bayer frames are one plane ``(t, y, x)``, as recorded; colour frames are ``(t, c, y, x)`` in the
    order R, G, B. Samples keep the values as stored: 10 and 12 bits are not scaled to 16.

    Parameters
    ----------
    path : Path
        The file.
    times : TimeOptions
        What the person says about times.

    Attributes
    ----------
    gps : GpsStatus
        State of the GPS receiver at every frame of the recording.
    frame_status : FrameStatus
        The same and the frame counter, as a table.

    Raises
    ------
    DataError
        No RAVF file, a header that cannot be true, or no whole frame.
    RequestError
        The times options do not fit.
    """

    def __init__(self, path: Path, times: TimeOptions) -> None:
        self._file = RawFile(path)
        try:
            header = parse_header(self._file.read_bytes(MAX_HEADER_BYTES, 0), path.name)
            table = locate_frames(self._file, header)
            taken, kinds, notes = _of_type(table, path.name)
            self._header, self._places = header, table.pixels[taken]
            self._order = settle_samples(self._file, header, self._places)
            self.gps = gps_status(table, header).of(taken)
            self.frame_status = _status(table, taken, self.gps)
            metadata = _metadata(header, self._order) | {
                "gps": _gps_text(self.gps, header),
                "frame_types": kinds,
            }
            stamps = _stamps(table, header, taken, self.gps)
            self.info = _info(header, self._order, stamps, metadata, (*table.notes, *notes))
            self.times = apply_times(solve(stamps, times.meaning), taken.size, times)
        except BaseException:
            self._file.close()
            raise
        self.known_digests: NDArray[np.uint8] | None = None
        self.shard_size = frames_per_shard(self.info.frame_bytes)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``; safe in several threads."""
        check_span(self.info.name, start, stop, self.info.frames)
        return read_samples(self._file, self._header, self._order, self._places[start:stop])

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Blocks of `size` frames from frame `start`."""
        return read_blocks(self, size, start)

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def open_ravf(paths: Sequence[Path], times: TimeOptions) -> RavfStack:
    """Open the one RAVF file of `paths`; raises as `RavfStack`."""
    (path,) = paths
    return RavfStack(path, times)


def _of_type(table: FrameTable, name: str) -> tuple[NDArray[np.intp], str, tuple[Note, ...]]:
    """Numbers of the light frames, how many there are of each type (if of others too), and caveats.

    A frame whose header is damaged, or whose type is not known, counts as light. Without a light frame the
    frames are taken as they are: the file is one of calibration frames.
    """
    codes = np.where(table.sound, table.rows["type"], 0)
    notes = []
    odd = np.flatnonzero(codes >= len(TYPES))
    if odd.size:
        text = (
            f"{name}: frame type {codes[odd[0]]} of {odd.size} frames is not known; they are taken as light"
        )
        notes.append(Note(Caveat.IMAGE_TYPE_UNKNOWN, text))
        codes = np.where(codes < len(TYPES), codes, 0)
    tally = Counter(TYPES[code] for code in codes.tolist())
    kinds = (
        ", ".join(f"{count} {kind}" for kind, count in sorted(tally.items()))
        if set(tally) != {"light"}
        else ""
    )
    lights = np.flatnonzero(codes == 0)
    if not lights.size:
        return np.arange(codes.size), kinds, tuple(notes)
    others = codes.size - lights.size
    if others:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.items()) if kind != "light")
        text = f"{name}: {others} frames that are not light frames are left out: {counts}"
        notes.append(Note(Caveat.FRAMES_EXCLUDED, text))
    return lights, kinds, tuple(notes)


def _stamps(table: FrameTable, header: RavfHeader, taken: NDArray[np.intp], gps: GpsStatus) -> Stamps:
    """Stamps of the frames taken; the doubts of receiver and frame counter are in their sigmas."""
    stamp = stamps_ns(table)
    counter = review_counter(table, stamp, taken, header.name)
    receiver = review_gps(gps, stamp[taken], header.name)
    sigma = np.hypot(accuracy_s(header), counter.unshown_s[taken])
    return Stamps(
        stamp_ns=stamp[taken],
        exposure_s=exposures_s(table, header)[taken],
        sigma_s=np.hypot(sigma, receiver.sigma_s),
        meaning="start",
        source="RAVF frame headers",
        notes=(*accuracy_notes(header), *counter.notes, *receiver.notes),
    )


def _status(table: FrameTable, taken: NDArray[np.intp], gps: GpsStatus) -> FrameStatus:
    sound, counter = table.sound[taken], table.rows["sequence"][taken]
    return status_table(gps, {"camera_frame": np.where(sound, counter, np.nan)}, {})


def _metadata(header: RavfHeader, order: SampleOrder) -> dict[str, str]:
    """Entries worth keeping, in lower case, and how samples were read."""
    unset = [key for group in TOGETHER if not any(header.entries.get(key) for key in group) for key in group]
    kept = [
        (key, value)
        for key, value in header.entries.items()
        if key and key not in STRUCTURE and key not in unset
    ]
    metadata = {
        NAMES.get(key, key.lower().replace("-", "_"))[:MAX_TEXT]: _text(value)
        for key, value in kept[:MAX_KEPT]
    }
    metadata |= {"pixel_format": header.format.name, "sample_order": order.text}
    return {key: text for key, text in metadata.items() if text}


def _gps_text(status: GpsStatus, header: RavfHeader) -> str:
    """The receiver's state in a line; Astrid writes to every frame what it was as the recording began."""
    text = status.text()
    return f"{text} (when the recording began)" if text and is_astrid(header) else text


def _text(value: Value) -> str:
    return (
        value.strip()[:MAX_TEXT]
        if isinstance(value, str)
        else f"{value:.9g}"
        if isinstance(value, float)
        else str(value)
    )


def _info(
    header: RavfHeader, order: SampleOrder, stamps: Stamps, metadata: dict[str, str], notes: tuple[Note, ...]
) -> SourceInfo:
    known = stamps.exposure_s[np.isfinite(stamps.exposure_s)]
    return SourceInfo(
        format="ravf",
        name=header.name,
        shape=(stamps.stamp_ns.size, *((3,) if header.planes == 3 else ()), header.height, header.width),
        dtype="uint8" if header.format.bits == 8 else "uint16",
        bit_depth=order.bits,
        colour=COLOURS[header.colour_id],
        exposure_s=float(np.median(known)) if known.size else None,
        metadata={key: value for key, value in metadata.items() if value},
        notes=(*notes, *order.notes),
    )
