"""`umbra store`: what it says and what it returns."""

import json
import os
from pathlib import Path

import pytest

from cluster.store import open_store
from cluster.store.cli import store as run
from tests.contracts.stores import content, folder_of, sha256

KEY = "5d41402abc4b2a76b9719d911017c592" * 2


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store with two campaigns, three results and an orphan."""
    store = open_store(tmp_path / "store")
    for number in range(3):
        folder = folder_of(
            tmp_path / f"made-{number}", {"summary.json": b"%d" % number, "a/b.csv": b"x" * 1500}
        )
        store.publish("results", f"{number}{KEY[1:]}", folder, 1)
    for number in (0, 1):
        store.add_version("Eris 2026", "La Palma", f"{number}{KEY[1:]}")
    store.add_version("other", "B", f"2{KEY[1:]}")
    folder_of(tmp_path / "store/results" / f"0{KEY[1:]}" / "9-0-0123456789abcdef", {"a": b"lost"})
    return tmp_path / "store"


def test_ls(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", str(place)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("    ")] == [
        "Eris 2026",
        "  La Palma",
        "other",
        "  B",
    ]
    versions = [line.split() for line in lines if line.startswith("    ")]
    assert [(line[0], line[2][0], line[3:]) for line in versions] == [
        (number, key, ["2", "files,", "1.5", "kB"]) for number, key in (("1", "0"), ("2", "1"), ("1", "2"))
    ]
    assert run(["ls", str(place), "other", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert document.pop("when").endswith("Z")
    assert document.pop("edition").startswith("0.")
    assert document == {
        "campaign": "other", "observation": "B", "number": 1, "key": f"2{KEY[1:]}",
        "published": True, "files": 2, "bytes": 1501,
    }  # fmt: skip
    assert run(["ls", str(place), "Ersi"]) == 2
    assert "has no campaign 'Ersi'; there are Eris 2026, other" in capsys.readouterr().err


def test_get(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["get", str(place), f"1{KEY[1:]}", "--out", str(tmp_path / "whole")]) == 0
    assert "2 files, 1.5 kB, of 0." in capsys.readouterr().out
    assert run(["get", str(place), "2", "--out", str(tmp_path / "short")]) == 0
    assert content(tmp_path / "short") == {"summary.json": b"2", "a/b.csv": b"x" * 1500}
    capsys.readouterr()
    for arguments, code, why in (
        (["9", "--out", "x"], 2, "results 9: none begins so"),
        (["", "--out", "x"], 2, "1 to 255 bytes"),
        (["0", "--out", "x", "--kind", "frames"], 2, "--kind frames: give results, stacks, times"),
        (["0", "--out", "x", "--kind", "stacks"], 2, "none begins so"),
        (["0", "--out", str(tmp_path / "whole")], 2, "exists and is not an empty folder"),
    ):
        assert run(["get", str(place), *arguments]) == code
        assert why in capsys.readouterr().err
    next(place.glob("results/0*/1-*/a/b.csv")).write_bytes(b"y")
    assert run(["get", str(place), "0", "--out", str(tmp_path / "damaged")]) == 3
    assert "is damaged" in capsys.readouterr().err
    assert not (tmp_path / "damaged").exists()


def test_put_and_get_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder_of(tmp_path, {"a.ser": b"a" * 1500, "b.ser": b"b"})
    url = str(tmp_path / "new store")
    assert run(["put", url, str(tmp_path / "a.ser"), str(tmp_path / "b.ser")]) == 0
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [f"raw:{sha256(data)}" for data in (b"a" * 1500, b"b")]
    assert lines[0][1:] == ["1.5", "kB", str(tmp_path / "a.ser")]
    assert run(["put", url, str(tmp_path / "a.ser"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(tmp_path / "a.ser"), "raw": lines[0][0], "bytes": 1500,
    }  # fmt: skip
    assert run(["get", url, lines[0][0], "--out", str(tmp_path / "back.ser")]) == 0
    assert (tmp_path / "back.ser").read_bytes() == b"a" * 1500
    capsys.readouterr()
    for arguments, code, why in (
        (["get", url, lines[1][0], "--out", str(tmp_path / "back.ser")], 2, "exists; name another"),
        (["get", url, f"raw:{'0' * 64}", "--out", str(tmp_path / "x")], 3, "has no file with the SHA-256"),
        (["get", url, "raw:..", "--out", str(tmp_path / "x")], 2, "is no SHA-256"),
        (["put", url, str(tmp_path / "c.ser")], 2, "No such file"),
    ):
        assert run(arguments) == code
        assert why in capsys.readouterr().err


def test_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(tmp_path / "store")
    name = [store.put_log("a job", number, f"attempt {number}\n") for number in (1, 2, 10)][1]
    for arguments, text in (
        (["a job"], "attempt 10\n"),
        (["a job", "--attempt", "1"], "attempt 1\n"),
        ([name], "attempt 2\n"),
    ):
        assert run(["log", str(tmp_path / "store"), *arguments]) == 0
        assert capsys.readouterr().out == text
    assert run(["log", str(tmp_path / "store"), "a job", "--attempt", "3"]) == 2
    assert "no log of attempt 3; there are 1, 2, 10" in capsys.readouterr().err
    assert run(["log", str(tmp_path / "store"), "b"]) == 2
    assert "there are none" in capsys.readouterr().err


def test_verify(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(place)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("orphan: results/0")
    assert told[0].endswith("9-0-0123456789abcdef/a: no commit names it")
    assert told[1].endswith("1 orphan (4 B)")
    assert "looked at by size: 13 ok" in told[1]
    path = next(place.glob("results/0*/1-*/a/b.csv"))
    path.write_bytes(b"y" * 1500)
    assert run(["verify", str(place)]) == 0
    capsys.readouterr()
    assert run(["verify", str(place), "--deep"]) == 3
    out, err = capsys.readouterr()
    assert "wrong digest: results/0" in out
    assert "1 of 14 objects are missing or damaged" in err
    path.unlink()
    assert run(["verify", str(place), "--json"]) == 3
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (bad,) = [line for line in lines if line["state"] == "missing"]
    assert (bad["name"], bad["size"]) == (path.relative_to(place).as_posix(), 1500)
    assert len(lines) == 14


def test_collect(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["collect", str(place), "--older-than", "7d"]) == 0
    assert "0 objects deleted" in capsys.readouterr().out
    os.utime(next(place.glob("results/*/9-*/a")), (1.7e9, 1.7e9))
    assert run(["collect", str(place), "--older-than", "7d", "--dry-run"]) == 0
    assert "2023-11-14T22:13:20Z  1 objects, 4 B  results/0" in capsys.readouterr().out
    assert run(["collect", str(place), "--older-than", "1.5h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == 4
    assert run(["collect", str(place), "--older-than", "7d"]) == 0
    assert run(["verify", str(place)]) == 0
    assert "orphan" not in capsys.readouterr().out
    for age in ("7", "d", "-1d", "7 d", "nan"):
        assert run(["collect", str(place), f"--older-than={age}"]) == 2
        assert "give a number and s, m, h, d or w" in capsys.readouterr().err


def test_no_store_is_begun_by_looking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["ls"], ["verify"], ["collect", "--older-than", "7d"], ["get", "k", "--out", "x"]):
        action, *rest = arguments
        assert run([action, str(tmp_path / "nothing"), *rest]) == 2
        assert "there is no store" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "collect" in capsys.readouterr().out
    assert run(["remove"]) == 2
    assert "no such action: 'remove'" in capsys.readouterr().err
    assert run(["verify", "--help"]) == 0
    assert "--deep" in capsys.readouterr().out
