"""Catalogues of stars: CSV, VOTable, ECSV or FITS tables, columns told by their names."""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from reduction.astrometry.stars import SkyStars
from reduction.errors import DataError, RequestError

Floats = NDArray[np.float64]
MOST_BYTES = 512 << 20
MOST_STARS = 5_000_000
NAMES: Mapping[str, tuple[str, ...]] = {
    "ra": ("ra", "raj2000", "ra_icrs", "_raj2000", "radeg", "ra_deg", "alpha_j2000", "ra_j2000"),
    "dec": (
        "dec", "dej2000", "de_icrs", "_dej2000", "decj2000", "dedeg", "decdeg", "dec_deg", "de",
    ),
    "magnitude": (
        "phot_g_mean_mag", "gmag", "g", "magnitude", "mag", "vmag", "rmag", "phot_rp_mean_mag", "v", "f.mag",
    ),
    "pm_ra": ("pmra", "pm_ra", "pmra_cosdec", "pmracosdec", "pm_ra_cosdec", "pmracos"),
    "pm_dec": ("pmdec", "pmde", "pm_dec", "pm_de"),
    "parallax": ("parallax", "plx"),
    "epoch": ("ref_epoch", "epoch", "epoch_yr", "epoch_year"),
}  # fmt: skip
"""Names of columns, best first: ours, Gaia's, VizieR's."""

EPOCHS = {"raj2000": 2000.0, "_raj2000": 2000.0, "ra_j2000": 2000.0, "alpha_j2000": 2000.0}
"""Epochs that a column's name tells."""


def read_catalogue(path: Path) -> SkyStars:
    """Read a catalogue: at least right ascension and declination, degrees (ICRS).

    Also magnitude, proper motion (mas/yr, with the cosine of the declination), parallax (mas) and epoch
    (Julian year), where there are such columns; units are those of the table where it states any. A CSV may
    hold sexagesimal places: right ascensions in hours. Rows without a place are left out.

    Raises
    ------
    RequestError
        The file is not there, or is no table of stars that can be read.
    DataError
        It is damaged.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise RequestError(f"--catalogue {path}: cannot be read: {error.strerror or error}") from error
    if size > MOST_BYTES:
        raise RequestError(f"--catalogue {path.name}: {size >> 20} MiB; cut the field out of it first")
    if head.startswith((b"SIMPLE  =", b"\x1f\x8b")) or b"<VOTABLE" in head.upper():
        table = _astropy_table(path, "votable" if b"<VOTABLE" in head.upper() else "fits")
    elif head.lstrip(b"\xef\xbb\xbf").startswith(b"# %ECSV"):
        table = _astropy_table(path, "ascii.ecsv")
    else:
        table = _csv_table(path)
    return _stars(table, path.name)


DAMAGE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SyntaxError, MemoryError,
    RuntimeError, AssertionError,
)  # fmt: skip
"""What astropy's readers raise on damaged tables."""


@dataclass(frozen=True, slots=True)
class _Column:
    values: Sequence[Any]
    unit: str


def _astropy_table(path: Path, form: str) -> dict[str, _Column]:
    """Columns of a table that astropy reads."""
    import warnings

    from astropy.io.fits import VerifyError
    from astropy.table import Table
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units and dates of other people's tables are not ours to judge
        try:
            with path.open("rb") as file:  # of a damaged one astropy forgets to close what it opens
                table = Table.read(path if form == "ascii.ecsv" else file, format=form)
                columns = [table[name] for name in table.colnames if len(table[name].shape) == 1]
                out = {column.name: _Column(_unmasked(column), str(column.unit or "")) for column in columns}
        except (*DAMAGE, VerifyError, AstropyWarning) as error:  # its VOTable reader raises warnings
            said = " ".join(str(error).split())[:200]
            raise DataError(f"--catalogue {path.name}: damaged, or no {form}: {said}") from error
    return out


def _unmasked(column: Any) -> Sequence[Any]:
    """Values with None for what is masked."""
    values: Any = np.ma.getdata(column)
    hidden = np.ma.getmaskarray(column)
    if not hidden.any():
        return cast(Sequence[Any], values)
    return [None if gone else value for value, gone in zip(values, hidden, strict=True)]


def _csv_table(path: Path) -> dict[str, _Column]:
    """Columns of a text with a header row; separated by commas, semicolons, tabs, bars or blanks."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"--catalogue {path.name}: neither a table nor UTF-8 text (byte {error.start})"
        ) from error
    except OSError as error:
        raise RequestError(f"--catalogue {path}: cannot be read: {error.strerror or error}") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) < 2:
        raise RequestError(f"--catalogue {path.name}: no header row with stars below it")
    mark = next((m for m in (",", ";", "\t", "|") if m in lines[0]), " ")
    try:
        if mark == " ":
            rows = [line.split() for line in lines]
        else:
            rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=mark))
    except csv.Error as error:
        raise RequestError(f"--catalogue {path.name}: {error}") from error
    names = [cell.strip() for cell in rows[0]]
    body = [row for row in rows[1:] if not _ruler(row)]
    if body and all(re.fullmatch(r"[^\d]*", cell) for cell in body[0]):
        body = body[1:]  # VizieR's row of units
    return {
        name: _Column([row[k].strip() if k < len(row) else "" for row in body], "")
        for k, name in enumerate(names)
        if name
    }


def _ruler(row: list[str]) -> bool:
    return all(re.fullmatch(r"[-=\s]*", cell) for cell in row)


def _stars(table: Mapping[str, _Column], name: str) -> SkyStars:
    """The columns that are wanted, as numbers in our units."""
    by_name = {key.strip().lower(): key for key in table}
    found = {what: next((by_name[n] for n in names if n in by_name), None) for what, names in NAMES.items()}
    if found["ra"] is None or found["dec"] is None:
        listed = ", ".join(list(table)[:12]) or "none"
        raise RequestError(
            f"--catalogue {name}: no columns ra and dec (degrees, ICRS); its columns: {listed}"
        )
    columns: dict[str, Floats] = {}
    rows = len(table[found["ra"]].values)
    if rows > MOST_STARS:
        raise RequestError(f"--catalogue {name}: {rows} stars; cut the field out of it first")
    for what, key in found.items():
        if key is None:
            columns[what] = np.full(rows, np.nan)
        elif what in {"ra", "dec"}:
            columns[what] = _degrees(table[key], what, name)
        else:
            columns[what] = _numbers(table[key].values) * _factor(table[key].unit, what)
    if found["epoch"] is None:
        columns["epoch"][:] = EPOCHS.get(str(found["ra"]).lower(), np.nan)
    columns["epoch"][~((columns["epoch"] > 1800.0) & (columns["epoch"] < 2200.0))] = np.nan
    good = (columns["ra"] >= 0.0) & (columns["ra"] <= 360.0) & (np.abs(columns["dec"]) <= 90.0)
    if not good.any():
        raise RequestError(
            f"--catalogue {name}: none of its {rows} rows has a place (ra 0 to 360, dec -90 to 90 degrees)"
        )
    for what in ("pm_ra", "pm_dec", "parallax"):
        columns[what] = np.where(np.abs(columns[what]) < 2e4, columns[what], np.nan)
    return SkyStars(**{what: values[good] for what, values in columns.items()}, name=name)


def _degrees(column: _Column, what: str, name: str) -> Floats:
    """Degrees of a column of places."""
    unit = column.unit.strip().lower()
    if unit.startswith("rad"):
        return np.degrees(_numbers(column.values))
    hours = unit in {"h", "hr", "hourangle", "hour"}
    values = _numbers(column.values)
    if not np.isfinite(values).any() and len(column.values) and isinstance(_first(column.values), str):
        values = np.array([_sexagesimal(str(text)) for text in column.values])
        hours = what == "ra"
        if not np.isfinite(values).any():
            raise RequestError(f"--catalogue {name}: column {what} holds no angles")
    return 15.0 * values if hours and what == "ra" else values


def _first(values: Sequence[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _sexagesimal(text: str) -> float:
    parts = re.fullmatch(r"\s*([+-]?)(\d{1,3})[:\s](\d{1,2})[:\s](\d{1,2}(?:\.\d*)?)\s*", text, re.ASCII)
    if parts is None or int(parts[3]) >= 60 or float(parts[4]) >= 60.0:
        return math.nan
    size = int(parts[2]) + int(parts[3]) / 60.0 + float(parts[4]) / 3600.0
    return -size if parts[1] == "-" else size


def _numbers(values: Sequence[Any]) -> Floats:
    """Numbers; NaN for what is none."""
    kind = getattr(values, "dtype", None)
    if kind is not None and kind.kind in "fiu":
        return np.asarray(values, np.float64)
    return np.array([_number(value) for value in values], np.float64)


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _factor(unit: str, what: str) -> float:
    """From a stated unit to ours."""
    plain = unit.strip().lower()
    if what in {"pm_ra", "pm_dec", "parallax"}:
        if plain.startswith("arcsec"):
            return 1000.0
        if plain.startswith("deg"):
            return 3.6e6
    return 1.0
