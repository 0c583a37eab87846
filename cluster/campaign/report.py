"""The report of a campaign: a folder with a page of all light curves, a table, and every result."""

import base64
import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined, Template

from cluster.campaign.cards import Card, make_card
from cluster.campaign.compare import Pair
from cluster.campaign.compare import headline as compared
from cluster.campaign.outcomes import Edge, Outcome
from reduction.outputs.words import duration, figure, percent, plural
from reduction.sites import Site
from reduction.version import VERSION

SCHEMA = "umbra-campaign-report-1"
STATIONS = "stations"
STATUS = {"positive": "event", "negative": "no event", "inconclusive": "inconclusive", "": "not searched"}
COLUMNS = (
    "station", "version", "key", "status", "verdict", "d_utc", "d_sigma_s", "r_utc", "r_sigma_s", "depth",
    "depth_sigma", "false_alarm_probability", "frames", "cadence_s", "scatter", "chi2_reduced", "flags",
    "caveats",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """An observation without a result: its state in the queue, and why."""

    station: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """A station as the template shows it."""

    station: str
    version: str
    anchor: str
    href: str
    status: str
    verdict: str
    headline: str
    d: str
    r: str
    duration: str
    depth: str
    scatter: str
    about: str
    flags: str
    card: Card | None


def report_page(
    campaign: str,
    outcomes: Sequence[Outcome],
    failures: Sequence[Failure],
    chords: bool,
    served: bool = False,
) -> str:
    """The page.

    Parameters
    ----------
    campaign : str
    outcomes : sequence of Outcome
        Their files lie in folders of `STATIONS` beside the page.
    failures : sequence of Failure
    chords : bool
        There is a table for `umbra chords`.
    served : bool
        By a service, which has the chords' table beside the page, and no others.
    """
    said = headline(outcomes, failures)
    return _page(campaign, said, outcomes, failures=failures, chords=chords, served=served)


def comparison_page(title: str, pairs: Sequence[Pair], picture: bytes | None) -> str:
    """The page of a comparison: what changed, and the curves of what did, old before new.

    Parameters
    ----------
    title : str
    pairs : sequence of Pair
        Their files lie in folders of `STATIONS` beside the page.
    picture : bytes or None
        A PNG.
    """
    differing = [pair for pair in pairs if pair.change not in {"same", "within errors"}]
    outcomes = [outcome for pair in differing for outcome in (pair.old, pair.new) if outcome is not None]
    uri = None if picture is None else "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
    return _page(title, compared(pairs), outcomes, changes=pairs, picture=uri)


def _page(
    title: str,
    said: str,
    outcomes: Sequence[Outcome],
    failures: Sequence[Failure] = (),
    chords: bool = False,
    changes: Sequence[Pair] = (),
    picture: str | None = None,
    served: bool = False,
) -> str:
    rows = [_row(number, outcome) for number, outcome in enumerate(outcomes)]
    return _template().render(
        campaign=title,
        headline=said,
        rows=rows,
        failures=failures,
        changes=changes,
        picture=picture,
        zoomed=any(row.card is not None and " of " in row.card.span for row in rows),
        chords=chords,
        served=served,
        version=VERSION,
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = resources.files("cluster.campaign").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def headline(outcomes: Sequence[Outcome], failures: Sequence[Failure]) -> str:
    """What came of the campaign, in a line."""
    parts = [plural(len(outcomes) + len(failures), "observation")]
    for status, words in STATUS.items():
        count = sum(outcome.status == status for outcome in outcomes)
        if count:
            parts.append(f"{count} {status or words}")
    if failures:
        parts.append(f"{len(failures)} not reduced")
    frames = sum(int(outcome.figure("input", "frames") or 0) for outcome in outcomes)
    return " · ".join([*parts, plural(frames, "frame")])


def _row(number: int, outcome: Outcome) -> Row:
    d, r = outcome.edge("d"), outcome.edge("r")
    depth, error = outcome.figure("event", "depth"), outcome.figure("event", "depth_sigma")
    scatter = outcome.figure("lightcurve", "scatter")
    known = outcome.summary["input"]
    cadence = known.get("cadence_s")
    about = [str(known["format"]).upper(), plural(int(known["frames"]), "frame")]
    about += [] if cadence is None else [f"every {duration(float(cadence))}"]
    about.append(f"version {outcome.version}")
    flags = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in outcome.flags.items())
    return Row(
        station=outcome.station,
        version=f"version {outcome.version}",
        anchor=f"s{number}",
        href=outcome.link or f"{STATIONS}/{'/'.join(map(quote, _below(outcome.folder)))}/report.html",
        status=STATUS.get(outcome.status, outcome.status),
        verdict=outcome.verdict,
        headline=outcome.headline,
        d=edge_text(d),
        r=edge_text(r),
        duration="" if d is None or r is None else f"{(r.ns - d.ns) * 1e-9:.{_digits(d, r)}f} s",
        depth="" if depth is None else figure(depth) + ("" if error is None else f" ± {figure(error, 2)}"),
        scatter="" if scatter is None else percent(scatter),
        about=" · ".join(about),
        flags=f"Flagged samples: {flags}." if flags else "",
        card=make_card(outcome.curve(), d, r),
    )


def _below(folder: Path) -> tuple[str, ...]:
    """Parts of a folder's path below `STATIONS`."""
    parts = folder.parts
    return parts[len(parts) - parts[::-1].index(STATIONS) :] if STATIONS in parts else parts[-1:]


def _digits(*edges: Edge) -> int:
    """Decimals of a second that errors leave standing: two digits of the largest."""
    known = [edge.sigma_s for edge in edges if math.isfinite(edge.sigma_s) and edge.sigma_s > 0]
    return min(6, max(0, 1 - math.floor(math.log10(max(known))))) if known else 3


def edge_text(edge: Edge | None) -> str:
    """Time of day of an edge with its error; empty without one."""
    if edge is None:
        return ""
    digits = _digits(edge)
    whole, _, fraction = edge.utc[11:].rstrip("Z").partition(".")
    text = f"{whole}.{fraction.ljust(digits, '0')[:digits]}" if digits else whole
    return f"{text} ± {duration(edge.sigma_s)}"


def table_csv(outcomes: Sequence[Outcome]) -> str:
    """Figures of every station, a row each."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for outcome in outcomes:
        event = outcome.summary.get("event") or {}
        row: dict[str, Any] = {name: event.get(name) for name in COLUMNS}
        row |= {name: outcome.figure("lightcurve", name) for name in ("scatter", "chi2_reduced")}
        row |= {name: outcome.figure("input", name) for name in ("cadence_s",)}
        row |= {
            "station": outcome.station, "version": outcome.version, "key": outcome.key,
            "status": outcome.status, "verdict": outcome.verdict,
            "frames": outcome.summary["input"]["frames"],
            "flags": " ".join(f"{name}={count}" for name, count in outcome.flags.items()),
            "caveats": " ".join(sorted(outcome.caveats)),
        }  # fmt: skip
        writer.writerow(row)
    return out.getvalue()


def chords_csv(outcomes: Sequence[Outcome], sites: Mapping[str, Site]) -> str | None:
    """Stations with their sites and results, as `umbra chords` reads them; None where no site is known."""
    lines = []
    for outcome in outcomes:
        site = sites.get(outcome.station) or outcome.site
        if site is not None and outcome.status in {"positive", "negative"}:
            place = {"latitude_deg": site.latitude_deg, "longitude_deg": site.longitude_deg}
            result = f"{STATIONS}/{outcome.folder.name}"
            lines.append({"name": outcome.station, **place, "altitude_m": site.altitude_m, "result": result})
    if not lines:
        return None
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def write_report(
    folder: Path,
    campaign: str,
    outcomes: Sequence[Outcome],
    failures: Sequence[Failure],
    sites: Mapping[str, Site],
) -> None:
    """Write page and tables into a folder that holds the results already."""
    chords = chords_csv(outcomes, sites)
    if chords is not None:
        (folder / "chords.csv").write_text(chords, encoding="utf-8")
    (folder / "campaign.csv").write_text(table_csv(outcomes), encoding="utf-8")
    page = report_page(campaign, outcomes, failures, chords is not None)
    (folder / "index.html").write_text(page, encoding="utf-8")
    content = {"schema": SCHEMA, "campaign": campaign, "version": VERSION, "results": len(outcomes)}
    (folder / "report.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
