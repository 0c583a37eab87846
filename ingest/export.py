"""A recording as FITS: every frame a file, or all of them one cube with a table of times.

Written beside and renamed: what stands under the goal's name is whole. Memory is that of one block of frames.
"""

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.export_cards import UNKNOWN_DIGEST, image_cards, source_cards, stored_type
from ingest.fits_cards import BLOCK, Card, card_offset, commentary, header_bytes
from ingest.fits_time_cards import date_text, errors_of, frame_cards, mjd, scale_cards
from ingest.solve.header import wcs_cards
from reduction.astrometry.solution import SkySolution
from reduction.cores import on_all_cores
from reduction.errors import RequestError, ResourceError
from reduction.outputs.folder import placed
from reduction.readahead import one_ahead
from reduction.stack import FrameSource, Stack, frame_digest, pixel_digest
from reduction.timing import UNKNOWN_NS, TimeSolution

BLOCK_BYTES = 16 << 20
FULL = {errno.ENOSPC, errno.EDQUOT}

Progress = Callable[[int, int], None]
SkyOfFrame = Callable[[int], SkySolution | None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes
    ----------
    path : Path
        The folder.
    files : int
        FITS files in it.
    frames : range
        Frames of the recording that they hold.
    digest : str or None
        Pixel digest of the whole recording, where it is known.
    """

    path: Path
    files: int
    frames: range
    digest: str | None


def parse_frames(text: str | None, total: int) -> range:
    """Frames by ``A:B`` (B excluded; either may be left out), of a recording with `total`.

    Raises
    ------
    RequestError
        Not two numbers, or no frames.
    """
    match = re.fullmatch(r"(\d{0,12}):(\d{0,12})", (text or ":").strip())
    if match is None:
        raise RequestError(f"--frames {text}: give A:B, two frame numbers of which either may be left out")
    first, last = int(match[1] or 0), int(match[2] or total)
    if not 0 <= first < last <= total:
        raise RequestError(f"--frames {text}: the recording has frames 0 to {total - 1} (A:B leaves B out)")
    return range(first, last)


def export_fits(
    source: FrameSource,
    folder: Path,
    *,
    frames: range | None = None,
    cube: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    sky: SkyOfFrame | None = None,
) -> Exported:
    """Write a recording as FITS.

    Parameters
    ----------
    source : FrameSource
        The recording; not closed here.
    folder : Path
        To be made: ``NAME_000000.fits`` and on by frame number, or ``NAME.fits`` with `cube`.
    frames : range, optional
        Consecutive frames to write; all by default.
    cube : bool
        One file of all frames; their times stand in a table behind it.
    overwrite : bool
        Replace the folder if it holds nothing but FITS files.
    progress : callable, optional
        Called with frames done and frames in all.
    sky : callable, optional
        The plate solution of a frame, by its number; None where there is none.

    Raises
    ------
    RequestError
        The folder is there, or holds something else than an export.
    DataError
        A frame cannot be read.
    ResourceError
        The disk is full or cannot be written; nothing is left.
    """
    chosen = range(source.info.frames) if frames is None else frames
    _check_goal(folder, overwrite)
    stem = re.sub(r"[^A-Za-z0-9._+-]+", "_", Path(source.info.name).stem).strip("._") or "recording"
    with _whole(folder) as beside:
        work = _Work(source, chosen, beside, stem, source.info.metadata, sky)
        digest = _write_cube(work, progress) if cube else _write_frames(work, progress)
    return Exported(folder, 1 if cube else len(chosen), chosen, digest)


@dataclass(slots=True)
class _Work:
    """One export on its way."""

    source: FrameSource
    chosen: range
    folder: Path
    stem: str
    metadata: Any
    sky: SkyOfFrame | None = None
    leaves: list[bytes] = field(default_factory=list)

    @property
    def stored_digest(self) -> str | None:
        """Pixel digest of the recording if it is kept beside the pixels."""
        known = self.source.known_digests if isinstance(self.source, Stack) else None
        info = self.source.info
        return None if known is None else str(pixel_digest(info.shape, info.dtype, known))

    def common(self) -> tuple[list[Card], bool]:
        """Cards of the recording, and whether its digest is to be filled in."""
        digest = self.stored_digest
        later = digest is None and len(self.chosen) == self.source.info.frames
        pixels = UNKNOWN_DIGEST if later else digest
        return list(source_cards(self.source.info, self.source.times, pixels)), later

    def digest(self, later: bool) -> str | None:
        """Pixel digest of the recording once all frames are written."""
        if not later:
            return self.stored_digest
        leaves = np.frombuffer(b"".join(self.leaves), np.uint8).reshape(-1, 32)
        return str(pixel_digest(self.source.info.shape, self.source.info.dtype, leaves))


def _blocks(work: _Work) -> Iterator[tuple[int, NDArray[Any]]]:
    """Chosen frames in blocks, one block read ahead: number of the first, and the frames."""
    first, last = work.chosen.start, work.chosen.stop
    size = max(1, BLOCK_BYTES // max(1, work.source.info.frame_bytes))
    with closing(one_ahead(work.source.blocks(size, first))) as blocks:
        for block in blocks:
            yield block.start, block.frames[: last - block.start]
            if block.start + len(block.frames) >= last:
                return


def _write_frames(work: _Work, progress: Progress | None) -> str | None:
    """A file per frame."""
    info, times = work.source.info, work.source.times
    common, later = work.common()
    structure = list(image_cards(info.dtype, info.frame_shape))
    digits = max(6, len(str(info.frames - 1)))
    offset = card_offset([*structure, *common], "PIXDIGST") if later else 0

    def write(item: tuple[int, NDArray[Any]]) -> bytes:
        number, frame = item
        own = [Card("FRAMENO", number, "number in the recording, from 0"), *frame_cards(times, number)]
        own += _sky_cards(work.sky, number, len(info.frame_shape))
        with (work.folder / f"{work.stem}_{number:0{digits}d}.fits").open("xb") as file:
            file.write(header_bytes([*structure, *common, *own]))
            file.write(_padded(_stored(frame)))
        return frame_digest(frame) if later else b""

    done = 0
    for start, frames in _blocks(work):
        work.leaves += on_all_cores(write, [(start + k, frame) for k, frame in enumerate(frames)])
        done += len(frames)
        if progress is not None:
            progress(done, len(work.chosen))
    digest = work.digest(later)
    if later and digest is not None:
        for path in work.folder.iterdir():
            _fill_in(path, offset, digest)
    return digest


def _write_cube(work: _Work, progress: Progress | None) -> str | None:
    """All frames in one file, then a table of their times."""
    info, times, chosen = work.source.info, work.source.times, work.chosen
    common, later = work.common()
    cards = [*image_cards(info.dtype, (len(chosen), *info.frame_shape)), *common]
    cards += [
        Card("FRAMENO", chosen.start, "number of the first frame in the recording"),
        *_span_cards(times, chosen),
        *_cube_sky_cards(work),
    ]
    path = work.folder / f"{work.stem}.fits"
    with path.open("xb") as file:
        file.write(header_bytes(cards))
        done = size = 0
        for _, frames in _blocks(work):
            if later:
                work.leaves += on_all_cores(frame_digest, list(frames))
            size += file.write(_stored(frames))
            done += len(frames)
            if progress is not None:
                progress(done, len(chosen))
        file.write(bytes(-size % BLOCK))
        file.write(_time_table(times, chosen))
    digest = work.digest(later)
    if later and digest is not None:
        _fill_in(path, card_offset(cards, "PIXDIGST"), digest)
    return digest


def _sky_cards(sky: SkyOfFrame | None, number: int, axes: int) -> Iterator[Card]:
    """The plate solution of a frame."""
    if sky is None:
        return
    found = sky(number)
    if found is None:
        text = "This frame could not be laid on the one whose plate is solved: no WCS."
        yield from commentary("COMMENT", text)
    else:
        yield from wcs_cards(found, axes)


def _cube_sky_cards(work: _Work) -> Iterator[Card]:
    """The plate solution of a cube's first frame; its third axis is the frame's number."""
    info, first = work.source.info, work.chosen.start
    if work.sky is None or len(info.frame_shape) != 2:
        return
    yield from _sky_cards(work.sky, first, 3)
    yield Card("CTYPE3", "FRAMENO", "number in the recording, from 0")
    yield Card("CRPIX3", 1.0)
    yield Card("CRVAL3", float(first))
    yield from commentary("COMMENT", f"The WCS holds on frame {first}, the first; the field drifts.")


def _span_cards(times: TimeSolution, chosen: range) -> Iterator[Card]:
    """Beginning and end of a cube, where the times of its first and last frame are known."""
    half = np.rint(times.exposure_s * 5e8)
    for key, frame, sign, comment in (
        ("DATE-BEG", chosen[0], -1, "UTC, start of the first frame"),
        ("DATE-END", chosen[-1], 1, "UTC, end of the last frame"),
    ):
        if times.mid_ns[frame] != UNKNOWN_NS and np.isfinite(half[frame]):
            yield Card(key, date_text(int(times.mid_ns[frame]) + sign * int(half[frame])), comment)


COLUMNS = (
    ("FRAMENO", ">i4", "1J", ""),
    ("DATE-AVG", "S26", "26A", ""),
    ("MJD-AVG", ">f8", "1D", "d"),
    ("EXPTIME", ">f8", "1D", "s"),
    ("TIMSYER", ">f8", "1D", "s"),
    ("TIMRDER", ">f8", "1D", "s"),
)
"""Name, type, form and unit of the columns of a cube's table."""


def _time_table(times: TimeSolution, chosen: range) -> bytes:
    """A binary table, a row per frame: number, middle of exposure, exposure, sigmas; blank where unknown."""
    rows = np.zeros(len(chosen), [(name, kind) for name, kind, _, _ in COLUMNS])
    part = slice(chosen.start, chosen.stop)
    mids = [int(ns) for ns in times.mid_ns[part]]
    rows["FRAMENO"] = np.arange(chosen.start, chosen.stop)
    rows["DATE-AVG"] = ["" if ns == UNKNOWN_NS else date_text(ns) for ns in mids]
    rows["MJD-AVG"] = [np.nan if ns == UNKNOWN_NS else mjd(ns) for ns in mids]
    rows["EXPTIME"] = times.exposure_s[part]
    rows["TIMSYER"], rows["TIMRDER"] = errors_of(times, part)
    cards = [
        Card("XTENSION", "BINTABLE"),
        Card("BITPIX", 8),
        Card("NAXIS", 2),
        Card("NAXIS1", rows.dtype.itemsize),
        Card("NAXIS2", len(rows)),
        Card("PCOUNT", 0),
        Card("GCOUNT", 1),
        Card("TFIELDS", len(COLUMNS)),
        Card("EXTNAME", "TIMES", "a row per frame of the cube"),
        *scale_cards(),
    ]
    for number, (name, _, form, unit) in enumerate(COLUMNS, 1):
        cards += [Card(f"TTYPE{number}", name), Card(f"TFORM{number}", form)]
        cards += [Card(f"TUNIT{number}", unit)] if unit else []
    return header_bytes(cards) + _padded(rows.tobytes())


def _stored(frames: NDArray[Any]) -> bytes:
    """Pixels as FITS stores them: big-endian, unsigned integers with their highest bit flipped."""
    _, zero = stored_type(frames.dtype.name)
    values = frames ^ frames.dtype.type(zero) if zero else frames
    return values.astype(values.dtype.newbyteorder(">")).tobytes()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _fill_in(path: Path, offset: int, digest: str) -> None:
    """Write a digest over the one that stands for it."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(digest.encode("ascii"))


def _check_goal(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not overwrite:
        raise RequestError(f"{folder}: exists; give another name, or --overwrite to replace an export")
    if not folder.is_dir() or any(not _ours(member) for member in folder.iterdir()):
        raise RequestError(f"{folder}: holds something else than FITS files; give another name")


def _ours(member: Path) -> bool:
    return member.is_file() and not member.is_symlink() and member.suffix == ".fits"


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the goal's place when all went well."""
    try:
        with placed(folder) as beside:
            yield beside
    except OSError as error:
        what = "the disk is full" if error.errno in FULL else f"cannot be written: {error.strerror or error}"
        raise ResourceError(f"{folder}: {what}; nothing was written") from error
