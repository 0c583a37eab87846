"""The tables of dialects and forms in ``docs/lightcurves.md``, made from the registries.

``python -m ingest.curves.dialect_table`` prints them.
"""

import sys

from ingest.curves.dialects import DIALECTS
from ingest.curves.exports import FORMS


def dialect_table() -> str:
    """Rows of a table in Markdown, one for each dialect that is read, in the order of trial."""
    lines = ["| dialect | flux | times |", "|---|---|---|"]
    lines += [f"| {one.name} | {one.columns} | {one.times} |" for one in DIALECTS]
    return "\n".join(lines) + "\n"


def form_table() -> str:
    """The same of the forms that are written."""
    lines = ["| form | endings | holds | exactness of times; fluxes |", "|---|---|---|---|"]
    lines += [f"| `{one.name}` | {' '.join(one.suffixes)} | {one.holds} | {one.limit} |" for one in FORMS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(f"{dialect_table()}\n{form_table()}")
