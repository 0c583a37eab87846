"""Unpack many files, each in a fork: ``python -m tests.ingest.archives.forked IN OUT LIMITS``.

Prints a line per file: its name, how the fork ended (exit code, or minus the signal), its seconds of
processor time, the last line that it said, and the most memory so far. What is unpacked goes below OUT.
"""

import importlib
import json
import os
import resource
import sys
from pathlib import Path

from ingest.archives import sevenzip, unpack
from tests.requirements import LIBRARIES, loads


def main(arguments: list[str]) -> None:
    inputs, out, limits = arguments
    assert sevenzip  # loaded once, before the forks
    if loads(LIBRARIES["rar"]):
        importlib.import_module("libarchive")
    for path in sorted(Path(inputs).iterdir()):
        folder = Path(out) / path.name
        folder.mkdir()
        told = folder.with_suffix(".told")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        child = os.fork()
        if not child:
            with told.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            os._exit(unpack.main([str(path), str(folder), limits]))
        _, status = os.waitpid(child, 0)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        lines = told.read_text(errors="replace").splitlines() or [""]
        told.unlink()
        code = os.waitstatus_to_exitcode(status)
        sys.stdout.write(json.dumps([path.name, code, seconds, lines[-1], after.ru_maxrss]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
