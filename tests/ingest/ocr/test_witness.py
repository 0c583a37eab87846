"""Digits that stand still and are misread alike in every field: the recording's own glyphs tell."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from bench.inserters import Recording, Scene
from bench.vti import DATE
from ingest.ocr.network import recogniser
from ingest.ocr.options import vti_options
from ingest.ocr.parse import Readings, reparsed
from ingest.ocr.read import Reading, find_overlay_time, read_overlay, sample_frames
from ingest.ocr.stamps import BurntIn, burnt_in, burnt_in_notes
from ingest.ocr.witness import shown_digits
from reduction.caveats import Caveat
from reduction.errors import DataError

SCENE = Scene(model="gps-boxsprite", height=576, width=720, frames=60, seed=4)


@cache
def reading() -> Reading:
    recording = Recording(SCENE)
    overlay = find_overlay_time(sample_frames(recording), recogniser())
    assert overlay is not None
    return read_overlay(recording, overlay, recogniser())


def misread(readings: Readings, cell: int, one: int, two: int, sure: float) -> Readings:
    """Readings in which `one` is taken for `two` in a cell, in every field, this surely."""
    time = readings.time.copy()
    time[:, cell] = np.log((1 - sure) / 9)
    time[:, cell, two] = np.log(sure)
    return reparsed(replace(readings, time=time))


def solved(cell: int, one: int, two: int, sure: float = 0.97) -> BurntIn:
    whole = reading()
    assert whole.odd is not None
    vti = vti_options("auto", DATE)
    assert vti is not None
    spoilt = replace(
        whole, even=misread(whole.even, cell, one, two, sure), odd=misread(whole.odd, cell, one, two, sure)
    )
    return burnt_in(spoilt, vti, "synthetic")


def away(found: BurntIn) -> float:
    vti = vti_options("auto", DATE)
    assert vti is not None
    seconds = (found.stamps.stamp_ns - vti.midnight_ns) * 1e-9
    return float(np.abs(seconds - SCENE.shown_s(SCENE.numbers)).max())


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_a_digit_misread_throughout_is_exchanged(cell: int) -> None:
    readings = reading().even
    true = int(shown_digits(readings.ticks.astype(float), readings)[0, cell])
    wrong = (true + 2) % (3 if cell < 2 else 6)
    found = solved(cell, true, wrong)
    assert found.checked.exchanged == ((cell, wrong, true),)
    assert away(found) <= 1.01 * SCENE.unit_s()
    notes = [note.message for note in burnt_in_notes(found)]
    assert any(f"read as {wrong}, but its glyph is the recording's {true}" in text for text in notes)


def test_right_digits_stay() -> None:
    vti = vti_options("auto", DATE)
    assert vti is not None
    found = burnt_in(reading(), vti, "synthetic")
    assert found.checked.exchanged == ()
    assert found.checked.unsure == ()
    assert away(found) <= 1.01 * SCENE.unit_s()


def test_without_templates_an_unsure_digit_flags_every_frame_that_shows_it() -> None:
    whole = reading()
    assert whole.odd is not None
    vti = vti_options("auto", DATE)
    assert vti is not None
    blank = replace(
        whole, even_cells=np.zeros_like(whole.even_cells), odd_cells=np.zeros_like(whole.even_cells)
    )
    unsure = replace(blank, even=misread(whole.even, 1, 1, 1, 0.6), odd=misread(whole.odd, 1, 1, 1, 0.6))
    found = burnt_in(unsure, vti, "synthetic")
    assert (1, 1) in found.checked.unsure
    assert found.unsure.all()
    assert Caveat.BURNT_IN_UNSURE in {note.caveat for note in burnt_in_notes(found)}


def test_a_fraction_that_never_reaches_a_tenth_is_not_taken_for_one() -> None:
    whole = reading()
    assert whole.odd is not None
    vti = vti_options("auto", DATE)
    assert vti is not None

    def led(readings: Readings) -> Readings:
        """The same line with a zero before the milliseconds, its last digit not seen."""
        zero = np.full((len(readings.ticks), 1, 10), -7.0)
        zero[:, 0, 0] = -0.01
        time = np.concatenate([readings.time[:, :6], zero, readings.time[:, 6:9]], axis=1)
        return reparsed(replace(readings, time=time))

    with pytest.raises(DataError, match="never reaches"):
        burnt_in(replace(whole, even=led(whole.even), odd=led(whole.odd)), vti, "synthetic")
