"""Order of bits and bytes in RAVF rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.ravf.unpacking import unpack
from ingest.rawfile import RawFile
from reduction.caveats import Caveat
from tests.ingest.ravf_stacks import caveats, opened, sky
from tests.ingest.ravf_writer import row_bytes, write_ravf


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("samples", range(1, 10))
def test_unpacking_against_arithmetic(bits: int, samples: int) -> None:
    """The slow twin takes one bit after the other out of the groups as the format draws them."""
    values = np.random.default_rng(samples).integers(0, 1 << bits, (4, samples)).astype(np.uint16)
    for packing, name in ((0, "format"), (1, "csi")):
        rows = [row_bytes(row, 2 if bits == 10 else 3, packing=name) for row in values.tolist()]
        found = np.zeros_like(values)
        unpack(np.array([list(row) for row in rows], np.uint8), found, bits, packing)
        np.testing.assert_array_equal(found, values)


def test_rows_too_short_for_their_samples_are_not_unpacked() -> None:
    with pytest.raises(ValueError, match="10 bit"):
        unpack(np.zeros((2, 4), np.uint8), np.zeros((2, 4), np.uint16), 10)
    with pytest.raises(ValueError, match="packing 4"):
        unpack(np.zeros((2, 9), np.uint8), np.zeros((2, 4), np.uint16), 12, 4)


def test_the_last_packed_row_may_lack_its_padding(tmp_path: Path) -> None:
    """12 bits, odd width: the last pixel ends a byte early, and the last row at its last sample."""
    frames = sky(12, width=17)
    path = write_ravf(tmp_path / "a.ravf", frames, image_format=3)
    np.testing.assert_array_equal(opened(path).read(0, 9), frames)


def quiet(bits: int, sigma: float, level: float, seed: int = 3) -> NDArray[Any]:
    noise = np.random.default_rng(seed).normal(level, sigma, (3, 64, 96))
    return np.clip(np.rint(noise), 0, (1 << bits) - 1).astype(np.uint16)


@pytest.mark.parametrize(("bits", "image_format"), [(10, 2), (12, 3)])
@pytest.mark.parametrize("written", ["format", "csi"])
@pytest.mark.parametrize("sigma", [0.6, 1.2, 5.0, 40.0])
@pytest.mark.parametrize("colour", [0, 4])
def test_the_order_of_low_bits_follows_the_sky(
    tmp_path: Path, bits: int, image_format: int, written: str, sigma: float, colour: int
) -> None:
    frames = quiet(bits, sigma, 199.4)
    if colour:
        frames[:, ::2, ::2] //= 2
        frames[:, 1::2, 1::2] //= 3
    path = write_ravf(tmp_path / "a.ravf", frames, image_format=image_format, packing=written, colour=colour)
    stack = opened(path)
    apart = 3 if bits == 10 else 1000  # with four values of low bits, noise of 5 ADU hides their order
    if sigma < apart:
        np.testing.assert_array_equal(stack.read(0, 3), frames)
        assert (Caveat.PACKING_SETTLED in caveats(stack)) == (written == "csi")
    else:
        assert np.abs(stack.read(0, 3).astype(int) - frames.astype(int)).max() <= 3
        assert Caveat.PACKING_SETTLED not in caveats(stack)


@pytest.mark.parametrize("image_format", [2, 3])
@pytest.mark.parametrize(
    "scene", ["dark", "flat level", "noise only", "stripes", "ramp", "saturated", "high bits", "count"]
)
@pytest.mark.parametrize("colour", [0, 1, 2])
def test_the_formats_order_stands_where_the_content_cannot_tell(
    tmp_path: Path, image_format: int, scene: str, colour: int
) -> None:
    top = 1023 if image_format == 2 else 4095
    shape = (3, 64, 96)
    frames = {
        "dark": np.zeros(shape, int),
        "flat level": np.full(shape, 0x155),
        "noise only": np.random.default_rng(5).integers(0, top + 1, shape),
        "stripes": np.broadcast_to(np.arange(96) % 2 * 300 + 77, shape),
        "ramp": np.broadcast_to(np.arange(96) * 8, shape),
        "saturated": np.full(shape, top),
        "high bits": np.random.default_rng(5).normal(90, 9, shape).astype(int) << image_format * 2 - 2,
        "count": np.arange(3 * 64 * 96).reshape(shape) % (top + 1),
    }[scene].astype(np.uint16)
    path = write_ravf(tmp_path / "a.ravf", frames, image_format=image_format, colour=colour)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 3), frames)
    assert Caveat.PACKING_SETTLED not in caveats(stack)


@pytest.mark.parametrize("image_format", [1, 4, 5])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("endian", [0, 1])
def test_byte_order_follows_the_pixels(tmp_path: Path, image_format: int, big: bool, endian: int) -> None:
    bits = {1: 16, 4: 10, 5: 12}[image_format]
    frames = sky(bits, height=40, width=50)
    path = write_ravf(tmp_path / "a.ravf", frames, image_format=image_format, big=big, endian=endian)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    assert (Caveat.BYTE_ORDER_SETTLED in caveats(stack)) == (big == bool(endian))


def test_ten_bits_scaled_to_sixteen_are_kept_and_said(tmp_path: Path) -> None:
    frames = sky(10, height=40, width=50) << 6
    stack = opened(write_ravf(tmp_path / "a.ravf", frames, image_format=4))
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    assert stack.info.bit_depth == 16
    assert "exceed the 10 bits" in stack.info.metadata["sample_order"]


@pytest.mark.parametrize("image_format", [0, 1, 2, 3])
@pytest.mark.parametrize("width", [13, 17, 64])
@pytest.mark.parametrize("padding", [0, 5])
def test_frames_that_are_read_are_those_that_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_format: int, width: int, padding: int
) -> None:
    """Where a file system is none of those that are safe to map, frames are read in parts."""
    frames = sky({0: 8, 1: 16, 2: 10, 3: 12}[image_format], width=width)
    path = write_ravf(tmp_path / "a.ravf", frames, image_format=image_format, padding=padding)
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    monkeypatch.setattr("ingest.ravf.samples.make_present", lambda _: False)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
    monkeypatch.setattr(RawFile, "mapped", lambda *_, **__: None)
    monkeypatch.setattr("ingest.ravf.samples.TOGETHER_BYTES", 200)
    np.testing.assert_array_equal(stack.read(0, 9), frames)
