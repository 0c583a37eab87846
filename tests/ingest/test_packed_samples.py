"""Samples out of packed bytes, against arithmetic on one long number."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.packed_samples import PATTERNS, take_samples


def bits_of(name: str) -> int:
    return int(name.split(maxsplit=1)[0])


def packed(values: list[int], name: str) -> bytes:
    """A row by the words of a pattern's name, group by group; a group that is not full ends where it may."""
    bits = bits_of(name)
    if bits == 16:
        return b"".join(value.to_bytes(2, "little" if "little" in name else "big") for value in values)
    each = 4 if bits == 10 else 2
    row = b""
    for first in range(0, len(values), each):
        part = values[first : first + each]
        if "one after the other" in name:
            number = part[0] << 12 | (part[1] if len(part) == 2 else 0)
            row += number.to_bytes(3, "big")[: len(part) + 1]
            continue
        low = bits - 8
        places = range(each)[::-1] if "first highest" in name else range(each)
        lows = sum(
            (value & (1 << low) - 1) << low * place for value, place in zip(part, places, strict=False)
        )
        highs = bytes(value >> low for value in part)
        row += bytes([lows]) + highs if "before" in name else highs.ljust(each, b"\xaa") + bytes([lows])
    return row


def on_place(shape: tuple[int, int], place: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Memory that begins `place` samples behind a line of 64 bytes, and all the memory around it."""
    size = shape[0] * shape[1]
    plenty = np.full(size + 160, 0xBEEF, np.uint16)
    start = 32 + (-plenty.ctypes.data % 64) // 2 + place
    return plenty[start : start + size].reshape(shape), plenty


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_for_every_width_stride_and_place(name: str, data: st.DataObject) -> None:
    rows, count = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 150))
    padding, place = data.draw(st.integers(0, 40)), data.draw(st.integers(0, 31))
    shift = data.draw(st.integers(0, 16 - bits_of(name)))
    seed = data.draw(st.integers(0, 1000))
    values = np.random.default_rng(seed).integers(0, 1 << bits_of(name), (rows, count))
    lines = [packed(row, name) for row in values.tolist()]
    stride = len(lines[0]) + padding
    whole = b"".join(line.ljust(stride, b"\x55") for line in lines)[: (rows - 1) * stride + len(lines[0])]
    goal, plenty = on_place((rows, count), place)
    past = data.draw(st.booleans())
    take_samples(np.frombuffer(whole, np.uint8), stride, goal, name, shift, past_caches=past)
    np.testing.assert_array_equal(goal, values << shift)
    goal[...] = 0xBEEF
    assert (plenty == 0xBEEF).all()


@pytest.mark.parametrize("name", PATTERNS)
def test_frames_larger_than_what_is_kept_between(name: str) -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, 1 << bits_of(name), (70, 1457))
    lines = [packed(row, name) for row in values.tolist()]
    stride = len(lines[0]) + 3
    whole = b"".join(line.ljust(stride, b"\x55") for line in lines)
    for place in (0, 5, 8, 16):
        for past in (False, True):
            goal, _ = on_place(values.shape, place)
            take_samples(np.frombuffer(whole, np.uint8), stride, goal, name, past_caches=past)
            np.testing.assert_array_equal(goal, values)


@pytest.mark.parametrize(
    ("size", "stride", "shape"), [(14, 5, (3, 4)), (12, 4, (3, 4)), (4, 5, (1, 4)), (15, -5, (3, 4))]
)
def test_rows_that_are_too_short_are_refused(size: int, stride: int, shape: tuple[int, int]) -> None:
    data: Any = np.zeros(size, np.uint8)
    with pytest.raises(ValueError, match="10 bit"):
        take_samples(data, stride, np.zeros(shape, np.uint16), "10 bit, low behind, first highest")


@pytest.mark.parametrize("count", [*range(4), *range(14, 20), 31, 32, 33, 47, 48, 64, 1456])
@pytest.mark.parametrize("name", PATTERNS)
def test_rows_past_the_caches_from_every_place_of_a_line(name: str, count: int) -> None:
    """Whole lines go one way and parts of lines the other: none is left out, none is written twice."""
    values = np.random.default_rng(count).integers(0, 1 << bits_of(name), (3, count))
    lines = [packed(row, name) for row in values.tolist()]
    whole = np.frombuffer(b"".join(line + b"\x55" * 3 for line in lines), np.uint8)
    for place in range(32):
        goal, plenty = on_place((3, count), place)
        take_samples(whole, len(lines[0]) + 3, goal, name, past_caches=True)
        np.testing.assert_array_equal(goal, values)
        goal[...] = 0xBEEF
        assert (plenty == 0xBEEF).all()
