"""What counts as a change between two versions of a campaign."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from cluster.campaign.changes_figure import draw_changes
from cluster.campaign.cli import campaign
from cluster.campaign.compare import document, headline, pairs_of, table_csv, text
from cluster.campaign.outcomes import Outcome, read_outcome
from cluster.campaign.report import comparison_page
from cluster.store import open_store
from reduction.timing import utc_text

START = 1_773_523_000_000_000_000


def written(
    folder: Path, d_s: float | None = 1.0, scatter: float = 0.02, verdict: str = "good", **flags: int
) -> Path:
    """A folder of results with its D at some time, R a second later, errors of 10 ms."""
    folder.mkdir(parents=True)
    event: dict[str, Any] = {"status": "negative" if d_s is None else "positive"}
    if d_s is not None:
        for name, at in (("d", d_s), ("r", d_s + 1.0)):
            event |= {f"{name}_utc": utc_text(START + round(at * 1e9)), f"{name}_sigma_s": 0.01}
    content = {
        "input": {"format": "ser", "frames": 30, "cadence_s": 0.1, "metadata": {}},
        "event": event,
        "lightcurve": {"scatter": scatter, "chi2_reduced": 1.0, "flags": flags},
        "verdict": {"state": verdict, "headline": "So."},
        "caveats": [],
    }
    (folder / "summary.json").write_text(json.dumps(content))
    rows = "".join(f"{i},{utc_text(START + i * 10**8)},0.1,0,1.0,0.1\n" for i in range(30))
    (folder / "lightcurve.csv").write_text("frame,utc,exposure_s,flags,flux_norm,flux_norm_sigma\n" + rows)
    (folder / "report.html").write_text("<html></html>")
    return folder


def outcome(folder: Path, station: str, key: str, *arguments: Any, **flags: Any) -> Outcome:
    return read_outcome(station, 1, key, written(folder / "stations" / key / station, *arguments, **flags))


def test_each_kind_of_change(tmp_path: Path) -> None:
    old = [
        outcome(tmp_path, name, "old")
        for name in ("same", "little", "moved", "lost", "noisy", "flags", "gone")
    ]
    new = [
        read_outcome("same", 2, "old", old[0].folder),
        outcome(tmp_path, "little", "new", 1.005),
        outcome(tmp_path, "moved", "new", 1.05),
        outcome(tmp_path, "lost", "new", None),
        outcome(tmp_path, "noisy", "new", 1.0, 0.03, "caution"),
        outcome(tmp_path, "flags", "new", lost=3),
        outcome(tmp_path, "fresh", "new"),
    ]
    pairs = {pair.station: pair for pair in pairs_of(old, new)}
    assert {name: pair.change for name, pair in pairs.items()} == {
        "same": "same", "little": "within errors", "moved": "changed", "lost": "changed", "noisy": "changed",
        "flags": "changed", "fresh": "new", "gone": "gone",
    }  # fmt: skip
    assert pairs["moved"].moved_s("d") == pytest.approx(0.05)
    assert pairs["moved"].moved_sigma("r") == pytest.approx(5.0)
    assert "D +0.0500 s (+5.0 sigma)" in pairs["moved"].reasons
    assert "event positive → negative" in pairs["lost"].reasons
    assert pairs["noisy"].better is False
    assert pairs["noisy"].scatter_ratio == pytest.approx(1.5)
    assert pairs["flags"].flags == [("lost", 0, 3)]
    listed = list(pairs.values())
    assert headline(listed).startswith("8 observations: 1 same, 1 within errors, 4 changed")
    assert "1 worse" in headline(listed)
    assert "  gone: gone" in text(listed)
    rows = {row["station"]: row for row in csv.DictReader(io.StringIO(table_csv(listed)))}
    assert rows["noisy"]["better"] == "false"
    assert rows["fresh"]["old_key"] == ""
    assert document(listed)["observations"][1]["d_moved_s"] == pytest.approx(0.005)
    picture = draw_changes(listed)
    assert picture is not None
    page = comparison_page("a → b", listed, picture)
    assert page.count("<svg") == 10  # four that changed, twice; one that is new, one that is gone
    assert 'href="stations/new/moved/report.html"' in page
    assert draw_changes(pairs_of(old[:1], new[:1])) is None


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(tmp_path / "store")
    for number, late in enumerate((1.0, 1.0, 1.1)):
        name, key = ("AB"[number % 2], f"{number}" * 64)
        store.publish("results", key, written(tmp_path / key[:3], late))
        store.add_version("c", name, key)
    url, out = str(tmp_path / "store"), tmp_path / "out"
    assert campaign(["compare", url, "c@1", "c", "--json"]) == 0
    found = {row["station"]: row for row in json.loads(capsys.readouterr().out)["observations"]}
    assert (found["A"]["change"], found["B"]["change"]) == ("changed", "same")
    assert campaign(["compare", url, "c@1", "c@2", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "A: D +0.1000 s" in said
    assert "2 observations: 1 changed, 1 same" in said
    assert {path.name for path in out.iterdir()} == {"index.html", "changes.csv", "report.json", "stations"}
    assert (out / "stations" / "new" / "A" / "report.html").is_file()
    for wrong in ("d", "c@x", "c@7"):
        assert campaign(["compare", url, "c", wrong]) == 2
    assert campaign(["compare", url, "c@1", "c@2", "--out", str(out)]) == 2
