"""What is said of an event that its errors do not hold."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.caveats import Caveat
from reduction.events.analyse import analyse
from reduction.events.doubts import doubts
from reduction.events.results import Event, Figure
from reduction.events.settings import EventSettings
from tests.reduction.events.simulated import curve_of_flux


@pytest.fixture(scope="module")
def event() -> Event:
    flux = 1.0 + 0.03 * np.random.default_rng(1).standard_normal(300)
    flux[120:160] -= 0.6
    return analyse(curve_of_flux(flux)).events[0]


@pytest.mark.parametrize(
    ("expected", "words"), [(0.9, "a graze"), (0.3, "magnitudes"), (0.6, None), (None, None)]
)
def test_a_depth_that_was_not_expected(event: Event, expected: float | None, words: str | None) -> None:
    notes = doubts(event, EventSettings(expected_depth=expected))
    assert [note.caveat for note in notes] == ([Caveat.EVENT_DEPTH] if words else [])
    assert all(words is not None and words in note.message for note in notes)


def test_the_expected_depth_follows_from_two_magnitudes(event: Event) -> None:
    alike = EventSettings(star_magnitude=12.0, body_magnitude=12.0)  # half of the light can go
    faint = EventSettings(star_magnitude=12.0, body_magnitude=12.44)  # 0.60 of it
    assert [note.caveat for note in doubts(event, alike)] == [Caveat.EVENT_DEPTH]
    assert doubts(event, faint) == ()


def test_a_depth_known_badly_contradicts_nothing(event: Event) -> None:
    unsure = replace(event, depth=Figure(0.6, 0.2, event.depth.intervals))
    assert doubts(unsure, EventSettings(expected_depth=0.9)) == ()


@pytest.mark.parametrize(("share", "said"), [(0.2, False), (0.8, True)])
def test_limbs_that_overlap_are_said(event: Event, share: float, said: bool) -> None:
    assert event.d is not None
    assert event.r is not None
    assert event.duration is not None
    rise = share * event.duration.value
    wide = replace(
        event, d=replace(event.d, gradual_s=rise), r=replace(event.r, gradual_s=rise), label="disc"
    )
    notes = doubts(wide, EventSettings())
    assert [note.caveat for note in notes] == ([Caveat.EVENT_LIMBS_OVERLAP] if said else [])
    assert doubts(replace(wide, r=None), EventSettings()) == ()
