"""A plate solution as cards of a FITS header (TAN, or TAN-SIP), and read from one."""

import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.fits_cards import Card, header_bytes
from reduction.astrometry.plane import to_plane
from reduction.astrometry.solution import SkySolution, checked, orders, terms
from reduction.errors import RequestError

Floats = NDArray[np.float64]
MOST_BYTES = 4 << 20
ASSUMED_SIGMA_PX = 0.5
"""Uncertainty of a solution of another program that does not tell its own."""

HEADER_KEYS = ("CTYPE1", "CRVAL1")


def wcs_cards(solution: SkySolution, axes: int = 2) -> Iterator[Card]:
    """Cards of a solution (Greisen & Calabretta 2002, A&A 395, 1061; Shupe et al. 2005, ASPC 347, 491).

    Parameters
    ----------
    solution : SkySolution
        On the frame whose header it is.
    axes : int
        Axes of the image: 3 with colour planes or frames behind the two of the sky.
    """
    sip = "-SIP" if solution.degree > 1 else ""
    cd = solution.matrix
    if axes > 2:
        yield Card("WCSAXES", axes)
    yield Card("CTYPE1", f"RA---TAN{sip}", "gnomonic projection")
    yield Card("CTYPE2", f"DEC--TAN{sip}")
    yield Card("CUNIT1", "deg")
    yield Card("CUNIT2", "deg")
    yield Card("CRVAL1", solution.ra_deg, "[deg] right ascension at CRPIX")
    yield Card("CRVAL2", solution.dec_deg, "[deg] declination at CRPIX")
    yield Card("CRPIX1", solution.x0 + 1.0, "first pixel is 1")
    yield Card("CRPIX2", solution.y0 + 1.0)
    for i in range(2):
        for k in range(2):
            yield Card(f"CD{i + 1}_{k + 1}", float(cd[i, k]), "[deg / pixel]")
    for axis in range(3, axes + 1):
        yield Card(f"CD{axis}_{axis}", 1.0, "where any CDi_j stands, all others are 0")
    yield Card("RADESYS", "ICRS")
    if solution.epoch is not None:
        yield Card("WCSEPOCH", solution.epoch, "[a] epoch of the stars' positions")
    error = float(solution.sigma_px(solution.x0, solution.y0)) * solution.scale_arcsec / 3600.0
    yield Card("CRDER1", error, "[deg] random error in the middle")
    yield Card("CRDER2", error)
    if solution.degree > 1:
        yield from _sip_cards(solution)
    yield Card("WCSFRAME", solution.frame, "frame on which this holds, from 0")
    if math.isfinite(solution.rms_px):
        yield Card("WCSRMS", solution.rms_px, "[pix] rms residual, each axis")
    yield Card("WCSSTARS", solution.stars, "stars of the fit")


def _sip_cards(solution: SkySolution) -> Iterator[Card]:
    degree, unit = solution.degree, solution.unit_px
    inverse: Floats = np.linalg.inv(solution.matrix).astype(np.float64)
    forward = inverse @ np.stack([solution.xi, solution.eta])
    powers = orders(degree)
    for letter, row in (("A", 0), ("B", 1)):
        yield Card(f"{letter}_ORDER", degree)
        for (i, j), value in zip(powers, forward[row], strict=True):
            if i + j > 1:
                yield Card(f"{letter}_{i}_{j}", float(value) / unit ** (i + j))
    back, most = _back(solution, inverse), degree + 1
    for letter, row in (("AP", 0), ("BP", 1)):
        yield Card(f"{letter}_ORDER", most)
        for (i, j), value in zip(orders(most), back[row], strict=True):
            yield Card(f"{letter}_{i}_{j}", float(value) / unit ** (i + j))


def _back(solution: SkySolution, inverse: Floats) -> Floats:
    """Polynomials from linear to true pixels, fitted over the frame; pixels by (U / unit)^i (V / unit)^j."""
    x, y = np.meshgrid(np.linspace(0, solution.width - 1, 25), np.linspace(0, solution.height - 1, 25))
    u, v = (x.ravel() - solution.x0) / solution.unit_px, (y.ravel() - solution.y0) / solution.unit_px
    t = terms(u, v, solution.degree)
    linear = inverse @ np.stack([t @ solution.xi, t @ solution.eta])
    design = terms(linear[0] / solution.unit_px, linear[1] / solution.unit_px, solution.degree + 1)
    wanted = np.stack([u * solution.unit_px - linear[0], v * solution.unit_px - linear[1]], axis=1)
    return np.asarray(np.linalg.lstsq(design, wanted, rcond=None)[0].T, np.float64)


def wcs_file(solution: SkySolution) -> bytes:
    """A FITS file without data: what astrometry.net and others call NAME.wcs."""
    head = [
        Card("SIMPLE", True),
        Card("BITPIX", 8),
        Card("NAXIS", 0),
        Card("EXTEND", True),
        Card("IMAGEW", solution.width, "width of the frames"),
        Card("IMAGEH", solution.height, "height of the frames"),
        Card("SOLUTION", solution.digest, "digest of the .wcs.json beside"),
    ]
    return header_bytes([*head, *wcs_cards(solution)])


def read_wcs_file(path: Path, width: int, height: int, frame: int = 0) -> SkySolution:
    """A solution from the header of a FITS file, of whatever program: TAN or TAN-SIP, or one close to it.

    Parameters
    ----------
    path : Path
        A ``.wcs`` of astrometry.net, a FITS image with WCS cards, or a header as text.
    width, height : int
        Of the frames.
    frame : int
        The frame on which it holds, where it does not say so itself.

    Raises
    ------
    RequestError
        It cannot be read or holds no WCS, or is of frames of another size.
    """
    from astropy.io import fits
    from astropy.wcs import WCS

    header = _header(path)
    if "CTYPE1" not in header or "CRVAL1" not in header:
        raise RequestError(f"--wcs {path.name}: its header has no celestial WCS (CTYPE1, CRVAL1)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            size = [_whole(header.get(k)) for k in ("IMAGEW", "IMAGEH")]
            if None in size:
                size = [_whole(header.get(k)) for k in ("NAXIS1", "NAXIS2")]
            if None not in size and size != [width, height]:
                raise RequestError(
                    f"--wcs {path.name}: is of frames of {size[0]} x {size[1]} pixels, the recording has "
                    f"{width} x {height}"
                )
            wcs = WCS(header, naxis=2)
            if not wcs.has_celestial:
                raise RequestError(f"--wcs {path.name}: its header has no celestial WCS")
            solution = _fitted(wcs, header, width, height, frame)
            checked(solution)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, MemoryError,
                AssertionError, RuntimeError, fits.VerifyError, np.linalg.LinAlgError) as error:  # fmt: skip
            said = " ".join(str(error).split())[:160]
            raise RequestError(f"--wcs {path.name}: its WCS cannot be used: {said}") from error
    return solution


def _header(path: Path) -> Any:
    from astropy.io import fits

    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
    except OSError as error:
        raise RequestError(f"--wcs {path}: cannot be read: {error.strerror or error}") from error
    found = re.search(rb"(?:^|(?<=[ \n]))END {77}|\nEND\s*$|^END\s*$", data)
    text = data if found is None else data[: found.start()]
    try:
        words = text.decode("ascii")
    except UnicodeDecodeError as error:
        raise RequestError(f"--wcs {path.name}: no FITS header (byte {error.start} is not ASCII)") from error
    separator = "\n" if "\n" in words[:200] else ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return fits.Header.fromstring(words.rstrip(), sep=separator)
        except (ValueError, TypeError, LookupError, AttributeError, fits.VerifyError) as error:
            raise RequestError(f"--wcs {path.name}: no FITS header: {error}") from error


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 1 else None


def _fitted(wcs: Any, header: Any, width: int, height: int, frame: int) -> SkySolution:
    """Our polynomials laid through another program's solution; their misfit counts as its error."""
    x0, y0, unit = 0.5 * (width - 1), 0.5 * (height - 1), 0.5 * max(width, height)
    middle = wcs.all_pix2world([x0], [y0], 0)
    ra0, dec0 = float(middle[0][0]) % 360.0, float(middle[1][0])
    x, y = np.meshgrid(np.linspace(0, width - 1, 15), np.linspace(0, height - 1, 15))
    ra, dec = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    xi, eta = to_plane(ra, dec, ra0, dec0)
    degree = 3 if "A_ORDER" in header or "PV1_1" in header or "PV2_1" in header else 1
    t = terms((x.ravel() - x0) / unit, (y.ravel() - y0) / unit, degree)[:, 1:]
    coefficients = np.linalg.lstsq(t, np.stack([xi, eta], 1), rcond=None)[0]
    a, b = np.concatenate([[0.0], coefficients[:, 0]]), np.concatenate([[0.0], coefficients[:, 1]])
    scale = math.sqrt(abs(a[1] * b[2] - a[2] * b[1])) / unit
    misfit = float(np.sqrt(np.mean((np.stack([xi, eta], 1) - t @ coefficients) ** 2))) / scale
    variance = ((ASSUMED_SIGMA_PX**2 + misfit**2) * scale**2) if math.isfinite(misfit) else math.nan
    n = a.size
    return SkySolution(
        frame=_whole_or(header.get("WCSFRAME"), frame),
        width=width,
        height=height,
        ra_deg=ra0,
        dec_deg=dec0,
        x0=x0,
        y0=y0,
        unit_px=unit,
        xi=a,
        eta=b,
        covariance=np.diag(np.concatenate([[variance], np.zeros(n - 1)])),
        model="order 3" if degree == 3 else "affine",
        method="header",
        catalogue="",
        sigma_known=False,
    )


def _whole_or(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default
