"""Tables of bundles."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009_bundles"
down_revision = "0008_results"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "data_request",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("results", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", COUNT, nullable=False),
        sa.Column("files", COUNT, nullable=False),
        sa.Column("absent", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_data_request_campaign")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_data_request_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_request")),
    )
    op.create_index(
        op.f("ix_data_request_campaign_created_id"),
        "data_request",
        ["campaign", "created", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_data_request_person"), "data_request", ["person"], unique=False)
    op.create_table(
        "data_plan",
        sa.Column("request", sa.String(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["request"], ["data_request.id"], name=op.f("fk_data_plan_request")),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_data_plan")),
    )
