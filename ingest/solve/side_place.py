"""Where the plate solution of a recording stands beside it."""

from collections.abc import Sequence
from pathlib import Path

from ingest.formats import expand


def side_file(inputs: Sequence[str]) -> Path:
    """``NAME.wcs`` of a recording: beside its file, its folder or its archive."""
    first = Path(inputs[0].rstrip("/"))
    there = expand(inputs)
    if len(there) == 1:
        return there[0].with_name(f"{there[0].stem if there[0].is_file() else there[0].name}.wcs")
    folder = there[0].parent if there else first.parent
    return folder.with_name(f"{folder.resolve().name}.wcs")
