"""`umbra backup` and `umbra restore`, each forked from a process that has loaded everything, and killed.

``python -m tests.api.backup.forge``: every line on stdin, ``{"verb", "arguments", "environment", "told"}``,
is one; its id goes to stdout, what it says to `told`, and its exit code to the last line of that.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]


def main() -> None:
    import api.backup.cli

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those who are killed are not waited for
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.environ.update(order["environment"])
            said = os.open(order["told"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for stream in (1, 2):
                os.dup2(said, stream)
            code = getattr(api.backup.cli, order["verb"])(order["arguments"])
            os.write(said, f"code {code}\n".encode())
            os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


@dataclass
class Forge:
    """Runs verbs, and kills them after a while."""

    folder: Path
    process: "subprocess.Popen[str]"
    said: str = field(default="", init=False)

    def run(
        self, verb: str, *arguments: str, environment: dict[str, str], kill_after_s: float | None = None
    ) -> int | None:
        """The exit code; None: it was killed before it had one."""
        told = self.folder / "told"
        told.unlink(missing_ok=True)
        order = {"verb": verb, "arguments": arguments, "environment": environment, "told": str(told)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        if kill_after_s is not None:
            _await_end(pid, kill_after_s)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert _await_end(pid, 900), "it does not end"
        self.said = told.read_text() if told.exists() else ""
        last = self.said.splitlines()[-1:]
        return int(last[0].removeprefix("code ")) if last and last[0].startswith("code ") else None


def _await_end(pid: int, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.002)
    return False


@contextmanager
def forging(folder: Path) -> Iterator[Forge]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.api.backup.forge"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Forge(folder, process)
    finally:
        process.communicate()


if __name__ == "__main__":
    main()
