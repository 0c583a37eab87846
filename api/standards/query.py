"""What a query of SIA 2.0 asks for: parameters by their names in any case, several values of one are OR."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from api.standards.regions import Region, numbers_of, region
from reduction.errors import RequestError

MOST_RECORDS = 10_000
USUAL_RECORDS = 1000
MOST_VALUES = 100
LONGEST = 2000
VOTABLES = (
    "votable",
    "application/x-votable+xml",
    "application/x-votable+xml;serialization=tabledata",
    "text/xml",
)


class Interval(NamedTuple):
    """From `low` to `high`, both of which may be infinite."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A query. Names of `intervals` and `texts` are those of the parameters.

    Attributes
    ----------
    levels : tuple of int
        Calibration levels.
    records : int
        Most rows of the answer.
    cursor : str
        Where the answer goes on; empty: it begins.
    """

    regions: tuple[Region, ...] = ()
    intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    levels: tuple[int, ...] = ()
    records: int = USUAL_RECORDS
    cursor: str = ""


INTERVALS: Mapping[str, str] = {
    "TIME": "MJD of UTC, one or two numbers: something of the observation lies between",
    "BAND": "metres in vacuum",
    "FOV": "degrees",
    "SPATRES": "arcseconds",
    "SPECRP": "resolving power",
    "EXPTIME": "seconds",
    "TIMERES": "seconds",
}
TEXTS: Mapping[str, str] = {
    "POL": "polarisation: no data set here has any",
    "ID": "obs_publisher_did",
    "COLLECTION": "obs_collection: the campaign's name",
    "FACILITY": "facility_name: the station",
    "INSTRUMENT": "instrument_name, or telescope or camera alone",
    "DPTYPE": "timeseries (light curves) or cube (recordings)",
    "TARGET": "the occulting body: name, number or designation",
    "FORMAT": "access_format",
}
OTHERS: Mapping[str, str] = {
    "POS": "the star: CIRCLE RA DEC RADIUS, RANGE RA1 RA2 DEC1 DEC2 or POLYGON RA DEC RA DEC ..., degrees",
    "CALIB": "calib_level: 0 (recordings), 2 (light curves)",
    "MAXREC": f"most rows, {USUAL_RECORDS} by default and {MOST_RECORDS} at most",
    "RESPONSEFORMAT": "votable",
    "CURSOR": "next_cursor of an answer that OVERFLOW ended: what follows",
}


NUMBERS = r"^[-+0-9.eE]{1,20}( [-+0-9.eE]{1,20})?$"
SCHEMAS: Mapping[str, dict[str, Any]] = {
    "POS": {"pattern": r"^(CIRCLE|RANGE|POLYGON)( [-+0-9.eEInf]{1,20}){3,20}$"},
    "CALIB": {"enum": ["0", "1", "2", "3", "4"]},
    "MAXREC": {"pattern": "^[0-9]{1,9}$"},
    "RESPONSEFORMAT": {"enum": list(VOTABLES)},
    "DPTYPE": {"enum": ["timeseries", "cube"]},
    **{name: {"pattern": NUMBERS} for name in INTERVALS},
}
ALONE = frozenset({"MAXREC", "RESPONSEFORMAT", "CURSOR"})
"""Parameters of which the last counts."""


def described() -> list[dict[str, Any]]:
    """The parameters, for OpenAPI."""
    found = []
    for name, meaning in {**OTHERS, **INTERVALS, **TEXTS}.items():
        each = {"type": "string", **SCHEMAS.get(name, {"maxLength": 200})}
        several = {"type": "array", "items": each, "maxItems": 5}
        schema = each if name in ALONE else several
        found.append(
            {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}
        )
    return found


def asked(pairs: Iterable[tuple[str, str]]) -> Asked:
    """Read a query; parameters of other names are passed over, as DALI says.

    Raises
    ------
    RequestError
        A value is none.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name.upper(), []).append(value)
    for name, values in given.items():
        if len(values) > MOST_VALUES or any(len(value) > LONGEST or "\0" in value for value in values):
            raise RequestError(f"{name[:40]}: more than {MOST_VALUES} values, or one that is too long")
    wanted = given.get("RESPONSEFORMAT", ["votable"])[-1].lower().replace(" ", "")
    if wanted not in VOTABLES:
        raise RequestError(f"RESPONSEFORMAT: {wanted[:60]!r}; give votable")
    return Asked(
        regions=tuple(region(text) for text in given.get("POS", ())),
        intervals={name: _intervals(name, given[name]) for name in INTERVALS if name in given},
        texts={name: tuple(given[name]) for name in TEXTS if name in given},
        levels=tuple(_whole("CALIB", text, 4) for text in given.get("CALIB", ())),
        records=min(_whole("MAXREC", given["MAXREC"][-1], 1 << 62), MOST_RECORDS)
        if "MAXREC" in given
        else USUAL_RECORDS,
        cursor=given.get("CURSOR", [""])[-1],
    )


def _intervals(name: str, texts: list[str]) -> tuple[Interval, ...]:
    found = []
    for text in texts:
        numbers = numbers_of(name, text.split())
        if len(numbers) not in {1, 2} or numbers[0] > numbers[-1] or numbers[0] == math.inf:
            raise RequestError(f"{name}: {text[:60]!r}; give one number, or two, the lesser first")
        found.append(Interval(numbers[0], numbers[-1]))
    return tuple(found)


def _whole(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= most):
        raise RequestError(f"{name}: {text[:20]!r}; give a whole number from 0")
    return int(text)
