"""A light curve as columns of numbers, for programs that draw it: a JSON header, then little-endian arrays.

``docs/service.md`` has the layout. Rows are in order of time; samples without one are left out of a curve
that has times, and counted in the header.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.instants import parse_utc
from reduction.errors import DataError
from reduction.events.curve import EventCurve, curve_of
from reduction.events.drawn import Drawn, drawn, edges_of
from reduction.events.recalled import recalled
from reduction.events.results import EventAnalysis
from reduction.events.settings import EventSettings
from reduction.outputs.event_summary import leading
from reduction.outputs.tables import FLAG_MEANINGS, read_lightcurve
from reduction.result import UNUSABLE, Flag, LightCurve
from reduction.timing import UNKNOWN_NS

Floats = NDArray[np.float64]
Array = NDArray[Any]

MAGIC = b"UMBRACOL"
SCHEMA = "umbra-columns-1"
"""The number rises when a column goes or changes its meaning."""

MOST_STARS = 16
"""Stars besides the target: references first, then guides."""

LINE_STEPS = 600
"""Steps of the model's line where the level is no constant."""

STRAIGHT = 1e-6
"""A point of the model's line that lies so near to the line of its neighbours says nothing new."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One array and what it means; its values are written as they are typed."""

    name: str
    values: Array
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A result's curve and its event.

    Attributes
    ----------
    lightcurve : LightCurve
    said : mapping
        What the summary says of the event; empty where none was looked for.
    analysis : EventAnalysis or None
        The same, read back.
    curve : EventCurve or None
        What the analysis is of; None of fewer than two samples.
    model : Drawn or None
        The fitted light; None without a fit.
    """

    lightcurve: LightCurve
    said: Mapping[str, Any]
    analysis: EventAnalysis | None
    curve: EventCurve | None
    model: Drawn | None


def shown(folder: Path, summary: Mapping[str, Any], known: LightCurve | None = None) -> Shown:
    """Read a result's curve (unless it is `known`), its event, and the light that was fitted.

    Raises
    ------
    DataError
        The files are not a result's.
    """
    lightcurve = read_lightcurve(folder / "lightcurve.csv") if known is None else known
    cadence = (summary.get("input") or {}).get("cadence_s")
    name = str((summary.get("input") or {}).get("name") or "")
    try:
        curve = curve_of(lightcurve, name, cadence) if lightcurve.frame.size > 1 else None
    except DataError:  # all of its times are one
        curve = None
    said = summary.get("event")
    if said is None or curve is None:
        return Shown(lightcurve, said or {}, None, curve, None)
    analysis = recalled(said, curve.ref_ns)
    settings = event_settings(summary)
    model = drawn(curve, analysis, settings) if analysis.events else None
    return Shown(lightcurve, said, analysis, curve, model)


def event_settings(summary: Mapping[str, Any]) -> EventSettings:
    """How the events were looked for, by the plan that a summary keeps. Raises `DataError`."""
    plan = (summary.get("provenance") or {}).get("plan") or {}
    try:
        return EventSettings.model_validate(plan.get("event") or {})
    except ValueError as error:
        raise DataError(f"the plan of the result cannot be read: {error}") from error


def columns_of(folder: Path, summary: Mapping[str, Any]) -> bytes:
    """The columns of a result.

    Parameters
    ----------
    folder : Path
        Its files.
    summary : mapping
        Content of its ``summary.json``.

    Raises
    ------
    DataError
        The files are not a result's.
    """
    found = shown(folder, summary)
    curve = found.lightcurve
    timed = int((curve.mid_ns != UNKNOWN_NS).sum()) >= 2
    at = _order(curve, timed)
    zero = _zero(curve.mid_ns[at]) if timed and at.size else None
    seconds = np.asarray(curve.frame[at] if zero is None else (curve.mid_ns[at] - zero) * 1e-9, np.float64)
    columns, medians = _curves(curve, at, seconds)
    stars = named_stars(summary)
    columns += _stars(folder / "stars.parquet", stars, curve.frame[at])
    columns += _model(found, zero, seconds)
    header = {
        "schema": SCHEMA,
        "points": int(at.size),
        "axis": "seconds" if zero is not None else "frame",
        "zero_ns": None if zero is None else str(zero),
        "without_time": int(curve.frame.size - at.size),
        "cadence_s": _cadence(seconds) if zero is not None else None,
        "medians_adu": medians,
        "unusable": int(UNUSABLE),
        "flags": [
            {"bit": int(flag), "name": str(flag.name), "meaning": text}
            for flag, text in FLAG_MEANINGS.items()
        ],
        "stars": stars,
        "event": _event(found, zero),
    }
    return packed(header, columns)


def packed(header: Mapping[str, Any], columns: Sequence[Column]) -> bytes:
    """Return the bytes: `MAGIC`, the header's length (u4), the header (JSON), the columns.

    Header and columns are filled up to multiples of 8 bytes.
    """
    told, parts, offset = [], [], 0
    for column in columns:
        values = np.ascontiguousarray(column.values)
        kind = values.dtype.newbyteorder("<")
        content = values.astype(kind, copy=False).tobytes()
        told.append(
            {
                "name": column.name,
                "type": kind.str.lstrip("<|"),
                "count": int(values.size),
                "offset": offset,
                "unit": column.unit,
                "meaning": column.meaning,
            }
        )
        parts.append(content + b"\0" * (-len(content) % 8))
        offset += len(parts[-1])
    text = json.dumps({**header, "columns": told}, allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-(len(MAGIC) + 4 + len(text)) % 8)
    return b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *parts])


def named_stars(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """References and guides of a result: name, role; at most `MOST_STARS`."""
    listed = summary.get("stars") or ()
    order = {"reference": 0, "guide": 1}
    known = [star for star in listed if star["role"] in order]
    known.sort(key=lambda star: order[star["role"]])
    return [{"name": str(star["name"]), "role": str(star["role"])} for star in known[:MOST_STARS]]


def _order(curve: LightCurve, timed: bool) -> NDArray[np.intp]:
    if not timed:
        return np.arange(curve.frame.size)
    at = np.flatnonzero(curve.mid_ns != UNKNOWN_NS)
    return at[np.argsort(curve.mid_ns[at], kind="stable")]


def _zero(mid_ns: NDArray[np.int64]) -> int:
    """The whole minute before the first sample, POSIX ns."""
    return int(mid_ns[0]) // 60_000_000_000 * 60_000_000_000


def _cadence(seconds: Floats) -> float | None:
    return float(np.median(np.diff(seconds))) if seconds.size > 1 else None


def over_median(flux: Floats) -> tuple[Floats, float | None]:
    """Flux over its median of all frames, equations 1 and 2 of the paper; and that median."""
    finite = flux[np.isfinite(flux)]
    median = float(np.median(finite)) if finite.size else 0.0
    return (flux / median, median) if median > 0 else (np.full_like(flux, np.nan), None)


def _curves(
    curve: LightCurve, at: NDArray[np.intp], seconds: Floats
) -> tuple[list[Column], dict[str, float | None]]:
    lost = (curve.flags & np.uint32(Flag.LOST | Flag.OFF_FRAME | Flag.NOT_FINITE)) != 0
    unusable = (curve.flags & np.uint32(UNUSABLE)) != 0
    target, target_median = over_median(np.where(lost, np.nan, curve.target_flux))
    reference, reference_median = over_median(curve.reference_flux)
    one = np.float32
    of_target = curve.target_sigma / (target_median or np.nan)
    of_reference = curve.reference_sigma / (reference_median or np.nan)
    ratio = np.where(unusable, np.nan, curve.flux_norm)
    columns = [
        Column("time", seconds, "s", "mid-exposure, after zero_ns; without times the frame"),
        Column("frame", curve.frame[at], "", "sample, from 0; n + 0.5 is the second field of frame n"),
        Column("normalised", ratio[at].astype(one), "", "F_N: target over reference, out of event 1"),
        Column("normalised_sigma", curve.flux_norm_sigma[at].astype(one), "", "one sigma of normalised"),
        Column("target", target[at].astype(one), "", "F_T: target over its median"),
        Column("target_sigma", of_target[at].astype(one), "", "one sigma of target"),
        Column("reference", reference[at].astype(one), "", "F_R: reference over its median"),
        Column("reference_sigma", of_reference[at].astype(one), "", "one sigma of reference"),
        Column("exposure", curve.exposure_s[at].astype(one), "s", "exposure of the sample"),
        Column("time_sigma", curve.utc_sigma_s[at].astype(one), "s", "one sigma of time against UTC"),
        Column("flags", curve.flags[at].astype(np.uint32), "bits", "0 is good"),
        Column("baseline", curve.baseline[at].astype(np.uint8), "", "1: of the out-of-event baseline"),
    ]
    return columns, {"target": target_median, "reference": reference_median}


def _stars(path: Path, stars: Sequence[Mapping[str, str]], frames: Floats) -> list[Column]:
    """The flux of each star over its median, at the frames of the curve."""
    if not stars:
        return []
    from pyarrow import ArrowInvalid, parquet
    from pyarrow import compute as pc

    names = [star["name"] for star in stars]
    try:
        table = parquet.read_table(path, columns=["frame", "star", "flux"], filters=[("star", "in", names)])
    except (OSError, ArrowInvalid, KeyError) as error:
        raise DataError(f"{path.name}: no star table of Umbra's: {error}") from error
    order = np.argsort(frames, kind="stable")
    columns = []
    for star in stars:
        rows = table.filter(pc.equal(table["star"], star["name"]))
        frame, flux = (np.asarray(rows[name], np.float64) for name in ("frame", "flux"))
        values = np.full(frames.size, np.nan)
        if frames.size:
            place = np.minimum(np.searchsorted(frames[order], frame), frames.size - 1)
            same = frames[order][place] == frame
            values[order[place[same]]] = flux[same]
        text = f"{star['role']} {star['name']} over its median"
        columns.append(Column(f"star {star['name']}", over_median(values)[0].astype(np.float32), "", text))
    return columns


@dataclass(frozen=True, slots=True)
class _Axis:
    """From the seconds of an `EventCurve` to the abscissa of the columns."""

    scale: float
    shift: float

    def of(self, seconds: Any) -> Any:
        return seconds * self.scale + self.shift


def _axis(curve: EventCurve, zero: int | None) -> _Axis:
    """An undated curve is laid out by frames, a cadence apart."""
    if zero is not None:
        return _Axis(1.0, (curve.ref_ns - zero) * 1e-9)
    step = curve.cadence_s() / float(np.median(np.diff(curve.frame)))
    return _Axis(1.0 / step, float(curve.frame[0]))


def _model(found: Shown, zero: int | None, seconds: Floats) -> list[Column]:
    """The light over each exposure, and the line of the light at each instant."""
    model, curve = found.model, found.curve
    if model is None or curve is None:
        return []
    axis = _axis(curve, zero)
    measured = np.interp(seconds, axis.of(curve.time_s), model.measured)
    bends = _bends(model.seconds, model.light)
    return [
        Column("model", measured.astype(np.float32), "", "the fitted light, over the exposure"),
        Column("model_line_time", axis.of(model.seconds[bends]), "s", "corners of the fitted light: time"),
        Column("model_line", model.light[bends].astype(np.float32), "", "the fitted light at that instant"),
    ]


def _bends(x: Floats, y: Floats) -> NDArray[np.intp]:
    """Points of a line that its neighbours do not tell of, and some of the rest."""
    inner = (
        np.interp(x[1:-1], x, y)
        if x.size < 3
        else y[:-2] + (y[2:] - y[:-2]) * ((x[1:-1] - x[:-2]) / (x[2:] - x[:-2]))
    )
    bent = np.zeros(x.size, bool)
    bent[1:-1] = np.abs(inner - y[1:-1]) > STRAIGHT
    kept = bent.copy()
    kept[:-1] |= bent[1:]
    kept[1:] |= bent[:-1]
    kept[[0, -1]] = True
    kept[:: max(1, x.size // LINE_STEPS)] = True
    return np.flatnonzero(kept)


def _event(found: Shown, zero: int | None) -> dict[str, Any] | None:
    """Status, D and R with their intervals, on the abscissa of the columns."""
    analysis, curve = found.analysis, found.curve
    if analysis is None or curve is None:
        return None
    axis = _axis(curve, zero)
    edges = [
        {
            "kind": edge.kind,
            "at": axis.of(edge.utc.value),
            "sigma": _finite(axis.scale * edge.utc.sigma),
            "intervals": [
                [_finite(axis.of(low)), _finite(axis.of(high))] for low, high in edge.utc.intervals
            ],
        }
        for edge in edges_of(analysis)
    ]
    if not edges and zero is not None:
        edges = _searched(found.said, zero)
    first = leading(analysis)
    own = [axis.of(edge.utc.value) for edge in (first.d, first.r) if edge is not None] if first else []
    own = own or [edge["at"] for edge in edges]
    middle = sum(own) / len(own) if own else None
    return {"status": analysis.status, "edges": edges, "middle": middle}


def _searched(said: Mapping[str, Any], zero: int) -> list[dict[str, Any]]:
    """Edges of an event that could not be fitted, as the search has them."""
    found: list[dict[str, Any]] = []
    for kind in "DR":
        parsed = parse_utc(str(said.get(f"{kind.lower()}_utc") or ""))
        if parsed is not None:
            sigma = said.get(f"{kind.lower()}_sigma_s")
            found.append({"kind": kind, "at": (parsed[0] - zero) * 1e-9, "sigma": sigma, "intervals": []})
    return found


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
