"""A small RAVF writer that shares no code with the reader: bytes as the format's tables have them."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

MAGIC_2010_NS = 1_262_304_000_000_000_000
FORMAT_BITS = {0: 8, 1: 16, 2: 10, 3: 12, 4: 10, 5: 12}
GOOD = {"satellites": 9, "almanac": 0, "offset": 0, "fix": 3}

Entry = tuple[str, int, int | float | str]


def ravf_entry(key: str, kind: int, value: int | float | str) -> bytes:
    name = key.encode()
    head = struct.pack("<H", len(name)) + name + bytes([kind])
    if kind == 11:
        text = str(value).encode()
        return head + struct.pack("<H", len(text)) + text
    return head + struct.pack("<" + "bBhHiIqQQfd"[kind], value)


def row_bytes(
    values: Sequence[int], image_format: int, *, big: bool = False, packing: str = "format"
) -> bytes:
    """One row of samples, bit by bit; a group that is not full is filled with zeros."""
    bits = FORMAT_BITS[image_format]
    if image_format == 0:
        return bytes(values)
    if image_format in {1, 4, 5}:
        return b"".join(int(value).to_bytes(2, "big" if big else "little") for value in values)
    group = 4 if bits == 10 else 2
    out = bytearray()
    for at in range(0, len(values), group):
        four = [int(value) for value in values[at : at + group]] + [0] * group
        four = four[:group]
        low_bits = bits - 8
        high = bytes(value >> low_bits for value in four)
        parts = [value & ((1 << low_bits) - 1) for value in four]
        if packing == "csi":
            parts.reverse()
        low = 0
        for part in parts:
            low = low << low_bits | part
        out += high + bytes([low]) if bits == 10 or packing == "csi" else bytes([low]) + high
    return bytes(out)


def frame_header(
    start_ns: int, exposure_ns: int, sequence: int, data: int, *, kind: int = 0, head: int = 101, **gps: int
) -> bytes:
    """41 bytes of fields, then zeros up to `head`."""
    seen = GOOD | gps
    fields = (0xAF8ABD3C2A98CA3F).to_bytes(8, "little") + struct.pack("<II", head, data) + bytes([kind])
    fields += start_ns.to_bytes(8, "little") + exposure_ns.to_bytes(8, "little")
    fields += bytes([seen["satellites"], seen["almanac"]]) + struct.pack("<b", seen["offset"])
    fields += bytes([seen["fix"]]) + struct.pack("<I", sequence)
    assert len(fields) == 41
    return fields.ljust(head, b"\0")


def write_ravf(
    path: Path,
    frames: NDArray[Any],
    *,
    image_format: int = 1,
    colour: int = 0,
    big: bool = False,
    endian: int | None = None,
    packing: str = "format",
    padding: int = 0,
    stamps_ns: Sequence[int] | None = None,
    exposure_ns: int = 40_000_000,
    sequence: Sequence[int] | None = None,
    kinds: Sequence[int] | None = None,
    gps: Mapping[int, Mapping[str, int]] | None = None,
    index: bool = True,
    closed: bool = True,
    count: int | None = None,
    head: int = 101,
    accuracy_ns: int = 1000,
    extra: Sequence[Entry] = (),
    recorder: str = "Recorder",
) -> Path:
    """Write frames ``(t, y, samples per row)``; `stamps_ns` are the start of each exposure, UTC.

    `padding` lengthens rows, `closed` writes place and number of frames into the header, as at the end.
    """
    stamps = (
        range(MAGIC_2010_NS + 500_000_000_000_000_000, 1 << 62, 40_000_000)
        if stamps_ns is None
        else stamps_ns
    )
    height, samples = frames.shape[1:]
    width = samples // 3 if colour >= 9 else samples
    bodies = []
    for frame in frames:
        rows = [row_bytes(row, image_format, big=big, packing=packing) for row in frame.tolist()]
        bodies.append(b"".join(row + b"\xa5" * padding for row in rows))
    stride = len(rows[0]) + padding
    entries: list[Entry] = [
        ("COLOR-TYPE", 1, colour),
        ("IMAGE-ENDIANESS", 1, (0 if big else 1) if endian is None else endian),
        ("IMAGE-WIDTH", 5, width),
        ("IMAGE-HEIGHT", 5, height),
        ("IMAGE-ROW-STRIDE", 5, stride),
        ("IMAGE-FORMAT", 1, image_format),
        ("RECORDER-SOFTWARE", 11, recorder),
        ("INSTRUMENT", 11, "Camera 1"),
        ("INSTRUMENT-GAIN", 9, 8.5),
        ("TELESCOPE", 11, "Telescope"),
        ("OBSERVER", 11, "Ä. Observer"),
        ("LATITUDE", 9, -33.5),
        ("OBJNAME", 11, "(411) Xanthe"),
        ("FRAME-TIMING-ACCURACY", 7, accuracy_ns),
        *extra,
    ]
    fixed = [("OFFSET-FRAMES", 7), ("OFFSET-INDEX", 7), ("FRAMES-COUNT", 5)]
    tail = b"".join(ravf_entry(*entry) for entry in entries)
    lead = struct.pack("<IHI", 0x46564152, 1, len(entries) + len(fixed))
    start = len(lead) + sum(len(ravf_entry(key, kind, 0)) for key, kind in fixed) + len(tail)
    places, body = [], b""
    for number, data in enumerate(bodies):
        places.append(start + len(body))
        body += frame_header(
            stamps[number] - MAGIC_2010_NS if stamps[number] else 0,
            exposure_ns,
            number if sequence is None else sequence[number],
            len(data),
            kind=0 if kinds is None else kinds[number],
            head=head,
            **(gps or {}).get(number, {}),
        )
        body += data
    found = len(frames) if count is None else count
    numbers = (start, start + len(body) if index else 0, found) if closed else (start, 0, 0)
    values = b"".join(ravf_entry(key, kind, value) for (key, kind), value in zip(fixed, numbers, strict=True))
    table = struct.pack("<I", len(places))
    for place, ns in zip(places, stamps, strict=False):
        table += struct.pack("<QQ", place, ns - MAGIC_2010_NS if ns else 0)
    path.write_bytes(lead + values + tail + body + (table if index and closed else b""))
    return path
