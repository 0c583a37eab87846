"""Tables of observations."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006_observations"
down_revision = "0005_equipment"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "observation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("site", sa.String(length=32), nullable=False),
        sa.Column("station", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("telescope", sa.String(length=32), nullable=True),
        sa.Column("camera", sa.String(length=32), nullable=True),
        sa.Column("recorder", sa.String(length=32), nullable=True),
        sa.Column("filter", sa.String(length=32), nullable=True),
        sa.Column("report", DOCUMENT, nullable=False),
        sa.Column("consent", sa.Boolean(), nullable=False),
        sa.Column("role", sa.String(length=256), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["camera"], ["equipment.id"], name=op.f("fk_observation_camera")),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_observation_campaign")),
        sa.ForeignKeyConstraint(["filter"], ["equipment.id"], name=op.f("fk_observation_filter")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_observation_person")),
        sa.ForeignKeyConstraint(["recorder"], ["equipment.id"], name=op.f("fk_observation_recorder")),
        sa.ForeignKeyConstraint(["site"], ["site.id"], name=op.f("fk_observation_site")),
        sa.ForeignKeyConstraint(["telescope"], ["equipment.id"], name=op.f("fk_observation_telescope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint(
            "campaign", "person", "station", name=op.f("uq_observation_campaign_person_station")
        ),
    )
    op.create_index(
        op.f("ix_observation_campaign_created_id"), "observation", ["campaign", "created", "id"], unique=False
    )
    op.create_index(
        op.f("ix_observation_person_created_id"), "observation", ["person", "created", "id"], unique=False
    )
    op.create_table(
        "observation_file",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("observation", sa.String(length=32), nullable=False),
        sa.Column("member_of", sa.String(length=32), nullable=True),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("size", COUNT, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("finding", DOCUMENT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("crc32", COUNT, nullable=True),
        sa.Column("damaged", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_of"], ["observation_file.id"], name=op.f("fk_observation_file_member_of")
        ),
        sa.ForeignKeyConstraint(
            ["observation"], ["observation.id"], name=op.f("fk_observation_file_observation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation_file")),
    )
    op.create_index(
        op.f("ix_observation_file_observation_created_id"),
        "observation_file",
        ["observation", "created", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_observation_file_sha256"), "observation_file", ["sha256"], unique=False)
