"""What a cluster would need, by the committed results: ``python -m bench.capacity [--write]``."""

import argparse
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.record import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- capacity: python -m bench.capacity --write -->", "<!-- end of capacity -->"
NODES = (1, 10, 100)
CORES = 32
NIC_MB_S = 1250.0
"""10 Gbit/s, of a node and of the store's gateway."""
DIGESTS = 2
"""Threads of a supervisor that read files: `cluster.campaign.planning.THREADS`."""

REQUESTS_S = 3000.0
"""What one gateway of an S3-compatible store may answer; an assumption, to be replaced by one's own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What one recording of a kind takes.

    Attributes
    ----------
    cpu_s : float
        Of a worker.
    size_mb, written_mb : float
        Of the recording, and of its result.
    requests : float
        To a store on S3.
    """

    name: str
    cpu_s: float
    size_mb: float
    written_mb: float
    requests: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Kinds of recordings, and what each job costs those that exist once."""

    kinds: tuple[Kind, ...]
    supervisor_s: float
    database_s: float
    digest_mb_s: float


def measured(results: Path = RESULTS) -> Measured:
    """Read the figures of the benches ``campaign``, ``campaign_large`` and ``store``."""
    small, large, store = (
        json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("campaign", "campaign_large", "store")
    )
    costs = small["values"]["a job beyond its reduction"]
    written = small["values"]["stages"]["bytes of a result"] / 1e6
    asked = store["values"]["requests"]
    requests = 2.0 + sum(sum(asked[step].values()) for step in ("publish", "log", "version"))
    alone = statistics.median(_timed(small, "in this process")["cpu_s"])
    size = small["values"]["bytes of a recording"] / 1e6
    setting = large["setting"]
    whole = statistics.median(_timed(large, "one worker")["cpu_s"])
    queue = small["values"]["queue"]
    return Measured(
        (
            Kind("small", alone + costs["worker, processor ms"] * 1e-3, size, written, requests),
            Kind(
                f"FFV1, {setting['frames']:,} frames of {setting['pixels']}",
                whole,
                setting["bytes"] / 1e6,
                written,
                requests,
            ),
        ),
        costs["supervisor, processor ms"] * 1e-3,
        queue.get("PostgreSQL, ms a job", queue["SQLite, ms a job"]) * 1e-3,
        small["values"]["digest, MB/s"],
    )


def _timed(record: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in record["timed"] if each["name"] == name)
    return found


def loads(kind: Kind, found: Measured, nodes: int) -> dict[str, float]:
    """How busy each part is when every core reduces recordings of a kind: 1 is its limit."""
    each_s = nodes * CORES / kind.cpu_s
    return {
        "a node's network": each_s / nodes * (kind.size_mb + kind.written_mb) / NIC_MB_S,
        "the disk's or store's network": each_s * (2 * kind.size_mb + kind.written_mb) / NIC_MB_S,
        "the store's requests": each_s * kind.requests / REQUESTS_S,
        "one supervisor": each_s * found.supervisor_s,
        "its digests": each_s * kind.size_mb / min(NIC_MB_S, DIGESTS * found.digest_mb_s),
        "the database": each_s * found.database_s,
    }


def table(found: Measured) -> str:
    """Markdown: what a recording takes, and how busy each part is."""
    lines = [
        "| a recording | processor s | MB | result, MB | requests |",
        "|---|--:|--:|--:|--:|",
        *(
            f"| {kind.name} | {kind.cpu_s:.2f} | {kind.size_mb:.1f} | {kind.written_mb:.1f} "
            f"| {kind.requests:.0f} |"
            for kind in found.kinds
        ),
        "",
        f"A job costs the supervisor {1e3 * found.supervisor_s:.1f} ms of processor time and the database "
        f"{1e3 * found.database_s:.1f} ms; {DIGESTS} of its threads make digests, each at "
        f"{found.digest_mb_s:.0f} MB/s.",
        "",
        f"Nodes of {CORES} cores; {NIC_MB_S:g} MB/s for each node and for the store, {REQUESTS_S:g} "
        "requests/s of the store. Share of each limit with every core at work; **bold**: what limits.",
    ]
    for kind in found.kinds:
        parts = list(loads(kind, found, 1))
        lines += [
            "",
            f"| {kind.name} | recordings/s | " + " | ".join(parts) + " |",
            "|---|--:|" + "--:|" * len(parts),
        ]
        for nodes in NODES:
            busy = loads(kind, found, nodes)
            most = max(busy.values())
            cells = [f"**{share(x)}**" if x == most and x > 1 else share(x) for x in busy.values()]
            lines.append(
                f"| {'1 node' if nodes == 1 else f'{nodes} nodes'} | {nodes * CORES / kind.cpu_s:,.1f} | "
                + " | ".join(cells)
                + " |"
            )
    return "\n".join(lines)


def share(value: float) -> str:
    """A share of a limit."""
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def write(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Replace what stands between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{page}: no place for results between {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{table(measured(results))}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/scaling.md")
    if parser.parse_args().write:
        write()
    else:
        print(table(measured()))
