"""Umbra's light curve as Parquet: types in the schema, units with each field, words in the metadata."""

from typing import Any

import numpy as np

from ingest.curves.curve_table import CurveTable
from ingest.curves.own import MARK, own_columns, own_table, own_words
from reduction.errors import DataError
from reduction.timing import UNKNOWN_NS

MAGIC = b"PAR1"


def recognise(head: bytes) -> bool:
    """Whether the first bytes are of a Parquet file."""
    return head.startswith(MAGIC)


def write(table: CurveTable) -> bytes:
    """The file's bytes: `utc` is a timestamp of nanoseconds, unknown times are null."""
    import pyarrow as pa
    import pyarrow.parquet

    arrays, fields = [], []
    for column in own_columns(table):
        if column.name == "utc":
            known = table.timed
            values: Any = pa.array(np.where(known, table.mid_ns, 0), pa.timestamp("ns", "UTC"), mask=~known)
        else:
            values = pa.array(column.values)
        arrays.append(values)
        said = {"meaning": column.meaning, **({"unit": column.unit} if column.unit else {})}
        fields.append(pa.field(column.name, values.type, metadata=said))
    schema = pa.schema(fields, metadata=own_words(table))
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read(data: bytes, name: str) -> CurveTable:
    """Read what `write` wrote.

    Raises
    ------
    DataError
        It is damaged, or no light curve of Umbra.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(pa.BufferReader(data))
        words = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if MARK not in words:
            raise DataError(f"{name}: a Parquet file, but no light curve of Umbra (its metadata lack {MARK})")
        columns = {column.lower(): _values(table.column(column)) for column in table.column_names}
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        raise DataError(f"{name}: a Parquet file that is damaged: {str(error)[:200]}") from error
    return own_table(columns, words, name)


def _values(column: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        filled = column.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).fill_null(UNKNOWN_NS)
        return filled.to_numpy()
    return column.to_numpy()
