"""Zip (APPNOTE 6.3.10): the central directory is checked before zipfile reads it, members while they are."""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ingest.archives.limits import LimitError
from ingest.archives.members import shown
from ingest.archives.sink import Output, Sink
from reduction.errors import DataError

CHUNK = 1 << 20
DEFLATE64 = 9
DEFLATE64_INPUT = 1 << 14
"""Bytes given to the decoder at a time: it gives back all that comes of them, at most 1,032 times as many."""

END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s4B4HL2L5H2L")
LOCAL = struct.Struct("<4s2B4HL2L2H")
DOCUMENT_PARTS = frozenset({"[Content_Types].xml", "mimetype"})


def read_zip(file: BinaryIO, sink: Sink, name: str) -> None:
    """Unpack a zip.

    Raises
    ------
    DataError
        It is damaged, encrypted, one part of several, or packed in a way that cannot be read here.
    LimitError
        It has too many members, or members that share bytes.
    """
    with _opened(file, name, sink) as archive:
        members = sorted(archive.infolist(), key=lambda member: member.header_offset)
        _refuse_overlaps(members, name)
        for member in members:
            _member(archive, file, member, sink, name)


def is_document(file: BinaryIO) -> bool:
    """Whether a zip is a spreadsheet or a text (Office Open XML, OpenDocument)."""
    try:
        for number, entry in enumerate(_entry_names(file, "zip")):
            if entry in DOCUMENT_PARTS:
                return True
            if number > 100:
                return False
    except DataError:
        return False
    return False


def _opened(file: BinaryIO, name: str, sink: Sink) -> zipfile.ZipFile:
    most = sink.allowance.room
    for number, _ in enumerate(_entry_names(file, name)):
        if number >= most:
            raise LimitError(f"{name}: more than {most} members; nothing was unpacked")
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError) as error:
        # the last is zipfile's own word for a zip of a later version than it knows
        raise DataError(f"{name}: damaged: {error}; copy it again") from error


def _entry_names(file: BinaryIO, name: str) -> Iterator[str]:
    """Names as they stand in the central directory, one at a time."""
    start, size = _directory(file, name)
    file.seek(start)
    left = size
    while left >= ENTRY.size:
        head = file.read(ENTRY.size)
        if len(head) < ENTRY.size or head[:4] != b"PK\x01\x02":
            return
        lengths = ENTRY.unpack(head)[12:15]
        yield file.read(lengths[0]).decode("utf-8", "replace")
        file.seek(lengths[1] + lengths[2], 1)
        left -= ENTRY.size + sum(lengths)


def _directory(file: BinaryIO, name: str) -> tuple[int, int]:
    """Where the central directory begins, and its size."""
    length = file.seek(0, 2)
    tail_at = max(0, length - (1 << 16) - END.size - END64_LOCATOR.size)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06", 0, len(tail) - END.size + 4)
    if at < 0:
        raise DataError(
            f"{name}: the zip has no end: it is cut off, or one part of several; copy it again, or join them"
        )
    _, disk, first_disk, _, _, size, _, _ = END.unpack_from(tail, at)
    if disk not in {0, 0xFFFF} or first_disk not in {0, 0xFFFF}:
        raise DataError(
            f"{name}: the last of {disk + 1} parts of a zip; join them (zip -s 0 {name} --out FILE)"
        )
    end = tail_at + at
    locator = tail[max(0, at - END64_LOCATOR.size) : at]
    if locator.startswith(b"PK\x06\x07") and len(locator) == END64_LOCATOR.size:
        end -= END64.size + END64_LOCATOR.size
        file.seek(max(0, end))
        record = file.read(END64.size)
        if len(record) < END64.size or not record.startswith(b"PK\x06\x06"):
            raise DataError(f"{name}: damaged: the zip64 record is not where it should be; copy it again")
        size = END64.unpack(record)[8]
    if size > end:
        raise DataError(f"{name}: damaged: its list of members is longer than itself; copy it again")
    return end - size, size


def _refuse_overlaps(members: list[zipfile.ZipInfo], name: str) -> None:
    """Members that share bytes make a small archive large without nesting (Fifield 2019, WOOT)."""
    end = 0
    for member in members:
        if member.header_offset < end:
            raise LimitError(
                f"{name}: {shown(member.filename)} lies within another member: a decompression bomb, or "
                "damaged; nothing was unpacked"
            )
        end = member.header_offset + LOCAL.size + member.compress_size


def _member(archive: zipfile.ZipFile, file: BinaryIO, member: zipfile.ZipInfo, sink: Sink, name: str) -> None:
    path = member.orig_filename
    mode = stat.S_IFMT(member.external_attr >> 16) if member.create_system == 3 else 0
    if path.endswith(("/", "\\")):  # not `is_dir`: a name that begins with NUL is empty there
        sink.make(path)
        return
    if mode not in {0, stat.S_IFREG}:
        sink.refuse(path, "a symbolic link" if mode == stat.S_IFLNK else "no plain file")
        return
    if member.flag_bits & 1 or member.compress_type == 99:
        raise DataError(
            f"{name}: {shown(path)} is encrypted; unpack it with its password, and give the files"
        )
    output = sink.file(path)
    if output is None:
        return
    try:
        if member.compress_type == DEFLATE64:
            _deflate64(file, member, output)
        else:
            with archive.open(member) as packed:
                while data := packed.read(CHUNK):
                    output.write(data)
        if output.bytes != member.file_size:
            raise zipfile.BadZipFile(f"{output.bytes} bytes, {member.file_size} are stated")
    except NotImplementedError as error:  # how zipfile says that it does not know the method
        raise DataError(
            f"{name}: {shown(path)} is packed by zip method {member.compress_type}, which is not known here; "
            "pack it again as a plain zip"
        ) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, struct.error) as error:
        raise DataError(f"{name}: {shown(path)} is damaged: {error}; copy it again") from error
    finally:
        output.close()


def _deflate64(file: BinaryIO, member: zipfile.ZipInfo, output: Output) -> None:
    """Unpack what Windows packs larger files by, which zipfile does not know."""
    from inflate64 import Inflater

    file.seek(member.header_offset)
    head = file.read(LOCAL.size)
    if len(head) < LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("it is not where it should be")
    file.seek(sum(LOCAL.unpack(head)[10:12]), 1)
    decoder = Inflater()
    left, checksum = member.compress_size, 0
    while left and not decoder.eof:
        packed = file.read(min(left, DEFLATE64_INPUT))
        if not packed:
            raise EOFError("it is cut off")
        left -= len(packed)
        data = decoder.inflate(packed)
        checksum = zlib.crc32(data, checksum)
        output.write(data)
    if checksum != member.CRC:
        raise zipfile.BadZipFile("its checksum is wrong")
