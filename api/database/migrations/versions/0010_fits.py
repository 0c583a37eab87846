"""Tables of fits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010_fits"
down_revision = "0009_bundles"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "fit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=256), nullable=True),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("inputs", DOCUMENT, nullable=False),
        sa.Column("edition", sa.String(length=256), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=True),
        sa.Column("attempts", COUNT, nullable=False),
        sa.Column("outcome", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_fit_campaign")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_fit_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fit")),
        sa.UniqueConstraint("campaign", "key", name=op.f("uq_fit_campaign_key")),
        sa.UniqueConstraint("campaign", "version", name=op.f("uq_fit_campaign_version")),
        sa.UniqueConstraint("person", "idempotency_key", name=op.f("uq_fit_person_idempotency_key")),
    )
    op.create_index(op.f("ix_fit_state_created"), "fit", ["state", "created"], unique=False)
    op.create_table(
        "chord_choice",
        sa.Column("observation", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("version", COUNT, nullable=True),
        sa.Column("file", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("chosen", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_chord_choice_campaign")),
        sa.ForeignKeyConstraint(["file"], ["observation_file.id"], name=op.f("fk_chord_choice_file")),
        sa.ForeignKeyConstraint(
            ["observation"], ["observation.id"], name=op.f("fk_chord_choice_observation"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_chord_choice_person")),
        sa.PrimaryKeyConstraint("observation", name=op.f("pk_chord_choice")),
    )
    op.create_index(op.f("ix_chord_choice_campaign"), "chord_choice", ["campaign"], unique=False)
