"""The body's place in ADES, the astrometry format of the IAU: as XML and as text between bars (PSV).

Facts: the standard's own description of elements and types, ``adesmaster.xml`` of IAU-ADES/ADES-Master,
version 2017. An ``occultation`` has, in this order, an identification, ``stn`` (275: an occultation seen
from elsewhere than the Earth's centre, which needs its place: ``sys ctr pos1 pos2 pos3``), ``obsTime``,
``raStar decStar deltaRA deltaDec rmsRA rmsDec rmsCorr``, ``astCat``, ``remarks``. A submission wraps it
in a block with a context: who observed, measured and submits, with what.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from xml.sax.saxutils import escape

from pydantic import Field

from reduction.limb.astrometry import BodyPlace
from reduction.plan import Settings
from reduction.timing import utc_text

STATION = "275"
GEOCENTRE = "399"
_PROVISIONAL = re.compile(r"\d{4} [A-HJ-Y][A-HJ-Z]\d*|\d{4} [PT]-[L123]")
_NUMBERED = re.compile(r"[1-9]\d*([PD](-[A-Z]{1,2})?)?")
_UNFIT = re.compile(r"[^A-Za-z0-9_]")

Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^|\n\r]*\S[^|\n\r]*$")]
Names = Annotated[tuple[Word, ...], Field(min_length=1)]


class AdesContext(Settings):
    """Who and with what, as a submission to the Minor Planet Center needs it.

    Attributes
    ----------
    submitter : str
        Initials and surname.
    observers, measurers : tuple of str
        Likewise.
    telescope_design, telescope_aperture_m, telescope_detector
        Of the typical station.
    """

    submitter: Word
    observers: Names
    measurers: Names
    telescope_design: Word
    telescope_aperture_m: Annotated[float, Field(gt=0, le=100)]
    telescope_detector: Word


def observation(
    place: BodyPlace, number: str, name: str, catalogue: str, remarks: str
) -> list[tuple[str, str]]:
    """Elements of one occultation in the standard's order, with their text."""
    east, north = place.sigma_arcsec
    fields = _identification(number, name)
    fields += [
        ("stn", STATION),
        ("sys", "WGS84"),
        ("ctr", GEOCENTRE),
        ("pos1", _decimal(place.site.longitude_deg % 360, 6)),
        ("pos2", _decimal(place.site.latitude_deg, 6)),
        ("pos3", _decimal(place.site.altitude_m, 1)),
        ("obsTime", utc_text(place.utc_ns, 3)),
        ("raStar", _decimal(place.star_ra_deg, 9)),
        ("decStar", _decimal(place.star_dec_deg, 9)),
        ("deltaRA", _decimal(place.east_arcsec, 6)),
        ("deltaDec", _decimal(place.north_arcsec, 6)),
        ("rmsRA", _positive(east)),
        ("rmsDec", _positive(north)),
        ("rmsCorr", _decimal(place.correlation, 3)),
        ("astCat", _UNFIT.sub("", catalogue)[:8] or "UNK"),
    ]
    clean = " ".join(remarks.replace("|", " ").split())[:200]
    return [*fields, ("remarks", clean)] if clean else fields


def ades_xml(fields: Sequence[tuple[str, str]], context: AdesContext | None) -> str:
    """XML document; without a context the observation stands alone, which is valid but no submission."""
    inner = _element("occultation", "\n".join(_leaf(name, text) for name, text in fields))
    if context is not None:
        head = _element("obsContext", "\n".join(_context_xml(context)))
        inner = _element("obsBlock", head + "\n" + _element("obsData", inner))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ades version="2017">\n{inner}\n</ades>\n'


def ades_psv(fields: Sequence[tuple[str, str]], context: AdesContext | None) -> str:
    """The same as text: header lines begin with #, their values with !, then names and one line of data."""
    lines = ["# version=2017"]
    if context is not None:
        lines += ["# observatory", f"! mpcCode {STATION}", "# submitter", f"! name {context.submitter}"]
        for group, names in (("observers", context.observers), ("measurers", context.measurers)):
            lines += [f"# {group}", *(f"! name {name}" for name in names)]
        lines += [
            "# telescope",
            f"! design {context.telescope_design}",
            f"! aperture {_decimal(context.telescope_aperture_m, 3)}",
            f"! detector {context.telescope_detector}",
        ]
    width = [max(len(name), len(text)) for name, text in fields]
    for row in (0, 1):
        cells = [pair[row].ljust(size) for pair, size in zip(fields, width, strict=True)]
        lines.append("|".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def _identification(number: str, name: str) -> list[tuple[str, str]]:
    if _NUMBERED.fullmatch(number.strip()):
        return [("permID", number.strip())]
    if _PROVISIONAL.fullmatch(name.strip()):
        return [("provID", name.strip())]
    return [("trkSub", _UNFIT.sub("", name)[:8] or "unknown")]


def _context_xml(context: AdesContext) -> list[str]:
    answer = [
        _element("observatory", _leaf("mpcCode", STATION)),
        _element("submitter", _leaf("name", context.submitter)),
    ]
    for group, names in (("observers", context.observers), ("measurers", context.measurers)):
        answer.append(_element(group, "\n".join(_leaf("name", name) for name in names)))
    telescope = [
        _leaf("design", context.telescope_design),
        _leaf("aperture", _decimal(context.telescope_aperture_m, 3)),
        _leaf("detector", context.telescope_detector),
    ]
    return [*answer, _element("telescope", "\n".join(telescope))]


def _element(name: str, inner: str) -> str:
    indented = "\n".join("  " + line for line in inner.splitlines())
    return f"<{name}>\n{indented}\n</{name}>"


def _leaf(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _decimal(value: float, digits: int) -> str:
    """A plain decimal: the format knows no exponents."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _positive(value: float) -> str:
    """Two figures, never zero."""
    return f"{Decimal(f'{max(value, 1e-7):.2g}'):f}"
