"""Tables of mail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003_mail"
down_revision = "0002_audit"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "mailing",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=True),
        sa.Column("level", sa.String(length=64), nullable=True),
        sa.Column("besides", sa.String(length=32), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("through", sa.String(length=32), nullable=False),
        sa.Column("told", COUNT, nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailing")),
    )
    op.create_index(op.f("ix_mailing_finished_created"), "mailing", ["finished", "created"], unique=False)
    op.create_table(
        "seal",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_seal")),
    )
    op.create_table(
        "message",
        sa.Column("place", COUNT, nullable=False),
        sa.Column("message_id", sa.String(length=256), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=True),
        sa.Column("mailing", sa.String(length=32), nullable=True),
        sa.Column("recipient", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("unsubscribe", sa.Text(), nullable=True),
        sa.Column("secret", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", COUNT, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["mailing"], ["mailing.id"], name=op.f("fk_message_mailing")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_message_person")),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_message")),
        sa.UniqueConstraint("message_id", name=op.f("uq_message_message_id")),
    )
    op.create_index(op.f("ix_message_mailing"), "message", ["mailing"], unique=False)
    op.create_index(op.f("ix_message_person"), "message", ["person"], unique=False)
    op.create_index(op.f("ix_message_state_not_before"), "message", ["state", "not_before"], unique=False)
    op.create_table(
        "unwanted",
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_unwanted_person")),
        sa.PrimaryKeyConstraint("person", "topic", name=op.f("pk_unwanted")),
    )
