"""Recordings written to disk: SER, FITS sequences, lossless AVI, and times beside them.

Each writer takes frames one by one, so a recording of any length needs the memory of one frame, and
writes beside the goal, then renames: what exists is whole.
"""

import contextlib
import csv
import itertools
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from reduction.errors import RequestError
from reduction.stack import Colour
from reduction.timing import UNKNOWN_NS, utc_text

ByteOrder = Literal["little", "big"]
AviCodec = Literal["ffv1", "ffvhuff", "rawvideo"]

_SER_COLOUR: dict[str, int] = {
    "mono": 0,
    "rggb": 8,
    "grbg": 9,
    "gbrg": 10,
    "bggr": 11,
    "cyym": 16,
    "ycmy": 17,
    "ymcy": 18,
    "myyc": 19,
    "rgb": 100,
}
_TICKS_AT_EPOCH = 621_355_968_000_000_000  # .NET ticks (100 ns since year 1) of 1970-01-01


def ser_ticks(ns: int) -> int:
    """.NET ticks (100 ns since 0001-01-01) of POSIX UTC nanoseconds; 0 when unknown."""
    return 0 if ns == UNKNOWN_NS else _TICKS_AT_EPOCH + (int(ns) + 50) // 100


def write_ser(
    path: Path,
    frames: Iterable[NDArray[Any]],
    *,
    stamps_ns: NDArray[np.int64] | None = None,
    bit_depth: int | None = None,
    byte_order: ByteOrder = "little",
    order_field: int | None = None,
    colour: Colour = "mono",
    observer: str = "",
    instrument: str = "",
    telescope: str = "",
) -> None:
    """Write a SER version 3 file.

    Parameters
    ----------
    path : Path
        File to write.
    frames : iterable of array, (height, width) or (3, height, width)
        uint8 or uint16; three planes R, G, B when `colour` is ``rgb``.
    stamps_ns : array, (t,), int64, optional
        POSIX UTC nanoseconds for the trailer, 100 ns kept; without them no trailer is written and
        both header times are zero. What instant they name is not in the format.
    bit_depth : int, optional
        Of the header; 8 or 16 by the pixel type when None.
    byte_order : {'little', 'big'}
        Of 16-bit samples.
    order_field : int, optional
        The header's LittleEndian field. None follows the common writers, which put 0 for
        little-endian data and 1 for big-endian, the reverse of the specification.
    colour : Colour
        Mono, a Bayer pattern, or ``rgb``.
    observer, instrument, telescope : str
        Header texts, at most 40 bytes each.

    Raises
    ------
    RequestError
        No frames, frames that differ, or not as many stamps as frames.
    """
    first, rest = _first(frames, path)
    depth = bit_depth if bit_depth is not None else 8 * first.dtype.itemsize
    flag = order_field if order_field is not None else int(byte_order == "big")
    sample = np.dtype(first.dtype).newbyteorder("<" if byte_order == "little" else ">")
    height, width = first.shape[-2:]
    start = 0 if stamps_ns is None or not stamps_ns.size else ser_ticks(int(stamps_ns[0]))
    texts = [text.encode()[:40].ljust(40) for text in (observer, instrument, telescope)]
    with _beside(path) as goal, goal.open("wb") as file:
        file.write(bytes(178))
        count = 0
        for frame in rest:
            _check_frame(frame, first, path, count)
            plane_last = np.moveaxis(frame, 0, -1) if frame.ndim == 3 else frame
            file.write(np.ascontiguousarray(plane_last, dtype=sample).data)
            count += 1
        _write_trailer(file, stamps_ns, count, path)
        file.seek(0)
        file.write(
            struct.pack(
                "<14s7i", b"LUCAM-RECORDER", 0, _SER_COLOUR[colour], flag, width, height, depth, count
            )
            + b"".join(texts)
            + struct.pack("<2q", start, start)
        )


def _write_trailer(file: BinaryIO, stamps_ns: NDArray[np.int64] | None, count: int, path: Path) -> None:
    if stamps_ns is None:
        return
    if stamps_ns.shape != (count,):
        raise RequestError(f"{path.name}: {stamps_ns.shape[0]} time stamps for {count} frames")
    file.write(np.array([ser_ticks(int(ns)) for ns in stamps_ns], "<i8").tobytes())


def write_fits_sequence(
    folder: Path,
    frames: Iterable[NDArray[Any]],
    *,
    stamps_ns: NDArray[np.int64] | None = None,
    exposure_s: float | None = None,
    image_type: str = "LIGHT",
    gain_e_per_adu: float | None = None,
    read_noise_e: float | None = None,
    header: Mapping[str, str | float | int] | None = None,
    stem: str = "frame",
) -> None:
    """Write a folder of FITS files, one per frame: ``stem_000000.fits`` and on.

    Parameters
    ----------
    folder : Path
        Folder to make; it must not exist.
    frames : iterable of array, (height, width)
        uint8, uint16 (written as BITPIX 16 with BZERO 32768), or float32.
    stamps_ns : array, (t,), int64, optional
        POSIX UTC nanoseconds of the *start* of each exposure: DATE-OBS and DATE-BEG, with DATE-AVG and
        DATE-END from the exposure where that is known. Microseconds are kept.
    exposure_s : float, optional
        EXPTIME, seconds.
    image_type : str
        IMAGETYP: ``LIGHT``, ``DARK``, ``FLAT``, ``BIAS``.
    gain_e_per_adu, read_noise_e : float, optional
        EGAIN (e/ADU) and RDNOISE (e).
    header : mapping, optional
        Further keywords.
    stem : str
        Start of each file's name.

    Raises
    ------
    RequestError
        No frames, frames that differ, or fewer stamps than frames.
    """
    from astropy.io import fits

    first, rest = _first(frames, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with _beside(folder) as goal:
        goal.mkdir()
        for number, frame in enumerate(rest):
            _check_frame(frame, first, folder, number)
            hdu = fits.PrimaryHDU(frame)
            cards = hdu.header
            cards["IMAGETYP"] = image_type
            if exposure_s is not None:
                cards["EXPTIME"] = (exposure_s, "seconds")
            if gain_e_per_adu is not None:
                cards["EGAIN"] = (gain_e_per_adu, "electrons per ADU")
            if read_noise_e is not None:
                cards["RDNOISE"] = (read_noise_e, "electrons")
            if stamps_ns is not None:
                if number >= stamps_ns.size:
                    raise RequestError(f"{folder.name}: only {stamps_ns.size} time stamps")
                _write_dates(cards, int(stamps_ns[number]), exposure_s)
            for key, value in (header or {}).items():
                cards[key] = value
            hdu.writeto(goal / f"{stem}_{number:06d}.fits")
            count = number + 1
        if stamps_ns is not None and stamps_ns.size != count:
            raise RequestError(f"{folder.name}: {stamps_ns.size} time stamps for {count} frames")


def _write_dates(cards: Any, start_ns: int, exposure_s: float | None) -> None:
    if start_ns == UNKNOWN_NS:
        return
    cards["TIMESYS"] = "UTC"
    cards["DATE-OBS"] = (utc_text(start_ns).rstrip("Z"), "start of exposure")
    cards["DATE-BEG"] = utc_text(start_ns).rstrip("Z")
    if exposure_s is not None:
        cards["DATE-AVG"] = utc_text(start_ns + round(exposure_s * 5e8)).rstrip("Z")
        cards["DATE-END"] = utc_text(start_ns + round(exposure_s * 1e9)).rstrip("Z")


def write_avi(path: Path, frames: Iterable[NDArray[Any]], *, rate: float, codec: AviCodec = "ffv1") -> None:
    """Write a lossless grey AVI.

    Parameters
    ----------
    path : Path
        File to write.
    frames : iterable of array, (height, width)
        uint8 or uint16.
    rate : float
        Nominal frames per second of the container (no source of UTC).
    codec : {'ffv1', 'ffvhuff', 'rawvideo'}
        All lossless and intra-only.

    Raises
    ------
    RequestError
        No frames, or frames that differ.
    """
    import av

    first, rest = _first(frames, path)
    grey = "gray" if first.dtype == np.uint8 else "gray16le"
    with _beside(path) as goal, av.open(str(goal), "w", format="avi") as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1_000_000))
        stream.height, stream.width = first.shape
        stream.pix_fmt = grey
        for number, frame in enumerate(rest):
            _check_frame(frame, first, path, number)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=grey)
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def write_times_csv(
    path: Path, stamps_ns: NDArray[np.int64], exposure_s: NDArray[np.float64] | float | None = None
) -> None:
    """Write times beside a recording: ``frame,utc,exposure_s``, one row per frame with a known time.

    Parameters
    ----------
    path : Path
        File to write.
    stamps_ns : array, (t,), int64
        POSIX UTC nanoseconds; rows of unknown times are left out.
    exposure_s : array or float, optional
        Seconds; empty when None.
    """
    exposures = None if exposure_s is None else np.broadcast_to(exposure_s, stamps_ns.shape)
    with _beside(path) as goal, goal.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["frame", "utc", "exposure_s"])
        for number, ns in enumerate(stamps_ns):
            if ns != UNKNOWN_NS:
                exposure = "" if exposures is None else repr(float(exposures[number]))
                table.writerow([number, utc_text(int(ns), 9), exposure])


def _first(frames: Iterable[NDArray[Any]], path: Path) -> tuple[NDArray[Any], Iterator[NDArray[Any]]]:
    """First frame, and all of them."""
    iterator = iter(frames)
    try:
        first = next(iterator)
    except StopIteration:
        raise RequestError(f"{path.name}: no frames to write") from None
    return first, itertools.chain([first], iterator)


def _check_frame(frame: NDArray[Any], first: NDArray[Any], path: Path, number: int) -> None:
    if frame.shape != first.shape or frame.dtype != first.dtype:
        raise RequestError(
            f"{path.name}: frame {number} is {frame.dtype} {frame.shape}, frame 0 {first.dtype} {first.shape}"
        )


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a place in a scratch folder beside `path`; rename onto `path` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as scratch:
        goal = Path(scratch) / path.name
        yield goal
        goal.replace(path)
