"""Damaged archives: parsers of our own in this process, decoders of others in forks of a limited one."""

import gzip
import json
import lzma
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import pytest

from ingest.archives.folder import SafeFolder
from ingest.archives.limits import Allowance, Limits
from ingest.archives.sink import Sink
from ingest.archives.unpack import _unpack
from tests.fuzzing import COUNT, endure, fewer, mutations, note
from tests.ingest.archives.making import seven_zip_bytes, tar_bytes, tree, zip_bytes
from tests.ingest.archives.rar_writer import Entry, rar4, rar5
from tests.requirements import require

FILES = {"night/rec.ser": bytes(range(256)) * 20, "night/" + "n" * 120 + ".txt": b"deep", "e": b""}
ENTRIES = [Entry(name, data) for name, data in FILES.items()]
LIMITS = Limits(written=1 << 24, ratio_from=1 << 22, members=1000, memory=512 << 20, processor_s=3)
OWN: dict[str, list[bytes]] = {
    "zip": [zip_bytes(FILES), zip_bytes(FILES, 0)],
    "tar": [tar_bytes(FILES), tar_bytes(FILES, 1)],
    "streams": [gzip.compress(tar_bytes(FILES)), lzma.compress(FILES["night/rec.ser"], preset=0)],
}
OTHERS: dict[str, Callable[[], list[bytes]]] = {
    "7z": lambda: [seven_zip_bytes(FILES), seven_zip_bytes(FILES, filters=[{"id": lzma.FILTER_LZMA2}])],
    "rar4": lambda: [rar4(ENTRIES)],
    "rar5": lambda: [rar5(ENTRIES)],
}
FORKS = fewer(10)
"""Starting a fork costs more than reading; these decoders are others' work, and confined."""

TOGETHER = 2000
"""Inputs that lie on the disk at once."""


@pytest.mark.parametrize("kind", OWN)
def test_mutated_inputs_of_our_parsers(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "out"

    def read(path: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with SafeFolder(str(folder)) as target, path.open("rb") as file:
            allowance = Allowance(path.name, path.stat().st_size, LIMITS)
            _unpack(file, Sink(target, allowance, lambda: None), path.name, LIMITS)

    outcomes = endure(tmp_path / "a.bin", mutations(OWN[kind], COUNT, 2000), read, f"archives, {kind}")
    assert outcomes["DataError"] > COUNT // 10
    assert {path.name for path in tmp_path.iterdir()} == {"in", "a.bin"}
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]


@pytest.mark.parametrize("kind", OTHERS)
def test_mutated_inputs_of_others(kind: str, tmp_path: Path) -> None:
    if kind.startswith("rar"):
        require("rar")
    outcomes: Counter[str] = Counter()
    slowest, worst = 0.0, 0
    inputs = enumerate(mutations(OTHERS[kind](), FORKS, 400))
    while batch := dict(islice(inputs, TOGETHER)):
        for name, code, seconds, last, most in _forked(batch, tmp_path):
            assert seconds < 2.0, (name, last)
            assert code in {0, 1}, (name, code, last)
            slowest, worst = max(slowest, seconds), max(worst, most)
            if kind == "7z" and not last.startswith("{"):  # the other process tells it as damage
                outcomes["DataError"] += 1
                continue
            said = json.loads(last)
            outcomes[said.get("error", "read")] += 1
            assert "error" not in said or name in said["message"], said
    note(f"archives, {kind}", outcomes, f"; slowest {slowest:.3f} s, most memory {worst >> 10} MiB in all")
    assert sum(outcomes.values()) == FORKS
    assert outcomes["DataError"] > FORKS // 10, outcomes
    assert worst < LIMITS.memory >> 10


def _forked(batch: dict[int, bytes], folder: Path) -> list[tuple[str, int, float, str, int]]:
    """What came of each input, none of which may have written beside its folder."""
    inputs, out = folder / "in", folder / "box" / "out"
    inputs.mkdir()
    out.mkdir(parents=True)
    for number, data in batch.items():
        (inputs / f"{number:06d}.bin").write_bytes(data)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "tests.ingest.archives.forked",
        inputs,
        out,
        json.dumps(asdict(LIMITS)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(path.parts[0].endswith(".bin") for path in map(Path, tree(out)))
    assert [path.name for path in (folder / "box").iterdir()] == ["out"]
    shutil.rmtree(inputs)
    shutil.rmtree(folder / "box")
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]
