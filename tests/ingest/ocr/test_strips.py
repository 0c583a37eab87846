"""Real IOTA-VTI lines: every strip right, digit for digit before the solver and in time after it."""

from functools import cache

import numpy as np
import pytest

from ingest.ocr.cells import find_cells, read_cells
from ingest.ocr.crop import normalise
from ingest.ocr.find import find_lines, spikes
from ingest.ocr.layouts import Layout, find_layout
from ingest.ocr.network import STRIDE, recogniser
from ingest.ocr.parse import Readings, parse
from ingest.ocr.solve import field_order, interleaved, solve
from tests.ingest.ocr.strips import FOLDERS, recording


@cache
def read(folder: str) -> tuple[Layout, Readings, Readings]:
    """Read both fields of every frame."""
    strips = recording(folder)
    network = recogniser()
    all_fields = np.concatenate([strips.even, strips.odd])
    line = find_lines(all_fields, network)[0]
    columns = network.columns(normalise(all_fields, line.crop))
    cells = find_cells(spikes(columns), len(all_fields), STRIDE * columns.shape[1])
    layout = find_layout(cells)
    assert layout is not None
    found = parse(read_cells(columns, cells), layout)
    half = len(strips.even)
    return layout, found.chosen(np.arange(half)), found.chosen(np.arange(half, 2 * half))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_strip_reads_right_before_the_solver(folder: str) -> None:
    strips = recording(folder)
    layout, even, odd = read(folder)
    assert layout.model == "iota"
    assert len(even.ticks) + len(odd.ticks) == FOLDERS[folder]
    (ticks0, count0), *_ = strips.truth.values()
    for found in (even, odd):
        expected = ticks0 + strips.step * (found.count - count0)
        assert np.abs(found.ticks - expected).max() <= 1.0
    for (frame, parity), (ticks, count) in strips.truth.items():
        found = even if parity == "even" else odd
        assert (found.ticks[frame], found.count[frame]) == (ticks, count)


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_solver_tells_times_numbers_and_field_order(folder: str) -> None:
    strips = recording(folder)
    _, even, odd = read(folder)
    order = field_order(even, odd)
    first_by_number = 0 if np.median(odd.count - even.count) > 0 else 1
    assert order.first == first_by_number
    together = interleaved(even, odd, first_by_number)
    found = solve(together)
    assert found is not None
    assert found.counter is not None
    assert not found.flagged.any()
    np.testing.assert_array_equal(found.counter + found.number, together.count)
    (ticks0, count0), *_ = strips.truth.values()
    expected = ticks0 + strips.step * (found.counter + found.number - count0)
    assert np.abs(found.ticks - expected).max() <= 1.0


def test_a_repeated_frame_and_a_drop_come_out() -> None:
    _, even, odd = read("011_tvsafe")
    found = solve(interleaved(even, odd, 0))
    assert found is not None
    np.testing.assert_array_equal(found.number[:6], [0, 1, 0, 1, 2, 3])
    _, even, odd = read("005_tvsafe")
    found = solve(interleaved(even, odd, 0))
    assert found is not None
    assert set(np.diff(found.number)) == {1, 3}


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("seed", range(3))
def test_digits_painted_over_are_repaired_or_flagged(folder: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, even, odd = read(folder)
    clean = interleaved(even, odd, 1 if folder == "007" else 0)
    spoilt = clean.chosen(np.arange(clean.ticks.size))
    for k in rng.choice(clean.ticks.size, clean.ticks.size // 5, replace=False):
        cell, digit = rng.integers(6, 10), rng.integers(0, 10)
        spoilt.time[k, cell] = np.log(0.001)
        spoilt.time[k, cell, digit] = np.log(0.99)
        digits = spoilt.time[k].argmax(axis=1)
        seconds = (10 * digits[0] + digits[1]) * 3600 + (10 * digits[2] + digits[3]) * 60
        seconds += 10 * digits[4] + digits[5]
        spoilt.ticks[k] = seconds * 10_000 + int("".join(map(str, digits[6:])))
    found = solve(spoilt)
    assert found is not None
    right = np.abs(found.ticks - clean.ticks) <= 1.0
    assert (right | found.flagged).all()
    assert right.mean() > 0.9
