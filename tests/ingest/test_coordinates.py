"""Coordinates files: PyMovie's, tables with and without a header, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from ingest.coordinates import read_coordinates
from reduction.errors import RequestError

PYMOVIE = """# PyMovie Version 4.0.2
# source: D:/occultation.avi
#
# aperture name: target
# date at frame 0: 2024-01-02
#GAIN: 12
FrameNum,timeInfo,signal-comp,signal-target,appsum-comp,avgbkg-comp,xcentroid-comp,ycentroid-comp,\
appsum-target,xcentroid-target,ycentroid-target,hit-defect-target
0.00,[03:11:43.026185],900.1,1200.5,901,3,60.50,40.25,1201,80.25,61.50,0
1.00,[03:11:43.059185],905.1,1190.5,905,3,61.50,40.75,1191,81.25,62.00,0
2.00,[],905.1,20.5,905,3,62.50,41.25,21,,,0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "places.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_pymovie(tmp_path: Path) -> None:
    found = read_coordinates(written(tmp_path, PYMOVIE))
    assert found.names == ("target", "comp")
    assert found.frames.tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_array_equal(found.x[:, 1], [60.5, 61.5, 62.5])
    np.testing.assert_array_equal(found.y[:2, 0], [61.5, 62.0])
    assert np.isnan([found.x[2, 0], found.y[2, 0]]).all()


@pytest.mark.parametrize(
    "text",
    [
        "frame,x,y\n0,80.5,61\n1,81.5,62\n",
        "# made by hand\nX,Y,Frame\n80.5,61,0\n81.5,62,1\n",
        "80.5 61\n81.5 62\n",
        "0;80.5;61\n1;81.5;62\n",
        "0\t80.5\t61\n\n1\t81.5\t62\n",
        "\ufeffframe,x,y\r\n1,81.5,62\r\n0,80.5,61\r\n",
    ],
)
def test_tables(tmp_path: Path, text: str) -> None:
    found = read_coordinates(written(tmp_path, text))
    assert found.names == ("target",)
    assert found.frames.tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(found.x[:, 0], [80.5, 81.5])
    np.testing.assert_array_equal(found.y[:, 0], [61.0, 62.0])


def test_three_stars_in_every_form(tmp_path: Path) -> None:
    """The paper asks for a file with the places of three stars."""
    named = read_coordinates(
        written(tmp_path, "frame,x-ref,y-ref,x-target,y-target,x_guide,y_guide\n3,1,2,3,4,5,6\n")
    )
    assert named.names == ("target", "ref", "guide")
    assert named.x.tolist() == [[3.0, 1.0, 5.0]]
    bare = read_coordinates(written(tmp_path, "3,1,2,3,4,5,6\n"))
    assert bare.names == ("target", "star 2", "star 3")
    assert bare.y.tolist() == [[2.0, 4.0, 6.0]]
    pairs = read_coordinates(written(tmp_path, "1 2 3 4\n5 6 7 8\n"))
    assert pairs.frames.tolist() == [0.0, 1.0]
    assert pairs.x.tolist() == [[1.0, 3.0], [5.0, 7.0]]


def test_the_digest_is_that_of_the_numbers(tmp_path: Path) -> None:
    digest = read_coordinates(written(tmp_path, "frame,x,y\n0,80.5,61\n")).digest
    assert read_coordinates(written(tmp_path, "80.5 61\n")).digest == digest
    assert read_coordinates(written(tmp_path, "80.5 61.01\n")).digest != digest


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rows"),
        ("# only\n# comments\n", "no rows"),
        ("frame,x,y\n", "header and no rows"),
        ("frame,utc\n1,2\n", "columns x and y"),
        ("frame,x,y\n0,80,sixty\n", "line 2: 'sixty' is no number"),
        ("frame,x,y\n-1,80,60\n", "frame -1"),
        ("frame,x,y\n0.3,80,60\n", "frame 0.3"),
        ("frame,x,y\n2,80,60\n2,81,60\n", "frame 2 stands twice"),
        ("frame,x,y\n0,,60\n1,80,\n", "both x and y"),
        ("12\n13\n", "x and y"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RequestError, match=says):
        read_coordinates(written(tmp_path, text))


def test_no_such_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot read the coordinates"):
        read_coordinates(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"frame,x,y\n0,\xff\xfe,1\n")
    with pytest.raises(RequestError, match="UTF-8"):
        read_coordinates(tmp_path / "bytes.csv")
