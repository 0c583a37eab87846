"""The README's table of formats, made from the registry: ``python -m ingest.format_table README.md``.

Without a file the table is printed.
"""

import sys
from pathlib import Path

from ingest.formats import FORMATS, Format
from reduction.errors import RequestError

START, STOP = "<!-- formats: made by python -m ingest.format_table -->", "<!-- end of formats -->"


def format_table() -> str:
    """Rows of a table in Markdown, a line per format in the order in which they are tried."""
    lines = ["| format | usual names | times | read in place |", "|---|---|---|---|", *map(_row, FORMATS)]
    return "\n".join(lines) + "\n"


def _row(row: Format) -> str:
    names = " ".join(f"`{suffix}`" for suffix in row.suffixes)
    return f"| {row.description} | {names} | {row.times} | {'yes' if row.random_access else 'no'} |"


def with_table(text: str) -> str:
    """A document with the table put between its marks.

    Raises
    ------
    RequestError
        The marks are not there, once and in order.
    """
    before, start, rest = text.partition(START)
    _, stop, after = rest.partition(STOP)
    if not start or not stop or START in after or STOP in after:
        raise RequestError(f"the document has no lines {START!r} and {STOP!r} to put the table between")
    return f"{before}{START}\n{format_table()}{STOP}{after}"


def main(arguments: list[str]) -> None:
    """Print the table, or put it into the documents named."""
    if not arguments:
        sys.stdout.write(format_table())
    for name in arguments:
        path = Path(name)
        path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
