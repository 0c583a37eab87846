"""The occelmnt reader: samples, dirt, damage; the writer reads back."""

import math
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.errors import DataError
from reduction.geometry.occelmnt import parse_occelmnt, read_occelmnt
from reduction.geometry.occelmnt_text import write_occelmnt
from reduction.geometry.prediction import (
    Elements,
    PredictedBody,
    PredictedErrors,
    PredictedStar,
    Prediction,
)
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.geometry.predictions import event, event_text
from tests.sample_data import sample

SAMPLES = ("astrid_UsageGuide_occult4.xml", "owc_81879_2000LB11.xml")


def test_every_field_is_where_the_format_says() -> None:
    one = event()
    assert one.event_id == "20260311_2622.3"
    assert one.created_mjd == 61100.81
    assert one.elements.source == "JPL#58:2025-11-27"
    instant = datetime(2026, 3, 11, tzinfo=UTC).timestamp() + 20.3240273 * 3600
    assert one.elements.epoch_ns == pytest.approx(instant * 1e9, abs=1000)
    assert one.elements.x_earth_radii == (-0.1755468, 5.8328637, 0.0056381, 0.0000003)
    assert one.elements.y_earth_radii == (0.3008027, 3.4196768, 0.0002877, -0.0000005)
    assert one.earth.substellar_longitude_deg == -20.0514
    assert one.earth.subsolar_latitude_deg == -3.46
    assert one.earth.jwst is False
    assert one.star.ra_deg == pytest.approx(93.9685035)
    assert (one.star.magnitude_b, one.star.magnitude_v, one.star.magnitude_r) == (8.47, 8.46, 8.41)
    assert (one.star.drop_v_mag, one.star.drop_r_mag, one.star.nearby_all) == (10.39, 9.54, "0")
    assert (one.body.number, one.body.name, one.body.diameter_km) == ("81879", "2000 LB11", 48.0)
    assert (one.body.diameter_sigma_km, one.body.magnitude_v, one.body.magnitude_r) == (3.0, 18.85, 17.95)
    assert (one.orbit.mean_anomaly_deg, one.orbit.semimajor_au, one.orbit.slope_g) == (54.1317, 2.77654, 0.15)
    assert (one.errors.major_arcsec, one.errors.minor_arcsec, one.errors.position_angle_deg) == (
        0.006,
        0.003,
        102,
    )
    assert (one.errors.ruwe, one.errors.ucac4_proper_motion) == (0.95, "0")
    assert one.title == "(81879) 2000 LB11 occults J061552.44+032622.3"
    assert one.km_per_mas == pytest.approx(1.6407, abs=1e-4)  # 2.2622 au


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_read_without_a_note(name: str) -> None:
    found = read_occelmnt(sample(f"occelmnt/{name}"))
    assert len(found.predictions) == (2 if "astrid" in name else 1)
    assert found.notes == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_shadow_durations_of_the_samples_are_the_files(name: str) -> None:
    """Geocentric: diameter over the speed of the shadow; files round to 0.01 s."""
    for one in read_occelmnt(sample(f"occelmnt/{name}")).predictions:
        speed = math.hypot(one.elements.x_earth_radii[1], one.elements.y_earth_radii[1]) * 6378.137 / 3600
        duration = one.body.diameter_km / speed
        assert one.elements.max_duration_s is not None
        assert duration == pytest.approx(one.elements.max_duration_s, rel=0.01, abs=0.005)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, ending: str) -> None:
    name = "Čapek" if "utf" in encoding else "Noël"
    text = f"<Occultations>\n...\n{event_text(Object_1=name)}\n</Occultations>\n"
    path = tmp_path / "e.xml"
    path.write_bytes(text.replace("\n", ending).encode(encoding))
    (one,) = read_occelmnt(path).predictions
    assert one.body.name == name


def test_dirt_is_passed_over_and_told() -> None:
    sound = event_text()
    text = (
        '<?xml version="1.0" encoding="ascii"?><Occultations>\n...\n<!-- <Event> a comment -->'
        + sound.replace("0.95,0,0,0", "n/a,0,0,0")
        + "rubbish & <Unknown>1,2</Unknown>"
        + sound.replace("<Elements>", "<Elements>\n  ").replace(
            ",-0.0000005", ""
        )  # wrapped, last field missing
        + event_text(Elements_6="east")
        + sound.replace("<Event>", "<event kind='x'>").replace("</Event>", "")  # no end
    )
    found = parse_occelmnt(text, "dirty.xml")
    assert len(found.predictions) == 3
    assert found.predictions[0].errors.ruwe is None
    assert found.predictions[1].elements.y_earth_radii[3] == 0
    assert found.predictions[2] == event()
    assert found.notes == (
        "event 1: <Errors> field 7: 'n/a' is no number; passed over",
        "event 3: left out: <Elements> field 7 (X): 'east' is no number",
    )


def test_a_declination_just_south_keeps_its_sign() -> None:
    assert event(Star_2="-0.0000278").star.dec_deg == -0.0000278
    (again,) = parse_occelmnt(write_occelmnt([event(Star_2="-0.0000278")]), "x").predictions
    assert again.star.dec_deg == -0.0000278


def test_older_files_without_the_later_parts() -> None:
    text = event_text()
    for tag in ("Orbit", "Errors", "Earth", "ID"):
        start, end = text.index(f"<{tag}>"), text.index(f"</{tag}>")
        text = text[:start] + text[end + len(tag) + 3 :]
    (one,) = parse_occelmnt(text, "old.xml").predictions
    assert one.errors == PredictedErrors()
    assert one.event_id == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no <Event>"),
        ("<Occultations></Occultations>", "no <Event>"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + event_text(), "document type"),
        (event_text(Elements_2="2026.", Elements_3="13"), "no date"),
        (event_text(Elements_8="0", Elements_9="0"), "does not move"),
        (event_text(Object_3="0"), "diameter_km"),
        (event_text(Object_4=""), "distance, au) is missing"),
        (event_text(Star_1="25"), "ra_hours"),
        (event_text(Star_0="x" * 5000), "characters"),
        (event_text(Elements_7="nan"), "no number"),
        (event_text(Elements_7="1e999"), "is no number"),
        ("<Event><Star>a</Star></Event>", "no <Elements>"),
    ],
    ids=["empty", "none", "dtd", "month", "still", "size", "far", "ra", "long", "nan", "infinite", "parts"],
)
def test_what_cannot_be_read_says_why(text: str, words: str) -> None:
    with pytest.raises(DataError, match=r"^odd\.xml: ") as caught:
        parse_occelmnt(text, "odd.xml")
    assert words in str(caught.value)


def test_long_runs_of_nothing_take_no_time() -> None:
    """A tag that never ends, blanks without end: read in one pass."""
    for text in ("<" + " " * 400_000, "<Event" * 60_000, "<!--" * 100_000, "&" * 300_000 + "<Event>"):
        with pytest.raises(DataError):
            parse_occelmnt(text, "long.xml")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_occelmnt(tmp_path / "none.xml")


words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=12).map(
    lambda text: text.replace(",", "")
)
reals = st.floats(-1000, 1000, allow_nan=False)
cubics = st.tuples(st.floats(-9, 9), st.floats(0.001, 9), st.floats(-1, 1), st.floats(-1, 1))


@st.composite
def made_predictions(draw: st.DrawFn) -> Prediction:
    optional = st.none() | reals
    return Prediction(
        event_id=draw(words),
        created_mjd=draw(optional),
        elements=Elements(
            source=draw(words),
            max_duration_s=draw(st.none() | st.floats(0, 1e4)),
            epoch_ns=draw(st.integers(-4 * 10**18, 7 * 10**18)),
            x_earth_radii=draw(cubics),
            y_earth_radii=draw(cubics),
        ),
        star=PredictedStar(
            name=draw(words), ra_hours=draw(st.floats(0, 24)), dec_deg=draw(st.floats(-90, 90))
        ),
        body=PredictedBody(
            name=draw(words),
            diameter_km=draw(st.floats(0.001, 1e4)),
            distance_au=draw(st.floats(0.001, 100)),
            ra_rate_s_per_h=draw(optional),
            taxonomy=draw(words),
        ),
        errors=PredictedErrors(path_width_ratio=draw(optional), basis=draw(words)),
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(made_predictions(), min_size=1, max_size=2))
def test_written_predictions_are_read_back(made: list[Prediction]) -> None:
    found = parse_occelmnt(write_occelmnt(made), "round.xml")
    assert list(found.predictions) == made
    assert found.notes == ()


def test_what_is_written_is_xml() -> None:
    text = write_occelmnt([event(Object_1="A &amp; B &lt;C&gt;"), event()])
    root = ElementTree.fromstring(text)
    assert [one.tag for one in root] == ["Event", "Event"]
    written = root.find("Event/Object")
    assert written is not None
    assert (written.text or "").startswith("81879,A & B <C>,18.84,")


def test_mutated_inputs_are_read_or_refused(tmp_path: Path) -> None:
    wholes = [
        f"<Occultations>\n{event_text()}\n...\n{event_text(Star_2='-0.01')}</Occultations>".encode(),
        event_text().encode("utf-16"),
    ]
    path = tmp_path / "mutated.xml"

    def read(damaged: Path) -> None:
        write_occelmnt(read_occelmnt(damaged).predictions)

    outcomes = endure(path, mutations(wholes, COUNT, 1200), read, "occelmnt")
    assert outcomes["read"] > COUNT // 4
    assert outcomes["DataError"] > COUNT // 50
