"""Umbra's light curve as ECSV (astropy APE 6): a YAML header of types, units and words, then CSV."""

import csv
import io
import json
import re

import numpy as np

from ingest.curves.curve_table import CurveTable
from ingest.curves.own import MARK, own_columns, own_table, own_words
from ingest.curves.raw import decoded
from reduction.errors import DataError

FIRST = b"# %ECSV 1.0"
_WORD = re.compile(r"#\s+-\s+\{\s*(\w+):\s*(.*?)\s*\}\s*")


def recognise(head: bytes) -> bool:
    """Whether the first bytes are of such a file."""
    return head.startswith(FIRST) and MARK.encode() in head


def write(table: CurveTable) -> bytes:
    """The file's bytes. Numbers have the digits that a double needs; unknown ones are ``nan``."""
    columns = own_columns(table)
    types = {"f": "float64", "i": "int64", "u": "uint8", "U": "string"}
    out = [FIRST.decode(), "# ---", "# delimiter: ','", "# datatype:"]
    for column in columns:
        unit = f", unit: {json.dumps(column.unit)}" if column.unit else ""
        kind = types[column.values.dtype.kind]
        out.append(
            f"# - {{name: {column.name}{unit}, datatype: {kind}, description: {json.dumps(column.meaning)}}}"
        )
    out.append("# meta: !!omap")
    out += [
        f"# - {{{key}: {json.dumps(value, ensure_ascii=False)}}}" for key, value in own_words(table).items()
    ]
    out += ["# schema: astropy-2.0", ",".join(column.name for column in columns)]
    texts = [[_text(value) for value in column.values.tolist()] for column in columns]
    out += [",".join(cells) for cells in zip(*texts, strict=True)]
    return ("\n".join(out) + "\n").encode()


def _text(value: object) -> str:
    if isinstance(value, str):
        return value or '""'
    return repr(value)


def read(data: bytes, name: str) -> CurveTable:
    """Read what `write` wrote.

    Raises
    ------
    DataError
        It is damaged.
    """
    head, body, words = True, [], {}
    for line in decoded(data).splitlines():
        head = head and line.startswith("#")
        if not head:
            body.append(line)
        elif match := _WORD.fullmatch(line):
            words[match[1]] = _word(match[2])
    rows = list(csv.reader(io.StringIO("\n".join(body))))
    if len(rows) < 2:
        raise DataError(f"{name}: an ECSV file without rows; is it cut off?")
    names = [cell.strip().lower() for cell in rows[0]]
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise DataError(
                f"{name}: row {number}: {len(row)} cells, {len(names)} columns; is the file damaged?"
            )
    cells = dict(zip(names, zip(*rows[1:], strict=True), strict=True))
    return own_table({column: np.array(values) for column, values in cells.items()}, words, name)


def _word(text: str) -> str:
    """A value of the header: quoted as JSON, or bare."""
    try:
        value = json.loads(text)
    except ValueError:
        return text.strip("'")
    return value if isinstance(value, str) else text
