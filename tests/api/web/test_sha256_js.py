"""The browser's SHA-256 of files in pieces, run by node, against Python's."""

import base64
import hashlib
import json
import random
import shutil
import subprocess
from pathlib import Path

from tests.requirements import missing

NODE = shutil.which("node")
if NODE is None:
    missing("node", "needs node")
MODULE = Path(__file__).parents[3] / "api" / "web" / "static" / "sha256.js"
SCRIPT = """
import * as fs from "node:fs";
const { Sha256 } = await import(process.argv[1]);
const cases = JSON.parse(fs.readFileSync(0, "utf-8"));
const found = cases.map(({ content, pieces }) => {
  const bytes = Buffer.from(content, "base64");
  const hash = new Sha256();
  let at = 0;
  for (const size of pieces) {
    hash.update(new Uint8Array(bytes.subarray(at, at + size)));
    at += size;
  }
  return hash.update(new Uint8Array(bytes.subarray(at))).hex();
});
process.stdout.write(JSON.stringify(found));
"""


def test_as_python_says() -> None:
    rng = random.Random(9)
    contents = [rng.randbytes(size) for size in (*range(131), 1000, 4096, 65_537, 1 << 20)]
    cases = []
    for content in contents:
        pieces: list[int] = []
        while sum(pieces) < len(content) and len(pieces) < 40:
            pieces.append(rng.choice([0, 1, 3, 55, 56, 63, 64, 65, 1000]))
        cases.append({"content": base64.b64encode(content).decode(), "pieces": pieces})
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", SCRIPT, MODULE.as_uri()],
        input=json.dumps(cases), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [hashlib.sha256(content).hexdigest() for content in contents]


def test_lengths_beyond_32_bits_are_written_whole() -> None:
    """The length's 64 bits, by the padding of a hash that is told to have had so many bytes."""
    script = """
const { Sha256 } = await import(process.argv[1]);
const said = [];
for (const length of [0x20000000, 0x20000001, 0x1fffffff, 5 * 2 ** 40]) {
  const hash = new Sha256();
  hash._length = length;
  const update = hash.update.bind(hash);
  hash.update = (bytes) => {
    said.push(Buffer.from(bytes.subarray(-8)).toString("hex"));
    return update(bytes);
  };
  hash.hex();
}
process.stdout.write(JSON.stringify(said));
"""
    assert NODE is not None
    done = subprocess.run(
        [NODE, "--input-type=module", "-e", script, MODULE.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lengths = (0x20000000, 0x20000001, 0x1FFFFFFF, 5 * 2**40)
    assert json.loads(done.stdout) == [f"{8 * length:016x}" for length in lengths]
