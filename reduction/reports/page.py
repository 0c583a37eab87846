"""The report of one observation as a page to read and to print: one file, nothing loaded from elsewhere."""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from reduction.angles import sexagesimal, sexagesimal_text, signed_longitude
from reduction.record import EdgeTime, ObservationRecord, Timing
from reduction.reports.clock import clock, error_text, timing_digits
from reduction.reports.form import WANTED_BY_ALL, Filled, file_stem, per_event
from reduction.utc import utc_date

WANTED = WANTED_BY_ALL

Rows = list[tuple[str, str]]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""The page may load nothing."""

TONES = {"positive": "positive", "negative": "negative"}


def fill(record: ObservationRecord, template: Path | None = None) -> list[Filled]:
    """One page, all events in it."""
    assert template is None
    return [Filled(f"{file_stem(record)}_report.html", page(record).encode("utf-8"))]


def page(record: ObservationRecord) -> str:
    """The page; all text of the record is escaped."""
    day = record.event_date
    star = record.star.name
    return _template().render(
        policy=POLICY,
        title=_body(record),
        line=" · ".join(
            part
            for part in (
                f"{day:%Y-%m-%d}" if day is not None else "undated",
                f"star {star}" if star else "",
                ", ".join(one.name for one in record.observers),
            )
            if part
        ),
        status=record.status,
        tone=TONES.get(record.status, "undecided"),
        events=[_event(timing) for timing, _ in per_event(record) if timing is not None],
        interval=_interval(record),
        event_rows=_event_rows(record),
        station=_station(record),
        equipment=_equipment(record),
        conditions=_conditions(record),
        corrections=[
            (
                one.what,
                f"{one.value_s:+.6g}",
                f"{one.sigma_s:.3g}",
                "the recorder" if one.included else "the reduction",
                one.source,
            )
            for one in record.corrections
        ],
        caveats=[caveat.partition(": ") for caveat in record.caveats],
        comments=record.comments.splitlines(),
        software=f"Reduced with {record.reduction_software}. " if record.reduction_software else "",
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = resources.files("reduction.reports").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def _body(record: ObservationRecord) -> str:
    number, name = record.asteroid.number, record.asteroid.name
    return " ".join(part for part in (f"({number})" if number else "", name) if part) or "Unnamed body"


def _event(timing: Timing) -> dict[str, Any]:
    star = "" if timing.component == "main star" else f", {timing.component}"
    edges = [
        _edge(f"{name}{star}", edge, timing_digits(timing))
        for name, edge in (("disappearance", timing.d), ("reappearance", timing.r))
        if edge is not None
    ]
    parts = []
    if timing.duration_s is not None:
        parts.append(f"duration {timing.duration_s:.{timing_digits(timing)}f} s")
    if timing.depth is not None:
        error = "" if timing.depth_sigma is None else f" ± {timing.depth_sigma:.3f}"
        parts.append(f"depth {timing.depth:.3f}{error} of the light")
    if timing.snr is not None:
        parts.append(f"integrated signal-to-noise {timing.snr:.1f}")
    if timing.model:
        parts.append(f"model: {timing.model}")
    words = "; ".join(parts)
    return {"edges": edges, "words": f"{words[:1].upper()}{words[1:]}." if words else ""}


def _edge(name: str, edge: EdgeTime, digits: int) -> dict[str, Any]:
    errors = ["", "", ""]
    if edge.intervals_s is not None:
        errors = [_span(low, high, digits) for low, high in edge.intervals_s]
    elif edge.sigma_s is not None:
        errors[0] = f"± {error_text(edge.sigma_s, digits)} s"
    flank = "sharp" if edge.gradual_s is None else f"gradual, {edge.gradual_s:.3g} s (10 to 90 %)"
    return {"name": name, "utc": _moment(edge.utc, digits), "errors": errors, "flank": flank}


def _span(low: float, high: float, digits: int) -> str:
    below, above = error_text(low, digits), error_text(high, digits)
    return f"± {below} s" if below == above else f"−{below} +{above} s"


def _moment(ns: int, digits: int) -> str:
    rounded = ns + 10 ** (9 - digits) // 2
    return f"{utc_date(rounded):%Y-%m-%d} {clock(ns, digits).text()}"


def _moment_or_none(ns: int | None, digits: int) -> str:
    return "" if ns is None else _moment(ns, digits)


def _figure(value: float | None, unit: str = "") -> str:
    return "" if value is None else f"{value:.10g} {unit}".strip()


def _interval(record: ObservationRecord) -> Rows:
    one = record.recording
    rows = [
        ("observation started", _moment_or_none(one.started, 2)),
        ("observation ended", _moment_or_none(one.stopped, 2)),
    ]
    return rows + [
        ("interrupted", f"{_moment(begin, 2)} to {_moment(end, 2)}") for begin, end in one.interrupted
    ]


def _event_rows(record: ObservationRecord) -> Rows:
    star, prediction = record.star, record.prediction
    place = ""
    if star.ra_deg is not None and star.dec_deg is not None:
        _, hour, minute, second = sexagesimal(star.ra_deg / 15, 4)
        place = f"{hour % 24:02d} {minute:02d} {second:07.4f}  {sexagesimal_text(star.dec_deg, 3)}"
    return [
        ("body", _body(record)),
        ("star", star.name),
        ("right ascension, declination (ICRS)", place),
        ("magnitude", _figure(star.magnitude)),
        ("predicted", _moment_or_none(prediction.utc, 1)),
        ("predicted duration", _figure(prediction.duration_s, "s")),
        ("source of the prediction", prediction.source),
    ]


def _station(record: ObservationRecord) -> Rows:
    first, site = record.observers[0] if record.observers else None, record.site
    high = site is not None and "altitude_m" in site.model_fields_set
    over = "" if record.altitude_of is None else f", from the {record.altitude_of}".replace("the sea", "sea")
    return [
        ("observers", "; ".join(one.name for one in record.observers)),
        ("e-mail", first.e_mail if first else ""),
        ("affiliation", first.affiliation if first else ""),
        ("station", site.name if site else ""),
        ("latitude", sexagesimal_text(site.latitude_deg, 2) if site else ""),
        ("longitude, east", sexagesimal_text(signed_longitude(site.longitude_deg), 2, 3) if site else ""),
        ("altitude", f"{site.altitude_m:.1f} m{over}" if site is not None and high else ""),
    ]


def _equipment(record: ObservationRecord) -> Rows:
    scope, one = record.telescope, record.recording
    timing = ", ".join(part for part in (one.time_source or "", one.timing_device) if part)
    return [
        ("telescope", ", ".join(part for part in (scope.type or "", scope.model) if part)),
        ("aperture", _figure(scope.aperture_cm, "cm")),
        ("focal length", _figure(scope.focal_cm, "cm")),
        ("camera", one.camera or one.detector),
        ("method", one.method or ""),
        ("exposure", _figure(one.exposure_s, "s")),
        ("filter", one.filter),
        ("time from", timing),
        ("signal-to-noise of a sample", "" if record.snr is None else f"{record.snr:.2f}"),
    ]


def _conditions(record: ObservationRecord) -> Rows:
    sky = record.conditions
    return [
        ("transparency", sky.transparency or ""),
        ("stability", sky.stability or ""),
        ("clouds", sky.clouds),
        ("wind", sky.wind),
        ("temperature", _figure(sky.temperature_c, "°C")),
        ("limiting magnitude", _figure(sky.limiting_magnitude)),
    ]
