"""Umbra's light curve as a VOTable 1.4 with TIMESYS (IVOA REC-VOTable-1.4): a table of text."""

import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError, iterparse
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ingest.curves.curve_table import CurveTable
from ingest.curves.own import MARK, midnight_before, own_columns, own_table, own_words
from ingest.curves.raw import decoded
from ingest.instants import DAY_NS
from reduction.errors import DataError
from reduction.result import Flag

JD_OF_UNIX_EPOCH = 2440587.5
NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"
UCDS = {
    "utc": "time.epoch",
    "time_s": "time.epoch",
    "exposure_s": "time.duration;obs.exposure",
    "flux_norm": "phot.flux;arith.ratio",
    "flux_norm_sigma": "stat.error;phot.flux",
    "utc_sigma_s": "stat.error;time.epoch",
    "flags": "meta.code.qual",
    "frame": "meta.number",
    "target_flux": "phot.count",
    "target_sigma": "stat.error;phot.count",
    "reference_flux": "phot.count",
    "reference_sigma": "stat.error;phot.count",
    "ratio": "phot.flux;arith.ratio",
    "ratio_sigma": "stat.error;phot.flux",
    "target_x": "pos.cartesian.x;instr.det",
    "target_y": "pos.cartesian.y;instr.det",
    "target_sky": "instr.skyLevel",
    "baseline": "meta.code",
}
_UNITS = {"px": "pix", "ADU": "adu", "ADU/px": "adu/pix", "UTC": "", "bits": ""}
_KINDS = {
    "f": 'datatype="double"',
    "i": 'datatype="long"',
    "u": 'datatype="unsignedByte"',
    "U": 'datatype="char" arraysize="{}"',
}
_BITS = ", ".join(f"{flag.value} {flag.name}" for flag in Flag)
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot have."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What an archive knows of a light curve besides.

    Attributes
    ----------
    ra_deg, dec_deg : float or None
        The occulted star, ICRS, at the epoch of the event.
    words : mapping
        Identifier, target, instrument, ...: an INFO each.
    """

    ra_deg: float | None = None
    dec_deg: float | None = None
    words: Mapping[str, str] = field(default_factory=dict)


def recognise(head: bytes) -> bool:
    """Whether the first bytes are of such a file."""
    return b"<VOTABLE" in head and MARK.encode() in head


def write(table: CurveTable, observed: Observed | None = None) -> bytes:
    """The file's bytes. Numbers have the digits that a double needs; unknown ones are ``NaN``."""
    observed = observed or Observed()
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<VOTABLE version="1.4" xmlns="{NAMESPACE}">',
        '<RESOURCE type="results">',
    ]
    words = {**observed.words, **own_words(table)}
    out += [f"<INFO name={_quoted(key)} value={_quoted(value)}/>" for key, value in words.items()]
    if table.dated:
        origin = JD_OF_UNIX_EPOCH + midnight_before(table) // DAY_NS
        out.append(
            f'<TIMESYS ID="utc_scale" timeorigin="{origin}" timescale="UTC" refposition="TOPOCENTER"/>'
        )
    if observed.ra_deg is not None and observed.dec_deg is not None:
        out.append('<COOSYS ID="icrs" system="ICRS"/>')
        for name, value in (("ra", observed.ra_deg), ("dec", observed.dec_deg)):
            out.append(
                f'<PARAM name="{name}" datatype="double" unit="deg" ucd="pos.eq.{name};meta.main" ref="icrs" '
                f'value="{value!r}"><DESCRIPTION>the occulted star</DESCRIPTION></PARAM>'
            )
    out.append('<TABLE name="lightcurve">')
    columns = own_columns(table)
    for column in columns:
        kind = _KINDS[column.values.dtype.kind].format(max(column.values.dtype.itemsize // 4, 1))
        attributes = [f'name="{column.name}"', kind]
        unit = _UNITS.get(column.unit, column.unit)
        attributes += [f'unit="{unit}"'] if unit else []
        attributes += [f'ucd="{UCDS[column.name]}"'] if column.name in UCDS else []
        attributes += ['ref="utc_scale"'] if column.name == "time_s" and table.dated else []
        meaning = f"{column.meaning}: {_BITS}" if column.name == "flags" else column.meaning
        out.append(f"<FIELD {' '.join(attributes)}><DESCRIPTION>{escape(meaning)}</DESCRIPTION></FIELD>")
    out.append("<DATA><TABLEDATA>")
    texts = [[f"<TD>{_text(value)}</TD>" for value in column.values.tolist()] for column in columns]
    out += [f"<TR>{''.join(cells)}</TR>" for cells in zip(*texts, strict=True)]
    out += ["</TABLEDATA></DATA>", "</TABLE>", "</RESOURCE>", "</VOTABLE>"]
    return ("\n".join(out) + "\n").encode()


def _quoted(text: str) -> str:
    return quoteattr(NOT_XML.sub("\ufffd", text))


def _text(value: object) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN"
    return escape(value) if isinstance(value, str) else repr(value)


def read(data: bytes, name: str) -> CurveTable:
    """Read what `write` wrote.

    Raises
    ------
    DataError
        It is damaged, or declares entities, which a VOTable has none of.
    """
    if b"<!" in data.replace(b"<!--", b""):
        raise DataError(f"{name}: a VOTable with a declaration of its own; it is none of Umbra's")
    words: dict[str, str] = {}
    fields: list[str] = []
    rows: list[list[str]] = []
    for tag, attributes, cells in _elements(data, name):
        if tag == "INFO":
            words[attributes.get("name", "")] = attributes.get("value", "")
        elif tag == "FIELD":
            fields.append(attributes.get("name", "").lower())
        elif tag == "TR":
            rows.append(cells)
            if len(cells) != len(fields):
                seen = f"{len(cells)} cells, {len(fields)} fields"
                raise DataError(f"{name}: row {len(rows)}: {seen}; is the file damaged?")
    if not rows or len(set(fields)) != len(fields):
        raise DataError(f"{name}: a VOTable without rows, or with two fields of one name; is it damaged?")
    columns = dict(zip(fields, zip(*rows, strict=True), strict=True))
    return own_table({key: np.array(values) for key, values in columns.items()}, words, name)


def _elements(data: bytes, name: str) -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """INFO, FIELD and TR elements as they end, with attributes and, of a row, its cells."""
    try:
        for _, element in iterparse(io.BytesIO(decoded(data).encode())):
            tag = str(element.tag).rpartition("}")[2]
            if tag in {"INFO", "FIELD", "TR"}:
                yield tag, dict(element.attrib), [(cell.text or "").strip() for cell in element]
                element.clear()
    except (ParseError, ValueError, LookupError) as error:
        raise DataError(f"{name}: no sound XML: {error}; is the file damaged?") from error
