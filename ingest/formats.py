"""The formats that can be read: one row each, recognised by content, opened by a module imported on use.

A new reader is one file, one row in `FORMATS`, and one subclass of the contract suite.
"""

import glob
import importlib
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from ingest.archives.kinds import kind_of_file
from ingest.side_files import find_beside
from ingest.timeoptions import TimeOptions
from reduction.errors import DataError, RequestError
from reduction.stack import FrameSource, Stack

HEAD_BYTES = 4096
PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
Opener = Callable[[Sequence[Path], TimeOptions], FrameSource]


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table.

    Attributes
    ----------
    name : str
        As in `SourceInfo.format`.
    recognise : callable
        ``(head, path) -> bool`` from the first `HEAD_BYTES` of a file; for a folder `head` is empty.
    opener : str
        ``"module:function"``; the function takes the paths (one, unless `many`) and the times options.
    random_access : bool
        The opened object is a `Stack` too.
    description : str
        For people.
    suffixes : tuple of str
        Usual names; nothing is recognised by these alone.
    many : bool
        Several files make one recording.
    times : str
        Where times come from and what they mean, for people.
    """

    name: str
    recognise: Callable[[bytes, Path], bool]
    opener: str
    random_access: bool
    description: str
    suffixes: tuple[str, ...]
    many: bool = False
    times: str = ""


def _is_ser(head: bytes, _path: Path) -> bool:
    return head.startswith(b"LUCAM-RECORDER")


def _is_ravf(head: bytes, _path: Path) -> bool:
    return head.startswith(b"RAVF")


def _is_fits(head: bytes, path: Path) -> bool:
    if path.is_dir():
        return any(is_fits_file(member) for member in folder_files(path))
    return is_fits_head(head)


def _is_fstf(head: bytes) -> bool:
    return head.startswith(b"FSTF")


def _is_adv(head: bytes, path: Path) -> bool:
    return _is_fstf(head) and not _is_aav(head, path)


def _is_aav(head: bytes, path: Path) -> bool:
    """FSTF of analogue video: its metadata say so."""
    if not _is_fstf(head):
        return False
    from ingest.fstf.source import is_analogue

    return is_analogue(path)


def _is_images(head: bytes, path: Path) -> bool:
    from ingest.images.source import has_pictures, picture_kind

    if not path.is_dir():
        return picture_kind(head) is not None
    beside = [file for file in folder_files(path) if file.suffix.lower() not in PICTURE_SUFFIXES]
    return has_pictures(path) and not any(_is_recording(file) for file in beside)


def _is_recording(path: Path) -> bool:
    """Whether a file is a whole recording by itself: a finder chart beside it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return any(row.recognise(head, path) for row in FORMATS if not row.many and row.name != "zarr")


def _is_video(head: bytes, _path: Path) -> bool:
    """AVI, MP4 or MOV (by its first atom), or Matroska (EBML)."""
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    atoms = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
    return head[4:8] in atoms or head.startswith(b"\x1a\x45\xdf\xa3")


def _is_zarr(_head: bytes, path: Path) -> bool:
    return (path / "zarr.json").is_file()


FSTF = "ingest.fstf.source:open_fstf"
FORMATS: tuple[Format, ...] = (
    Format(
        "zarr",
        _is_zarr,
        "ingest.stack:open_zarr",
        True,
        "Zarr stack of Umbra's",
        (".zarr",),
        times="those it was made with, or a later version of them",
    ),
    Format(
        "ser",
        _is_ser,
        "ingest.ser:open_ser",
        True,
        "SER video",
        (".ser",),
        times="trailer; what a stamp names is not in the format: `--time-is`",
    ),
    Format(
        "ravf",
        _is_ravf,
        "ingest.ravf.source:open_ravf",
        True,
        "RAVF video of 8 to 16 bits, packed or not (Astrid)",
        (".ravf",),
        times="start of exposure, GPS, with the receiver's state and dropped frames",
    ),
    Format(
        "fits",
        _is_fits,
        "ingest.fits:open_fits",
        True,
        "FITS files, a folder of them, or a cube",
        (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz"),
        many=True,
        times="DATE-BEG, DATE-AVG, DATE-END, DATE-OBS, MJD or JD; of a cube a table or a cadence",
    ),
    Format(
        "adv",
        _is_adv,
        FSTF,
        True,
        "Astro Digital Video (ADV), versions 1 and 2",
        (".adv",),
        times="GPS; version 1 middle, version 2 start of exposure",
    ),
    Format(
        "aav",
        _is_aav,
        FSTF,
        True,
        "Astronomical Analogue Video (AAV), versions 1 and 2",
        (".aav",),
        times="of the recorder's reading of the inserter, or NTP",
    ),
    Format(
        "video",
        _is_video,
        "ingest.video:open_video",
        False,
        "AVI, MP4, MOV or Matroska video",
        (".avi", ".mp4", ".mov", ".mkv", ".m4v"),
        times="none in the container is UTC: `--times`, or `--start-utc` with `--cadence`",
    ),
    Format(
        "images",
        _is_images,
        "ingest.images.source:open_images",
        True,
        "PNG, TIFF or BMP pictures, a folder of them, or a TIFF of many pages",
        PICTURE_SUFFIXES,
        many=True,
        times="EXIF with its offset from UTC, or names that end their time with Z; else none",
    ),
)


def open_source(inputs: str | Path | Sequence[str | Path], times: TimeOptions | None = None) -> FrameSource:
    """Open a recording, whatever it is.

    Parameters
    ----------
    inputs : path, or sequence of paths
        One file, one folder, a glob, or the several files of one recording.
    times : TimeOptions, optional
        What the person says about times.

    Raises
    ------
    RequestError
        An input does not exist, a glob matches nothing, or several files are given for a format with one.
    DataError
        An input is empty, unreadable, or no recording.
    """
    return _open(*identify(inputs), times)


def open_in_place(
    inputs: str | Path | Sequence[str | Path], times: TimeOptions | None = None
) -> Stack | None:
    """Open a recording for random access without a copy; None where its format has none.

    Raises as `open_source`.
    """
    row, paths = identify(inputs)
    return cast(Stack, _open(row, paths, times)) if row.random_access else None


def identify(inputs: str | Path | Sequence[str | Path]) -> tuple[Format, list[Path]]:
    """Which format the inputs have, by content, and their paths with globs expanded.

    The first input decides; of a format with several files the reader checks that the others are like it.
    """
    paths = expand(inputs)
    row = recognise(paths[0])
    if len(paths) > 1 and not row.many:
        raise RequestError(
            f"{len(paths)} inputs, the first ({paths[0].name}) is {row.description}: "
            "give one recording at a time"
        )
    return row, paths


def expand(inputs: str | Path | Sequence[str | Path]) -> list[Path]:
    """Paths that exist, in the order given; a glob in natural order.

    Raises
    ------
    RequestError
        Nothing is given, an input does not exist, or a glob matches nothing.
    """
    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not given:
        raise RequestError("no input: give a file, a folder or a pattern")
    paths: list[Path] = []
    for item in given:
        path = Path(item)
        if _exists(path):
            paths.append(path)
            continue
        if not glob.has_magic(str(item)):
            raise RequestError(f"{item}: no such file or folder")
        found = glob.iglob(str(item), recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
        matches = sorted(map(Path, found), key=natural_key)
        if not matches:
            raise RequestError(f"{item}: the pattern matches no file")
        paths += matches
    return list(dict.fromkeys(paths))


def recognise(path: Path) -> Format:
    """Return the row of the table whose content this is.

    Raises
    ------
    DataError
        The file is empty, cannot be read, or is of no known format.
    """
    head = b"" if path.is_dir() else _head(path)
    for row in FORMATS:
        if row.recognise(head, path):
            return row
    if kind_of_file(path) is not None:
        raise DataError(f"{path.name}: an archive; take out what is meant with umbra unpack, and give that")
    known = "; ".join(f"{row.name} ({row.description})" for row in FORMATS)
    if path.is_dir():
        raise DataError(f"{path.name}: a folder without a recording that can be read; known formats: {known}")
    raise DataError(f"{path.name}: not a recording: begins with {head[:16]!r}; known formats: {known}")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key in which ``x2`` comes before ``x10``; numbers before letters, folders first."""
    parts = re.split(r"(\d+)", str(path).casefold())
    return [(0, int(part), part) if part.isdecimal() and part.isascii() else (1, 0, part) for part in parts]


def folder_files(folder: Path) -> list[Path]:
    """Files that stand directly in a folder, hidden ones left out, in natural order."""
    try:
        members = [
            member for member in folder.iterdir() if not member.name.startswith(".") and member.is_file()
        ]
    except OSError as error:
        raise DataError(f"{folder.name}: cannot list the folder: {error.strerror}") from error
    return sorted(members, key=natural_key)


def is_fits_file(path: Path) -> bool:
    """Whether a file begins as FITS does, plain or inside gzip."""
    try:
        with path.open("rb") as file:
            return is_fits_head(file.read(HEAD_BYTES))
    except OSError:
        return False


def is_fits_head(head: bytes) -> bool:
    """Whether bytes begin as FITS does (``SIMPLE  =``, standard 4.0, 4.4.1), plain or inside gzip."""
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 32)
        except zlib.error:
            return False
    return head.startswith(b"SIMPLE  =")


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise DataError(f"{path.name}: neither a file nor a folder")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
    if not head:
        raise DataError(f"{path.name}: the file is empty (0 bytes)")
    return head


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _open(row: Format, paths: Sequence[Path], times: TimeOptions | None) -> FrameSource:
    module, function = row.opener.split(":")
    opener = cast(Opener, getattr(importlib.import_module(module), function))
    if times is None or times.vti is None:
        beside = () if row.name == "zarr" else find_beside(paths)
        return opener(paths, replace(times or TimeOptions(), beside=beside))
    from ingest.burnt_in import with_burnt_in_times

    return with_burnt_in_times(opener(paths, TimeOptions()), times)
