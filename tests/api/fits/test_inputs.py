"""The campaign's file that the service writes, read by the standard library's TOML."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.fits.inputs import campaign_text  # noqa: E402 - after the check for the extra
from api.fits.stations import Known, stated  # noqa: E402

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = st.one_of(
    WORDS,
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(WORDS, max_size=3),
)
NAMES = st.from_regex(r"\A[a-z][a-z0-9_]{0,9}\Z").filter(lambda name: name not in {"station", "star", "ades"})
TABLES = st.dictionaries(NAMES, VALUES, max_size=5)


@given(plain=TABLES, stations=st.lists(TABLES, max_size=3), star=TABLES)
def test_every_value_comes_back(
    plain: dict[str, Any], stations: list[dict[str, Any]], star: dict[str, Any]
) -> None:
    read = tomllib.loads(campaign_text(plain | {"star": star}, stations))
    assert read.pop("star") == star
    assert read.pop("station", []) == stations
    assert read == plain


def _none(key: str) -> Known:
    raise AssertionError(key)


@pytest.mark.parametrize(
    ("names", "observers", "expected"),
    [
        (("a", "b"), ("x", "y"), ["a", "b"]),
        (("home", "home"), ("Ann", "Bo"), ["home, Ann", "home, Bo"]),
        (("home", "home", "home"), ("Ann", "Ann", ""), ["home, Ann", "home (2)", "home"]),
        (("n" * 120, "n" * 110), ("A", "B"), ["n" * 80, "n" * 76 + " (2)"]),
    ],
)
def test_names_are_told_apart(
    names: tuple[str, ...], observers: tuple[str, ...], expected: list[str]
) -> None:
    from api.equipment.tables import Site
    from api.fits.reported import Reported
    from api.observations.tables import Observation

    rows = [
        Reported(
            Observation(id=str(number), station=name, status="planned", report={}),
            observer,
            Site(latitude_deg=0.0, longitude_deg=0.0, height_m=0.0),
            (),
            None,
        )
        for number, (name, observer) in enumerate(zip(names, observers, strict=True))
    ]
    found = [one.name for one in stated(rows, _none)]
    assert found == expected
    assert len(set(found)) == len(found)
