"""Bytes of an archive from the store, in pieces of at most 1 MiB, whatever its size."""

import zlib
from collections.abc import Callable, Iterator

from api.bundles.archive import Slice
from api.bundles.plan import Entry, Plan
from cluster.store.objects import PIECE
from cluster.store.protocol import Store
from reduction.errors import DataError

LEAST = 1 << 16
"""Smaller pieces, such as headers, are put together."""


def touched(plan: Plan, start: int, stop: int) -> Iterator[Entry]:
    """Files of the store of which bytes lie between `start` and `stop` of the archive."""
    for part in plan.layout.parts(start, stop):
        if isinstance(part, Slice) and plan.entries[part.member].store:
            yield plan.entries[part.member]


def pieces(
    store: Store, plan: Plan, start: int, stop: int, damaged: Callable[[Entry], None]
) -> Iterator[bytes]:
    """Bytes `start` to `stop` of an archive.

    A file that is sent whole is compared with its checksum; its last piece is sent only if it is what it was.

    Parameters
    ----------
    damaged : callable
        Is told of a file that is not.

    Raises
    ------
    DataError
        A file of the store is gone, or is not what it was: what was sent ends there.
    """
    held = bytearray()
    for part in plan.layout.parts(start, stop):
        small = (part,) if isinstance(part, bytes) else _content(store, plan, part, damaged)
        for piece in small:
            if len(piece) >= LEAST:
                if held:
                    yield bytes(held)
                    held.clear()
                yield piece
                continue
            held += piece
            if len(held) >= LEAST:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def _content(store: Store, plan: Plan, part: Slice, damaged: Callable[[Entry], None]) -> Iterator[bytes]:
    entry = plan.entries[part.member]
    if not entry.store:
        text = entry.text.encode()[part.start : part.stop]
        yield from (text[at : at + PIECE] for at in range(0, len(text), PIECE))
        return
    whole = part.stop - part.start == entry.size
    left, crc32, last = part.stop - part.start, 0, b""
    for piece in store.read_object(entry.store, part.start, part.stop):
        if last:
            yield last
        last, left = piece, left - len(piece)
        crc32 = zlib.crc32(piece, crc32) if whole else 0
    if left or (whole and crc32 != entry.crc32):
        damaged(entry)
        raise DataError(
            f"{store.url}: {entry.store}: is not what it was ({entry.name}); restore it from a copy"
        )
    yield last
