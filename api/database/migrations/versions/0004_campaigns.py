"""Tables of campaigns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004_campaigns"
down_revision = "0003_mail"
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "prediction",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("occ_id", sa.String(length=256), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("object_name", sa.String(length=256), nullable=False),
        sa.Column("object_number", sa.String(length=64), nullable=False),
        sa.Column("object_key", sa.String(length=256), nullable=False),
        sa.Column("object_class", sa.String(length=256), nullable=False),
        sa.Column("star_name", sa.String(length=256), nullable=False),
        sa.Column("star_mag", sa.Double(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("elements", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prediction")),
        sa.UniqueConstraint("occ_id", name=op.f("uq_prediction_occ_id")),
    )
    op.create_index(op.f("ix_prediction_at_id"), "prediction", ["at", "id"], unique=False)
    op.create_index(op.f("ix_prediction_object_key"), "prediction", ["object_key"], unique=False)
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("prediction", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("observers_reduce", sa.Boolean(), nullable=False),
        sa.Column("embargo", sa.BigInteger(), nullable=True),
        sa.Column("opened_by", sa.String(length=32), nullable=True),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["opened_by"], ["person.id"], name=op.f("fk_campaign_opened_by")),
        sa.ForeignKeyConstraint(["prediction"], ["prediction.id"], name=op.f("fk_campaign_prediction")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("prediction", name=op.f("uq_campaign_prediction")),
    )
    op.create_index(op.f("ix_campaign_opened_id"), "campaign", ["opened", "id"], unique=False)
    op.create_table(
        "feed",
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_feed_person")),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_feed")),
        sa.UniqueConstraint("digest", name=op.f("uq_feed_digest")),
    )
    op.create_table(
        "responsible",
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("appointed", sa.BigInteger(), nullable=False),
        sa.Column("appointed_by", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["appointed_by"], ["person.id"], name=op.f("fk_responsible_appointed_by")),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_responsible_campaign")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_responsible_person")),
        sa.PrimaryKeyConstraint("campaign", "person", name=op.f("pk_responsible")),
    )
    op.create_index(op.f("ix_responsible_person"), "responsible", ["person"], unique=False)
