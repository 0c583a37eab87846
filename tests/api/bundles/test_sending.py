"""Bytes of archives in small pieces, from a store that is watched."""

import hashlib
import os
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.bundles.plan import Entry, Plan, plan_of, text_entry  # noqa: E402 - after the check for the extra
from api.bundles.sending import pieces, touched  # noqa: E402
from reduction.errors import DataError  # noqa: E402

MIB = 1 << 20
BLOCK = bytes(range(256)) * 4096


class Endless:
    """Objects of any size: the same block again and again; what was asked for is noted."""

    url = "memory"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []

    def read_object(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        self.asked.append((name, start, stop))
        while start < stop:
            at = start % MIB
            piece = BLOCK[at : at + min(MIB - at, stop - start)]
            start += len(piece)
            yield piece


def big(name: str, mib: int, crc32: int | None = None) -> Entry:
    found = 0
    for _ in range(mib if crc32 is None else 0):
        found = zlib.crc32(BLOCK, found)
    return Entry(name, mib * MIB, found if crc32 is None else crc32, 0, "0" * 64, store=name)


def never(entry: Entry) -> None:
    raise AssertionError(entry.name)


def sent(store: Any, plan: Plan, start: int, stop: int) -> Iterator[bytes]:
    return pieces(store, plan, start, stop, never)


def test_pieces_are_small_and_not_tiny_and_nothing_is_kept() -> None:
    texts = [text_entry(f"t/{number:04d}.txt", b"x" * 500, 0) for number in range(2000)]
    plan = Plan("a.zip", (big("a.ser", 96), *texts, text_entry("long.txt", b"y" * 5 * MIB, 0)))
    size = plan.layout.size
    plan.entries[0].text.encode()
    tracemalloc.start()
    try:
        found = [len(piece) for piece in sent(Endless(), plan, 0, size)]
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(found) == size
    assert max(found) <= MIB
    assert len(found) < 96 + 60, "headers and short texts are put together"
    assert most < 16 * MIB, "96 MiB went by"


def test_a_part_asks_the_store_for_no_more() -> None:
    plan = Plan("a.zip", tuple(big(f"{number}.ser", 64, crc32=1) for number in range(8)))
    store = Endless()
    middle = plan.layout.size // 2 + 5 * MIB
    got = b"".join(sent(store, plan, middle, middle + 1000))
    assert len(got) == 1000
    assert [(name, stop - start) for name, start, stop in store.asked] == [("4.ser", 1000)]
    assert [entry.name for entry in touched(plan, middle, middle + 1000)] == ["4.ser"]
    assert list(touched(plan, plan.layout.size - 50, plan.layout.size)) == []


def test_other_bytes_are_noticed_before_the_last_piece() -> None:
    plan = Plan("a.zip", (big("bad.ser", 4, crc32=1), big("good.ser", 1)))
    told: list[str] = []
    got: list[bytes] = []
    with pytest.raises(DataError, match=r"not what it was \(bad.ser\)"):
        got.extend(pieces(Endless(), plan, 0, plan.layout.size, lambda entry: told.append(entry.name)))  # type: ignore[arg-type]  # all that is used of a store
    assert told == ["bad.ser"]
    assert sum(map(len, got)) < 4 * MIB, "nobody takes it for whole"


def test_fewer_bytes_are_noticed() -> None:
    class Short(Endless):
        def read_object(self, name: str, start: int, stop: int) -> Iterator[bytes]:
            return super().read_object(name, start, stop - 1)

    plan = Plan("a.zip", (big("short.ser", 2),))
    with pytest.raises(DataError, match="not what it was"):
        list(pieces(Short(), plan, 0, plan.layout.size, lambda _: None))  # type: ignore[arg-type]  # as above


def test_a_plan_is_read_as_it_was_kept() -> None:
    entries = (big("Ω/a.ser", 1), text_entry("t.txt", "ö\n".encode(), 1_600_000_000))
    plan = Plan("a.zip", entries)
    again = plan_of(plan.content)
    assert (again.name, again.entries, again.digest) == ("a.zip", entries, plan.digest)
    assert again.layout.size == plan.layout.size
    other = Plan("a.zip", (entries[0], text_entry("t.txt", os.urandom(2).hex().encode(), 1_600_000_000)))
    assert other.digest != plan.digest
    assert hashlib.sha256("ö\n".encode()).hexdigest() == entries[1].sha256
