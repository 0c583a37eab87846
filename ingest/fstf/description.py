"""What an FSTF recording is: geometry, depth, colour, burnt-in lines and metadata."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.fstf.container import Container
from ingest.fstf.layouts import Scaling
from ingest.fstf.status import StatusTable
from ingest.fstf.times import gps_status, integration
from ingest.stamps import Stamps
from reduction.caveats import Caveat, Note
from reduction.stack import Box, Colour, SourceInfo

MOSAICS: dict[str, Colour] = {"RGGB": "rggb", "GRBG": "grbg", "GBRG": "gbrg", "BGGR": "bggr"}
NO_MOSAIC = {"", "MONOCHROME", "RGB", "BGR"}
KNOWN_AS = {
    "observer": ("OBSERVER", "AUTHOR"),
    "instrument": ("CAMERA-MODEL", "INSTRUMENT"),
    "telescope": ("TELESCOPE", "TELESCOP"),
    "object": ("OBJNAME", "OBJECT"),
    "latitude": ("LATITUDE", "LATITUDE-WGS84"),
    "longitude": ("LONGITUDE", "LONGITUDE-WGS84"),
    "altitude": ("ALTITUDE", "ALTITUDE-MSL"),
    "recorder": ("RECORDER-SOFTWARE", "RECORDER"),
}
SETTINGS = {
    "gain": "camera_gain",
    "gamma": "camera_gamma",
    "shutter": "camera_shutter",
    "offset": "camera_offset",
    "temperature": "camera_temperature",
}
SAME_EXPOSURE = 0.01
LINEAR = 0.01
LEAST_STEPS = 3
REGULAR = 0.8
"""Share of steps of a frame counter that are alike, below which it does not count frames."""

PLACES = 5
MOST_COVERED = 0.5
"""Of the frame, beyond which stated burnt-in lines are not believed."""


def describe(
    name: str,
    container: Container,
    dtype: str,
    frame_shape: tuple[int, ...],
    status: StatusTable,
    stamps: Stamps,
    others: int,
    notes: Sequence[Note],
) -> SourceInfo:
    """What the recording is.

    Parameters
    ----------
    name : str
        Of the file.
    container : Container
    dtype : str
        Of the pixels.
    frame_shape : tuple of int
        Of a frame, pixels.
    status, stamps : StatusTable, Stamps
        Of the frames of the recording.
    others : int
        Frames of other streams.
    notes : sequence of Note
        Caveats found so far.
    """
    blocks = integration(name, container, status)
    damaged = int(status.damaged.sum())
    text = f"{name}: the status of {damaged} frames is damaged; what could be read of it is used"
    unread = [Note(Caveat.STATUS_UNREADABLE, text)] if damaged else []
    return SourceInfo(
        format="aav" if container.analogue else "adv",
        name=name,
        shape=(stamps.stamp_ns.size, *frame_shape),
        dtype=dtype,
        bit_depth=depth(container, 8 * np.dtype(dtype).itemsize),
        colour=colour(container, len(frame_shape) == 3),
        exposure_s=_common(stamps.exposure_s),
        metadata=metadata(container, status, others, blocks.length),
        notes=(*notes, *blocks.notes, *_dropped(name, status), *_bent(name, status), *unread),
        burnt_in=burnt_in(container) if container.analogue else (),
    )


def _dropped(name: str, status: StatusTable) -> list[Note]:
    """Frames that are missing by the camera's own count, where that count goes on regularly."""
    counts = status.number("camera_frame")
    rows = np.flatnonzero(np.isfinite(counts))
    steps = np.diff(counts[rows])
    if steps.size < LEAST_STEPS:
        return []
    usual = float(np.median(steps))
    gaps = np.flatnonzero(steps > usual)
    if usual <= 0 or not gaps.size or (steps == usual).mean() < REGULAR:
        return []
    lost = np.rint(steps[gaps] / usual).astype(np.int64) - 1
    places = ", ".join(
        f"{n} before frame {rows[k + 1]}" for n, k in zip(lost[:PLACES], gaps[:PLACES], strict=True)
    )
    more = f", and at {gaps.size - PLACES} more places" if gaps.size > PLACES else ""
    text = f"{name}: frames dropped, by the camera's frame counter: {lost.sum()}: {places}{more}"
    return [Note(Caveat.FRAMES_DROPPED, text)]


def _bent(name: str, status: StatusTable) -> list[Note]:
    """A gamma of the camera other than 1: its levels are not proportional to the light."""
    gamma = status.number("gamma")
    other = np.isfinite(gamma) & (gamma > 0) & (np.abs(gamma - 1) > LINEAR)
    if not other.any():
        return []
    text = (
        f"{name}: the camera's gamma was {_span(gamma[other])} at {int(other.sum())} of {gamma.size} frames, "
        "not 1: levels are not proportional to light unless it is undone; say --gamma"
    )
    return [Note(Caveat.CAMERA_GAMMA, text)]


def _common(exposures: NDArray[np.float64]) -> float | None:
    """The exposure where all frames have about one and the same."""
    low, high = float(exposures.min()), float(exposures.max())
    return float(np.median(exposures)) if high - low <= SAME_EXPOSURE * high else None


def depth(container: Container, bits: int) -> int:
    """Significant bits of a sample, `bits` at most: by the largest value stated, else of the section."""
    for name in ("AAV16-NORMVAL", "IMAGE-MAX-PIXEL-VALUE"):
        said = _whole(container.tags.get(name) or container.image.tags.get(name))
        if said and 1 < said <= 1 << bits:
            return (said - 1).bit_length()
    said = _whole(container.image.tags.get("IMAGE-BITPIX"))
    return min(bits, said or container.image.bits)


def colour(container: Container, planes: bool) -> Colour:
    """Mono, the mosaic of the sensor, or planes of colour."""
    if planes:
        return "rgb"
    return MOSAICS.get(container.image.tags.get("IMAGE-BAYER-PATTERN", "").upper(), "mono")


def scaling(container: Container, sample: Callable[[], NDArray[Any]]) -> Scaling:
    """How samples of different layouts of version 1 come to one scale.

    Parameters
    ----------
    container : Container
    sample : callable
        Gives some 16-bit samples as they stand in the file; called only where they decide.
    """
    bits = container.image.bits
    if container.version != 1:
        return Scaling()
    if bits == 16:
        return Scaling(packed=4)
    said = _whole(container.image.tags.get("IMAGE-DYNABITS"))
    if bits not in {12, 14} or said not in {None, 16}:
        return Scaling()
    words = sample()
    scaled = words.size and not (words & ((1 << (16 - bits)) - 1)).any() and int(words.max()) >= 1 << bits
    return Scaling(words=16 - bits if scaled else 0)


def burnt_in(container: Container) -> tuple[Box, ...]:
    """Lines of the time inserter as the recorder states them: rows, and columns where it has them too."""
    image, tags = container.image, container.tags
    first, last, left, right = (
        _whole(tags.get(f"OSD-{name}")) for name in ("FIRST-LINE", "LAST-LINE", "LEFT-COLUMN", "RIGHT-COLUMN")
    )
    if first is None or last is None:
        first, last, left, right = (
            _whole(tags.get(f"OSD-POSITION-{name}")) for name in ("TOP", "BOTTOM", "LEFT", "RIGHT")
        )
    if first is None or last is None or not last:
        return ()
    top, bottom = max(first, 0), min(last + 1, image.height)
    across = 0, image.width
    if left is not None and right and 0 <= left < right:
        across = left, min(right + 1, image.width)
    if not 0 < bottom - top <= MOST_COVERED * image.height or across[0] >= across[1]:
        return ()
    return ((top, bottom, *across),)


def metadata(container: Container, status: StatusTable, others: int, length: int) -> dict[str, str]:
    """Tags of the file, and what the status says of all frames."""
    kind = "AAV" if container.analogue else "ADV"
    found = {"fstf": f"{kind} in FSTF version {container.version}"}
    for name, keys in KNOWN_AS.items():
        found[name] = next((container.tags[key] for key in keys if container.tags.get(key)), "")
    for column, name in SETTINGS.items():
        found[name] = _span(status.number(column))
    found["gps"] = gps_status(status).text()
    errors = [text for text in status.words.get("error", []) if text]
    if errors:
        found["recorder_errors"] = f"at {len(errors)} frames, first: {errors[0]}"
    pattern = container.image.tags.get("IMAGE-BAYER-PATTERN", "").upper()
    if pattern not in MOSAICS and pattern not in NO_MOSAIC:
        found["mosaic"] = f"{pattern}: not known, taken as mono"
    if others:
        found["calibration_frames"] = (
            f"{others} frames of the calibration stream are not part of the recording"
        )
    if length:
        found["integrated_frames"] = str(length)
    found |= {f"fstf.{key}": value for key, value in _all_tags(container).items()}
    return {key: value for key, value in found.items() if value}


def _all_tags(container: Container) -> Mapping[str, str]:
    return {**container.tags, **container.image.tags, **container.streams[0].tags}


def _span(values: NDArray[np.float64]) -> str:
    """One value, or from the least to the largest; empty where none is known."""
    known = values[np.isfinite(values)]
    if not known.size:
        return ""
    low, high = float(known.min()), float(known.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _whole(text: str | None) -> int | None:
    """A whole number of at most nine digits, or None."""
    stripped = (text or "").strip()
    return int(stripped) if stripped.lstrip("-").isdecimal() and len(stripped) <= 9 else None
