"""A folder of uploads becomes a manifest; what is not understood is said."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cluster.campaign.cli import campaign
from cluster.campaign.manifest import read_manifest
from cluster.campaign.uploads import find_uploads
from ingest.writers import write_fits_sequence, write_ser, write_times_csv
from reduction.errors import RequestError
from tests.recordings import SMALL, SMALL_8BIT, avi_of, stamps

SHORT, SHORT_8BIT = replace(SMALL, frames=6), replace(SMALL_8BIT, frames=6)
DARK = np.full((3, 120, 160), 100, np.uint16)


def ser(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ser(path, [SHORT.frame(i) for i in range(SHORT.frames)], stamps_ns=stamps(SHORT))
    return path


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """Loose files, folders with calibration inside, beside and shared, an archive, and rubbish."""
    top = tmp_path / "uploads"
    ser(top / "Anna.ser")
    avi, table = avi_of(SHORT_8BIT, top / "Carl.avi")
    table.rename(avi.with_name("Carl-times.csv"))
    frames = [SHORT.frame(i) for i in range(SHORT.frames)]
    write_fits_sequence(top / "Bert", frames, stamps_ns=stamps(SHORT), exposure_s=SHORT.exposure_s)
    write_fits_sequence(top / "Bert-dark", DARK, exposure_s=SHORT.exposure_s, image_type="DARK", stem="d")
    ser(top / "Dora" / "occultation.ser")
    write_ser(top / "Dora" / "dark.ser", DARK)
    (top / "Dora" / "report.txt").write_text("we saw it")
    ser(top / "Emil" / "first.ser")
    ser(top / "Emil" / "second.ser")
    ser(tmp_path / "inside" / "night.ser")
    shutil.make_archive(str(top / "Fred"), "zip", tmp_path / "inside")
    (top / "Gina").mkdir()
    (top / "Gina" / "notes.xyz").write_bytes(b"\x01\x02")
    (top / "broken.ser").write_bytes(b"LUCAM-RECORDER" + bytes(20))
    (top / "empty.ser").write_bytes(b"")
    return top


def test_each_upload_is_understood(uploads: Path, tmp_path: Path) -> None:
    found = find_uploads(uploads, tmp_path / "m.csv", scratch=tmp_path)
    rows = {row["station"]: row for row in found.rows}
    assert set(rows) == {"Anna", "Bert", "Carl", "Dora", "Emil-first", "Emil-second", "Fred", "broken"}
    assert rows["Anna"]["input"] == "uploads/Anna.ser"
    assert rows["Bert"]["input"] == "uploads/Bert"
    assert rows["Bert"]["dark"] == "uploads/Bert-dark"
    assert rows["Carl"]["times.table"] == "uploads/Carl-times.csv"
    assert rows["Dora"]["dark"] == "uploads/Dora/dark.ser"
    assert rows["Fred"]["input"] == "uploads/Fred.zip"
    assert "times.table" not in rows["Anna"]
    assert "ser, 6 frames, 160 x 120" in rows["Fred"]["remarks"]
    said = "\n".join(found.questions)
    for word in ("Gina", "notes.xyz", "empty.ser", "broken.ser"):
        assert word in said
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".umbra-")]


def test_the_verb_writes_what_run_reads(
    uploads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m.csv"
    assert campaign(["init", str(uploads), "--out", str(out)]) == 0
    assert "8 observations" in capsys.readouterr().out
    assert not read_manifest(out).faults
    with out.open(newline="") as file:
        assert next(csv.reader(file))[:2] == ["station", "input"]
    assert campaign(["init", str(uploads), "--out", str(out)]) == 2
    assert campaign(["init", str(uploads), "--out", str(out), "--overwrite"]) == 0


def test_a_dry_run_tells_and_writes_nothing(
    uploads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = uploads / "m.csv"
    assert campaign(["init", str(uploads), "--out", str(manifest)]) == 0
    with manifest.open("a") as file:
        file.write("Zoe,nowhere.ser\n")
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    capsys.readouterr()
    assert campaign(["run", str(manifest), "--dry-run", "--workers", "2"]) == 2
    text = capsys.readouterr().out
    assert "line 10, input" in text
    assert "will fail: broken.ser" in text
    assert "on 2 workers" in text
    assert campaign(["run", str(manifest), "--dry-run", "--json", "--only", "Anna"]) == 2
    document = json.loads(capsys.readouterr().out)
    (anna,) = document["observations"]
    assert (anna["format"], anna["frames"], anna["width"], anna["height"]) == ("ser", 6, 160, 120)
    assert anna["bytes"] == (uploads / "Anna.ser").stat().st_size
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before
    assert campaign(["run", str(manifest), "--dry-run", "--only", "Ana"]) == 2
    assert "is Anna meant" in capsys.readouterr().err


def test_frames_of_a_folder_with_others_among_them(tmp_path: Path) -> None:
    top = tmp_path / "up" / "Hugo"
    frames = [SHORT.frame(i) for i in range(SHORT.frames)]
    write_fits_sequence(top, frames, stamps_ns=stamps(SHORT), image_type="", stem="light")
    write_fits_sequence(tmp_path / "d", DARK, image_type="", stem="dark")
    for path in (tmp_path / "d").iterdir():
        shutil.move(path, top)
    (row,) = find_uploads(tmp_path / "up", tmp_path / "m.csv").rows
    assert row["input"].startswith("up/Hugo/light")
    assert row["input"].endswith("*.fits")
    assert row["dark"].startswith("up/Hugo/dark")


def test_several_tables_of_times_are_asked_about(tmp_path: Path) -> None:
    avi, table = avi_of(SHORT_8BIT, tmp_path / "up" / "Ida.avi")
    table.rename(avi.with_name("Ida-1.csv"))
    write_times_csv(avi.with_name("Ida-2.csv"), stamps(SHORT), SHORT.exposure_s)
    found = find_uploads(tmp_path / "up", tmp_path / "m.csv")
    assert "times.table" not in found.rows[0]
    assert any("several files" in text for text in found.questions)


def test_nothing(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no folder"):
        find_uploads(tmp_path / "absent", tmp_path / "m.csv")
    (tmp_path / "up").mkdir()
    with pytest.raises(RequestError, match="nothing in it"):
        find_uploads(tmp_path / "up", tmp_path / "m.csv")


def test_actions(capsys: pytest.CaptureFixture[str]) -> None:
    assert campaign([]) == 0
    assert "init" in capsys.readouterr().out
    assert campaign(["inti"]) == 2
