"""``python -m bench [NAME...] [--frames N] [--out FILE]``."""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.pinning import pin

if TYPE_CHECKING:
    from bench.record import Record

BENCHES: dict[str, str] = {
    "first_run": "bench.first_run:first_run",
    "ser_lightcurve": "bench.lightcurves:ser_lightcurve",
    "ser_calibrated": "bench.calibrated:ser_calibrated",
    "fits_lightcurve": "bench.lightcurves:fits_lightcurve",
    "alignment": "bench.alignment:alignment",
    "photometry": "bench.photometry:photometry",
    "ingest": "bench.conversion:ingest",
    "adv": "bench.adv:adv",
    "ravf": "bench.ravf:ravf",
    "memory": "bench.memory:memory",
    "store": "bench.store:store",
    "queue": "bench.queue:queue",
    "campaign": "bench.campaign:campaign",
    "campaign_large": "bench.campaign_large:campaign_large",
    "campaign_memory": "bench.campaign_memory:campaign_memory",
    "figure9": "bench.figure9:figure9",
    "extraction": "bench.extraction:extraction",
    "events_deep": "bench.events_deep:events_deep",
    "events_false_alarms": "bench.events_false_alarms:events_false_alarms",
    "vti": "bench.vti:vti",
    "limb_coverage": "bench.limb_coverage:limb_coverage",
    "events_fit": "bench.events_fit:events_fit",
    "events_coverage": "bench.events_coverage:events_coverage",
    "portal_frames": "bench.portal_frames:portal_frames",
    "portal_curve": "bench.portal_curve:portal_curve",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the benches that are named, or all but `gpu`; return 1 where a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES) + "; or gpu, alone")
    parser.add_argument("--frames", type=int, help="frames of the recordings, instead of each bench's own")
    parser.add_argument("--repetitions", type=int, default=5, help="rounds of interleaved timing (5)")
    parser.add_argument("--out", type=Path, help="file of the result (one NAME); bench/results/NAME.json")
    parser.add_argument("--scratch", type=Path, help="folder for recordings; a temporary one when not given")
    options = parser.parse_args(arguments)
    if options.names == ["gpu"]:
        from bench import gpu

        return gpu.main(options.out, options.repetitions)
    names: list[str] = options.names or list(BENCHES)
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        parser.error(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    if options.out is not None and len(names) != 1:
        parser.error("--out needs exactly one NAME")
    if options.frames is not None and options.frames < 40:
        parser.error("--frames: at least 40 are needed")
    core = pin()
    from bench.record import RESULTS

    missed = False
    for name in names:
        module, function = BENCHES[name].split(":")
        run: Callable[[Path, int | None, int], Record] = getattr(importlib.import_module(module), function)
        with tempfile.TemporaryDirectory(prefix="umbra-bench-", dir=options.scratch) as folder:
            record = run(Path(folder), options.frames, options.repetitions)
        print(record.text(), flush=True)
        record.write(options.out or RESULTS / f"{name}.json", core)
        missed |= any(not target.met for target in record.targets)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
