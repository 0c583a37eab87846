"""The tables: ``lightcurve.csv`` and ``stars.parquet``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from reduction.errors import DataError
from reduction.result import STAR_DTYPE, Flag, LightCurve, ReductionResult, Star
from reduction.timing import UNKNOWN_NS

ROWS = 8192
"""Rows of the light curve formatted at a time."""

STAR_ROWS = 1 << 20
"""Largest row group of the star table."""


class Column(NamedTuple):
    """A column of a table: its format (empty in Parquet), unit and meaning."""

    name: str
    format: str
    unit: str
    meaning: str


LIGHTCURVE_COLUMNS = (
    Column("frame", "%.10g", "", "sample, from 0; n + 0.5 is the second field of frame n"),
    Column("utc", "%s", "UTC", "mid-exposure, ISO-8601, microseconds; empty when unknown"),
    Column("exposure_s", "%.9g", "s", "exposure of the sample"),
    Column("target_flux", "%.9g", "ADU", "target, sky subtracted"),
    Column("target_sigma", "%.9g", "ADU", "one-sigma uncertainty of target_flux"),
    Column("reference_flux", "%.9g", "ADU", "reference ensemble, sky subtracted"),
    Column("ratio", "%.9g", "", "F_N of equation 3: both fluxes over their medians, target over reference"),
    Column("ratio_sigma", "%.9g", "", "one-sigma uncertainty of ratio"),
    Column("target_x", "%.4f", "px", "target on this frame, to the right; first pixel's centre is 0"),
    Column("target_y", "%.4f", "px", "target on this frame, downwards; first pixel's centre is 0"),
    Column("flags", "%d", "bits", "0 is good; the sum of the bits below"),
    Column("utc_sigma_s", "%.9g", "s", "one-sigma uncertainty of utc"),
    Column("flux_norm", "%.9g", "", "target over reference, 1 on the out-of-event baseline"),
    Column("flux_norm_sigma", "%.9g", "", "one-sigma uncertainty of flux_norm"),
    Column("reference_sigma", "%.9g", "ADU", "one-sigma uncertainty of reference_flux"),
    Column("target_sky", "%.9g", "ADU/px", "sky level around the target"),
    Column("baseline", "%d", "", "1 where the sample belongs to the out-of-event baseline"),
)
"""Columns of ``lightcurve.csv`` in order."""

STAR_COLUMNS = (
    Column("frame", "", "", "sample, from 0; n + 0.5 is the second field of frame n"),
    Column("star", "", "", "name: T, R1, G1, S1, ..."),
    Column("role", "", "", "target, reference, guide or star"),
    Column("x", "", "px", "position on this frame, to the right"),
    Column("y", "", "px", "position on this frame, downwards"),
    Column("flux", "", "ADU", "sky subtracted"),
    Column("sigma", "", "ADU", "one-sigma uncertainty of flux"),
    Column("sky", "", "ADU/px", "sky level around the star"),
    Column("sky_sigma", "", "ADU/px", "one-sigma uncertainty of sky"),
    Column("flags", "", "bits", "as in the light curve"),
)
"""Columns of ``stars.parquet`` in order."""

FLAG_MEANINGS: Mapping[Flag, str] = MappingProxyType(
    {
        Flag.SATURATED: "a pixel of the target's aperture is at the saturation level",
        Flag.OFF_FRAME: "the target's aperture leaves the frame",
        Flag.LOST: "tracking failed: no position, no flux",
        Flag.REPEATED: "pixels equal to the frame before",
        Flag.TIME_GAP: "frames are missing before this one",
        Flag.BAD_REFERENCE: "reference flux not significantly above zero, or no reference measurable",
        Flag.REFERENCE_PARTIAL: "a reference star of the ensemble is missing on this frame",
        Flag.NOT_FINITE: "a pixel of the aperture is not a number, or lies under burnt-in digits",
        Flag.TIME_UNSURE: "time missing, or out of order",
        Flag.WEAK_TRACKING: "position from one guide star of several, from a coordinates file, or held",
        Flag.REFERENCE_SATURATED: "a reference star is saturated",
        Flag.REPAIRED: "a pixel of the target's aperture was repaired from its neighbours",
        Flag.PARTIAL_INTEGRATION: "an integrating camera's picture with frames missing or too many",
    }
)
"""The bits of `flags` in words."""

_STAR_TYPES: Mapping[str, Any] = {
    "frame": pa.float64(),
    "star": pa.dictionary(pa.int16(), pa.string()),
    "role": pa.dictionary(pa.int16(), pa.string()),
    "x": pa.float32(),
    "y": pa.float32(),
    "flux": pa.float64(),
    "sigma": pa.float32(),
    "sky": pa.float32(),
    "sky_sigma": pa.float32(),
    "flags": pa.uint32(),
}


def write_lightcurve(lightcurve: LightCurve, path: Path) -> None:
    """Write ``lightcurve.csv``: UTF-8, LF, one header line, values that are not finite left empty.

    Fluxes carry nine significant digits, positions four decimals; equal arrays give equal bytes.
    """
    row = ",".join(column.format for column in LIGHTCURVE_COLUMNS) + "\n"
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(column.name for column in LIGHTCURVE_COLUMNS) + "\n")
        for start in range(0, lightcurve.frame.size, ROWS):
            part = slice(start, start + ROWS)
            values = [_values(lightcurve, column, part) for column in LIGHTCURVE_COLUMNS]
            text = row * len(values[0]) % tuple(chain.from_iterable(zip(*values, strict=True)))
            file.write(text.replace(",nan", ","))


def _values(lightcurve: LightCurve, column: Column, part: slice) -> list[Any]:
    """Return one column of some rows as Python values, NaN for what is empty."""
    if column.name == "utc":
        return utc_texts(lightcurve.mid_ns[part])
    values = getattr(lightcurve, column.name)[part]
    if column.format == "%d":
        return list(values.tolist())
    if column.format == "%.4f":
        values = np.round(values, 4) + 0.0  # no minus zero
    return list(np.where(np.isfinite(values), values, np.nan).tolist())


def utc_texts(mid_ns: NDArray[np.int64]) -> list[str]:
    """ISO-8601 UTC with microseconds, rounded half up, as `reduction.timing.utc_text`; empty when unknown."""
    known = mid_ns != UNKNOWN_NS
    micro = (np.where(known, mid_ns, 0) + 500) // 1000
    texts: list[str] = np.datetime_as_string(micro.astype("datetime64[us]"), unit="us").tolist()
    return [f"{text}Z" if ok else "" for text, ok in zip(texts, known.tolist(), strict=True)]


def read_lightcurve(path: Path) -> LightCurve:
    """Read a ``lightcurve.csv`` back; empty fields become NaN, or `UNKNOWN_NS`.

    Raises
    ------
    DataError
        The file cannot be read, or its columns are not a light curve's.
    """
    types = {column.name: pa.float64() for column in LIGHTCURVE_COLUMNS}
    types |= {"utc": pa.timestamp("ns", tz="UTC"), "flags": pa.uint32(), "baseline": pa.uint8()}
    options = pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types))
    try:
        table = pyarrow.csv.read_csv(path, convert_options=options)
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{path}: not a light curve of Umbra: {error}") from error
    arrays = {name: table.column(name).to_numpy() for name in types}
    utc = arrays.pop("utc").astype("datetime64[ns]")
    arrays["baseline"] = arrays["baseline"].astype(bool)
    return LightCurve(mid_ns=np.where(np.isnat(utc), UNKNOWN_NS, utc.astype(np.int64)), **arrays)


def write_stars(result: ReductionResult, path: Path) -> None:
    """Write ``stars.parquet``, one row group per segment, holding one segment in memory at most.

    Raises
    ------
    DataError
        A segment file is not a star table, or names a star that the result lacks.
    """
    schema = _star_schema(result)
    coded = ["frame", "star", "role", "flags"]
    split = {c.name: "BYTE_STREAM_SPLIT" for c in STAR_COLUMNS if c.name not in coded}
    with pyarrow.parquet.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=coded, column_encoding=split
    ) as writer:
        for segment in result.segments:
            for rows in _pieces(segment):
                writer.write_table(_star_table(rows, result.stars, schema, segment), STAR_ROWS)


def _star_schema(result: ReductionResult) -> Any:
    fields = [
        pa.field(c.name, _STAR_TYPES[c.name], metadata={"unit": c.unit} if c.unit else None)
        for c in STAR_COLUMNS
    ]
    units = {c.name: c.unit for c in STAR_COLUMNS if c.unit}
    return pa.schema(
        fields,
        metadata={
            "umbra.version": result.provenance.version,
            "umbra.key": result.provenance.key,
            "umbra.units": json.dumps(units, ensure_ascii=False),
        },
    )


def _pieces(segment: Path) -> Iterator[NDArray[Any]]:
    rows = np.load(segment, mmap_mode="r", allow_pickle=False)
    if rows.dtype != STAR_DTYPE or rows.ndim != 1:
        raise DataError(f"{segment.name}: not a segment of the star table (dtype {rows.dtype})")
    for start in range(0, rows.size, STAR_ROWS):
        yield rows[start : start + STAR_ROWS]


def _star_table(rows: NDArray[Any], stars: tuple[Star, ...], schema: Any, segment: Path) -> Any:
    place = np.full(1 << 16, -1, np.int16)
    place[[star.index for star in stars]] = np.arange(len(stars))
    index = place[rows["star"]]
    if (index < 0).any():
        raise DataError(f"{segment.name}: star {int(rows['star'][index < 0][0])} is not in the result's list")
    columns = {name: pa.array(np.ascontiguousarray(rows[name])) for name in STAR_DTYPE.names or ()}
    for name, words in (("star", [s.name for s in stars]), ("role", [s.role for s in stars])):
        columns[name] = pa.DictionaryArray.from_arrays(*_coded(index, words))
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _coded(index: NDArray[np.int16], words: Sequence[str]) -> tuple[Any, Any]:
    """Return the dictionary form of ``words[index]``, each word once."""
    unique = list(dict.fromkeys(words))
    code = np.array([unique.index(word) for word in words], np.int16)
    return pa.array(code[index]), pa.array(unique, pa.string())
