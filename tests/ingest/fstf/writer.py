"""Writes ADV and AAV files from the tables of the format; shares nothing with the reader.

`write_v1` and `write_v2` lay down the same description: layouts by number, frames with pixels and status.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tests.ingest.fstf.coders import lagarith_block, quicklz_block

EPOCH = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
Value = int | float | str | list[str]
TYPE_CODES = {"u8": 0, "u16": 1, "u32": 2, "u64": 3, "real": 4, "text": 5, "texts": 6}


@dataclass(frozen=True)
class Layout:
    data: str = "FULL-IMAGE-RAW"
    compression: str = "UNCOMPRESSED"
    bits: int = 16
    base: str | None = None
    flag: bool = True
    """Differential frames repeat their mode before the samples."""
    copy: bool = False
    """Differences without signs are followed by the frame itself."""
    trailer: bool = False
    """Four bytes for a checksum follow the samples."""
    checksum: Literal["", "zlib", "format", "wrong"] = ""


@dataclass(frozen=True)
class Frame:
    pixels: NDArray[Any] | None
    utc_ns: int = 0
    """Of the instant that the format names; 0 for none."""
    exposure_s: float = 0.0
    status: Mapping[str, Value] = field(default_factory=dict)
    layout: int = 1
    key: bool = False
    stream: int = 0
    ticks: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Recording:
    width: int
    height: int
    bits: int
    layouts: Mapping[int, Layout]
    frames: Sequence[Frame]
    tags: Mapping[str, str] = field(default_factory=lambda: {"FSTF-TYPE": "ADV"})
    user_tags: Mapping[str, str] = field(default_factory=dict)
    image_tags: Mapping[str, str] = field(default_factory=dict)
    status_types: Mapping[str, str] = field(default_factory=dict)
    accuracy_ns: int = 1_000_000
    key_every: int = 32


def _text(value: str, wide: bool) -> bytes:
    raw = value.encode()
    return len(raw).to_bytes(2 if wide else 1, "little") + raw


def _pairs(tags: Mapping[str, str], wide: bool) -> bytes:
    return b"".join(_text(key, wide) + _text(value, wide) for key, value in tags.items())


def image_section(recording: Recording, wide: bool) -> bytes:
    out = struct.pack(
        "<BIIBB",
        2 if wide else 1,
        recording.width,
        recording.height,
        recording.bits,
        len(recording.layouts),
    )
    for number, layout in recording.layouts.items():
        tags = {"DATA-LAYOUT": layout.data, "SECTION-DATA-COMPRESSION": layout.compression}
        if layout.base:
            tags |= {
                "DIFFCODE-BASE-FRAME": layout.base,
                "DIFFCODE-KEY-FRAME-FREQUENCY": str(recording.key_every),
            }
        out += bytes([number, 2 if wide else 1, layout.bits, len(tags)]) + _pairs(tags, wide)
    tags = dict(recording.image_tags)
    if any(layout.checksum for layout in recording.layouts.values()):
        tags["SECTION-DATA-REDUNDANCY-CHECK"] = "CRC32"
    return out + bytes([len(tags)]) + _pairs(tags, wide)


def status_section(recording: Recording, wide: bool) -> bytes:
    out = b"\x02" + struct.pack("<q", recording.accuracy_ns) if wide else b"\x01"
    out += bytes([len(recording.status_types)])
    for name, kind in recording.status_types.items():
        out += _text(name, wide) + bytes([TYPE_CODES[kind]])
    return out


def status_bytes(recording: Recording, frame: Frame, wide: bool) -> bytes:
    names = list(recording.status_types)
    out = bytes([len(frame.status)])
    for name, value in frame.status.items():
        kind = recording.status_types[name]
        out += bytes([names.index(name)])
        if isinstance(value, str):
            out += _text(value, wide)
        elif isinstance(value, list):
            out += bytes([len(value)]) + b"".join(_text(line, False) for line in value)
        elif kind == "real":
            out += struct.pack("<f", value)
        else:
            size = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}[kind]
            out += (int(value) % (1 << 8 * size)).to_bytes(size, "little")
    return out


def pack12(values: NDArray[Any]) -> bytes:
    """Two pixels in three bytes, one pixel in two at the end of an odd number."""
    bits = "".join(f"{int(value):012b}" for value in values.reshape(-1))
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def sample_bytes(pixels: NDArray[Any], bits: int, big: bool) -> bytes:
    if bits == 12:
        return pack12(pixels)
    return pixels.astype("u1" if bits == 8 else ">u2" if big else "<u2").tobytes()


def plain_crc(words: bytes) -> int:
    """Remainder of the polynomial division, bit by bit, with the first four bytes inverted; inverted."""
    value = int.from_bytes(words[:4], "big") ^ 0xFFFFFFFF
    for byte in words[4:]:
        for bit in f"{byte:08b}":
            top = value >> 31
            value = (value << 1 | int(bit)) & 0xFFFFFFFF
            value ^= 0x04C11DB7 if top else 0
    return value ^ 0xFFFFFFFF


def _checksum(layout: Layout, pixels: NDArray[Any], samples: bytes) -> int:
    if layout.checksum == "zlib":
        return zlib.crc32(samples)
    if layout.checksum == "format":
        return plain_crc(pixels.astype("<u2").tobytes())
    return 0x12345678 if layout.checksum == "wrong" else 0


class _Coder:
    """Frames as bytes, with what the differential layouts remember."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.big = recording.image_tags.get("IMAGE-BYTE-ORDER") == "BIG-ENDIAN"
        self.base: dict[int, NDArray[Any]] = {}
        self.since: dict[int, int] = {}

    def image(self, frame: Frame) -> bytes:
        layout = self.recording.layouts[frame.layout]
        if frame.pixels is None:
            return bytes([frame.layout, 0])
        mode, payload = 0, b""
        if "DIFFERENTIAL" in layout.data:
            mode, payload = self._differential(frame, layout)
        else:
            payload = sample_bytes(frame.pixels, layout.bits, self.big)
        if layout.trailer or layout.checksum:
            payload += _checksum(layout, frame.pixels, payload).to_bytes(4, "little")
        if layout.copy and mode == 2:
            payload += sample_bytes(frame.pixels, layout.bits, self.big)
        return bytes([frame.layout, mode]) + self._compressed(layout, payload)

    def _differential(self, frame: Frame, layout: Layout) -> tuple[int, bytes]:
        assert frame.pixels is not None
        pixels = frame.pixels.astype(np.int64)
        number = frame.layout
        whole = frame.key or number not in self.base or self.since[number] >= self.recording.key_every
        if whole:
            self.base[number], self.since[number] = pixels, 1
            return 1, (b"\x01" if layout.flag else b"") + sample_bytes(pixels, layout.bits, self.big)
        change = pixels - self.base[number]
        self.since[number] += 1
        if layout.base == "PREV-FRAME":
            self.base[number] = pixels
        signs = b""
        if layout.data == "FULL-IMAGE-DIFFERENTIAL-CODING" and layout.bits == 8:
            signs = np.packbits(change.reshape(-1) <= 0, bitorder="little").tobytes()
            change = np.abs(change)
        modulo = change % (1 << layout.bits)
        return 2, (b"\x02" if layout.flag else b"") + signs + sample_bytes(modulo, layout.bits, self.big)

    def _compressed(self, layout: Layout, payload: bytes) -> bytes:
        if layout.compression == "QUICKLZ":
            return quicklz_block(payload)
        if layout.compression == "LAGARITH16":
            even = payload + b"\0" * (len(payload) % 2)
            return lagarith_block(np.frombuffer(even, "<u2"))
        return payload


def write_v2(path: Path, recording: Recording, *, finish: bool = True) -> Path:
    """Version 2; without `finish` as a recorder leaves it that dies: no index, counts and offsets zero."""
    counts = [sum(frame.stream == stream for frame in recording.frames) for stream in (0, 1)]
    names = ("MAIN", "CALIBRATION")
    head_size = 0x22 + sum(2 + len(name) + 24 for name in names) + 1 + (2 + 5 + 8) + (2 + 6 + 8)
    stream_tags = [b"\x01" + _pairs({"STREAM": name}, True) for name in names]
    places = [head_size, head_size + len(stream_tags[0])]
    image_at = places[1] + len(stream_tags[1])
    image = image_section(recording, True)
    status_at = image_at + len(image)
    status = status_section(recording, True)
    system_at = status_at + len(status)
    system = len(recording.tags).to_bytes(4, "little") + _pairs(recording.tags, True)
    frames_at = system_at + len(system)
    body, tables = _frames_v2(recording, frames_at)
    index = b"\x02" + struct.pack("<II", 9, 9 + 4 + 20 * counts[0])
    for table in tables:
        index += len(table).to_bytes(4, "little") + b"".join(struct.pack("<qqI", *row) for row in table)
    index_at = frames_at + len(body)
    user = len(recording.user_tags).to_bytes(4, "little") + _pairs(recording.user_tags, True)
    head = b"FSTF\x02" + bytes(4)
    head += struct.pack(
        "<qqq", *(index_at, system_at, index_at + len(index)) if finish else (0, system_at, 0)
    )
    head += b"\x02"
    for name, count, place in zip(names, counts, places, strict=True):
        head += _text(name, True) + struct.pack("<IqIq", count if finish else 0, 10_000_000, 0, place)
    head += b"\x02" + _text("IMAGE", True) + struct.pack("<q", image_at)
    head += _text("STATUS", True) + struct.pack("<q", status_at)
    assert len(head) == head_size
    content = head + b"".join(stream_tags) + image + status + system + body
    path.write_bytes(content + (index + user if finish else b""))
    return path


def _frames_v2(recording: Recording, at: int) -> tuple[bytes, list[list[tuple[int, int, int]]]]:
    coders = [_Coder(recording), _Coder(recording)]
    tables: list[list[tuple[int, int, int]]] = [[], []]
    body: list[bytes] = []
    for frame in recording.frames:
        image = coders[frame.stream].image(frame)
        stamp = frame.utc_ns - EPOCH if frame.utc_ns else 0
        status = struct.pack("<qI", stamp, round(frame.exposure_s * 1e9) % (1 << 32))
        status += status_bytes(recording, frame, True)
        whole = b"\xff\x22\x01\xee" + struct.pack("<Bqq", frame.stream, *frame.ticks)
        whole += len(image).to_bytes(4, "little") + image + len(status).to_bytes(4, "little") + status
        tables[frame.stream].append((frame.ticks[0], at, len(whole) - 4))
        body.append(whole)
        at += len(whole)
    return b"".join(body), tables


def write_v1(path: Path, recording: Recording, *, finish: bool = True) -> Path:
    """Version 1; without `finish` as a recorder leaves it that dies."""
    head_size = 0x21 + 1 + (1 + 5 + 8) + (1 + 6 + 8)
    image, status = image_section(recording, False), status_section(recording, False)
    status_at = head_size + len(image)
    system_at = status_at + len(status)
    system = len(recording.tags).to_bytes(4, "little") + _pairs(recording.tags, False)
    at = system_at + len(system)
    coder = _Coder(recording)
    body, index = b"", len(recording.frames).to_bytes(4, "little")
    for frame in recording.frames:
        pixels = coder.image(frame)
        values = status_bytes(recording, frame, False)
        stamp = (frame.utc_ns - EPOCH) // 1_000_000 if frame.utc_ns else 0
        whole = b"\xff\x22\x01\xee" + struct.pack("<qI", stamp, round(frame.exposure_s * 1e4))
        whole += len(pixels).to_bytes(4, "little") + pixels + len(values).to_bytes(4, "little") + values
        index += struct.pack("<IqI", 0, at + len(body), len(whole) - 4)
        body += whole
    index_at = at + len(body)
    user = len(recording.user_tags).to_bytes(4, "little") + _pairs(recording.user_tags, False)
    count = len(recording.frames) if finish else 0
    offsets = (index_at, system_at, index_at + len(index)) if finish else (0, system_at, 0)
    head = b"FSTF\x01" + struct.pack("<Iqqq", count, *offsets) + b"\x02"
    head += _text("IMAGE", False) + struct.pack("<q", head_size)
    head += _text("STATUS", False) + struct.pack("<q", status_at)
    assert len(head) == head_size
    path.write_bytes(head + image + status + system + body + (index + user if finish else b""))
    return path
