"""How much faster on more cores: each case on one core and on all, one right after the other."""

import os
import time
from collections.abc import Mapping, Sequence

from bench.pinning import allowed_cores, on_cores
from bench.plain_reads import copies
from bench.record import Record, Target
from bench.timing import Case

NEEDED = 0.85
"""Of the number of cores, or of what plain reads gain on them where cores share the way to memory."""

ATTEMPTS = 3
SETTLE_S = 5.0


def add_scaling(
    record: Record, cases: Sequence[Case], repetitions: int, bounds: Mapping[str, Case] | None = None
) -> None:
    """Measure, and add the gains with their targets; again where others keep the machine busy meanwhile.

    A gain is the ratio of the shortest times: what others take of a core lengthens the rest.

    Parameters
    ----------
    record : Record
    cases : sequence of Case
        What shall be faster on all cores.
    repetitions : int
        Of each attempt.
    bounds : mapping of str to Case, optional
        By the name of a case, the plain read of the same bytes: what memory does not give, it need not reach.
    """
    cores = allowed_cores()
    if cores < 2:
        return
    plain = dict(bounds or {})
    everything = {case.name: case for case in (*cases, *plain.values(), *([copies()] if plain else []))}
    one = dict.fromkeys(everything, float("inf"))
    more, gains = dict(one), dict.fromkeys(everything, 0.0)
    for attempt in range(ATTEMPTS):
        for _ in range(repetitions):
            for name, case in everything.items():
                one[name] = min(one[name], _wall(case))
                with on_cores(cores):
                    more[name] = min(more[name], _wall(case))
        gains = {name: one[name] / more[name] for name in one}
        targets = [_target(case.name, cores, gains, plain.get(case.name)) for case in cases]
        if all(target.met for target in targets):
            break
        if attempt < ATTEMPTS - 1 and os.getloadavg()[0] > 1.5:
            time.sleep(SETTLE_S)
    record.values[f"faster on {cores} cores by"] = gains
    record.targets += targets


def _target(name: str, cores: int, gains: Mapping[str, float], plain: Case | None) -> Target:
    what = f"{name}, faster on {cores} cores by"
    if plain is None:
        return Target(what, NEEDED * cores, gains[name])
    most = min(float(cores), max(1.0, gains[plain.name]))
    return Target(f"{what} ({plain.name} by {most:.2f})", round(NEEDED * most, 2), gains[name])


def _wall(case: Case) -> float:
    began = time.perf_counter()
    case.run()
    return time.perf_counter() - began
