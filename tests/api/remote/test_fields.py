"""Words of the command line as fields."""

import pytest

from api.remote.fields import fields_of
from reduction.errors import RequestError


def test_fields_within_fields() -> None:
    words = ["plan.aperture_px=4.5", "times.meaning=start", "calibration=false", "member=night/a.ser"]
    assert fields_of(words) == {
        "plan": {"aperture_px": 4.5},
        "times": {"meaning": "start"},
        "calibration": False,
        "member": "night/a.ser",
    }


def test_stars_by_their_places() -> None:
    assert fields_of(["target=80,60.5", "references=1,2;3,4", "plan.fields=top"]) == {
        "plan": {
            "target": {"x": 80.0, "y": 60.5},
            "references": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}],
            "fields": "top",
        }
    }


@pytest.mark.parametrize(
    "words", [["a"], ["=1"], ["a.=1"], [".a=1"], ["target=1"], ["target=x,y"], ["a=1", "a.b=2"]]
)
def test_words_that_are_no_fields(words: list[str]) -> None:
    with pytest.raises(RequestError):
        fields_of(words)
