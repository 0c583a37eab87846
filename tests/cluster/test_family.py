"""The processes below this one."""

import os
import subprocess
import sys

from cluster.family import below

CHILD = """
import subprocess, sys
grandchild = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(grandchild.pid, flush=True)
sys.stdin.read()
"""


def test_children_and_theirs() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        found = below(os.getpid())
        assert found.index(child.pid) < found.index(grandchild)
        assert below(grandchild) == []
    finally:
        child.communicate("")
    assert child.pid not in below(os.getpid())
