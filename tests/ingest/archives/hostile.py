"""Archives that mean harm, made byte by byte."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import py7zr

from tests.ingest.archives.making import seven_zip_bytes, tar_bytes, zip_bytes
from tests.ingest.archives.rar_writer import Entry, rar4, rar5

EVIL = b"evil"
ZEROS = bytes(4 << 20)


@dataclass(frozen=True)
class Part:
    """A member of a raw zip: what each of its headers says."""

    name: bytes
    data: bytes = EVIL
    mode: int = 0
    flags: int = 0
    stated: int | None = None
    method: int = 0
    local_name: bytes | None = None
    at: int | None = None
    """Where its header is said to be."""


def raw_zip(parts: Sequence[Part], *, directory_size: int | None = None, comment: bytes = b"") -> bytes:
    out, directory = b"", b""
    for part in parts:
        packed = zlib.compress(part.data)[2:-4] if part.method == 8 else part.data
        size = len(part.data) if part.stated is None else part.stated
        numbers = struct.pack("<III", zlib.crc32(part.data), len(packed), size)
        fixed = struct.pack("<HHHHH", 20, part.flags, part.method, 0, 0x21) + numbers
        place = len(out) if part.at is None else part.at
        name = part.name if part.local_name is None else part.local_name
        if part.at is None:
            out += b"PK\x03\x04" + fixed + struct.pack("<HH", len(name), 0) + name + packed
        directory += b"PK\x01\x02" + struct.pack("<H", 3 << 8 | 20) + fixed
        directory += struct.pack("<HHHHHII", len(part.name), 0, 0, 0, 0, part.mode << 16, place) + part.name
    size = len(directory) if directory_size is None else directory_size
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(parts), len(parts), size, len(out), len(comment))
    return out + directory + end + comment


def zip64_lie() -> bytes:
    """A zip64 record whose directory is larger than anything."""
    whole = raw_zip([Part(b"a.txt")])
    body, end = whole[:-22], whole[-22:]
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1 << 62, 1 << 62, 1 << 62, 1)
    return body + record + b"PK\x06\x07" + struct.pack("<IQI", 0, len(body), 1) + end


def overlapping(count: int = 30) -> bytes:
    """One kernel, many names."""
    kernel = Part(b"0", ZEROS[: 1 << 20], method=8)
    return raw_zip([kernel, *(replace(kernel, name=b"%d" % k, at=0) for k in range(1, count))])


def quoted() -> bytes:
    """Headers of later members lie quoted within the data of those before, as in Fifield 2019, figure 3."""
    kernel = b"\x00" * 50_000
    packed = zlib.compress(kernel)[2:-4]
    names = [b"%02d" % k for k in range(20)]
    data, sizes, body = kernel, [], packed
    heads: list[tuple[bytes, int, int, int]] = []
    for name in reversed(names):
        fixed = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0x21, zlib.crc32(data), len(body), len(data))
        head = b"PK\x03\x04" + fixed + struct.pack("<HH", len(name), 0) + name
        heads.insert(0, (name, zlib.crc32(data), len(body), len(data)))
        sizes.append(len(head))
        quote = b"\x00" + struct.pack("<HH", len(head), len(head) ^ 0xFFFF)
        body, data, file = quote + head + body, head + data, head + body
    directory, place = b"", 0
    for name, crc, packed_size, size in heads:
        fixed = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0x21, crc, packed_size, size)
        directory += b"PK\x01\x02\x14\x03" + fixed
        directory += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, place) + name
        place += 30 + len(name) + 5
    end = struct.pack("<HHHHIIH", 0, 0, len(heads), len(heads), len(directory), len(file), 0)
    return file + directory + b"PK\x05\x06" + end


def million() -> bytes:
    local = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0x21, 0, 0, 0, 1, 0) + b"e"
    entry = b"PK\x01\x02\x14\x00" + struct.pack("<HHHHHIII", 20, 0, 0, 0, 0x21, 0, 0, 0)
    entry += struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"e"
    directory = entry * 1_000_000
    end = struct.pack("<HHHHIIH", 0, 0, 0xFFFE, 0xFFFE, len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + end


def nested_bomb() -> bytes:
    inner = zip_bytes({"0": ZEROS})
    return zip_bytes({f"{k}.zip": inner for k in range(100)})


def raw_tar(
    infos: Sequence[tuple[tarfile.TarInfo, bytes]], form: Literal[0, 1, 2] = tarfile.GNU_FORMAT
) -> bytes:
    out = b""
    for info, data in infos:
        out += info.tobuf(form) + data + bytes(-len(data) % 512)
    return out + bytes(1024)


def tar_member(
    name: str, data: bytes = EVIL, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info, data


def tar_field(data: bytes, at: int, value: bytes) -> bytes:
    """The first header with a field replaced and its sum made right."""
    head = bytearray(data[:512])
    head[at : at + len(value)] = value
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + data[512:]


def pax(records: bytes, data: bytes = EVIL, stated: int | None = None) -> bytes:
    """A pax header before one member."""
    info, _ = tar_member("pax", records, tarfile.XHDTYPE)
    header = raw_tar([(info, records)], tarfile.USTAR_FORMAT)[:-1024]
    if stated is not None:
        header = tar_field(header, 124, b"%011o\0" % stated)
    return header + raw_tar([tar_member("plain", data)])


def pax_record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %s=%s\n" % (length, key, value)


def sparse() -> bytes:
    """GNU sparse: eight bytes that claim eight exbibytes, its map going on in a second block."""
    whole = raw_tar([tar_member("hole.ser", b"12345678", tarfile.GNUTYPE_SPARSE)])
    head = tar_field(whole[:512], 482, b"\x01" + b"\x80" + b"\0" * 3 + (1 << 63).to_bytes(8, "big"))
    return head + bytes(512) + whole[512:]


def xz_dictionary() -> bytes:
    """A block that asks for a dictionary of 4 GiB."""
    data = bytearray(lzma.compress(EVIL * 1000, preset=0))
    size = (data[12] + 1) * 4
    data[16] = 40
    data[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(data[12 : 12 + size - 4]))
    return bytes(data)


def seven_zip_plain(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}]) as archive:
        archive.set_encoded_header_mode(False)
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def seven_zip_patched(data: bytes, old: bytes, new: bytes) -> bytes:
    """The header with something replaced and its checksums made right."""
    offset, size = struct.unpack_from("<QQ", data, 12)
    header = data[32 + offset : 32 + offset + size]
    assert len(old) == len(new)
    assert old in header
    header = header.replace(old, new)
    start = struct.pack("<QQI", offset, size, zlib.crc32(header))
    lead = data[:8] + struct.pack("<I", zlib.crc32(start)) + start
    return lead + data[32 : 32 + offset] + header


def seven_zip_named(name: str) -> bytes:
    placeholder = "x" * len(name)
    made = seven_zip_plain({placeholder: EVIL})
    return seven_zip_patched(made, placeholder.encode("utf-16-le"), name.encode("utf-16-le"))


def seven_zip_link(folder: Path, target: str) -> bytes:
    link = folder / "link"
    link.symlink_to(target)
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        archive.write(link, "link")
        archive.writestr(EVIL, "link/evil.txt")
    link.unlink()
    return out.getvalue()


def seven_zip_start(offset: int, size: int) -> bytes:
    start = struct.pack("<QQI", offset, size, 0)
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + bytes(1000)


S_LINK, S_DEVICE, S_PIPE = 0o120777, 0o020666, 0o010666

HOSTILE: dict[str, Callable[[Path], bytes]] = {
    # zip: names
    "up.zip": lambda _: raw_zip([Part(b"../evil.txt")]),
    "inner-up.zip": lambda _: raw_zip([Part(b"a/b/../../../evil.txt")]),
    "spaced-up.zip": lambda _: raw_zip([Part(b".. /evil.txt")]),
    "absolute.zip": lambda box: raw_zip([Part(str(box / "evil.txt").encode())]),
    "drive.zip": lambda _: raw_zip([Part(b"C:/evil.txt"), Part(b"c:evil.txt")]),
    "backslash.zip": lambda _: raw_zip([Part(b"..\\evil.txt"), Part(b"a\\..\\..\\evil.txt")]),
    "share.zip": lambda _: raw_zip([Part(b"\\\\server\\share\\evil.txt")]),
    "nul.zip": lambda _: raw_zip([Part(b"good.txt\0/../../evil.txt")]),
    "two-names.zip": lambda _: raw_zip([Part(b"good.txt", local_name=b"../a.txt")]),
    "duplicates.zip": lambda _: raw_zip([Part(b"a.txt", b"%d" % k) for k in range(3)]),
    "case.zip": lambda _: raw_zip([Part(b"A.txt", b"1"), Part(b"a.TXT", b"2")]),
    "file-as-folder.zip": lambda _: raw_zip([Part(b"a", b"1"), Part(b"a/b", b"2")]),
    "folder-as-file.zip": lambda _: raw_zip([Part(b"a/b", b"1"), Part(b"a", b"2"), Part(b"a/b/c", b"3")]),
    "control.zip": lambda _: raw_zip([Part("a\n\x1b[2J\u202etxt.exe".encode(), flags=0x800)]),
    "encoding.zip": lambda _: raw_zip([Part(b"\xff\xfe\x80.txt", flags=0x800)]),
    "long.zip": lambda _: raw_zip([Part(b"n" * 60_000), Part(b"m" * 1000 + b".ser")]),
    "deep.zip": lambda _: raw_zip([Part(b"d/" * 900 + b"evil.txt")]),
    # zip: links and devices
    "link.zip": lambda box: raw_zip([Part(b"link", str(box).encode(), S_LINK), Part(b"link/evil.txt")]),
    "link-over.zip": lambda _: raw_zip([Part(b"f", b"../outside.txt", S_LINK), Part(b"f")]),
    "device.zip": lambda _: raw_zip([Part(b"null", b"", S_DEVICE), Part(b"pipe", b"", S_PIPE)]),
    # zip: sizes
    "bomb.zip": lambda _: zip_bytes({f"{k}": ZEROS for k in range(6)}),
    "nested-bomb.zip": lambda _: nested_bomb(),
    "overlap.zip": lambda _: overlapping(),
    "quoted.zip": lambda _: quoted(),
    "small-lie.zip": lambda _: raw_zip([Part(b"a", ZEROS, stated=10, method=8)]),
    "large-lie.zip": lambda _: raw_zip([Part(b"a", EVIL, stated=0xFFFFFFF0)]),
    "million.zip": lambda _: million(),
    "directory-lie.zip": lambda _: raw_zip([Part(b"a")], directory_size=0xFFFFFFF0),
    "zip64-lie.zip": lambda _: zip64_lie(),
    "two-ends.zip": lambda _: raw_zip([Part(b"a")], comment=raw_zip([Part(b"../evil.txt")])),
    # tar
    "up.tar": lambda _: raw_tar([tar_member("../evil.txt")]),
    "absolute.tar": lambda box: raw_tar([tar_member(str(box / "evil.txt"))]),
    "dots.tar": lambda _: raw_tar([tar_member("..", b"", tarfile.DIRTYPE), tar_member("a/..")]),
    "link.tar": lambda _: raw_tar(
        [tar_member("link", b"", tarfile.SYMTYPE, ".."), tar_member("link/evil.txt")]
    ),
    "hard.tar": lambda _: raw_tar([tar_member("h", b"", tarfile.LNKTYPE, "../outside.txt"), tar_member("h")]),
    "device.tar": lambda _: raw_tar(
        [tar_member("null", b"", tarfile.CHRTYPE), tar_member("pipe", b"", tarfile.FIFOTYPE)]
    ),
    "sparse.tar": lambda _: sparse(),
    "pax-up.tar": lambda _: pax(pax_record(b"path", b"../evil.txt")),
    "pax-sparse.tar": lambda _: pax(pax_record(b"GNU.sparse.realsize", b"9" * 18)),
    "pax-size.tar": lambda _: pax(pax_record(b"size", b"9" * 18)),
    "pax-negative.tar": lambda _: pax(pax_record(b"size", b"-5")),
    "pax-length.tar": lambda _: pax(b"99999999999 path=x\n"),
    "pax-zero.tar": lambda _: pax(b"0 path=x\n"),
    "pax-huge.tar": lambda _: pax(pax_record(b"path", b"x"), stated=0o77777777777),
    "negative.tar": lambda _: tar_field(raw_tar([tar_member("a")]), 124, b"\xff" * 12),
    "long-name.tar": lambda _: raw_tar([tar_member("../" * 60 + "evil.txt")]),
    "zeros.tar.gz": lambda _: gzip.compress(tar_bytes({"a.ser": ZEROS * 6})),
    # streams
    "garbage.gz": lambda _: gzip.compress(EVIL) + b"../evil" * 1000,
    "bomb.gz": lambda _: gzip.compress(ZEROS) * 6,
    "bomb.bz2": lambda _: bz2.compress(ZEROS) * 6,
    "bomb.xz": lambda _: lzma.compress(ZEROS) * 6,
    "dictionary.xz": lambda _: xz_dictionary(),
    "onion.gz": lambda _: gzip.compress(gzip.compress(gzip.compress(gzip.compress(EVIL)))),
    # 7z
    "up.7z": lambda _: seven_zip_named("../evil.txt"),
    "absolute.7z": lambda box: seven_zip_named(str(box / "evil.txt")),
    "drive.7z": lambda _: seven_zip_named("C:\\evil.txt"),
    "link.7z": lambda box: seven_zip_link(box, str(box)),
    "bomb.7z": lambda _: seven_zip_bytes({f"{k}": ZEROS for k in range(6)}),
    "dictionary.7z": lambda _: seven_zip_patched(
        seven_zip_plain({"a": EVIL}), b"\x21\x21\x01\x10", b"\x21\x21\x01\x28"
    ),
    "header.7z": lambda _: seven_zip_start(0, 1 << 40),
    "far.7z": lambda _: seven_zip_start(1 << 62, 100),
    # rar
    "up5.rar": lambda _: rar5([Entry("../evil.txt", EVIL)]),
    "absolute5.rar": lambda box: rar5([Entry(str(box / "evil.txt"), EVIL)]),
    "link5.rar": lambda _: rar5([Entry("link", link=".."), Entry("link/evil.txt", EVIL)]),
    "hard5.rar": lambda _: rar5([Entry("h", link="../outside.txt", hard=True), Entry("h", EVIL)]),
    "size5.rar": lambda _: rar5([Entry("a", EVIL, stated=1 << 50)]),
    "packed5.rar": lambda _: rar5([Entry("a", EVIL, packed=1 << 50)]),
    "header5.rar": lambda _: b"Rar!\x1a\x07\x01\x00" + bytes(4) + b"\xff" * 9 + b"\x7f" + bytes(100),
    "up4.rar": lambda _: rar4([Entry("..\\evil.txt", EVIL), Entry("../evil.txt", EVIL)]),
    "link4.rar": lambda _: rar4([Entry("link", link=".."), Entry("link/evil.txt", EVIL)]),
    "size4.rar": lambda _: rar4([Entry("a", EVIL, stated=0xFFFFFFF0)]),
    "packed4.rar": lambda _: rar4([Entry("a", EVIL, packed=0xFFFFFFF0, stated=0xFFFFFFF0)]),
}


def written(box: Path, name: str) -> Path:
    path = box / name
    path.write_bytes(HOSTILE[name](box))
    return path
