"""The manifest: what it says, and every fault of every line at once."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.campaign.manifest import manifest_text, read_manifest, write_manifest
from cluster.campaign.observation import COLUMNS
from reduction.errors import RequestError
from tests.fuzzing import COUNT, endure, mutations

TABLE = """# a campaign
station,input,target,references,guides,plan.aperture_px,plan.event.search,times.meaning,times,latitude_deg,longitude_deg,altitude_m,dark,device,observer

A,a.ser,"10,20.5","1,2;3,4",,4.5,false,start,,+50 48 15.8,W 12.5,320,,cpu,Ann
B,b,auto,,"7,8",,,,t.csv,,,,d.ser,,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.ser").write_bytes(b"LUCAM-RECORDER")
    (tmp_path / "d.ser").write_bytes(b"LUCAM-RECORDER")
    (tmp_path / "t.csv").write_text("utc\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.fits").write_bytes(b"SIMPLE  =")
    return tmp_path


def written(folder: Path, text: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table(folder: Path) -> None:
    read = read_manifest(written(folder, TABLE))
    assert read.faults == ()
    first, second = read.observations
    assert (first.station, first.line, first.observer) == ("A", 4, "Ann")
    request = first.request
    assert request.inputs == (str(folder / "a.ser"),)
    assert request.plan.target is not None
    assert (request.plan.target.x, request.plan.target.y) == (10.0, 20.5)
    assert [(p.x, p.y) for p in request.plan.references] == [(1, 2), (3, 4)]
    assert (request.plan.aperture_px, request.plan.event.search) == (4.5, False)
    assert (request.times.meaning, request.device) == ("start", "cpu")
    assert first.site is not None
    assert first.site.latitude_deg == pytest.approx(50 + 48 / 60 + 15.8 / 3600)
    assert (first.site.longitude_deg, first.site.altitude_m) == (-12.5, 320)
    assert second.request.plan.target is None
    assert [(p.x, p.y) for p in second.request.plan.guides] == [(7, 8)]
    assert (second.request.dark, second.request.times.table) == (str(folder / "d.ser"), str(folder / "t.csv"))
    assert second.site is None


def test_lines_of_json_say_the_same(folder: Path) -> None:
    lines = [
        {
            "station": "A", "input": "a.ser", "target": "10,20.5", "references": "1,2;3,4", "device": "cpu",
            "plan": {"aperture_px": 4.5}, "plan.event.search": False, "times": {"meaning": "start"},
            "latitude_deg": "+50 48 15.8", "longitude_deg": -12.5, "altitude_m": 320, "observer": "Ann",
        },
        {"station": "B", "input": ["b"], "guides": "7,8", "times": "t.csv", "dark": "d.ser", "member": None},
    ]  # fmt: skip
    text = "\n".join(json.dumps(line) for line in lines)
    read = read_manifest(written(folder, text, "m.jsonl"))
    twin = read_manifest(written(folder, TABLE))
    assert read.faults == ()
    for one, other in zip(read.observations, twin.observations, strict=True):
        assert one.request == other.request
        assert one.site == other.site


def test_every_fault_of_every_line_at_once(folder: Path) -> None:
    text = (
        "station,input,target,plan.aperture_px,times.meaning,latitude_deg,dark,device\n"
        "A,a.ser,,,,,,\n"
        'B,nope.ser,"1",x,midd,95,nix,gpu\n'
        "a,a.ser,,,,,,\n"
        ",a.ser,,,,,,\n"
        "C,,,,,,,\n"
        "D,raw:12,,,,,,\n"
        "E,a.ser,1,2,3,4,5,6,7,8,9\n"
        "F,a.ser,,,,,,\n"
    )
    read = read_manifest(written(folder, text))
    assert [observation.station for observation in read.observations] == ["A", "F"]
    assert {(fault.line, fault.column) for fault in read.faults} == {
        (3, "input"), (3, "target"), (3, "plan.aperture_px"), (3, "times.meaning"), (3, "longitude_deg"),
        (3, "dark"), (3, "device"), (4, "station"), (5, "station"), (6, "input"), (7, "input"), (8, ""),
    }  # fmt: skip
    assert read.faulty_lines == 6
    texts = [fault.text for fault in read.faults]
    assert any("'a' stands on line 2 already" in text for text in texts)
    assert any("line 3, plan.aperture_px:" in text and "'x'" in text for text in texts)


def test_a_site_is_checked(folder: Path) -> None:
    read = read_manifest(
        written(folder, "station,input,latitude_deg,longitude_deg\nA,a.ser,95,12\nB,a.ser,x,12\n")
    )
    assert [(fault.line, fault.column) for fault in read.faults] == [(2, "latitude_deg"), (3, "latitude_deg")]


def test_times_that_contradict_each_other(folder: Path) -> None:
    read = read_manifest(written(folder, "station,input,times.start_utc\nA,a.ser,2026-01-01T00:00:00Z\n"))
    assert [fault.column for fault in read.faults] == ["times"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("station,imput\n", "is input meant"),
        ("station,input,plan.apertur_px\n", "is plan.aperture_px meant"),
        ("station,input,input\n", "stands twice"),
        ("input\na.ser\n", "no column 'station'"),
        ("", "no observation"),
        ("station,input\n", "no observation"),
    ],
)
def test_a_table_that_is_no_manifest(folder: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read_manifest(written(folder, text))


def test_json_lines_that_are_none(folder: Path) -> None:
    text = '{"station": "A", "input": "a.ser"}\n{"station": \n[1]\n{"station": "B", "inptu": "a.ser"}\n'
    read = read_manifest(written(folder, text, "m.jsonl"))
    assert [observation.station for observation in read.observations] == ["A"]
    assert [(fault.line, fault.column) for fault in read.faults] == [(2, ""), (3, ""), (4, "inptu")]


def test_ten_thousand_lines_with_one_in_a_hundred_wrong(folder: Path) -> None:
    wrong = {number for number in range(10_000) if number % 100 == 7}
    rows = [f"S{number},{'nix' if number in wrong else 'a.ser'}" for number in range(10_000)]
    read = read_manifest(written(folder, "station,input\n" + "\n".join(rows)))
    assert len(read.observations) == 9_900
    assert [fault.line for fault in read.faults] == [number + 2 for number in sorted(wrong)]


def test_a_spreadsheets_separators(folder: Path) -> None:
    for sign in ("\t", ";"):
        read = read_manifest(written(folder, f"\ufeffstation{sign}input\r\nA{sign}a.ser\r\n"))
        assert [observation.station for observation in read.observations] == ["A"]


def test_inputs_are_paths_patterns_lists_or_of_the_store(folder: Path) -> None:
    raw = "raw:" + "a" * 64
    text = f'station,input\nA,a.ser;d.ser\nB,"[""a.ser""]"\nC,b/*.fits\nD,{raw}\n'
    read = read_manifest(written(folder, text))
    assert read.faults == ()
    assert [observation.request.inputs for observation in read.observations] == [
        (str(folder / "a.ser"), str(folder / "d.ser")), (str(folder / "a.ser"),), (str(folder / "b/*.fits"),),
        (raw,),
    ]  # fmt: skip


def test_the_plan_of_a_file_is_overridden_by_columns(folder: Path) -> None:
    (folder / "p.toml").write_text("aperture_px = 3.0\nsegment = 64\n[event]\nsearch = false\n")
    text = (
        "station,input,plan,plan.aperture_px,plan.event.seed\n"
        "A,a.ser,p.toml,5,3\n"
        'B,a.ser,"{""segment"": 32}",,\n'
    )  # fmt: skip
    plan, other = (
        observation.request.plan for observation in read_manifest(written(folder, text)).observations
    )
    assert (plan.aperture_px, plan.segment, plan.event.search, plan.event.seed) == (5.0, 64, False, 3)
    assert (other.segment, other.aperture_px) == (32, None)


def test_writing(folder: Path) -> None:
    rows = [
        {"station": "A", "input": "a.ser", "remarks": "x, y"},
        {"station": "B", "input": "b", "dark": "d.ser"},
    ]
    for name in ("w.csv", "w.jsonl"):
        write_manifest(folder / name, rows, False)
        with pytest.raises(RequestError, match="--overwrite"):
            write_manifest(folder / name, rows, False)
        write_manifest(folder / name, rows, True)
        read = read_manifest(folder / name)
        assert [(o.station, o.remarks) for o in read.observations] == [("A", "x, y"), ("B", "")]
    with (folder / "w.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["station", "input", "dark", "remarks"]


@given(
    st.lists(
        st.fixed_dictionaries({"station": st.text(max_size=9), "input": st.text(max_size=9)}), max_size=5
    )
)
def test_what_is_written_has_as_many_lines(rows: list[dict[str, str]]) -> None:
    lines = manifest_text(rows, True).split("\n")
    assert [json.loads(line) for line in lines if line] == rows


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"absent\.csv"):
        read_manifest(tmp_path / "absent.csv")
    (tmp_path / "b.csv").write_bytes(b"station,input\n\xff\xfe")
    with pytest.raises(RequestError, match="UTF-8"):
        read_manifest(tmp_path / "b.csv")


def test_mutated_inputs(folder: Path) -> None:
    lines = '{"station": "A", "input": "a.ser", "plan": {"event": {"seed": 1}}, "times": {"cadence_s": 1}}\n'
    wholes = [TABLE.encode(), lines.encode()]

    def read(path: Path) -> None:
        for fault in read_manifest(path).faults:
            assert fault.text

    endure(folder / "m.csv", mutations(wholes, COUNT, 400), read, "campaign manifest")


def test_columns_are_told_in_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "campaigns.md").read_text()
    assert [column for column in COLUMNS if f"`{column}`" not in page] == []
