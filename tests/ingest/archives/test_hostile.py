"""Archives that mean harm: nothing outside the folder, limits kept, one clear line each."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.archives.limits import Limits
from ingest.archives.process import unpack
from reduction.errors import DataError, UmbraError
from tests.ingest.archives.hostile import HOSTILE, written
from tests.ingest.archives.making import tree
from tests.requirements import require

LIMITS = Limits(
    written=16 << 20, ratio_from=1 << 20, memory=768 << 20, processor_s=20, members=200_000, stall_s=20.0
)

SAFE: dict[str, set[str]] = {
    "duplicates.zip": {"a.txt", "a (2).txt", "a (3).txt"},
    "case.zip": {"A.txt", "a (2).TXT"},
    "file-as-folder.zip": {"a", "a (2)/b"},
    "folder-as-file.zip": {"a/b", "a (2)", "a/b (2)/c"},
    "control.zip": {"a__[2J_txt.exe"},
    "long.zip": {"m" * 196 + ".ser"},
    "link.zip": {"link/evil.txt"},
    "link-over.zip": {"f"},
    "link.tar": {"link/evil.txt"},
    "hard.tar": {"h"},
    "pax-sparse.tar": set(),
    "garbage.gz": {"garbage"},
    "onion.gz": {"onion (2)"},
    "link.7z": {"link/evil.txt"},
    "link5.rar": {"link/evil.txt"},
    "hard5.rar": {"h"},
    "link4.rar": {"link/evil.txt"},
    "pax-size.tar": {"plain"},
}
"""Those of which something is unpacked; all others are refused whole."""

MESSAGES = {
    "bomb.zip": "bomb",
    "nested-bomb.zip": "bomb",
    "overlap.zip": "lies within another member",
    "quoted.zip": "lies within another member",
    "million.zip": "more than 200000 members",
    "zeros.tar.gz": "bomb",
    "bomb.gz": "bomb",
    "bomb.bz2": "bomb",
    "bomb.xz": "bomb",
    "bomb.7z": "bomb",
    "dictionary.xz": "memory",
    "dictionary.7z": "memory",
    "absolute.zip": "an absolute path",
    "drive.zip": "a path with a drive",
    "up.tar": "leads out of the folder",
    "nul.zip": "a NUL in its name",
    "deep.zip": "901 folders",
    "device.zip": "no plain file",
    "device.tar": "a device",
    "sparse.tar": "a sparse file",
    "pax-huge.tar": "a header of 8589934591 bytes",
    "large-lie.zip": "damaged",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_gets_out_and_limits_hold(name: str, tmp_path: Path) -> None:
    if name.endswith(".rar"):
        require("rar")
    box = tmp_path / "box"
    folder = box / "scratch"
    folder.mkdir(parents=True)
    (box / "outside.txt").write_text("untouched")
    archive = written(box, name)
    kept = archive.read_bytes()
    message = ""
    kind: type[UmbraError] = DataError
    try:
        found = unpack(archive, folder, limits=LIMITS)
        refused = dict(found.refused)
        assert all(len(member) <= 120 and member.isprintable() for member in refused)
    except UmbraError as error:
        message, kind = str(error), type(error)
    assert kind is DataError
    assert not message or name in message
    assert len(message) < 600
    assert not message or message.isprintable()
    inside = set(tree(folder))
    outside = {path: data for path, data in tree(box).items() if not path.startswith("scratch/")}
    assert outside == {name: kept, "outside.txt": b"untouched"}
    assert sum(len(data) for data in tree(folder).values()) <= LIMITS.written
    assert bool(message) == (not inside)
    assert inside == SAFE.get(name, set())
    assert MESSAGES.get(name, "") in message


CONFINED = """
import resource, sys
from ingest.archives.limits import Limits
limits = Limits(**{limits})
limits.confine()
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
    print(resource.getrlimit(kind)[0])
try:
    bytearray(limits.memory)
except MemoryError:
    print("refused")
"""


def test_the_system_holds_memory_and_processor_time() -> None:
    """Peak memory of the processes above says nothing: it begins with that of whoever started them."""
    text = CONFINED.replace("{limits}", repr(dataclasses.asdict(LIMITS)))
    told = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    memory, seconds, refused = told.split()
    assert int(memory) == LIMITS.memory
    assert 0 < int(seconds) <= LIMITS.processor_s
    assert refused == "refused"


def test_there_are_more_than_forty() -> None:
    assert len(HOSTILE) >= 40
    assert SAFE.keys() | MESSAGES.keys() <= HOSTILE.keys()
