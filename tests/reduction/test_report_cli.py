import json
from pathlib import Path

import pytest

from reduction.record_file import load_record
from reduction.report_cli import RECORD, report
from reduction.reports.form import FORMS
from tests.reduction.reports.making import full, negative
from tests.reduction.test_record_merge import EVENT, folder


def me(path: Path) -> Path:
    """An observer's file: the full record without what a reduction finds."""
    record = full().document()
    for name in ("status", "timings", "snr", "corrections", "recording", "reduction_software"):
        del record[name]
    (path / "me.json").write_text(json.dumps(record), encoding="utf-8")
    return path / "me.json"


def test_a_new_file_is_filled_in_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "me.toml"
    assert report(["--new", str(new)]) == 0
    assert "fill it in" in capsys.readouterr().out
    assert load_record(new).observers == ()
    assert report(["--new", str(new)]) == 0  # it is the same still
    new.write_text(new.read_text(encoding="utf-8") + "#\n", encoding="utf-8")
    assert report(["--new", str(new)]) == 2
    assert "exists; add --overwrite" in capsys.readouterr().err
    assert report(["--new", str(new), "--observer", str(new)]) == 2


def test_every_form_from_one_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder(tmp_path / "out", event=EVENT)
    forms = tmp_path / "forms"
    assert report([str(out), "--observer", str(me(tmp_path)), "--out", str(forms)]) == 0
    assert sorted(path.name for path in forms.iterdir()) == [
        "20260311_928_Hildrun_Herschel_IOTA-ES.txt",
        "20260311_928_Hildrun_Herschel_Occult.xml",
        "20260311_928_Hildrun_Herschel_POS.xlsx",
        "20260311_928_Hildrun_Herschel_report.html",
        "20260311_928_Hildrun_Herschel_report.txt",
        "20260311_928_Hildrun_UCAC4_350_187717+Herschel.xlsx",
        RECORD,
    ]
    told = capsys.readouterr().out
    assert "(928) Hildrun, 2026-03-11: positive" in told
    assert "iota-es: not stated: time source, observing method" not in told
    assert "time source" in told
    d = load_record(forms / RECORD).timings[0].d
    for name, end in ENDS.items():
        path = next(p for p in forms.iterdir() if p.name.endswith(end))
        read = FORMS[name].read(path).record.timings[0].d
        assert d is not None
        assert read is not None
        assert abs(read.utc - d.utc) <= 500_000


ENDS = {
    "iota-na": "POS.xlsx",
    "tt": "+Herschel.xlsx",
    "iota-es": "IOTA-ES.txt",
    "occult-xml": "Occult.xml",
    "text": "report.txt",
}


def test_forms_are_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "record.json").write_text(json.dumps(full().document()), encoding="utf-8")
    words = [str(tmp_path / "record.json"), "--form", "iota-es", "--out", str(tmp_path / "forms")]
    assert report(words) == 0
    assert report(words) == 0  # the same again
    written = tmp_path / "forms" / "20260311_928_Hildrun_Herschel_IOTA-ES.txt"
    written.write_text("mine", encoding="utf-8")
    assert report(words) == 2
    assert "exists" in capsys.readouterr().err
    assert written.read_text(encoding="utf-8") == "mine"
    assert report([*words, "--overwrite"]) == 0
    assert written.read_text(encoding="utf-8") != "mine"
    assert not list(written.parent.glob("*.partial"))


def test_without_out_it_only_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "me.toml").write_text('status = "planned"\n', encoding="utf-8")
    assert report(["--observer", str(tmp_path / "me.toml")]) == 0
    told = capsys.readouterr().out
    assert "unnamed body, undated: planned" in told
    assert "not stated: date of the event, asteroid's name" in told
    assert "nothing was written" in told
    assert report(["--observer", str(tmp_path / "me.toml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["record"] == {"status": "planned"}
    assert "observer" in document["not_stated"]


def test_a_plan_is_for_the_text_form_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "me.toml").write_text('status = "planned"\n', encoding="utf-8")
    words = ["--observer", str(tmp_path / "me.toml"), "--out", str(tmp_path / "forms")]
    assert report([*words, "--form", "iota-es"]) == 2
    assert "planned" in capsys.readouterr().err
    assert report(words) == 0
    assert sorted(path.suffix for path in (tmp_path / "forms").iterdir()) == [".html", ".json", ".txt"]
    assert "iota-es: IOTA-ES form: holds" in capsys.readouterr().out


@pytest.mark.parametrize("source", ["iota-es", "occult-xml", "iota-na", "text"])
@pytest.mark.parametrize("target", ["iota-es", "occult-xml", "iota-na", "tt", "text"])
def test_a_filled_form_becomes_another(source: str, target: str, tmp_path: Path) -> None:
    (filled,) = FORMS[source].fill(full())
    path = tmp_path / filled.name
    path.write_bytes(filled.content)
    assert report([str(path), "--form", target, "--out", str(tmp_path / "forms")]) == 0
    (converted,) = (p for p in (tmp_path / "forms").iterdir() if p.name != RECORD)
    edge = FORMS[target].read(converted).record.timings[0].d
    stated = full().timings[0].d
    assert edge is not None
    assert stated is not None
    assert abs(edge.utc - stated.utc) <= 500_000


def test_the_observers_own_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own,) = FORMS["iota-na"].fill(negative())
    (tmp_path / "mine.xlsx").write_bytes(own.content)
    (tmp_path / "r.json").write_text(json.dumps(full().document()), encoding="utf-8")
    words = [
        str(tmp_path / "r.json"),
        "--out",
        str(tmp_path / "forms"),
        "--template",
        str(tmp_path / "mine.xlsx"),
    ]
    assert report(words) == 2
    assert "which form" in capsys.readouterr().err
    assert report([*words, "--form", "iota-na"]) == 0
    assert report([*words, "--form", "text"]) == 2


def test_bad_input_has_its_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report([]) == 2
    assert report([str(tmp_path)]) == 2
    (tmp_path / "bad.toml").write_text("a = [", encoding="utf-8")
    assert report(["--observer", str(tmp_path / "bad.toml")]) == 3
    (tmp_path / "me.toml").write_text('status = "planned"\n', encoding="utf-8")
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert report(["--observer", str(tmp_path / "me.toml"), "--out", str(tmp_path / "file")]) == 4
    assert capsys.readouterr().err.count("umbra report: ") == 4
