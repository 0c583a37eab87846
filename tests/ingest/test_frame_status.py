"""What a recorder wrote beside its frames is the same in the raw file and in a stack of it."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.cli import ingest
from ingest.frame_status import FrameStatus, put_status, read_status
from ingest.stack import open_stack
from ingest.times_cli import times
from reduction.errors import DataError
from tests.ingest.fstf.test_source import STEP, opened, pictures
from tests.ingest.fstf.writer import Frame, Layout, Recording, write_v2
from tests.ingest.ravf_stacks import STARTS, sky
from tests.ingest.ravf_writer import write_ravf


def told(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, str]], Any]:
    """The table and the document of `umbra times`."""
    capsys.readouterr()
    assert times([str(path), "--csv", "-"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert times([str(path), "--json"]) == 0
    return list(csv.DictReader(io.StringIO("\n".join(lines)))), json.loads(capsys.readouterr().out)


def compared(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[list[dict[str, str]], Path]:
    """Rows of the raw file, after those of a stack of it are found to be the same."""
    stack = tmp_path / "a.zarr"
    assert ingest([str(path), str(stack)]) == 0
    (rows, document), (kept, kept_document) = told(path, capsys), told(stack, capsys)
    assert rows == kept
    assert document["columns"] == kept_document["columns"]
    assert document["frames"] == kept_document["frames"]
    return rows, stack


def test_columns_of_ravf_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = [4, 5, 6, 9, 10, 11, 12, 13, 14]
    path = write_ravf(
        tmp_path / "a.ravf",
        sky(8),
        image_format=0,
        stamps_ns=STARTS,
        sequence=counts,
        gps={
            k: {"satellites": 7 + k % 3, "almanac": int(k % 3 == 1), "fix": (3, 2, 0)[k % 3]}
            for k in range(9)
        },
    )
    rows, stack = compared(path, tmp_path, capsys)
    assert [float(row["camera_frame"]) for row in rows] == counts
    assert [row["satellites"] for row in rows] == ["7", "8", "9"] * 3
    assert [row["almanac"] for row in rows] == ["certain", "uncertain", "certain"] * 3
    assert [row["fix"] for row in rows] == ["position", "time", "none"] * 3
    assert not {row["flags"] for row in rows} - {"", "dropped"}
    (stack / "status" / "zarr.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="status table"):
        _ = open_stack(stack).frame_status


def test_columns_of_adv_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [
        Frame(picture, utc_ns=STARTS[0] + k * STEP, exposure_s=0.05, status={
            "TrackedSatellites": k, "Gain": 1.5, "Error": "überheiß" if k == 3 else "",
        })
        for k, picture in enumerate(pictures(16))
    ]  # fmt: skip
    kinds = {"TrackedSatellites": "u8", "Gain": "real", "Error": "text"}
    made = Recording(16, 12, 16, {1: Layout(compression="QUICKLZ")}, frames, status_types=kinds)
    path = write_v2(tmp_path / "a.adv", made)
    assert set(opened(path).frame_status.names) == {"satellites", "gain", "error"}
    rows, _ = compared(path, tmp_path, capsys)
    assert [row["satellites"] for row in rows] == [str(k) for k in range(9)]
    assert {row["gain"] for row in rows} == {"1.5"}
    assert [row["error"] for row in rows] == [*[""] * 3, "überheiß", *[""] * 5]


def test_a_table_is_kept_to_the_last_digit_and_long_texts_are_cut(tmp_path: Path) -> None:
    values = np.array([2.0**53, np.nan, -0.1])
    words = np.array(["", "x" * 500, "é" * 300], np.str_)
    put_status(tmp_path, FrameStatus({"a": values}, {"b": words}))
    put_status(tmp_path, FrameStatus({"a": values}, {"b": words}))
    found = read_status(tmp_path)
    np.testing.assert_array_equal(found.numbers["a"], values)
    assert found.texts["b"].tolist() == ["", "x" * 200, "é" * 100]
    assert [path.name for path in tmp_path.iterdir()] == ["status"]
