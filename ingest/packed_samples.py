"""Samples of 10, 12 and 16 bits out of the bytes that hold them, sixteen at a time.

Every order of bits is one pattern: a group of bytes holds a few samples, and each sample takes its bits from
two of those bytes. So sixteen samples are one choice of bytes, two shifts and two masks, which are written
out here as vector instructions: those that the compiler finds by itself are slower, or none.

While some are made, the lines of memory that are read next are fetched. Samples of a large block go to memory
in whole lines past the caches, which could not keep them: such a store neither fetches a line nor waits for
one. Elsewhere the lines to write are fetched too, as ones that will change.
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

UNROLLED = 4
"""Vectors made in a turn of the loop."""

LINE = 64
"""Bytes that memory takes at once."""

AHEAD = 4096
"""Bytes by which lines are fetched before their turn."""

VECTOR = 2 * TOGETHER
"""Bytes of a vector; one that begins at a multiple of this can go past the caches."""

CACHED_BYTES = 8 << 20
"""Blocks from this size on are more than the caches of a core keep."""


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
    data: NDArray[np.uint8],
    stride: int,
    samples: NDArray[np.uint16],
    pattern: str,
    shift: int = 0,
    *,
    past_caches: bool = False,
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
    past_caches : bool
        The samples are part of a block of `CACHED_BYTES` or more.

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
    if stride == needed and count % order.samples == 0:  # one long row, of which parts make shorter ones
        samples = samples.reshape(1, -1)
    _take(read_only(data), stride, samples, ORDERS[pattern], order.group, TABLES[pattern], shift, past_caches)


@compiled
def _take(
    data: Any, stride: int, samples: Any, order: int, group: int, table: Any, shift: int, past_caches: bool
) -> None:
    """Places are numbers here: a slice counts its owners, and that waits for all stores past the caches."""
    rows, count = samples.shape
    each = table.shape[0]
    step, reach = TOGETHER // each * group, HALF // each * group + LOADED
    source, target = np.int64(data.ctypes.data), np.int64(samples.ctypes.data)
    for row in range(rows):
        most = min(count + TOGETHER - 1, (rows - row) * count)  # into rows that are still to come
        fit = max(0, min(most // TOGETHER, (data.size - row * stride - reach) // step + 1))
        begin, end = fit, fit
        if past_caches and target % VECTOR == 0:  # whole lines only: the caches join parts
            begin = min(fit, target % LINE // VECTOR)
            end = fit - (fit - begin) % (LINE // VECTOR)
        _take_together(source, target, begin, order, shift, False)
        _take_together(source + begin * step, target + begin * VECTOR, end - begin, order, shift, True)
        _take_together(source + end * step, target + end * VECTOR, fit - end, order, shift, False)
        if fit * TOGETHER < count:
            _take_singly(data[row * stride :], samples[row], fit * TOGETHER, group, table, shift)
        source, target = source + stride, target + 2 * count
    if past_caches:
        _settle()


@compiled
def _take_singly(line: Any, goal: Any, start: int, group: int, table: Any, shift: int) -> None:
    each = table.shape[0]
    for k in range(start, goal.size):
        at, part = k // each * group, table[k % each]
        both = np.int64(line[at + part[0]]) | np.int64(line[at + part[1]]) << 8
        goal[k] = ((both >> part[2] & part[3]) | (both >> part[4] & part[5])) << shift


def _emit_together(
    typing: Any, source: Any, target: Any, vectors: Any, order: Any, shift: Any, past: Any
) -> Any:
    """An intrinsic: a loop over `vectors` of samples, that of the pattern."""
    del typing, source, target, vectors, order, shift, past

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature
        *places, order, shift, past = arguments
        kinds = [value.type for value in (*places, shift)]
        past = context.cast(builder, past, types.boolean, types.int64)
        some = builder.icmp_signed(">", arguments[2], arguments[2].type(0))
        for way in range(2):
            asked = builder.and_(some, builder.icmp_signed("==", past, past.type(way)))
            with builder.if_then(asked):
                for number, pattern in enumerate(PATTERNS.values()):
                    loop = _emit_loop(builder.module, pattern, kinds, way == 1)
                    with builder.if_then(builder.icmp_signed("==", order, order.type(number))):
                        builder.call(loop, [*places, shift])
        return context.get_dummy_value()

    kinds = (types.int64, types.int64, types.int64, types.int64, types.int64, types.boolean)
    return types.void(*kinds), generate


def _emit_loop(module: Any, pattern: Pattern, kinds: Any, past: bool) -> Any:
    """A function of source, target, number of vectors and shift; not inlined, which would multiply it."""
    known: Any = ir
    function = known.Function(
        module, ir.FunctionType(ir.VoidType(), kinds), module.get_unique_name("take_together")
    )
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = known.IRBuilder(function.append_basic_block())
    source, target, vectors, shift = function.args
    scale = _all_lanes(builder, builder.trunc(shift, ir.IntType(16)))
    turn = vectors.type(UNROLLED)
    turns = builder.sdiv(vectors, turn)
    with cgutils.for_range(builder, turns) as loop:
        first = builder.mul(loop.index, turn)
        _emit_fetches(builder, pattern, source, None if past else target, first)
        for k in range(UNROLLED):
            _emit_one(builder, pattern, source, target, builder.add(first, first.type(k)), scale, past)
    with cgutils.for_range_slice(builder, builder.mul(turns, turn), vectors, vectors.type(1)) as (index, _):
        _emit_one(builder, pattern, source, target, index, scale, past)
    builder.ret_void()
    return function


def _emit_fetches(builder: Any, pattern: Pattern, source: Any, target: Any, first: Any) -> None:
    """Lines that a later turn of the loop reads and, where there is a target, writes."""
    step = TOGETHER // pattern.samples * pattern.group
    for begin, each, to_write in ((source, step, False), (target, VECTOR, True)):
        if begin is None:
            continue
        here = builder.add(begin, builder.mul(first, first.type(each)))
        for line in range(0, UNROLLED * each, LINE):
            _fetch(builder, builder.add(here, here.type(AHEAD + line)), to_write)


def _emit_one(
    builder: Any, pattern: Pattern, source: Any, target: Any, index: Any, scale: Any, past: bool
) -> None:
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
    goal = builder.add(target, builder.mul(index, index.type(VECTOR)))
    store = builder.store(values, builder.inttoptr(goal, lanes.as_pointer()))
    store.align = VECTOR if past else 2
    if past:
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))


def _load(builder: Any, address: Any) -> Any:
    load = builder.load(builder.inttoptr(address, ir.VectorType(ir.IntType(8), LOADED).as_pointer()))
    load.align = 1
    return load


def _all_lanes(builder: Any, value: Any) -> Any:
    lanes = ir.VectorType(value.type, TOGETHER)
    first = builder.insert_element(ir.Constant(lanes, ir.Undefined), value, ir.IntType(32)(0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), TOGETHER), [0] * TOGETHER)
    return builder.shuffle_vector(first, ir.Constant(lanes, ir.Undefined), mask)


def _fetch(builder: Any, address: Any, to_write: bool) -> None:
    """Ask for a line to be brought to the second cache; never a fault, whatever stands there."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
    known: Any = cgutils
    fetch = known.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    second_cache, of_data = number(2), number(1)
    builder.call(fetch, [builder.inttoptr(address, byte), number(int(to_write)), second_cache, of_data])


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
