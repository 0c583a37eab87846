"""Pictures as one recording: which files, whether they are alike, and their frames."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.block_memory import empty_block
from ingest.formats import HEAD_BYTES, folder_files, natural_key
from ingest.images.bmp import is_bmp_head, open_bmp
from ingest.images.decoding import read_picture
from ingest.images.picture import Kind, Picture, TruncatedPictureError
from ingest.images.png import MAGIC as PNG_MAGIC
from ingest.images.png import open_png
from ingest.images.tiff import open_tiff
from ingest.images.times import picture_stamps
from ingest.rawfile import check_span, frames_per_shard, read_blocks
from ingest.stamps import solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.caveats import Caveat, Note
from reduction.cores import on_all_cores
from reduction.errors import DataError
from reduction.stack import FrameBlock, SourceInfo

SUFFIXES: dict[str, Kind] = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".bmp": "bmp"}
OPENERS: dict[Kind, Callable[[Path], tuple[list[Picture], int]]] = {
    "png": lambda path: ([open_png(path)], 0),
    "bmp": lambda path: ([open_bmp(path)], 0),
    "tiff": open_tiff,
}


def picture_kind(head: bytes) -> Kind | None:
    """Format of a picture by its first bytes; None if it is none that is read."""
    if head.startswith(PNG_MAGIC):
        return "png"
    if head[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
        return "tiff"
    return "bmp" if is_bmp_head(head) else None


def has_pictures(folder: Path) -> bool:
    """Whether a file that stands directly in a folder is a picture."""
    return any(_kind_of(member) is not None for member in folder_files(folder))


class PictureStack:
    """Pictures, as a source and as a stack.

    Grey pictures are frames ``(y, x)``, colour ones ``(c, y, x)`` in the order R, G, B; alpha is left out.
    Files stand in natural order of their paths, pages in the order of their file.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders; of a folder the pictures of its most frequent format are taken.
    times : TimeOptions
        What the person says about times.

    Raises
    ------
    DataError
        A picture is damaged, cut off (but for the last), or unlike the first.
    RequestError
        The times options do not fit.
    """

    def __init__(self, paths: Sequence[Path], times: TimeOptions) -> None:
        files, notes = _files(paths)
        self._pictures, cut = _open_all(files)
        _check_alike(self._pictures)
        first = self._pictures[0]
        self.info = SourceInfo(
            format="images",
            name=paths[0].resolve().name if len(paths) == 1 else first.path.parent.name,
            shape=(len(self._pictures), *first.frame_shape),
            dtype=first.dtype,
            bit_depth=first.bits,
            colour="rgb" if first.planes == 3 else "mono",
            exposure_s=first.exif.exposure_s,
            metadata=_metadata(self._pictures, len(files)),
            notes=(*notes, *cut),
        )
        stamps = picture_stamps(self._pictures)
        self.times = apply_times(solve(stamps, times.meaning), len(self._pictures), times)
        self.known_digests: NDArray[np.uint8] | None = None
        self.shard_size = frames_per_shard(self.info.frame_bytes)
        self._closed = False

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``; safe in several threads.

        Raises
        ------
        DataError
            A picture cannot be unpacked, or has vanished since the opening.
        """
        check_span(self.info.name, start, stop, self.info.frames)
        if self._closed:
            raise ValueError(f"{self.info.name}: read after close")
        frames = empty_block((stop - start, *self.info.frame_shape), self.info.dtype)

        def fill(row: int) -> None:
            frames[row] = read_picture(self._pictures[start + row])

        on_all_cores(fill, range(stop - start))
        return frames

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Blocks of `size` frames from frame `start`."""
        return read_blocks(self, size, start)

    def close(self) -> None:
        """Nothing is open between reads."""
        self._closed = True


def open_images(paths: Sequence[Path], times: TimeOptions) -> PictureStack:
    """Open pictures as one recording; raises as `PictureStack`."""
    return PictureStack(paths, times)


def _kind_of(path: Path) -> Kind | None:
    """Format by content, or by name where the content is none of ours: then it is damaged."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
    return picture_kind(head) or SUFFIXES.get(path.suffix.lower())


def _files(paths: Sequence[Path]) -> tuple[list[tuple[Path, Kind]], list[Note]]:
    """Files of the inputs with their formats, sorted."""
    found: list[tuple[Path, Kind]] = []
    notes = []
    for path in paths:
        if not path.is_dir():
            kind = _kind_of(path)
            if kind is None:
                raise DataError(f"{path.name}: no PNG, TIFF or BMP picture, as the first input is")
            found.append((path, kind))
            continue
        members = [(member, kind) for member in folder_files(path) if (kind := _kind_of(member)) is not None]
        tally = Counter(kind for _, kind in members)
        usual = tally.most_common(1)[0][0] if tally else None
        found += [(member, kind) for member, kind in members if kind == usual]
        others = ", ".join(f"{count} {kind.upper()}" for kind, count in tally.items() if kind != usual)
        if usual is not None and others:
            text = f"{path.name}: {others} pictures beside {tally[usual]} {usual.upper()} are left out"
            notes.append(Note(Caveat.FRAMES_EXCLUDED, text))
    return sorted(dict.fromkeys(found), key=lambda item: natural_key(item[0])), notes


def _open_all(files: Sequence[tuple[Path, Kind]]) -> tuple[list[Picture], list[Note]]:
    """Pictures of all files; a last one that is cut off is left out, any other is an error."""
    if not files:
        raise DataError("no picture among the inputs")
    pictures: list[Picture] = []
    for path, kind in files:
        last = path == files[-1][0]
        try:
            found, lost = OPENERS[kind](path)
            if last and len(files) > 1 and found[-1].decoder != "plain":
                read_picture(found[-1])  # whether a packed picture is whole shows in unpacking it
        except TruncatedPictureError as error:
            if not last or not pictures:
                raise
            text = f"the last file of the sequence is left out: {error}"
            return pictures, [Note(Caveat.FILE_TRUNCATED, text)]
        if lost and not last:
            raise DataError(f"{path.name}: truncated after {len(found)} whole pages; re-copy the file")
        pictures += found
        if lost:
            text = f"{path.name}: truncated: {len(found)} whole pages are there and are used"
            return pictures, [Note(Caveat.FILE_TRUNCATED, text)]
    return pictures, []


def _check_alike(pictures: Sequence[Picture]) -> None:
    """Raise unless all pictures agree with the first in geometry and type."""
    first = pictures[0]
    for picture in pictures[1:]:
        if picture.frame_shape != first.frame_shape or picture.dtype != first.dtype:
            raise DataError(
                f"{picture.where}: {picture.geometry}, but {first.path.name} is {first.geometry}; the frames "
                "of a recording are alike: take the odd one out of the folder"
            )


def _metadata(pictures: Sequence[Picture], files: int) -> dict[str, str]:
    first = pictures[0]
    metadata = {"files": str(files), "picture_format": first.kind.upper()}
    if len(pictures) > files:
        metadata["pages"] = str(len(pictures))
    if first.samples in {2, 4}:
        metadata["alpha"] = "left out"
    if first.inverted:
        metadata["scaling"] = "zero is white in the file: levels are turned round"
    return metadata
