"""Tables of results."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008_results"
down_revision = "0007_uploads"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "job_transition",
        sa.Column("place", COUNT, nullable=False),
        sa.Column("era", COUNT, nullable=False),
        sa.Column("job", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("attempt", COUNT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_job_transition")),
    )
    op.create_index(op.f("ix_job_transition_era_place"), "job_transition", ["era", "place"], unique=False)
    op.create_index(
        op.f("ix_job_transition_job_era_place"), "job_transition", ["job", "era", "place"], unique=False
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=256), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("faults", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_batch_campaign")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_batch_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
        sa.UniqueConstraint("person", "idempotency_key", name=op.f("uq_batch_person_idempotency_key")),
    )
    op.create_index(op.f("ix_batch_campaign"), "batch", ["campaign"], unique=False)
    op.create_index(op.f("ix_batch_person_created_id"), "batch", ["person", "created", "id"], unique=False)
    op.create_table(
        "reduction",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("observation", sa.String(length=32), nullable=False),
        sa.Column("file", sa.String(length=32), nullable=False),
        sa.Column("batch", sa.String(length=32), nullable=True),
        sa.Column("line", COUNT, nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("asker", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=256), nullable=True),
        sa.Column("priority", COUNT, nullable=False),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("result", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["asker"], ["person.id"], name=op.f("fk_reduction_asker")),
        sa.ForeignKeyConstraint(["batch"], ["batch.id"], name=op.f("fk_reduction_batch")),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_reduction_campaign")),
        sa.ForeignKeyConstraint(["file"], ["observation_file.id"], name=op.f("fk_reduction_file")),
        sa.ForeignKeyConstraint(["observation"], ["observation.id"], name=op.f("fk_reduction_observation")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_reduction_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reduction")),
        sa.UniqueConstraint("asker", "idempotency_key", name=op.f("uq_reduction_asker_idempotency_key")),
    )
    op.create_index(op.f("ix_reduction_batch_line_id"), "reduction", ["batch", "line", "id"], unique=False)
    op.create_index(
        op.f("ix_reduction_campaign_created_id"), "reduction", ["campaign", "created", "id"], unique=False
    )
    op.create_index(
        op.f("ix_reduction_observation_created_id"),
        "reduction",
        ["observation", "created", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_reduction_result"), "reduction", ["result"], unique=False)
    op.create_table(
        "result",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("observation", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("reduction", sa.String(length=32), nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("edition", sa.String(length=256), nullable=False),
        sa.Column("figures", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_result_campaign")),
        sa.ForeignKeyConstraint(["observation"], ["observation.id"], name=op.f("fk_result_observation")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_result_person")),
        sa.ForeignKeyConstraint(["reduction"], ["reduction.id"], name=op.f("fk_result_reduction")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_result")),
        sa.UniqueConstraint("observation", "version", name=op.f("uq_result_observation_version")),
    )
    op.create_index(
        op.f("ix_result_campaign_created_id"), "result", ["campaign", "created", "id"], unique=False
    )
    op.create_index(op.f("ix_result_key"), "result", ["key"], unique=False)
    op.create_index(op.f("ix_result_reduction"), "result", ["reduction"], unique=False)
