"""The two decompressors against plain compressors, and against damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ingest.fstf import lagarith, quicklz
from ingest.fstf.checksum import crc32_plain, crc32_table
from ingest.packed_samples import take_samples
from tests.fuzzing import COUNT, note
from tests.ingest.fstf.coders import lagarith_block, quicklz_block
from tests.ingest.fstf.writer import pack12, plain_crc


def expand(block: bytes) -> bytes | None:
    source = np.frombuffer(block, np.uint8)
    size = quicklz.declared_size(source)
    if size is None:
        return None
    out = np.empty(size, np.uint8)
    return out.tobytes() if quicklz.decompress(source, out) else None


def decode(block: bytes, symbols: int) -> NDArray[np.uint16] | None:
    out = np.empty(symbols, np.uint16)
    return out if lagarith.decompress(np.frombuffer(block, np.uint8), out) else None


@st.composite
def texture(draw: st.DrawFn) -> bytes:
    """Bytes with repeats near and far, as frames have them."""
    pieces = draw(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
    order = draw(st.lists(st.tuples(st.integers(0, len(pieces) - 1), st.integers(1, 12)), max_size=30))
    return b"".join(pieces[k] * times for k, times in order)


@settings(max_examples=300, deadline=None)
@given(texture(), st.sampled_from([None, True]), st.booleans())
def test_quicklz_round_trip(data: bytes, long_header: bool | None, stored: bool) -> None:
    assert expand(quicklz_block(data, long_header=long_header, stored=stored)) == data


@pytest.mark.parametrize("length", [*range(40), 215, 216, 217, 1000, 70_000])
def test_quicklz_of_every_length_and_of_long_runs(length: int) -> None:
    for data in (bytes(length), bytes(k * 7 & 255 for k in range(length)), (b"abcab" * length)[:length]):
        assert expand(quicklz_block(data)) == data


def test_quicklz_of_noise() -> None:
    rng = np.random.default_rng(1)
    for sigma in (0.5, 3.0, 4000.0):
        data = rng.normal(30_000, sigma, 5000).astype("<u2").tobytes()
        block = quicklz_block(data)
        assert (len(block) < len(data)) == (sigma < 4000)
        assert expand(block) == data


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 65535) | st.integers(0, 5), min_size=1, max_size=600), st.booleans())
def test_lagarith_round_trip(values: list[int], raw: bool) -> None:
    symbols = np.array(values, np.uint16)
    found = decode(lagarith_block(symbols, raw=raw), symbols.size)
    assert found is not None
    np.testing.assert_array_equal(found, symbols)


@pytest.mark.parametrize("spread", [1, 30, 3000])
def test_lagarith_of_noise_with_many_symbols(spread: int) -> None:
    rng = np.random.default_rng(spread)
    symbols = np.clip(rng.normal(20_000, spread, 20_000), 0, 65_535).astype(np.uint16)
    symbols[::97] = rng.integers(0, 65_536, symbols[::97].size)
    block = lagarith_block(symbols)
    np.testing.assert_array_equal(decode(block, symbols.size), symbols)
    np.testing.assert_array_equal(decode(block, 100), symbols[:100])


def test_lagarith_of_all_symbols_there_are() -> None:
    symbols = np.random.default_rng(0).permutation(np.arange(65_536, dtype=np.uint16))
    np.testing.assert_array_equal(decode(lagarith_block(symbols), symbols.size), symbols)


@pytest.mark.parametrize("value", [0, 7, 65_535])
def test_lagarith_of_one_value(value: int) -> None:
    block = lagarith_block(np.full(500, value, np.uint16))
    assert len(block) == 4
    found = decode(block, 500)
    assert found is not None
    assert (found == value).all()


def test_a_stream_that_ends_early_is_damaged() -> None:
    symbols = np.random.default_rng(2).integers(0, 4000, 3000).astype(np.uint16)
    block = lagarith_block(symbols)
    assert decode(block[: len(block) // 2], symbols.size) is None
    assert decode(block, 2 * symbols.size) is None
    assert decode(lagarith_block(symbols, raw=True)[:-1], symbols.size) is None
    data = symbols.tobytes() + bytes(3000)
    packed = quicklz_block(data)
    assert expand(packed[:-1]) is None


def test_what_is_claimed_is_bounded() -> None:
    bomb = b"\x47" + (13).to_bytes(4, "little") + (1 << 31).to_bytes(4, "little") + bytes(4)
    assert quicklz.declared_size(np.frombuffer(bomb, np.uint8)) is None
    stored = b"\x46" + (13).to_bytes(4, "little") + (1 << 20).to_bytes(4, "little") + bytes(4)
    assert quicklz.declared_size(np.frombuffer(stored, np.uint8)) is None
    for cut in range(9):
        assert quicklz.declared_size(np.frombuffer(bomb[:cut], np.uint8)) is None


@pytest.mark.parametrize("seed", range(4))
def test_mutated_blocks_are_noticed_or_harmless(seed: int) -> None:
    """Blocks with flipped, lost and added bytes: no crash, and never more than was asked for."""
    rng = np.random.default_rng(seed)
    symbols = rng.normal(300, 20, 400).astype(np.uint16)
    blocks = [
        np.frombuffer(quicklz_block(symbols.tobytes() * 2), np.uint8),
        np.frombuffer(lagarith_block(symbols), np.uint8),
    ]
    for k in range(COUNT // 2):
        block = blocks[k % 2].copy()
        for _ in range(rng.integers(1, 6)):
            block[rng.integers(0, 40 if rng.random() < 0.5 else block.size)] = rng.integers(0, 256)
        if rng.random() < 0.3:
            block = block[: rng.integers(0, block.size)]
        if k % 2:
            decode(block.tobytes(), symbols.size)
        else:
            expand(block.tobytes())
    note(f"QuickLZ and Lagarith16, part {seed}", {"read or noticed": COUNT // 2})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 4095), min_size=1, max_size=99), st.sampled_from([0, 4]))
def test_twelve_bits_unpack(values: list[int], shift: int) -> None:
    out = np.empty(len(values), np.uint16)
    packed = np.frombuffer(pack12(np.array(values)), np.uint8)
    take_samples(packed, packed.size, out.reshape(1, -1), "12 bit, one after the other", shift)
    np.testing.assert_array_equal(out, np.array(values) << shift)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=4, max_size=60))
def test_the_formats_checksum(data: bytes) -> None:
    assert crc32_plain(np.frombuffer(data, np.uint8), crc32_table()) == plain_crc(data)
