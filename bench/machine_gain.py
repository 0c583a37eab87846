"""What the cores of this machine do together, at this moment: a bound for whatever is shared between them."""

import subprocess
import sys

from bench.pinning import allowed

SECONDS = 2.0
COUNT = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
sys.stdin.readline()
began, done = time.perf_counter(), 0
while time.perf_counter() - began < float(sys.argv[2]):
    total = 0
    for number in range(20_000):
        total += number * number % 7
    done += 1
print(done)
"""


def machine_gain(seconds: float = SECONDS) -> float:
    """Plain Python that one process on each core does together, over what one of them does alone.

    Processes that share nothing: where they gain less than there are cores, the host gives less than its
    cores' number promises, and no program can gain more.
    """
    cores = allowed()
    alone = sum(_counted([core], seconds) for core in cores) / len(cores)
    return _counted(cores, seconds) / alone


def _counted(cores: list[int], seconds: float) -> int:
    """Rounds of all processes, begun together once each has loaded what it needs."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COUNT, str(core), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for core in cores
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return sum(int(process.communicate()[0]) for process in running)
