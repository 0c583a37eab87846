"""What an archive holds is told apart by headers, then names, then folders."""

from pathlib import Path

import numpy as np
import pytest

from ingest.archives.contents import Contents, sort_out
from ingest.archives.roles import Role, role_by_name, side_role
from ingest.archives.sink import Member
from reduction.errors import DataError, RequestError
from tests.ingest.fits_writer import fits_bytes
from tests.ingest.ravf_writer import write_ravf
from tests.ingest.ser_writer import ser_header

PICTURE = np.arange(80, dtype=np.uint8).reshape(8, 10)
SER = ser_header(width=10, height=8, frames=3) + PICTURE.tobytes() * 3


def frame(kind: str | None = None, exposure: float = 2.0) -> bytes:
    cards: dict[str, str | float] = {"EXPTIME": exposure}
    return fits_bytes(PICTURE, cards if kind is None else cards | {"IMAGETYP": kind})


def sorted_out(folder: Path, files: dict[str, bytes], cut: str = "") -> Contents:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return sort_out(folder, [Member(name, len(data), cut=name == cut) for name, data in files.items()])


def roles(contents: Contents) -> dict[str, str]:
    return {item.name: item.role.value for item in contents.recordings}


def test_a_night_of_everything(tmp_path: Path) -> None:
    files = {
        "n/rec.ser": SER,
        "n/rec.CameraSettings.txt": b"[camera]",
        "n/darks/x1.ser": SER,
        "n/master_flat.fits": frame(),
        "n/Bias/b.fit": frame(),
        "n/notes.txt": b"wind",
        "n/ROI.png": b"\x89PNG",
        "n/report.xlsx": b"PK",
        "n/AOTA_report.txt": b"",
        "n/capture.log": b"x",
        "n/.DS_Store": b"x",
        "__MACOSX/n/._rec.ser": b"x",
        "n/thing.bin": b"x",
    }
    contents = sorted_out(tmp_path, files)
    assert roles(contents) == {
        "n/rec.ser": "light",
        "n/darks/x1.ser": "dark",
        "n/master_flat.fits": "flat",
        "n/Bias/b.fit": "bias",
    }
    assert dict(contents.sides) == {
        "n/rec.CameraSettings.txt": Role.LOG,
        "n/notes.txt": Role.NOTES,
        "n/ROI.png": Role.IMAGE,
        "n/report.xlsx": Role.REPORT,
        "n/AOTA_report.txt": Role.REPORT,
        "n/capture.log": Role.LOG,
        "n/.DS_Store": Role.OTHER,
        "__MACOSX/n/._rec.ser": Role.OTHER,
        "n/thing.bin": Role.OTHER,
    }
    assert contents.choose(None, "a.zip").name == "n/rec.ser"
    assert contents.notes == ()


def test_headers_win_over_names(tmp_path: Path) -> None:
    files = {f"dark/f{k}.fits": frame("Light Frame") for k in range(3)} | {"light/a.fits": frame("DARK")}
    contents = sorted_out(tmp_path, files)
    assert roles(contents) == {"dark": "light", "light/a.fits": "dark"}
    assert [item.why for item in contents.recordings] == [
        "its header says Light Frame",
        "its header says DARK",
    ]
    assert contents.choose(None, "a.zip").files == 3


def test_frames_of_one_folder_are_told_apart(tmp_path: Path) -> None:
    files = {f"f{k}.fits": frame() for k in range(3)} | {f"dark{k}.fits": frame() for k in range(2)}
    contents = sorted_out(tmp_path, files)
    assert [(item.role, item.files) for item in contents.recordings] == [(Role.LIGHT, 3), (Role.DARK, 2)]
    assert [path.name for path in contents.lights[0].paths] == ["f0.fits", "f1.fits", "f2.fits"]


def test_the_types_of_a_containers_frames_count(tmp_path: Path) -> None:
    write_ravf(tmp_path / "d.ravf", np.stack([PICTURE] * 3), image_format=0, kinds=[2, 2, 2])
    contents = sorted_out(tmp_path, {"a.ser": SER, "d.ravf": (tmp_path / "d.ravf").read_bytes()})
    assert roles(contents) == {"a.ser": "light", "d.ravf": "dark"}


def test_a_folder_that_all_share_names_nothing(tmp_path: Path) -> None:
    contents = sorted_out(tmp_path, {"dark site/a.ser": SER, "dark site/flats/b.ser": SER})
    assert roles(contents) == {"dark site/a.ser": "light", "dark site/flats/b.ser": "flat"}


def test_names_are_not_believed_where_nothing_is_left(tmp_path: Path) -> None:
    contents = sorted_out(tmp_path, {"dark.ser": SER})
    assert roles(contents) == {"dark.ser": "light"}
    assert "nothing else can be the recording" in contents.notes[0]


def test_several_recordings_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    contents = sorted_out(tmp_path, {"x/a.ser": SER, "y/a.ser": SER, "y/b.ser": SER, "dark.ser": SER})
    with pytest.raises(
        RequestError, match=r"a\.zip: 3 recordings: x/a\.ser \(SER video, 0\.0 MB\); .*--member"
    ):
        contents.choose(None, "a.zip")
    assert contents.choose("X/a.ser", "a.zip").name == "x/a.ser"
    assert contents.choose("b.ser", "a.zip").name == "y/b.ser"
    assert contents.choose("dark.ser", "a.zip").role is Role.DARK
    for name, message in (("a.ser", "2 recordings of that name"), ("c.ser", "no recording of that name")):
        with pytest.raises(RequestError, match=message):
            contents.choose(name, "a.zip")


def test_no_recording_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.zip: no recording .* n\.txt \(notes\)"):
        sorted_out(tmp_path, {"n.txt": b"x"}).choose(None, "a.zip")


def test_a_cut_member_is_used_only_where_it_is_the_recording(tmp_path: Path) -> None:
    alone = sorted_out(tmp_path / "1", {"a.ser": SER, "n.txt": b"x"}, cut="a.ser")
    assert roles(alone) == {"a.ser": "light"}
    other = sorted_out(tmp_path / "2", {"a.ser": SER, "b.ser": SER}, cut="b.ser")
    assert roles(other) == {"a.ser": "light"}
    assert other.notes == ("b.ser is cut off and is left out",)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("darks/a.fits", Role.DARK),
        ("MasterDark_10s.fits", Role.DARK),
        ("Flat-Dark/a.fits", Role.FLAT_DARK),
        ("flats/dark/a.fits", Role.DARK),
        ("FlatField_001.fits", Role.FLAT),
        ("offset 3.fits", Role.BIAS),
        ("dark/lights/a.fits", Role.LIGHT),
        ("Darkhan_2024.ser", None),
        ("biased.ser", None),
        ("flatrock.avi", None),
    ],
)
def test_words_of_names(path: str, role: Role | None) -> None:
    found = role_by_name(path.split("/"))
    assert (None if found is None else found[0]) == role


def test_side_files() -> None:
    assert side_role("README") is Role.OTHER
    assert side_role("rec.log") is Role.LOG
