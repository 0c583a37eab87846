"""Samples of 10, 12 and 16 bits out of the bytes that hold them, sixteen at a time.

Every order of bits is one pattern: a group of bytes holds a few samples, and each sample takes its bits from
two of those bytes. So sixteen samples are one choice of bytes, two shifts and two masks, which are written
out here as vector instructions: those that the compiler finds by itself are slower, or none.

Samples are made in the processor's own cache and moved on in whole lines past the caches, while the next
bytes are fetched: a block of frames is larger than the caches, so that this halves the traffic to memory.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from gpu_kernels.device import read_only
from ingest.compiled import compiled

TOGETHER = 16
HALF = 8
LOADED = 16
"""Samples made at once, by two loads of 16 bytes with `HALF` of them each."""

CACHED = 16_384
"""Samples kept until they are moved on."""

LINE = 64
"""Bytes that memory takes at once."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """How the samples of a group stand in its bytes.

    A sample is ``((x >> s) & m) | ((x >> t) & n)`` of ``x = low + 256 * high``.

    Attributes
    ----------
    group : int
        Bytes of a group.
    low, high : tuple of int
        For each sample of a group, which of its bytes are the two.
    main, rest : tuple of (int, int)
        For each sample ``(s, m)`` and ``(t, n)``.
    """

    group: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    main: tuple[tuple[int, int], ...]
    rest: tuple[tuple[int, int], ...]

    @property
    def samples(self) -> int:
        """Of a group."""
        return len(self.low)

    def needed(self, samples: int) -> int:
        """Bytes up to the last one that a row of samples takes."""
        full, left = divmod(samples, self.samples)
        return full * self.group + max((1 + max(self.low[k], self.high[k]) for k in range(left)), default=0)

    def table(self) -> NDArray[np.int64]:
        """One row per sample: low, high, s, m, t, n."""
        parts = zip(self.low, self.high, self.main, self.rest, strict=True)
        return np.array([(low, high, *main, *rest) for low, high, main, rest in parts], np.int64)


_EIGHT_OF_TEN = (6, 0x3FC)
_EIGHT_OF_TWELVE = (4, 0xFF0)
_FOUR_HIGH, _FOUR_LOW = (4, 0xF), (0, 0xF)


def _ten(shifts: tuple[int, ...]) -> Pattern:
    """Four high bytes, then the low bits of all four."""
    return Pattern(5, (4,) * 4, (0, 1, 2, 3), (_EIGHT_OF_TEN,) * 4, tuple((shift, 3) for shift in shifts))


def _twelve(low: int, high: int, rest: tuple[tuple[int, int], ...]) -> Pattern:
    """Two high bytes, the low bits of both in a byte before or behind them."""
    return Pattern(3, (low,) * 2, (high, high + 1), (_EIGHT_OF_TWELVE,) * 2, rest)


PATTERNS = {
    "16 bit, little-endian": Pattern(2, (0,), (1,), ((0, 0xFFFF),), ((0, 0),)),
    "16 bit, big-endian": Pattern(2, (1,), (0,), ((0, 0xFFFF),), ((0, 0),)),
    "10 bit, low behind, first highest": _ten((6, 4, 2, 0)),
    "10 bit, low behind, first lowest": _ten((0, 2, 4, 6)),
    "12 bit, low before, first highest": _twelve(0, 1, (_FOUR_HIGH, _FOUR_LOW)),
    "12 bit, low before, first lowest": _twelve(0, 1, (_FOUR_LOW, _FOUR_HIGH)),
    "12 bit, low behind, first highest": _twelve(2, 0, (_FOUR_HIGH, _FOUR_LOW)),
    "12 bit, low behind, first lowest": _twelve(2, 0, (_FOUR_LOW, _FOUR_HIGH)),
    "12 bit, one after the other": Pattern(3, (1, 2), (0, 1), ((4, 0xFFF), (0, 0xFFF)), ((0, 0), (0, 0))),
}
ORDERS = {name: number for number, name in enumerate(PATTERNS)}
TABLES = {name: pattern.table() for name, pattern in PATTERNS.items()}


def take_samples(
    data: NDArray[np.uint8], stride: int, samples: NDArray[np.uint16], pattern: str, shift: int = 0
) -> None:
    """Rows of bytes to rows of samples.

    Parameters
    ----------
    data : array, (n,), uint8
        C-contiguous; a row begins every `stride` bytes, and the last one may end with its last sample.
    stride : int
        Bytes from row to row.
    samples : array, (rows, samples per row), uint16
        C-contiguous; written.
    pattern : str
        Name in `PATTERNS`.
    shift : int
        Bits by which values are scaled up.

    Raises
    ------
    ValueError
        The rows are too short for their samples.
    """
    rows, count = samples.shape
    order = PATTERNS[pattern]
    needed = order.needed(count)
    if rows and (stride < 0 or data.size < stride * (rows - 1) + needed or (rows > 1 and stride < needed)):
        raise ValueError(
            f"{data.size} bytes in rows of {stride} for {rows} rows of {count} samples, {pattern}, "
            f"which take {needed} bytes"
        )
    flat = read_only(data)
    if stride == needed and count % order.samples == 0:  # one long row, of which parts make shorter ones
        whole = samples.reshape(-1)
        full = whole.size // CACHED
        samples, stride = whole[: full * CACHED].reshape(full, CACHED), order.needed(CACHED)
        rest = whole[full * CACHED :].reshape(1, -1)
        _take(flat[full * stride :], 0, rest, ORDERS[pattern], order.group, TABLES[pattern], shift)
    _take(flat, stride, samples, ORDERS[pattern], order.group, TABLES[pattern], shift)


@compiled
def _take(data: Any, stride: int, samples: Any, order: int, group: int, table: Any, shift: int) -> None:
    """Some rows at a time in the processor's own cache, and from there to where they belong."""
    rows, count = samples.shape
    each = table.shape[0]
    step, reach = TOGETHER // each * group, HALF // each * group + LOADED
    some = max(1, min(rows, CACHED // max(1, count)))
    cached = np.empty(some * count + TOGETHER, np.uint16)
    flat = samples.reshape(-1)
    for first in range(0, rows, some):
        taken = min(some, rows - first)
        for row in range(taken):
            line, goal = data[(first + row) * stride :], cached[row * count : (row + 1) * count]
            fit = min((count + TOGETHER - 1) // TOGETHER, (line.size - reach) // step + 1)
            if fit > 0:  # the last may write into the next row, which is still to come
                _take_together(line.ctypes.data, goal.ctypes.data, fit, order, shift)
            _take_singly(line, goal, max(0, fit * TOGETHER), group, table, shift)
        ahead = data[(first + taken) * stride :].ctypes.data
        _put(cached[: taken * count], flat[first * count : (first + taken) * count], ahead, taken * stride)
    _settle()


@compiled
def _put(cached: Any, goal: Any, ahead: Any, wanted: int) -> None:
    """Copy; whole lines of memory go past the caches, while `wanted` bytes from `ahead` on are fetched."""
    address = np.int64(goal.ctypes.data)
    lead = min(goal.size, (-address % LINE) >> 1)
    lines = (goal.size - lead) // (LINE // 2) if address & 1 == 0 else 0
    for k in range(lead):
        goal[k] = cached[k]
    if lines > 0:
        _put_lines(cached[lead:].ctypes.data, goal[lead:].ctypes.data, lines, ahead, wanted // lines)
    for k in range(lead + lines * (LINE // 2), goal.size):
        goal[k] = cached[k]


@compiled
def _take_singly(line: Any, goal: Any, start: int, group: int, table: Any, shift: int) -> None:
    each = table.shape[0]
    for k in range(start, goal.size):
        at, part = k // each * group, table[k % each]
        both = np.int64(line[at + part[0]]) | np.int64(line[at + part[1]]) << 8
        goal[k] = ((both >> part[2] & part[3]) | (both >> part[4] & part[5])) << shift


def _emit_together(typing: Any, source: Any, target: Any, vectors: Any, order: Any, shift: Any) -> Any:
    """An intrinsic: loops over `vectors` of samples, one per pattern."""
    del typing, source, target, vectors, order, shift

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        source, target, vectors, order, shift = arguments
        scale = _all_lanes(builder, builder.trunc(shift, ir.IntType(16)))
        for number, pattern in enumerate(PATTERNS.values()):
            chosen = builder.icmp_signed("==", order, order.type(number))
            with builder.if_then(chosen), cgutils.for_range(builder, vectors) as loop:
                _emit_one(builder, pattern, source, target, loop.index, scale)
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.int64, types.int64, types.int64), generate


def _emit_one(builder: Any, pattern: Pattern, source: Any, target: Any, index: Any, scale: Any) -> None:
    """`TOGETHER` samples: load, choose bytes, shift, mask, store."""
    groups = HALF // pattern.samples
    word, lanes = ir.IntType(16), ir.VectorType(ir.IntType(16), TOGETHER)
    here = builder.add(source, builder.mul(index, index.type(2 * groups * pattern.group)))
    loads = [_load(builder, builder.add(here, here.type(half * groups * pattern.group))) for half in range(2)]
    chosen = [
        LOADED * half + group * pattern.group + place
        for half in range(2)
        for group in range(groups)
        for pair in zip(pattern.low, pattern.high, strict=True)
        for place in pair
    ]
    mask = ir.Constant(ir.VectorType(ir.IntType(32), 2 * TOGETHER), chosen)
    pairs = builder.bitcast(builder.shuffle_vector(*loads, mask), lanes)

    def part(parts: tuple[tuple[int, int], ...]) -> Any:
        times = TOGETHER // pattern.samples
        shifts, masks = ([word(pair[k]) for pair in parts] * times for k in (0, 1))
        return builder.and_(builder.lshr(pairs, ir.Constant(lanes, shifts)), ir.Constant(lanes, masks))

    values = builder.shl(builder.or_(part(pattern.main), part(pattern.rest)), scale)
    goal = builder.add(target, builder.mul(index, index.type(2 * TOGETHER)))
    builder.store(values, builder.inttoptr(goal, lanes.as_pointer())).align = 2


def _load(builder: Any, address: Any) -> Any:
    load = builder.load(builder.inttoptr(address, ir.VectorType(ir.IntType(8), LOADED).as_pointer()))
    load.align = 1
    return load


def _all_lanes(builder: Any, value: Any) -> Any:
    lanes = ir.VectorType(value.type, TOGETHER)
    first = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, ir.IntType(32)(0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), TOGETHER), [0] * TOGETHER)
    return builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), mask)


def _emit_put_lines(typing: Any, source: Any, target: Any, lines: Any, ahead: Any, pace: Any) -> Any:
    """An intrinsic: copy whole lines of memory past the caches; at each one fetch what lies ahead."""
    del typing, source, target, lines, ahead, pace

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        source, target, lines, ahead, pace = arguments
        never_again = builder.module.add_metadata([ir.IntType(32)(1)])
        half_line = ir.VectorType(ir.IntType(8), LINE // 2).as_pointer()
        with cgutils.for_range(builder, lines) as loop:
            _fetch(builder, builder.add(ahead, builder.mul(loop.index, pace)))
            for half in range(2):
                at = builder.add(
                    builder.mul(loop.index, loop.index.type(LINE)), source.type(half * LINE // 2)
                )
                load = builder.load(builder.inttoptr(builder.add(source, at), half_line))
                load.align = 1
                store = builder.store(load, builder.inttoptr(builder.add(target, at), half_line))
                store.align = LINE // 2
                store.set_metadata("nontemporal", never_again)
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.int64, types.uintp, types.int64), generate


def _fetch(builder: Any, address: Any) -> None:
    """Ask for a line to be brought to the second cache; never a fault, whatever stands there."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    known: Any = cgutils
    fetch = known.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    reading, second_cache, of_data = number(0), number(2), number(1)
    builder.call(fetch, [builder.inttoptr(address, byte), reading, second_cache, of_data])


def _emit_settle(typing: Any) -> Any:
    """An intrinsic: what went past the caches is there for all threads before anything that follows."""
    del typing

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature, arguments
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


_take_together: Any = intrinsic(_emit_together)
_settle: Any = intrinsic(_emit_settle)
_put_lines: Any = intrinsic(_emit_put_lines)
