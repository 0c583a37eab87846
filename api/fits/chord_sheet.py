"""Chords of a campaign as a workbook."""

import io
import re
import zipfile
from typing import Any

from api.fits.chords import COLUMNS, ChordList, table_of

SHEET = "chords"
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WIDEST = 40
ZIP_START = (1980, 1, 1, 0, 0, 0)
"""A ZIP archive has no earlier date."""
INSTANT = re.compile(rb">\d{4}-\d\d-\d\dT[\d:.]+Z<")


def chords_xlsx(found: ChordList) -> bytes:
    """The table of chords as an Excel workbook: numbers are numbers, text is never a formula.

    The same chords are the same bytes.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    page = book.active
    page.title = SHEET
    page.freeze_panes = "B2"
    widths = [len(name) for name in COLUMNS]
    for column, name in enumerate(COLUMNS, 1):
        page.cell(1, column, name).font = Font(bold=True)
    for line, row in enumerate(table_of(found), 2):
        for column, value in enumerate(row.values(), 1):
            _put(page.cell(line, column), value)
            widths[column - 1] = max(widths[column - 1], len(str("" if value is None else value)))
    for column, width in enumerate(widths, 1):
        page.column_dimensions[get_column_letter(column)].width = min(width + 2, WIDEST)
    page.auto_filter.ref = page.dimensions
    packed = io.BytesIO()
    book.save(packed)
    return _undated(packed.getvalue())


def _put(cell: Any, value: Any) -> None:
    if value is None or value == "":
        return
    if isinstance(value, str):
        cell.value = "".join(c for c in value if c.isprintable())
        cell.data_type = "s"  # never a formula, whatever it begins with
        cell.quotePrefix = value.startswith(("=", "+", "-", "@"))
    else:
        cell.value = value


def _undated(packed: bytes) -> bytes:
    """A workbook without the instants at which it was made."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = INSTANT.sub(b">2000-01-01T00:00:00Z<", content)
            new.writestr(zipfile.ZipInfo(name, ZIP_START), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
