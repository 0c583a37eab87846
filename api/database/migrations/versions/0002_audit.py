"""Tables of audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002_audit"
down_revision = "0001_people"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        sa.Column("place", COUNT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=32), nullable=True),
        sa.Column("means", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("thing", sa.String(length=256), nullable=True),
        sa.Column("request", sa.String(length=32), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_action_place"), "audit", ["action", "place"], unique=False)
    op.create_index(op.f("ix_audit_actor_place"), "audit", ["actor", "place"], unique=False)
    op.create_index(op.f("ix_audit_thing_place"), "audit", ["thing", "place"], unique=False)
    for verb in ("UPDATE", "DELETE"):
        _refuse(verb)


def _refuse(verb: str) -> None:
    """Let the database refuse a change of what is written."""
    told = "the audit log is only added to"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{told}'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{told}'; END $$"
    )
    # of the statement, so that TRUNCATE is refused with DELETE
    verbs = verb if verb == "UPDATE" else "DELETE OR TRUNCATE"
    op.execute(
        f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verbs} ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
