"""Run by alembic: the steps that a database lacks, on the connection and in the transaction it was given."""

from typing import Any

from alembic import context

from api.database.schema import metadata


def _ours(_thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Whether a table is the service's: the queue keeps its own in the same database."""
    return kind != "table" or name in metadata().tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata(),
    include_object=_ours,
    version_table="umbra_service",
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
