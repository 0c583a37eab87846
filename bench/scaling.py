"""How much faster on more cores: each case on one core and on all, one right after the other."""

import os
import time
from collections.abc import Sequence

from bench.pinning import allowed_cores, on_cores
from bench.record import Record, Target
from bench.timing import Case

NEEDED = 0.85
"""Of the number of cores."""

ATTEMPTS = 3
SETTLE_S = 5.0


def add_scaling(record: Record, cases: Sequence[Case], repetitions: int) -> None:
    """Measure, and add the gains with their targets; again where others keep the machine busy meanwhile.

    A gain is the ratio of the shortest times: what others take of a core lengthens the rest.
    """
    cores = allowed_cores()
    if cores < 2:
        return
    one = {case.name: float("inf") for case in cases}
    more = dict(one)
    for attempt in range(ATTEMPTS):
        for _ in range(repetitions):
            for case in cases:
                one[case.name] = min(one[case.name], _wall(case))
                with on_cores(cores):
                    more[case.name] = min(more[case.name], _wall(case))
        if min(one[name] / more[name] for name in one) >= NEEDED * cores:
            break
        if attempt < ATTEMPTS - 1 and os.getloadavg()[0] > 1.5:
            time.sleep(SETTLE_S)
    gains = {name: one[name] / more[name] for name in one}
    record.values[f"faster on {cores} cores by"] = gains
    record.targets += [
        Target(f"{name}, faster on {cores} cores by", NEEDED * cores, gain) for name, gain in gains.items()
    ]


def _wall(case: Case) -> float:
    began = time.perf_counter()
    case.run()
    return time.perf_counter() - began
