"""An executor that does as a test says."""

import threading
from collections.abc import Callable
from pathlib import Path

from cluster.crew import Alone, Crew
from cluster.executors import ResultRef
from cluster.recording import ReductionRequest
from cluster.stopping import StoppedError
from reduction.scan import Progress

FILES = {"lightcurve.csv": "frame\n", "summary.json": "{}\n", "report.html": "<p>report</p>\n"}


class Scripted:
    """Writes small files in place of a reduction, or waits, or raises what `act` raises."""

    def __init__(self, act: Callable[[ReductionRequest], None] | None = None, hold: bool = False) -> None:
        self.workers = 1
        self.gpus = 0.0
        self.seen: list[tuple[ReductionRequest, Path]] = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self._act = act
        self._closed = threading.Event()
        if not hold:
            self.go.set()

    @property
    def crew(self) -> Crew:
        return Alone()

    def execute(
        self,
        request: ReductionRequest,
        out: Path,
        overwrite: bool = False,
        progress: Progress | None = None,
    ) -> ResultRef:
        assert overwrite
        self.seen.append((request, out))
        if progress is not None:
            progress("measure", 3, 8)
        self.begun.set()
        while not self.go.wait(0.02):
            if self._closed.is_set():
                raise StoppedError(f"{request.inputs[0]}: stopped")
        if self._act is not None:
            self._act(request)
        out.mkdir()
        for name, text in FILES.items():
            (out / name).write_text(text)
        return ResultRef(out, "f" * 64)

    def close(self) -> None:
        self._closed.set()
