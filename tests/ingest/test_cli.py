"""`umbra ingest` and `umbra inspect` as a person meets them: output, exit codes, interruption."""

import errno
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from ingest import durable
from ingest.cli import ingest, inspect
from ingest.convert import plan_partitions
from ingest.stack import open_stack, verify
from ingest.writers import write_avi, write_ser

ROOT = Path(__file__).parents[2]
START_NS = 1_767_225_600_000_000_000


@pytest.fixture
def ser(tmp_path: Path) -> Path:
    frames = np.random.default_rng(3).integers(20, 60, (12, 30, 40), np.uint8)
    write_ser(tmp_path / "a.ser", frames, stamps_ns=START_NS + np.arange(12, dtype=np.int64) * 40_000_000)
    return tmp_path / "a.ser"


@pytest.fixture
def avi(tmp_path: Path) -> Path:
    frames = np.random.default_rng(3).integers(20, 60, (12, 30, 40), np.uint8)
    write_avi(tmp_path / "a.avi", frames, rate=25)
    return tmp_path / "a.avi"


def run(verb: Any, *arguments: object) -> int:
    code: int = verb([str(a) for a in arguments])
    return code


def test_ingest_then_inspect(ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ingest, ser, tmp_path / "a.zarr") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "12 frames of 40 x 30 px, uint8" in out
    assert verify(tmp_path / "a.zarr") == []
    assert open_stack(tmp_path / "a.zarr").times.known.all()

    assert run(inspect, tmp_path / "a.zarr") == 0
    of_stack = capsys.readouterr().out
    assert run(inspect, ser) == 0
    of_ser, err = capsys.readouterr()
    assert err == ""
    assert of_stack.splitlines()[0] == "a.zarr: zarr, a stack made from a.ser"
    assert of_ser.splitlines()[0].startswith("a.ser: ser")
    assert of_stack.splitlines()[1:] == of_ser.splitlines()[1:]


def test_json(ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ingest, ser, tmp_path / "a.zarr", "--json") == 0
    written = json.loads(capsys.readouterr().out)
    assert run(inspect, ser, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    stack = open_stack(tmp_path / "a.zarr")
    assert written["pixel_digest"] == found["input"]["pixel_digest"] == stack.digest
    assert written["time_digest"] == stack.times.digest
    assert written["frames"] == found["input"]["frames"] == 12
    assert found["times"]["cadence_s"] == pytest.approx(0.04)


def test_times_options(avi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(inspect, avi) == 0
    assert "times      none" in capsys.readouterr().out
    start = ("--start-utc", "2026-01-01T00:00:00.000Z", "--cadence", "0.04", "--time-is", "mid")
    assert run(inspect, avi, *start) == 0
    assert "first      2026-01-01T00:00:00.000000Z" in capsys.readouterr().out
    table = tmp_path / "times.csv"
    table.write_text("utc\n" + "".join(f"2026-01-01T00:00:{k:02d}.500Z\n" for k in range(12)))
    assert run(ingest, avi, tmp_path / "a.zarr", "--times", table, "--time-is", "mid") == 0
    times = open_stack(tmp_path / "a.zarr").times
    np.testing.assert_array_equal(times.mid_ns, START_NS + 500_000_000 + np.arange(12) * 10**9)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.ser", "a.zarr"], 2, "none.ser: no such file"),
        (["a.ser"], 2, "must end in .zarr|give a recording and the stack"),
        (["a.ser", "out"], 2, "must end in .zarr"),
        (["text.txt", "a.zarr"], 3, "text.txt: not a recording"),
        (["empty.avi", "a.zarr"], 3, "empty.avi: the file is empty"),
        (["a.ser", "a.zarr", "--cadence", "0.1"], 2, "--cadence is given without --start-utc"),
        (["a.ser", "a.zarr", "--time-is", "noon"], 2, "--time-is noon"),
        (["a.ser", "a.zarr", "--start-utc", "noon", "--cadence", "1"], 2, "--start-utc noon"),
        (["a.ser", "a.zarr", "--times", "none.csv"], 2, "none.csv"),
        (["a.ser", "a.zarr", "--nonsense"], 2, "--nonsense"),
        ([], 2, "INPUT"),
        (["a.ser", "a.ser", "a.zarr"], 0, ""),
        (["a.ser", "text.txt", "a.zarr"], 2, "one recording at a time"),
    ],
)
def test_ingest_refuses(
    ser: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(ser.parent)
    Path("text.txt").write_text("this is no recording")
    Path("empty.avi").write_bytes(b"")
    assert run(ingest, *arguments) == code
    out, err = capsys.readouterr()
    if code:
        assert out == ""
        assert any(part in err for part in message.split("|"))
        assert "Traceback" not in err
        assert not Path("a.zarr").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.ser"], 2, "none.ser: no such file"),
        (["text.txt"], 3, "text.txt: not a recording"),
        (["half.zarr"], 3, "half.zarr: its conversion was interrupted; run umbra ingest again"),
        (["foreign.zarr"], 3, "foreign.zarr: a Zarr group, but not a stack"),
        ([], 2, "INPUT"),
    ],
)
def test_inspect_refuses(
    ser: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(ser.parent)
    Path("text.txt").write_text("this is no recording")
    zarr.create_group("half.zarr", attributes={"umbra_stack": 1, "state": "converting"})
    zarr.create_group("foreign.zarr")
    assert run(inspect, *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err


def test_finished_stack_is_kept(
    ser: Path, avi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.zarr"
    assert run(ingest, ser, target) == 0
    assert run(ingest, ser, target) == 2
    assert "a finished stack stands there" in capsys.readouterr().err
    assert run(ingest, avi, target, "--overwrite") == 0
    assert open_stack(target).info.metadata["source_name"] == "a.avi"


def test_the_input_is_never_overwritten(
    ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "a.zarr"
    assert run(ingest, ser, target) == 0
    assert run(ingest, target, target, "--overwrite") == 2
    assert "is the input" in capsys.readouterr().err
    assert verify(target) == []


def test_damaged_recording_leaves_nothing(
    tmp_path: Path, avi: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(avi.read_bytes())
    middle = content.index(b"00dc", len(content) // 3)
    content[middle + 8 : middle + 400] = bytes(392)
    avi.write_bytes(content)
    assert run(ingest, avi, tmp_path / "a.zarr") == 3
    assert "is damaged" in capsys.readouterr().err
    assert not (tmp_path / "a.zarr").exists()


def test_full_disk(
    ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = durable.put

    def full(target: Path, *content: Any) -> None:
        if target.match("pixels/c/*/*/*"):
            raise OSError(errno.ENOSPC, "No space left on device")
        put(target, *content)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "put", full)
        assert run(ingest, ser, tmp_path / "a.zarr") == 4
    assert "the disk is full" in capsys.readouterr().err
    assert run(ingest, ser, tmp_path / "a.zarr") == 0


INTERRUPTED = """
    import os, signal, sys
    import ingest.convert as conversion
    from umbra import main

    write = conversion.write_partition
    chosen = conversion.plan_layout

    def interrupting(path, i, frames, **options):
        if i == 2:
            os.kill(os.getpid(), signal.SIGINT)
        write(path, i, frames, **options)

    conversion.write_partition = interrupting
    conversion.plan_layout = lambda info, shard=None: chosen(info, 3)
    main()
"""


def test_interrupted_by_the_keyboard(ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "a.zarr"
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), "ingest", str(ser), str(target)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 130
    assert ended.stderr == "umbra ingest: interrupted; run the same command again to go on\n"
    assert ended.stdout == ""
    assert [p.complete for p in plan_partitions(target)] == [True, True, False, False]
    assert run(inspect, target) == 3
    assert "interrupted" in capsys.readouterr().err
    assert run(ingest, ser, target) == 0
    assert verify(target) == []


def test_progress_on_a_terminal_only(
    ser: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(ingest, ser, tmp_path / "a.zarr") == 0
    assert "12/12" in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    assert run(inspect, ser) == 0
    assert capsys.readouterr().err == ""
