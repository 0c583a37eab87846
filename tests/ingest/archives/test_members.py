"""Names of members: what is refused, what is made safe, and that no two share a place."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.archives.members import LONGEST_PART, RefusedError, SafeNames, shown


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "a/../../b",
        "/a",
        "\\a",
        "C:\\a",
        "c:a",
        "//server/a",
        "a\0b",
        "",
        ".",
        "a/ .. /b",
        "a/" * 40 + "b",
    ],
)
def test_refused(name: str) -> None:
    with pytest.raises(RefusedError):
        SafeNames().file(name)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b.ser", ("a", "b.ser")),
        ("./a//b.ser", ("a", "b.ser")),
        ("a\\b.ser", ("a", "b.ser")),
        ("ab:c.ser", ("ab_c.ser",)),
        ("a\u202eb\n.ser", ("a_b_.ser",)),
        ("...", ("...",)),
        ("caf\u00e9 (1).fits", ("caf\u00e9 (1).fits",)),
    ],
)
def test_made_safe(name: str, parts: tuple[str, ...]) -> None:
    placed = SafeNames().file(name)
    assert placed.parts == parts


def test_what_is_changed_is_said() -> None:
    names = SafeNames()
    assert names.file("a.txt").changed == ""
    assert names.file("a/../b".replace("..", "b:")).changed == "unsafe or too long names are changed"
    assert names.file("A.TXT").changed == "a member of that name is there already"


def test_many_of_one_name_take_linear_time() -> None:
    names = SafeNames()
    placed = {names.file("a.fits").parts for _ in range(20_000)}
    assert len(placed) == 20_000


part = st.text(st.characters(), min_size=0, max_size=12) | st.sampled_from(
    ["..", ".", "a", "A", "a ", "\u00e5", "a\u030a"]
)


@given(st.lists(st.tuples(st.lists(part, min_size=1, max_size=4), st.booleans()), max_size=12))
def test_every_place_is_below_the_folder_and_its_own(members: list[tuple[list[str], bool]]) -> None:
    names = SafeNames()
    files: set[tuple[str, ...]] = set()
    folders: set[tuple[str, ...]] = set()
    for parts, is_folder in members:
        try:
            found = names.folder("/".join(parts)) if is_folder else names.file("/".join(parts)).parts
        except RefusedError:
            continue
        for text in found:
            assert text not in {"", ".", ".."}
            assert "/" not in text
            assert "\\" not in text
            assert "\0" not in text
            assert len(text.encode()) <= LONGEST_PART + 12
        key = tuple(unicodedata.normalize("NFC", text).casefold() for text in found)
        folders |= {key[:n] for n in range(1, len(key) + is_folder)}
        if not is_folder:
            assert key not in files
            files.add(key)
    assert not files & folders


def test_shown_is_printable() -> None:
    assert shown("a\x1b[2Jb" + "c" * 500).isprintable()
    assert len(shown("c" * 500)) == 120
