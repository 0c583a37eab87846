"""Classes of bodies and kinds of cameras: words of the field, limits of orbits, and what is not known."""

import pytest

from tests.requirements import require

require("server")

from api.statistics.cameras import sensor_of  # noqa: E402 - after the check for the extra
from api.statistics.classes import by_orbit, class_of  # noqa: E402

STATED = {
    "KBO>Resonant>3:2": "trans-Neptunian", "Plutino": "trans-Neptunian", "Neptune Trojan": "trans-Neptunian",
    "Scattered disc": "trans-Neptunian", "Trojan": "Jupiter Trojan", "TJN": "Jupiter Trojan",
    "MBA": "main belt",
    "Main-belt asteroid": "main belt", "MB>Outer": "main belt", "Hilda": "main belt",
    "PHA": "near-Earth", "Near Earth Asteroid": "near-Earth", "Apollos": "near-Earth", "Centaur": "Centaur",
    "Mars-crosser": "Mars-crosser",
    "Satellite of Uranus": "satellite", "Planet": "planet", "Comet": "comet", "JFC": "comet",
}  # fmt: skip
ORBITS = {
    "Apophis": (0.922, 0.191, 0.746, "near-Earth"), "Eros": (1.458, 0.223, None, "near-Earth"),
    "Bamberga's cousin": (2.3, None, 1.5, "Mars-crosser"), "Ceres": (2.77, 0.079, 2.55, "main belt"),
    "Hilda": (3.97, 0.139, 3.42, "main belt"), "Hektor": (5.25, 0.024, 5.12, "Jupiter Trojan"),
    "at Jupiter, eccentric": (5.2, 0.5, 2.6, "unknown"), "Chariklo": (15.8, 0.17, 13.1, "Centaur"),
    "Neptune's distance": (30.1, 0.0, 30.1, "trans-Neptunian"),
    "Sedna": (506.0, 0.85, 76.2, "trans-Neptunian"),
    "a hyperbola": (-1.3, 1.2, 0.25, "unknown"), "a parabola": (100.0, 1.0, None, "unknown"),
    "half an orbit": (2.7, None, None, "unknown"), "none": (None, None, None, "unknown"),
}  # fmt: skip
CAMERAS = {
    ("Watec 910HX/RC", ""): "CCD video", ("WAT-120N+", "1/2 inch CCD"): "CCD video",
    ("Watec 3200", "CMOS"): "CMOS",
    ("QHY174M-GPS", ""): "CMOS", ("QHY 5III 462C", ""): "CMOS", ("QHY9", ""): "CCD",
    ("ZWO ASI174MM", ""): "CMOS",
    ("SBIG STL11000", ""): "CCD", ("Andor iXon 897", ""): "CCD", ("Andor Zyla 4.2", ""): "CMOS",
    ("Merlin 247 Raptor", ""): "CCD", ("SI 1100", ""): "CCD", ("FLI Kepler 4040", ""): "CMOS",
    ("home made", "Sony IMX 178"): "CMOS", ("home made", "ICX098"): "CCD", ("Canon EOS 6D", ""): "CMOS",
    ("my camera", "black and white"): "unknown", ("", ""): "unknown",
}  # fmt: skip


@pytest.mark.parametrize("words", STATED)
def test_what_a_predictor_states(words: str) -> None:
    assert class_of(words) == STATED[words]
    assert class_of(words.upper(), "x", 2.77, 0.08, 2.55) == STATED[words], "goes before the orbit"


@pytest.mark.parametrize("name", ORBITS)
def test_orbits(name: str) -> None:
    *orbit, expected = ORBITS[name]
    assert by_orbit(*orbit) == expected
    assert class_of("dwarf planet", name, *orbit) == expected, "words that tell nothing are passed over"


def test_limits_of_orbits() -> None:
    assert by_orbit(2.0, None, 1.2999) == "near-Earth"
    assert by_orbit(2.0, None, 1.3) == by_orbit(3.1, None, 1.665) == "Mars-crosser"
    assert by_orbit(2.0, None, 1.666) == by_orbit(3.3, None, 1.5) == by_orbit(4.59, 0.1, None) == "main belt"
    assert by_orbit(4.6, 0.29, None) == "Jupiter Trojan"
    assert by_orbit(5.5, 0.1, None) == by_orbit(30.09, 0.1, None) == "Centaur"


@pytest.mark.parametrize("designation", ["29P", "C/2014 UN271", "D/1993 F2", "103P/Hartley"])
def test_comets_by_designation(designation: str) -> None:
    assert class_of("", designation, 5.9, 0.04, 5.7) == "comet"
    assert class_of("", f"A{designation}", 5.9, 0.04, 5.7) == "Centaur"


@pytest.mark.parametrize("camera", CAMERAS)
def test_cameras(camera: tuple[str, str]) -> None:
    assert sensor_of(*camera) == CAMERAS[camera]
    assert sensor_of(camera[0].upper(), camera[1].upper()) == CAMERAS[camera]
