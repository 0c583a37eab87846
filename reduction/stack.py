"""What the domain asks of a recording: the protocols that readers and stacks fulfil.

Data flows one way: source -> stack -> calibrated -> aligned -> photometry -> light curve.
A *source* is read from front to back; a *stack* can be read anywhere.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NewType, Protocol, runtime_checkable

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from reduction.caveats import Note
from reduction.timing import TimeSolution

Digest = NewType("Digest", str)
"""A SHA-256, in hexadecimal."""

Colour = Literal["mono", "rggb", "grbg", "gbrg", "bggr", "cyym", "ycmy", "ymcy", "myyc", "rgb"]

Box = tuple[int, int, int, int]
"""Rows and columns of a frame: top, bottom, left, right; ends are excluded."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a recording is, as far as its container says.

    Attributes
    ----------
    format : str
        Name in the registry: ``ser``, ``fits``, ``video``, ``zarr``.
    name : str
        File or folder name, for messages; part of no key.
    shape : tuple of int
        ``(t, y, x)``, or ``(t, c, y, x)`` for colour planes in the order R, G, B.
    dtype : str
        NumPy name of the native-endian pixel type, e.g. ``uint8``, ``uint16``, ``float32``.
    bit_depth : int
        Significant bits per sample as stated or settled by the reader; 0 when unknown (floats).
    colour : Colour
        Mono, a Bayer mosaic (kept as recorded, one plane) or ``rgb`` planes.
    exposure_s, gain_e_per_adu, read_noise_e : float or None
        From the header, where it says so unmistakably (electrons per ADU; a camera "gain"
        in decibels or arbitrary units is metadata, never this).
    metadata : mapping of str to str
        Everything else worth keeping (observer, instrument, telescope, codec, choices made).
    notes : tuple of Note
        Caveats found while opening.
    burnt_in : tuple of Box
        Where the container says that digits are burnt into the frames.
    """

    format: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    bit_depth: int = 0
    colour: Colour = "mono"
    exposure_s: float | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    burnt_in: tuple[Box, ...] = ()

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.shape[0]

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return self.shape[-2]

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return self.shape[-1]

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame, ``(y, x)`` or ``(c, y, x)``."""
        return self.shape[1:]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in memory."""
        return int(np.prod(self.frame_shape)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True, slots=True, eq=False)
class FrameBlock:
    """Consecutive frames: ``frames`` is ``(n, y, x)`` or ``(n, c, y, x)``, `start` the first's number."""

    start: int
    frames: NDArray[Any]


@runtime_checkable
class FrameSource(Protocol):
    """A reader: frames in recorded order, once, in blocks."""

    @property
    def info(self) -> SourceInfo:
        """What the recording is."""
        ...

    @property
    def times(self) -> TimeSolution:
        """The container's own times (possibly all unknown)."""
        ...

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Yield blocks of `size` frames (the last may be shorter) from frame `start`."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


@runtime_checkable
class Stack(Protocol):
    """Immutable pixels with random access. `read` is safe from several threads."""

    @property
    def info(self) -> SourceInfo:
        """What the recording is."""
        ...

    @property
    def times(self) -> TimeSolution:
        """The newest time solution beside the pixels."""
        ...

    @property
    def shard_size(self) -> int:
        """Frames per shard: the unit of restart and of parallel decoding."""
        ...

    @property
    def known_digests(self) -> NDArray[np.uint8] | None:
        """Frame digests ``(t, 32)`` if stored beside the pixels, else None (`frame_digest` makes them)."""
        ...

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``, native-endian."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


@runtime_checkable
class InPlace(Protocol):
    """A stack whose frames lie in a file as `Stack.read` returns them."""

    def look(self, start: int, stop: int) -> NDArray[Any]:
        """As `Stack.read`, perhaps read-only and without a copy: for callers who touch each pixel once."""
        ...


def frame_digest(frame: NDArray[Any]) -> bytes:
    """BLAKE3 of one frame's pixels: C order, little-endian, 32 bytes."""
    little = frame.astype(frame.dtype.newbyteorder("<"), copy=False)
    return blake3(np.ascontiguousarray(little).reshape(-1).view(np.uint8).data).digest()


def pixel_digest(shape: tuple[int, ...], dtype: str, leaves: NDArray[np.uint8]) -> Digest:
    """Digest of a stack's pixels from its frame digests.

    A two-level hash tree, so that any partition can be hashed where it is written; it depends
    on the pixels alone, not on container, sharding or compression.

    Parameters
    ----------
    shape : tuple of int
        Shape of the stack.
    dtype : str
        NumPy name of the pixel type.
    leaves : array, (t, 32), uint8
        `frame_digest` of each frame.
    """
    head = f"umbra-pixels-2 {dtype} {'x'.join(str(n) for n in shape)}\n".encode()
    return Digest(hashlib.sha256(head + np.ascontiguousarray(leaves).tobytes()).hexdigest())
