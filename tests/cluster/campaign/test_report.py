"""Small charts and texts of the report."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.campaign.cards import HEIGHT, MOST_DOTS, WIDTH, make_card
from cluster.campaign.outcomes import Curve, Edge, Outcome, read_curve, read_outcome
from cluster.campaign.report import Failure, chords_csv, edge_text, headline, report_page, table_csv
from reduction.errors import DataError
from reduction.timing import UNKNOWN_NS, utc_text

START = 1_773_523_000_000_000_000


def curve(samples: int, cadence_s: float = 0.1) -> Curve:
    mid = START + (np.arange(samples) * cadence_s * 1e9).astype(np.int64)
    flux = np.ones(samples)
    return Curve(mid, flux, np.full(samples, 0.05), np.ones(samples, bool))


def edge(after_s: float, sigma_s: float) -> Edge:
    ns = START + round(after_s * 1e9)
    return Edge(utc_text(ns), ns, sigma_s)


def test_a_whole_curve_fills_the_chart() -> None:
    card = make_card(curve(100), None, None)
    assert card is not None
    xs = [bar[0] for bar in card.bars]
    assert (len(xs), xs[0], xs[-1]) == (100, card.left, card.right)
    assert {bar[1] for bar in card.bars} == {card.level}
    assert card.binned == 1
    assert card.span == "9.9 s"


def test_an_event_in_a_long_curve_is_shown_close_up() -> None:
    card = make_card(curve(36_000), edge(1000.0, 0.02), edge(1004.0, 0.02))
    assert card is not None
    (name, at, low, high), (_, other, _, _) = card.edges
    assert name == "D"
    assert low <= at <= high
    assert card.left < at < other < card.right
    assert (other - at) / (WIDTH - 42) == pytest.approx(4.0 / 16.0, abs=0.01)
    assert "of 3600 s" in card.span


def test_many_samples_are_means_and_outliers_stay_inside() -> None:
    long = curve(10_000)
    long.flux[5000] = 1e6
    long.flux[10] = math.nan
    long.used[10] = False
    card = make_card(long, None, None)
    assert card is not None
    assert len(card.bars) <= MOST_DOTS
    assert card.binned == 32
    assert all(0 <= y <= HEIGHT for bar in card.bars for y in bar[1:])
    (_, mean, above, below) = card.bars[0]
    assert above < mean < below


def test_nothing_to_draw() -> None:
    empty = curve(5)
    empty.used[:] = False
    assert make_card(empty, None, None) is None


@pytest.mark.parametrize(
    ("sigma_s", "text"),
    [(0.02, "21:17:30.390 ± 20 ms"), (0.0004, "21:17:30.39022 ± 400 µs"), (3.0, "21:17:30.4 ± 3 s")],
)
def test_times_have_the_digits_of_their_errors(sigma_s: float, text: str) -> None:
    found = edge_text(Edge("2026-03-14T21:17:30.390223730Z", 0, sigma_s))
    assert found == text if sigma_s < 1 else found.startswith("21:17:30")


def folder_of(path: Path, event: dict[str, Any] | None, rows: str = "") -> Path:
    path.mkdir(parents=True)
    content = {
        "input": {
            "format": "ser",
            "frames": 3,
            "cadence_s": 0.1,
            "metadata": {"latitude": "50", "longitude": "12 E"},
        },
        "event": event,
        "lightcurve": {"scatter": 0.02, "chi2_reduced": 1.0, "flags": {"lost": 1, "saturated": 0}},
        "verdict": {"state": "good", "headline": "All well <b>."},
        "caveats": [{"code": "clock-unknown", "message": "?"}],
    }
    (path / "summary.json").write_text(json.dumps(content))
    head = "frame,utc,exposure_s,flags,flux_norm,flux_norm_sigma\n"
    default = "".join(
        f"{i},{utc_text(START + i * 10**8)},0.1,{2**i if i == 2 else 0},1.0,0.1\n" for i in range(6)
    )
    (path / "lightcurve.csv").write_text(head + (rows or default))
    return path


def outcome(path: Path, name: str, event: dict[str, Any] | None) -> Outcome:
    return read_outcome(name, 2, "k" * 64, folder_of(path / name, event))


def test_the_page_tells_all_and_trusts_no_name(tmp_path: Path) -> None:
    event = {
        "status": "positive",
        "d_utc": utc_text(START + 10**8),
        "d_sigma_s": 0.01,
        "r_utc": None,
        "depth": 0.5,
    }
    outcomes = [outcome(tmp_path, "A<script>", event), outcome(tmp_path, "B", None)]
    failures = [Failure("C", "failed", "c.ser: <cut>")]
    page = report_page("x & y", outcomes, failures, chords=True)
    assert "<script>" not in page
    assert "A&lt;script&gt;" in page
    assert "c.ser: &lt;cut&gt;" in page
    assert page.count("<svg") == 2
    assert "campaign.csv" in page
    served = report_page("x & y", outcomes, failures, chords=False, served=True)
    assert "campaign.csv" not in served, "a service has no such file"
    assert "chords.csv" in served
    assert headline(outcomes, failures).startswith(
        "3 observations · 1 positive · 1 not searched · 1 not reduced"
    )
    rows = list(csv.DictReader(io.StringIO(table_csv(outcomes))))
    assert rows[0]["status"] == "positive"
    assert rows[0]["flags"] == "lost=1"
    assert rows[1]["d_utc"] == ""


def test_chords_have_those_who_looked_and_stood_somewhere(tmp_path: Path) -> None:
    event = {"status": "negative"}
    outcomes = [outcome(tmp_path, "A", event), outcome(tmp_path, "B", None)]
    table = chords_csv(outcomes, {})
    assert table is not None
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["name"], row["latitude_deg"], row["longitude_deg"]) == ("A", "50.0", "12.0")
    assert chords_csv(outcomes[1:], {}) is None


def test_a_curve_without_times(tmp_path: Path) -> None:
    found = read_curve(folder_of(tmp_path / "A", None, "0,,0.1,0,1.0,0.1\n") / "lightcurve.csv")
    assert found.mid_ns.tolist() == [UNKNOWN_NS]
    assert not found.used.any()


def test_results_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    with pytest.raises(DataError, match="no results"):
        read_outcome("A", 1, "k", tmp_path / "A")
    (tmp_path / "A" / "lightcurve.csv").write_text("frame,utc\n0,x\n")
    with pytest.raises(DataError, match="no light curve"):
        read_curve(tmp_path / "A" / "lightcurve.csv")
