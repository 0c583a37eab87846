"""What a cluster would need, from figures whose answer is plain."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.capacity import BEGIN, CORES, END, NIC_MB_S, REQUESTS_S, loads, measured, table, write

SMALL: dict[str, Any] = {
    "values": {
        "a job beyond its reduction": {"worker, processor ms": 500.0, "supervisor, processor ms": 20.0},
        "stages": {"bytes of a result": 1_000_000},
        "bytes of a recording": 4_000_000,
        "queue": {"SQLite, ms a job": 9.0, "PostgreSQL, ms a job": 5.0},
        "digest, MB/s": 500.0,
    },
    "timed": [{"name": "in this process", "cpu_s": [1.0, 1.5, 2.0]}],
}
LARGE: dict[str, Any] = {
    "setting": {"frames": 6000, "pixels": "640 x 480", "bytes": 1_000_000_000},
    "timed": [{"name": "one worker", "cpu_s": [64.0]}],
}
STORE: dict[str, Any] = {
    "values": {"requests": {"publish": {"get": 1, "stage": 6}, "log": {"put": 1}, "version": {"get": 2}}}
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for name, content in (("campaign", SMALL), ("campaign_large", LARGE), ("store", STORE)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_shares(results: Path) -> None:
    found = measured(results)
    small, large = found.kinds
    assert (small.cpu_s, small.size_mb, small.written_mb, small.requests) == (2.0, 4.0, 1.0, 12.0)
    each_s = 10 * CORES / 2.0
    assert loads(small, found, 10) == pytest.approx(
        {
            "a node's network": each_s / 10 * 5.0 / NIC_MB_S,
            "the disk's or store's network": each_s * 9.0 / NIC_MB_S,
            "the store's requests": each_s * 12.0 / REQUESTS_S,
            "one supervisor": each_s * 0.02,
            "its digests": each_s * 4.0 / 1000.0,
            "the database": each_s * 0.005,
        }
    )
    assert loads(large, found, 1)["a node's network"] == pytest.approx(0.5 * 1001.0 / NIC_MB_S)


def test_what_limits_is_told(results: Path) -> None:
    text = table(measured(results))
    assert "| 10 nodes | 160.0 | 0.06 | 1.15 | 0.64 | **3.20** | 0.64 | 0.80 |" in text
    assert "| 1 node | 0.5 | 0.40 | 0.80 |" in text


def test_the_page(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nwhat was there\n{END}\nafter\n")
    write(page, results)
    text = page.read_text()
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert "what was there" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="no place"):
        write(page, results)
