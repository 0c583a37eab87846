"""Tables of webhooks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015_webhooks"
down_revision = "0014_standards"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "webhook_followed",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("era", COUNT, nullable=False),
        sa.Column("place", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_webhook_followed")),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", DOCUMENT, nullable=False),
        sa.Column("secret", sa.String(length=256), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_webhook_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(
        op.f("ix_webhook_person_created_id"), "webhook", ["person", "created", "id"], unique=False
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("place", COUNT, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("webhook", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", COUNT, nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=True),
        sa.Column("status", COUNT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_webhook_delivery")),
        sa.UniqueConstraint("id", name=op.f("uq_webhook_delivery_id")),
    )
    op.create_index(
        op.f("ix_webhook_delivery_state_not_before"),
        "webhook_delivery",
        ["state", "not_before"],
        unique=False,
    )
    op.create_index(
        op.f("ix_webhook_delivery_webhook_place"), "webhook_delivery", ["webhook", "place"], unique=False
    )
