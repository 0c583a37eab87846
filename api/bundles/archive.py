"""A ZIP archive of stored members, every byte of which has its place before any is made.

Local and central headers are those of PKWARE's APPNOTE 6.3.10: 4.3.7, 4.3.12, the ends 4.3.14 to 4.3.16,
sizes beyond 32 bits 4.5.3 (ZIP64), names in UTF-8 (bit 11 of 4.4.4). Times are kept twice: in the two-second
form of MS-DOS, and as POSIX seconds by Info-ZIP's field 0x5455. Recordings do not become smaller by
compression, so nothing is compressed: what lies where follows from names, sizes and checksums alone.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

FULL = 0xFFFFFFFF
"""In place of a size or an offset that the ZIP64 field holds."""
MOST_ENTRIES = 0xFFFF
LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")
TIME = struct.Struct("<HHBl")
UTF_8 = 0x800
PLAIN, ZIP64 = 20, 45
"""Versions of the format that a reader must know."""
UNIX = 3 << 8
REGULAR_FILE = 0o100644 << 16
LATEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive.

    Attributes
    ----------
    name : str
        With slashes between folders.
    size, crc32 : int
        Bytes, and their CRC-32 (ISO 3309).
    modified : int
        POSIX seconds.
    """

    name: str
    size: int
    crc32: int
    modified: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes `start` to `stop` of the member number `member`."""

    member: int
    start: int
    stop: int


class Layout:
    """Where everything of an archive is.

    Parameters
    ----------
    members : sequence of Member
        In the order of the archive; names are unique.

    Attributes
    ----------
    size : int
        Bytes of the archive.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self._names = [member.name.encode() for member in self.members]
        self._starts: list[int] = []
        at = 0
        for name, member in zip(self._names, self.members, strict=True):
            self._starts.append(at)
            at += LOCAL.size + len(name) + len(_sizes(member)) + len(_time(member)) + member.size
        self._directory = at
        self._entries: list[int] = []
        for number, name in enumerate(self._names):
            self._entries.append(at)
            member = self.members[number]
            fields = len(_overflow(member, self._starts[number])) + len(_time(member))
            at += CENTRAL.size + len(name) + fields
        self._ends = at
        self.size = at + len(self._end())

    def parts(self, start: int, stop: int) -> Iterator[bytes | Slice]:
        """Bytes `start` to `stop` of the archive: headers as they are, the members' own as slices."""
        yield from self._local_parts(start, min(stop, self._directory))
        if stop > self._directory:
            yield from self._walk(self._entries, self._entry, start, min(stop, self._ends))
        if stop > self._ends:
            yield from _cut(self._end(), self._ends, start, stop)

    def _local_parts(self, start: int, stop: int) -> Iterator[bytes | Slice]:
        if start >= stop:
            return
        for number in range(_place(self._starts, start), len(self.members)):
            at, member = self._starts[number], self.members[number]
            if at >= stop:
                return
            header = self._header(number)
            yield from _cut(header, at, start, stop)
            data = at + len(header)
            first, last = max(start, data), min(stop, data + member.size)
            if first < last:
                yield Slice(number, first - data, last - data)

    def _walk(
        self, places: list[int], make: Callable[[int], bytes], start: int, stop: int
    ) -> Iterator[bytes]:
        if start >= stop or not places:
            return
        for number in range(_place(places, start), len(places)):
            if places[number] >= stop:
                return
            yield from _cut(make(number), places[number], start, stop)

    def _header(self, number: int) -> bytes:
        """The local header: the sizes are there, so that a reader needs no directory."""
        member, name = self.members[number], self._names[number]
        sizes = _sizes(member)
        extra = sizes + _time(member)
        size = FULL if sizes else member.size
        version = ZIP64 if sizes else PLAIN
        return (
            LOCAL.pack(
                b"PK\3\4", version, UTF_8, 0, *_dos(member), member.crc32, size, size, len(name), len(extra)
            )
            + name
            + extra
        )

    def _entry(self, number: int) -> bytes:
        """The entry of the central directory."""
        member, name, offset = self.members[number], self._names[number], self._starts[number]
        overflow = _overflow(member, offset)
        extra = overflow + _time(member)
        size = min(member.size, FULL)
        version = ZIP64 if overflow else PLAIN
        return (
            CENTRAL.pack(
                b"PK\1\2", UNIX | ZIP64, version, UTF_8, 0, *_dos(member), member.crc32, size, size,
                len(name), len(extra), 0, 0, 0, REGULAR_FILE, min(offset, FULL),
            )
            + name
            + extra
        )  # fmt: skip

    def _end(self) -> bytes:
        count, length = len(self.members), self._ends - self._directory
        tail = END.pack(
            b"PK\5\6", 0, 0, min(count, MOST_ENTRIES), min(count, MOST_ENTRIES), min(length, FULL),
            min(self._directory, FULL), 0,
        )  # fmt: skip
        if count < MOST_ENTRIES and length < FULL and self._directory < FULL:
            return tail
        end = END_64.pack(
            b"PK\6\6", END_64.size - 12, UNIX | ZIP64, ZIP64, 0, 0, count, count, length, self._directory
        )
        return end + LOCATOR.pack(b"PK\6\7", 0, self._ends, 1) + tail


def _sizes(member: Member) -> bytes:
    """The ZIP64 field of a local header: both sizes, or nothing."""
    return struct.pack("<HHQQ", 1, 16, member.size, member.size) if member.size >= FULL else b""


def _overflow(member: Member, offset: int) -> bytes:
    """The ZIP64 field of an entry: what does not fit into its place, in the order of the format."""
    values = [member.size, member.size] if member.size >= FULL else []
    values += [offset] if offset >= FULL else []
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""


def _time(member: Member) -> bytes:
    """Time of the file by Info-ZIP's field; nothing where its 32 bits do not hold it."""
    held = 0 <= member.modified <= LATEST
    return TIME.pack(0x5455, 5, 1, member.modified) if held else b""


def _dos(member: Member) -> tuple[int, int]:
    """Time and date as MS-DOS has them, UTC."""
    when = datetime.fromtimestamp(member.modified, UTC)
    if when.year < 1980:
        return 0, 1 << 5 | 1
    return (
        when.hour << 11 | when.minute << 5 | when.second // 2,
        min(when.year - 1980, 127) << 9 | when.month << 5 | when.day,
    )


def _place(starts: list[int], at: int) -> int:
    """The last that begins at or before `at`; the first where none does."""
    return max(0, bisect_right(starts, at) - 1)


def _cut(data: bytes, at: int, start: int, stop: int) -> Iterator[bytes]:
    """What of `data`, which begins at `at`, lies between `start` and `stop`; nothing where that is empty."""
    if kept := data[max(0, start - at) : max(0, stop - at)]:
        yield kept
