"""The committed results as Markdown: ``python -m bench.table`` prints, ``--write`` puts it into the docs."""

import argparse
import json
from pathlib import Path
from typing import Any

from bench.__main__ import BENCHES
from bench.record import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- results: python -m bench.table --write -->", "<!-- end of results -->"


def table(results: Path = RESULTS) -> str:
    """Markdown of every result in a folder."""
    parts = []
    for name in BENCHES:
        path = results / f"{name}.json"
        if path.is_file():
            parts.append(_section(json.loads(path.read_text(encoding="utf-8"))))
    return "\n\n".join(parts) if parts else "No results yet: run `make bench`."


def _section(record: dict[str, Any]) -> str:
    machine, commit = record["machine"], record["commit"]
    dirty = " with changes" if commit["dirty"] else ""
    lines = [
        f"### {record['bench']}",
        "",
        f"{record['date'][:10]}, commit {commit['hash'][:10]}{dirty}; {machine['cpu']}, "
        f"one of {machine['cores']} cores, {machine['memory_gib']:g} GiB; load {machine['load_1min']:g}.",
    ]
    if record["timed"]:
        lines += ["", "| | frames | CPU µs/frame | wall µs/frame | frames/CPU-s |", "|---|--:|--:|--:|--:|"]
        lines += [
            f"| {t['name']} | {t['frames']:,} | {t['cpu_us_per_frame']:,.1f} | {t['wall_us_per_frame']:,.1f} "
            f"| {t['frames_per_cpu_s']:,.1f} |"
            for t in record["timed"]
        ]
    if record["ratios"]:
        lines += ["", "| faster than | " + " | ".join(_ours(record)) + " |"]
        lines += ["|---|" + "--:|" * len(_ours(record))]
        lines += [
            f"| {peer} | " + " | ".join(_times(record, ours, peer) for ours in _ours(record)) + " |"
            for peer in dict.fromkeys(one["peer"] for one in record["ratios"])
        ]
    grids = {name: value for name, value in record["values"].items() if _is_grid(value)}
    for name, value in grids.items():
        heads = list(next(iter(value.values())))
        lines += ["", f"| {name} | " + " | ".join(heads) + " |", "|---|" + "--:|" * len(heads)]
        lines += [
            f"| {row} | " + " | ".join(map(_text, cells.values())) + " |" for row, cells in value.items()
        ]
    rest = {name: value for name, value in record["values"].items() if name not in grids}
    if rest:
        lines += ["", *(f"- {name}: {_text(value)}" for name, value in rest.items())]
    if record["targets"]:
        lines += ["", *(_target(target) for target in record["targets"])]
    return "\n".join(lines)


def _ours(record: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(one["ours"] for one in record["ratios"]))


def _times(record: dict[str, Any], ours: str, peer: str) -> str:
    for one in record["ratios"]:
        if (one["ours"], one["peer"]) == (ours, peer):
            return f"{one['cpu']:,.1f}×"
    return ""


def _target(target: dict[str, Any]) -> str:
    needed = f"at least {target['at_least']:g}" if "at_least" in target else f"at most {target['at_most']:g}"
    return f"- {target['what']}: {target['found']:,.2f}, {needed}: {'met' if target['met'] else '**missed**'}"


def _is_grid(value: Any) -> bool:
    """Whether rows of the same columns, more than would fit a line."""
    if not isinstance(value, dict) or len(value) < 6:
        return False
    rows = list(value.values())
    return all(isinstance(row, dict) and list(row) == list(rows[0]) for row in rows)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write(page: Path = PAGE) -> None:
    """Replace what stands between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"{page}: no place for results between {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.table", description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    if parser.parse_args().write:
        write()
    else:
        print(table())
