"""FITS as a recording: a file per frame (folder, glob, list), or one cube; plain, .gz, .fz; read in place.

Order: files stand in natural order of their paths (``x2`` before ``x10``), whatever the order given; times
that then decrease are a caveat, never a reason to reorder. Calibration files among light files are left out.
Integers stay integers; a real BSCALE or BZERO, or BLANK, makes floats.
"""

import gzip
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest import fits_keywords, fits_times
from ingest.block_memory import empty_block
from ingest.fits_header import FitsHeader, FitsImage, TruncatedError, read_image
from ingest.fits_keywords import KEPT_KEYS, ImageType, image_type, stated_type
from ingest.fits_pixels import decode, read_file, read_tiles, time_table, unpack_into
from ingest.formats import folder_files, is_fits_file, natural_key
from ingest.prereduction import TRAIT_KEYS, CalibrationFile, traits_of
from ingest.rawfile import RawFile, check_span, frames_per_shard, read_blocks
from ingest.stamps import solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.stack import FrameBlock, SourceInfo

SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz", ".fit.fz")
WANTED = fits_times.WANTED | fits_keywords.WANTED | TRAIT_KEYS
MAX_FRAMES = 20_000_000


@dataclass(frozen=True, slots=True)
class _File:
    image: FitsImage
    header: FitsHeader
    kind: ImageType | None


def fits_paths(paths: Sequence[Path]) -> list[Path]:
    """FITS files of the inputs, sorted; in folders those that look like FITS or are named so."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        found += [
            member
            for member in folder_files(path)
            if member.name.lower().endswith(SUFFIXES) or is_fits_file(member)
        ]
    return sorted(dict.fromkeys(found), key=natural_key)


class FitsStack:
    """A FITS recording, as a source and as a stack.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders.
    times : TimeOptions
        What the person says about times.
    wanted : ImageType
        The files of this type are taken where there are some; those of other stated types are left out.

    Raises
    ------
    DataError
        A file is no FITS image, damaged, truncated (but for the last of a sequence), or unlike the
        first.
    RequestError
        The times options do not fit.
    """

    def __init__(self, paths: Sequence[Path], times: TimeOptions, wanted: ImageType = "light") -> None:
        files, notes = _read_headers(fits_paths(paths))
        everything = files
        files, left_out = _of_type(files, wanted)
        notes += left_out
        first = files[0]
        cube = len(files) == 1 and _is_cube(first)
        self._raw: RawFile | None = None
        self._unpacked: gzip.GzipFile | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._images = [file.image for file in files]
        axes = first.image.axes
        frame_shape, frames = (axes[1:], axes[0]) if cube else (axes, len(files))
        if cube:
            frames, cut = _whole_frames(first.image)
            notes += cut
        _check_alike(files)
        name = first.image.path.name if len(files) == 1 else first.image.path.parent.name
        self.info = _info(name, files, (frames, *frame_shape), notes, paths)
        self.traits = traits_of(first.header, frame_shape)
        self.calibration_files = _calibration_files(everything, files)
        if self.calibration_files:
            metadata = {**self.info.metadata, "frame_types": _types_text(everything)}
            self.info = replace(self.info, metadata=metadata)
        if cube:
            table = time_table(first.image, frames)
            stamps = fits_times.cube_stamps(first.header, frames, table, times.meaning)
        else:
            stamps = fits_times.sequence_stamps([file.header for file in files], times.meaning)
        self.times = apply_times(solve(stamps, times.meaning), frames, times)
        self._cube = cube
        self.known_digests: NDArray[np.uint8] | None = None
        self.shard_size = frames_per_shard(self.info.frame_bytes)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames `start` to `stop` (excluded), ``(n, y, x)`` or ``(n, c, y, x)``; safe in several threads.

        Raises
        ------
        DataError
            Pixels that cannot be unpacked, or that have vanished since the opening.
        """
        check_span(self.info.name, start, stop, self.info.frames)
        if self._closed:
            raise ValueError(f"{self.info.name}: read after close")
        shape = (stop - start, *self.info.frame_shape)
        if self._cube:
            return self._read_cube(start, shape)
        images = self._images[start:stop]
        if images and all(image.access == "plain" and image.scaling == images[0].scaling for image in images):
            return _read_plain(images, shape)
        values = empty_block(shape, self.info.dtype)
        for row, image in zip(values, images, strict=True):
            row[...] = read_file(image)
        return values

    def _read_cube(self, start: int, shape: tuple[int, ...]) -> NDArray[Any]:
        (image,) = self._images
        if image.access == "tiles":
            return decode(read_tiles(image, slice(start, start + shape[0])).reshape(shape), image.scaling)
        raw = empty_block(shape, image.scaling.raw)
        offset = image.offset + start * (raw.nbytes // max(1, shape[0]))
        if image.access == "plain":
            with self._lock:
                if self._raw is None:
                    self._raw = RawFile(image.path)
            self._raw.read_into(raw, offset)
        else:
            with self._lock:
                if self._unpacked is None:
                    self._unpacked = gzip.GzipFile(image.path, "rb")
                unpack_into(self._unpacked, raw, offset, image.path.name)
        return decode(raw, image.scaling)

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Blocks of `size` frames from frame `start`."""
        return read_blocks(self, size, start)

    def close(self) -> None:
        """Release the file that a cube keeps open."""
        with self._lock:
            self._closed = True
            for file in (self._raw, self._unpacked):
                if file is not None:
                    file.close()


def _read_plain(images: Sequence[FitsImage], shape: tuple[int, ...]) -> NDArray[Any]:
    """Plain files of one scaling, read where they end up and decoded together."""
    raw = empty_block(shape, images[0].scaling.raw)
    for row, image in zip(raw, images, strict=True):
        file = RawFile(image.path)
        try:
            file.read_into(row, image.offset)
        finally:
            file.close()
    return decode(raw, images[0].scaling)


def open_fits(paths: Sequence[Path], times: TimeOptions) -> FitsStack:
    """Open FITS files as one recording of light frames; raises as `FitsStack`."""
    return FitsStack(paths, times)


def _read_headers(paths: Sequence[Path]) -> tuple[list[_File], list[Note]]:
    """Headers of all files; a last file of a sequence that is cut off is left out, any other is an error."""
    if not paths:
        raise DataError("no FITS file among the inputs")
    files: list[_File] = []
    for path in paths:
        try:
            image, header = read_image(path, WANTED)
            _check_whole(image, len(paths) > 1, path is paths[-1])
        except TruncatedError as error:
            if path is not paths[-1] or not files:
                raise
            text = f"the last file of the sequence is left out: {error}"
            return files, [Note(Caveat.FILE_TRUNCATED, text)]
        files.append(_File(image, header, image_type(header)))
    return files, []


def _check_whole(image: FitsImage, sequence: bool, last: bool) -> None:
    """Raise on a truncated file; of a single cube the whole frames are kept later."""
    missing = image.missing_bytes
    if missing and (sequence or len(image.axes) == 2):
        raise TruncatedError(
            f"{image.path.name}: truncated: {missing} of {image.data_bytes} bytes of pixels are missing; "
            "re-copy the file"
        )
    if sequence and last and image.access == "gzip":
        read_file(image)  # whether a gzip stream is whole shows in unpacking it


def _of_type(files: list[_File], wanted: ImageType) -> tuple[list[_File], list[Note]]:
    """Files of one type where there are some; of unknown type count as light."""
    notes = []
    unknown = [file for file in files if file.kind is None]
    if unknown:
        word = stated_type(unknown[0].header)
        text = f"image type {word!r} of {len(unknown)} files is not known; they are taken as light frames"
        notes.append(Note(Caveat.IMAGE_TYPE_UNKNOWN, text))
    chosen = [file for file in files if (file.kind or "light") == wanted]
    others = Counter(file.kind or "light" for file in files if (file.kind or "light") != wanted)
    if not chosen:
        return files, notes
    if others:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
        text = f"{others.total()} files that are not {wanted} frames are left out: {counts}"
        notes.append(Note(Caveat.FRAMES_EXCLUDED, text))
    return chosen, notes


def _calibration_files(files: Sequence[_File], taken: Sequence[_File]) -> tuple[CalibrationFile, ...]:
    """The files that are not taken and are bias, dark or flat frames, for whoever calibrates with them."""
    own = {id(file) for file in taken}
    found = []
    for file in files:
        if id(file) in own or file.kind is None or file.kind == "light":
            continue
        cube = _is_cube(file)
        shape = file.image.axes[1:] if cube else file.image.axes
        found.append(CalibrationFile(file.image.path, file.kind, traits_of(file.header, shape), cube))
    return tuple(found)


def _types_text(files: Sequence[_File]) -> str:
    """How many files there are of each type, exposures told apart."""
    counts: Counter[str] = Counter()
    for file in files:
        exposure = fits_times.exposure_s(file.header)
        at = "" if exposure is None or file.kind == "bias" else f" of {exposure:g} s"
        counts[f"{file.kind or 'light'}{at}"] += 1
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _is_cube(file: _File) -> bool:
    """Whether a single file's outer axis is time; three planes named as colours are one frame."""
    axes = file.image.axes
    kind = (file.header.text("CTYPE3") or "").upper()
    if len(axes) == 4 and axes[1] != 3:
        raise DataError(f"{file.image.path.name}: a FITS image of {axes}; a colour cube has 3 planes a frame")
    return len(axes) == 4 or (len(axes) == 3 and not (axes[0] == 3 and ("RGB" in kind or "COLO" in kind)))


def _whole_frames(image: FitsImage) -> tuple[int, list[Note]]:
    """Frames of a cube that are really there."""
    frames = image.axes[0]
    if frames > MAX_FRAMES:
        raise DataError(f"{image.path.name}: FITS header says {frames} frames; the header is damaged")
    if not image.missing_bytes or image.size is None:
        return frames, []
    whole = max(0, image.size - image.offset) // (image.data_bytes // frames)
    if not whole:
        raise DataError(
            f"{image.path.name}: truncated: not one whole frame of {frames} is there; re-copy the file"
        )
    text = f"{image.path.name}: truncated: {whole} of {frames} frames are whole and are used"
    return whole, [Note(Caveat.FILE_TRUNCATED, text)]


def _check_alike(files: Sequence[_File]) -> None:
    """Raise unless all files agree with the first in geometry and type."""
    first = files[0].image
    if len(files) > 1 and len(first.axes) > 2 and (len(first.axes) > 3 or first.axes[0] != 3):
        raise DataError(
            f"{first.path.name}: one of {len(files)} files, but a cube of {first.axes}; give one cube, or "
            "a file per frame"
        )
    for file in files[1:]:
        image = file.image
        if image.axes != first.axes or image.scaling.dtype != first.scaling.dtype:
            raise DataError(
                f"{image.path.name}: {_geometry(image)}, but {first.path.name} is {_geometry(first)}; "
                "the frames of a recording are alike"
            )


def _geometry(image: FitsImage) -> str:
    return f"{' x '.join(str(length) for length in reversed(image.axes))} {image.scaling.dtype}"


def _info(
    name: str, files: Sequence[_File], shape: tuple[int, ...], notes: Sequence[Note], paths: Sequence[Path]
) -> SourceInfo:
    first = files[0]
    header = first.header
    scaling = first.image.scaling
    metadata = {key.lower(): text for key in KEPT_KEYS if (text := header.text(key))}
    metadata["image_type"] = stated_type(header) or "not stated"
    metadata["files"] = str(len(files))
    if scaling.dtype.startswith("float") and np.dtype(scaling.raw).kind != "f":
        metadata["scaling"] = f"value = {scaling.zero:g} + {scaling.scale:g} x stored, blank {scaling.blank}"
    kind = np.dtype(scaling.dtype)
    stated = header.number("BITDEPTH")
    depth = 8 * kind.itemsize if kind.kind == "u" else 8 * kind.itemsize - 1 if kind.kind == "i" else 0
    if depth and stated is not None and 1 <= stated <= depth:
        depth = int(stated)
    return SourceInfo(
        format="fits",
        name=paths[0].resolve().name if len(paths) == 1 else name,
        shape=shape,
        dtype=scaling.dtype,
        bit_depth=depth,
        colour="rgb" if len(shape) == 4 else fits_keywords.mosaic(header),
        exposure_s=fits_times.exposure_s(header),
        gain_e_per_adu=fits_keywords.gain_e_per_adu(header),
        read_noise_e=fits_keywords.read_noise_e(header),
        metadata=metadata,
        notes=tuple(notes),
    )
