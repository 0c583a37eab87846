"""Every dialect of light curves, in the order in which they are tried, and the function that reads them."""

import csv
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.curves.about import told_beside
from ingest.curves.curve_table import CurveTable
from ingest.curves.own_csv import of_folder
from ingest.curves.own_csv import read as read_csv
from ingest.curves.raw import RawCurve
from ingest.curves.settled import CurveOptions, settle
from reduction.errors import DataError, RequestError
from reduction.events.curve import EventCurve

HEAD = 65_536
MOST_BYTES = 1 << 30
EXACT = "UTC of mid-exposure, 1 ns"


@dataclass(frozen=True, slots=True)
class Dialect:
    """A form in which light curves are written.

    Attributes
    ----------
    name : str
        As `CurveTable.program` says it.
    module : str
        Of `ingest.curves`, with ``recognise(head)`` and ``read(data, name)``; imported on use.
    own : bool
        Umbra's own: read as a `CurveTable`, nothing is left to be said about it; others as a `RawCurve`.
    columns, times : str
        For the documentation.
    """

    name: str
    module: str
    own: bool
    columns: str
    times: str


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        name="Umbra CSV",
        module="own_csv",
        own=True,
        columns="`lightcurve.csv`, or the folder of `umbra reduce`",
        times="UTC of mid-exposure, 1 µs",
    ),
    Dialect("Umbra Parquet", "own_parquet", True, "as `lightcurve.csv`", EXACT),
    Dialect("Umbra FITS", "own_fits", True, "as `lightcurve.csv`, `TIME`", EXACT),
    Dialect("Umbra VOTable", "own_votable", True, "as `lightcurve.csv`, `time_s`", EXACT),
    Dialect("Umbra ECSV", "own_ecsv", True, "as `lightcurve.csv`, `time_s`", EXACT),
    Dialect(
        name="Tangra CSV",
        module="tangra",
        own=False,
        columns="`Signal (n), Background (n)`, `SignalMinusBackground (n)`, bins, magnitudes",
        times="`UT`, `Days UT`, `JD`; what they mean stands in its settings",
    ),
    Dialect(
        name="LiMovie CSV",
        module="limovie",
        own=False,
        columns="columns 11 to 13",
        times="an inserter's, of the first field or of each field",
    ),
    Dialect(
        name="PyMovie, PyOTE, R-OTE CSV",
        module="pymovie",
        own=False,
        columns="`signal-NAME`, or plain columns",
        times="time of day; a video's are an inserter's",
    ),
    Dialect(
        name="Occultation Portal CSV",
        module="portal",
        own=False,
        columns='`"DATE-OBS","Object+Occ./Ref1."`',
        times="ISO; which instant is not said",
    ),
    Dialect(
        name="text of columns",
        module="columns",
        own=False,
        columns="time, flux, error of the flux: as SORA takes them",
        times="JD, ISO, or seconds after `--tref`; mid-exposure unless said",
    ),
)


def dialect_of(path: Path) -> Dialect:
    """The dialect of a file, by its content.

    Raises
    ------
    RequestError
        There is no such file, or it is of none.
    DataError
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    for dialect in DIALECTS:
        recognise: Callable[[bytes], bool] = _of(dialect).recognise
        if recognise(head):
            return dialect
    known = ", ".join(dialect.name for dialect in DIALECTS)
    raise RequestError(f"{path}: no light curve that is known here; known are {known}")


def read_table(path: Path, options: CurveOptions | None = None) -> CurveTable:
    """Read a light curve of any dialect; a folder that `umbra reduce` wrote stands for its light curve.

    Parameters
    ----------
    path : Path
    options : CurveOptions, optional
        What a person says of it.

    Raises
    ------
    RequestError
        It is of no dialect, or the options do not fit it.
    DataError
        It is damaged.
    """
    asked = options or CurveOptions()
    path = of_folder(path) if path.is_dir() else path
    dialect = dialect_of(path)
    if dialect.own:
        _nothing_asked(asked, path)
    if dialect.module == "own_csv":
        return read_csv(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise DataError(f"{path.name}: {size} bytes are more than a light curve has")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        found: RawCurve | CurveTable = _of(dialect).read(data, path.name)
    except csv.Error as error:
        raise DataError(f"{path.name}: {dialect.name} that is damaged: {error}") from error
    if isinstance(found, CurveTable):
        return found
    return settle(told_beside(found, path, data), asked, path.name)


def read_curve(path: Path, options: CurveOptions | None = None) -> EventCurve:
    """Read a light curve for event search and fit: `read_table` in order of time.

    Raises
    ------
    RequestError, DataError
        As `read_table`.
    """
    return read_table(path, options).event_curve()


def _nothing_asked(options: CurveOptions, path: Path) -> None:
    """Refuse options about what Umbra's own files say themselves."""
    for flag, value in (
        ("--column", options.column),
        ("--reference", options.reference),
        ("--tref", options.tref),
        ("--date", options.date),
        ("--time-is", options.meaning),
    ):
        if value is not None:
            raise RequestError(
                f"{path.name}: {flag} is for other programs' curves; Umbra's own say it themselves"
            )


def _of(dialect: Dialect) -> Any:
    return importlib.import_module(f"ingest.curves.{dialect.module}")
