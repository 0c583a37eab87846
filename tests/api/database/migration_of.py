"""Write the migration that makes an area's tables, anew: `python -m tests.api.database.migration_of AREA`.

For areas whose tables were never released. What it writes is read and formatted before it is kept.
"""

import sys
from pathlib import Path
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, BigInteger, create_engine

from api.database import schema
from api.database.tables import Instant, Table

VERSIONS = Path(schema.__file__).parent / "migrations" / "versions"
FRAME = '''"""Tables of {area}."""

import sqlalchemy as sa
from alembic import op
{imports}
revision = "{revision}"
down_revision = {before!r}
{types}

def upgrade() -> None:
    """Make the tables."""
    {code}
'''


def name_of(area: Any) -> str:
    return str(area.__name__.split(".")[1])


def tables_of(area: Any) -> set[str]:
    return {
        str(each.__tablename__)
        for each in vars(area).values()
        if isinstance(each, type) and issubclass(each, Table) and each.__module__ == area.__name__
    }


def rendered(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    if kind != "type":
        return False
    if isinstance(thing, Instant):
        return "sa.BigInteger()"
    if isinstance(thing, JSON):
        return "DOCUMENT"
    if isinstance(thing, BigInteger):
        return "COUNT"
    return False


def text_of(area: Any, number: int, before: str | None) -> str:
    names = tables_of(area)

    def ours(_thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return kind != "table" or name in names

    with create_engine("sqlite://").connect() as connection:
        options = {
            "include_object": ours,
            "target_metadata": Table.metadata,
            "render_item": rendered,
        }
        context = MigrationContext.configure(connection, opts=options)
        steps = produce_migrations(context, Table.metadata).upgrade_ops
        assert steps is not None
        code = render_python_code(
            steps, render_as_batch=False, migration_context=context, render_item=rendered
        )
    lines = [line.rstrip() for line in code.splitlines() if not line.strip().startswith("# ###")]
    code = "\n".join(lines).strip()
    types = ""
    if "COUNT" in code:
        types += 'COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")\n'
    if "DOCUMENT" in code:
        types += 'DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")\n'
    return FRAME.format(
        area=name_of(area),
        imports="from sqlalchemy.dialects.postgresql import JSONB\n" if "DOCUMENT" in code else "",
        revision=f"{number:04d}_{name_of(area)}",
        before=before,
        types=types,
        code=code,
    )


def main(wanted: list[str]) -> None:
    before: str | None = None
    for number, area in enumerate(schema.AREAS, start=1):
        revision = f"{number:04d}_{name_of(area)}"
        if name_of(area) in wanted:
            (VERSIONS / f"{revision}.py").write_text(text_of(area, number, before), encoding="utf-8")
        before = revision


if __name__ == "__main__":
    main(sys.argv[1:])
