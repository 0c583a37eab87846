"""The options about time as a person gives them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.cli import inspect
from ingest.time_arguments import ARGUMENTS, time_options
from ingest.timeoptions import TimeOptions
from reduction.errors import RequestError
from tests.ingest.ser_writer import utc_ns, write_ser

START = utc_ns("2026-03-01T21:00:00") + 123_000_000


@pytest.fixture
def ser(tmp_path: Path) -> Path:
    frames = np.random.default_rng(3).integers(20, 60, (12, 30, 40), np.uint8)
    return write_ser(tmp_path / "a.ser", frames, stamps_ns=[START + i * 40_000_000 for i in range(12)])


def times_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    assert inspect([*map(str, arguments), "--json"]) == 0
    times: dict[str, Any] = json.loads(capsys.readouterr().out)["times"]
    return times


def test_a_camera_and_a_clock_by_the_command(ser: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--camera", "WAT-910HX-PAL-x8", "--clock", "gps", "--clock-sigma", "0.0005"]
    found = times_of(capsys, ser, *options)
    assert found["first_utc"] == "2026-03-01T20:59:59.943000Z"
    assert [entry["what"] for entry in found["ledger"]] == ["clock", "inserter", "camera"]
    assert found["exposure_s"] == pytest.approx(0.32)


def test_what_is_wrong_is_told_in_one_line(ser: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect([str(ser), "--camera", "Nikon"]) == 2
    assert capsys.readouterr().err.startswith("umbra inspect: --camera Nikon: no table of delays")


def test_nothing_given_asks_for_nothing() -> None:
    assert time_options({}) == TimeOptions()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"clock_sigma_s": 0.1}, "--clock-sigma is given without --clock"),
        ({"row_binning": 2}, "--row-binning is given without --row-time"),
        ({"row_time_s": 1e-5, "rows_read": "left"}, "give down or up"),
        ({"row_time_s": 1e-5, "stamp_row": "top"}, "first, middle or last"),
        ({"row_time_s": 0.0}, "--row-time 0"),
        ({"acquisition_sigma_s": 0.1}, "without --acquisition-delay"),
        ({"acquisition_delay_s": float("nan")}, "--acquisition-delay nan"),
        ({"meaning": "begin"}, "start, mid or end"),
    ],
)
def test_options_that_lack_or_contradict_each_other(words: dict[str, Any], message: str) -> None:
    assert set(words) <= set(ARGUMENTS)
    with pytest.raises(RequestError, match=message):
        time_options(words)
