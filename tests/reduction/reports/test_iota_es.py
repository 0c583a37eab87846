import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from reduction.angles import sexagesimal_degrees, signed_longitude
from reduction.errors import DataError, RequestError
from reduction.record import ObservationRecord
from reduction.reports.form import FORMS, Filled, ReadForm
from reduction.utc import utc_ns
from tests.fuzzing import COUNT, endure, mutations
from tests.reduction.reports.making import FULL, full, negative, records
from tests.sample_data import sample

FORM = FORMS["iota-es"]
SECOND = 10**9
POSITIVE = "reports/IOTA-ES_Sample-report-positiv.txt"


def values_of(filled: Filled) -> dict[str, str]:
    """A reader of its own: what stands after each ``#KEY:``."""
    return dict(re.findall(r"^#([\w/-]+):[ \t]*(.*?)[ \t]*$", filled.content.decode(), re.MULTILINE))


def one(record: ObservationRecord) -> Filled:
    (filled,) = FORM.fill(record)
    return filled


def again(record: ObservationRecord, folder: Path) -> ReadForm:
    path = folder / "form.txt"
    path.write_bytes(one(record).content)
    return FORM.read(path)


def test_every_line_of_the_real_sample_is_written_again() -> None:
    path = sample(POSITIVE)
    sampled = path.read_text(encoding="ascii").splitlines()
    written = one(FORM.read(path).record).content.decode().splitlines()
    assert len(written) == len(sampled)
    numbers = {"D", "R", "Acc_D", "Acc_R", "Duration", "Exp_Time"}
    for theirs, ours in zip(sampled, written, strict=True):
        key, _, value = (" ".join(part.split()) for part in theirs.partition(":"))
        our_key, _, our_value = (" ".join(part.split()) for part in ours.partition(":"))
        if key.removeprefix("#") in numbers:
            assert (our_key, our_value.rstrip("0").rstrip(".")) == (key, value.rstrip("0").rstrip("."))
        elif key == "#Comments":
            assert our_value.startswith(value)
        else:
            assert (our_key, our_value) == (key, value)


def test_the_sample_says_what_it_says() -> None:
    record = FORM.read(sample(POSITIVE)).record
    assert (record.asteroid.number, record.asteroid.name, record.star.name) == (
        "928",
        "Hildrun",
        "UCAC4 350-187717",
    )
    (timing,) = record.timings
    assert timing.d is not None
    assert timing.d.utc == utc_ns("2022-08-25T20:02:30Z")
    assert timing.d.sigma_s == 0.5
    assert timing.duration_s == 4.0
    assert record.recording.stopped == utc_ns("2022-08-25T20:03:34.01Z")
    assert record.telescope.type == "schmidt-cassegrain"
    assert record.conditions.temperature_c == 22


def test_a_positive_observation() -> None:
    values = values_of(one(full()))
    assert values["Occultation"] == "POSITIVE"
    assert values["DATE"] == "11 March 2026"
    assert values["PREDICTTIME"] == "11 Mar; 2026 20:03:31 UT"
    assert values["Latitude"] == "+52 58 48.5"
    assert values["Longitude"] == "+013 22 13.7"
    assert values["D"] == "D20:02:30.012"
    assert values["Acc_D"] == "0.042"  # 0.0411 at 95 percent, rounded up
    assert values["Acc_R"] == "0.042"
    assert values["Duration"] == "4.022"
    assert values["StartObs"] == "20:01:34.99"
    assert values["Observer2"] == "Caroline Herschel"
    assert values["Transparency"] == "3"
    assert "camera -0.02 s (measured (LED))" in values["Comments"]
    assert "95 percent" in values["Comments"]
    assert "two lines of what matters" in values["Comments"]
    assert one(full()).name == "20260311_928_Hildrun_Herschel_IOTA-ES.txt"


def test_what_the_reduction_warns_of_is_said() -> None:
    caveats = ["time-meaning-assumed: taken as the middle", "time-meaning-assumed: again", "no-guide: none"]
    comments = values_of(one(full(caveats=caveats)))["Comments"]
    assert "Caveats of the reduction: time-meaning-assumed, no-guide." in comments


def test_a_miss_has_only_its_interval(tmp_path: Path) -> None:
    values = values_of(one(negative()))
    assert (values["Occultation"], values["D"], values["R"]) == ("NEGATIVE", "M", "M")
    assert (values["Acc_D"], values["Acc_R"], values["Duration"]) == ("", "", "")
    assert values["StartObs"] == "20:01:34.99"
    record = again(negative(), tmp_path).record
    assert record.status == "negative"
    assert record.timings == ()
    assert record.recording.started == utc_ns("2026-03-11T20:01:34.99Z")


def test_what_is_not_stated_stays_empty_and_is_listed() -> None:
    bare = ObservationRecord.model_validate({"status": "negative", "date": "2026-03-11"})
    values = values_of(one(bare))
    stated = {key for key, value in values.items() if value}
    assert stated == {"Occultation", "DATE", "D", "R"}
    missing = FORM.missing(bare)
    assert {"observer", "latitude and longitude", "aperture", "time source", "signal-to-noise ratio"} <= set(
        missing
    )
    assert FORM.missing(full()) == []
    site = FULL["site"] | {}
    del site["altitude_m"]
    assert FORM.missing(full(site=site)) == ["altitude"]


@pytest.mark.parametrize("status", ["overcast", "technical failure", "unknown", "planned"])
def test_only_positive_and_negative_have_a_place(status: str) -> None:
    with pytest.raises(RequestError, match=status):
        FORM.fill(full(status=status, timings=[]))
    with pytest.raises(RequestError, match="no D or R"):
        FORM.fill(full(timings=[]))


def test_several_events_are_several_forms() -> None:
    second = {"d": {"utc": "2026-03-11T20:02:50Z"}, "component": "satellite"}
    files = FORM.fill(full(timings=[*FULL["timings"], second]))
    assert [file.name for file in files] == [
        "20260311_928_Hildrun_Herschel_event1_IOTA-ES.txt",
        "20260311_928_Hildrun_Herschel_event2_IOTA-ES.txt",
    ]
    values = values_of(files[1])
    assert (values["D"], values["R"], values["Duration"]) == ("G20:02:50.0000", "", "")


def test_a_rounding_over_midnight_is_not_24_hours() -> None:
    timing = {"d": {"utc": "2026-03-11T23:59:59.9996Z", "sigma_s": 0.02}}
    assert values_of(one(full(timings=[timing])))["D"] == "D00:00:00.000"
    prediction = {"utc": "2026-03-11T23:59:59.6Z"}
    assert values_of(one(full(prediction=prediction)))["PREDICTTIME"] == "12 Mar; 2026 00:00:00 UT"


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    record = full(
        observers=[{"name": "Jürgen Größe"}], asteroid={"number": "229762", "name": "G!kúnǁ'hòmdímà"}
    )
    assert one(record).name == "20260311_229762_G-kun-homdima_Grosse_IOTA-ES.txt"
    found = again(record, tmp_path).record
    assert found.observers[0].name == "Jürgen Größe"
    assert found.asteroid.name == "G!kúnǁ'hòmdímà"
    (tmp_path / "old.txt").write_bytes(
        one(record).content.decode().replace("ǁ", "").encode("cp1252", "replace")
    )
    old = FORM.read(tmp_path / "old.txt")
    assert old.record.observers[0].name == "Jürgen Größe"
    assert any("Windows-1252" in note for note in old.notes)


@given(records())
@settings(max_examples=150, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, record: ObservationRecord) -> None:
    folder = tmp_path_factory.mktemp("form")
    found = again(record, folder)
    assert not found.notes
    assert found.record.asteroid == record.asteroid.model_copy(update={"diameter_km": None})
    assert found.record.observers[0].name == record.observers[0].name
    assert found.record.comments == record.comments
    assert found.record.prediction.utc == record.prediction.utc
    for ours, theirs in zip(times_of(found.record), times_of(record), strict=True):
        assert abs(ours - theirs) <= SECOND // 200
    sigma = record.timings[0].d.sigma_s if record.timings[0].d else None
    read = found.record.timings[0].d.sigma_s if found.record.timings[0].d else None
    assert sigma is not None
    assert read is not None
    assert sigma <= read * (1 + 1e-9) <= sigma * 1.5
    assert record.site is not None
    assert found.record.site is not None
    assert abs(found.record.site.latitude_deg - record.site.latitude_deg) < 0.06 / 3600
    turned = found.record.site.longitude_deg - signed_longitude(record.site.longitude_deg)
    assert min(abs(turned), abs(abs(turned) - 360)) < 0.06 / 3600


def times_of(record: ObservationRecord) -> list[int]:
    (timing,) = record.timings
    assert timing.d is not None
    assert timing.r is not None
    assert record.recording.started is not None
    assert record.recording.stopped is not None
    return [record.recording.started, timing.d.utc, timing.r.utc, record.recording.stopped]


def test_a_declination_of_minus_nought_degrees_keeps_its_sign(tmp_path: Path) -> None:
    record = full(site={"latitude_deg": -0.004, "longitude_deg": 359.999, "altitude_m": 0})
    values = values_of(one(record))
    assert values["Latitude"] == "-00 00 14.4"
    assert values["Longitude"] == "-000 00 03.6"
    assert sexagesimal_degrees(values["Latitude"]) == pytest.approx(-0.004)
    assert values["Altitude"] == "0.0"
    site = again(record, tmp_path).record.site
    assert site is not None
    assert (site.latitude_deg < 0, site.longitude_deg < 0) == (True, True)


def test_what_people_write_otherwise(tmp_path: Path) -> None:
    text = """#IOTA-ES ASTEROIDAL OCCULTATION - REPORT FORM 2.03
#Occultation: negative
#DATE: 12. Oktober 2022
#PREDICTTIME: 12 Okt; 20:06:16 UT
#STAR: Gaia DR3 123456
#Nr: 2214
#Aperture: 14 inch?
#Aperture: 99
#Latitude: S 36°50'07,4"
#Longitude: 174 39 28.4
#Altitude: abt. 21 m
#Temperature: 6,5 C
#StartObs: 20:61:00
#EndObs: 20:07:34.84
#D: M
#R: M
#Observatory: home
#Telescope: 9
#Comments:
  a line
  another
"""
    (tmp_path / "form.txt").write_text(text, encoding="utf-8")
    found = FORM.read(tmp_path / "form.txt")
    record = found.record
    assert (record.star.catalogue, record.star.designation) == ("Gaia DR3", "123456")
    assert record.prediction.utc == utc_ns("2022-10-12T20:06:16Z")
    assert record.site is not None
    assert record.site.latitude_deg == pytest.approx(-36.8353889)
    assert record.site.altitude_m == 21
    assert record.telescope.aperture_cm == pytest.approx(14 * 2.54)
    assert record.telescope.type is None
    assert record.conditions.temperature_c == 6.5
    assert record.recording.started is None
    assert record.comments == "a line another"
    told = " ".join(found.notes)
    for what in ("StartObs", "Observatory", "stands twice"):
        assert what in told


def test_another_datum_is_not_taken_for_wgs84(tmp_path: Path) -> None:
    text = one(full()).content.decode().replace("#Datum:\n", "#Datum: T\n")
    (tmp_path / "form.txt").write_text(text, encoding="utf-8")
    found = FORM.read(tmp_path / "form.txt")
    assert found.record.site is None
    assert any("Tokyo" in note for note in found.notes)


def test_what_is_no_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("hello", encoding="utf-8")
    with pytest.raises(DataError, match=re.escape("other.txt")):
        FORM.read(tmp_path / "other.txt")
    with pytest.raises(RequestError, match="cannot be read"):
        FORM.read(tmp_path / "absent.txt")


def test_mutated_inputs(tmp_path: Path) -> None:
    wholes = [one(full()).content, one(negative()).content]
    outcomes = endure(
        tmp_path / "form.txt",
        mutations(wholes, COUNT, len(wholes[0])),
        lambda path: void(FORM.read(path)),
        "iota-es",
    )
    assert outcomes["read"] > COUNT // 2


def void(_: object) -> None:
    return None
