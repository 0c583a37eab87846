"""Tables of uploads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007_uploads"
down_revision = "0006_observations"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "upload",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("observation", sa.String(length=32), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("length", COUNT, nullable=False),
        sa.Column("received", COUNT, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("details", DOCUMENT, nullable=False),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("problem", sa.String(length=256), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["file"], ["observation_file.id"], name=op.f("fk_upload_file")),
        sa.ForeignKeyConstraint(["observation"], ["observation.id"], name=op.f("fk_upload_observation")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_upload_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
    )
    op.create_index(op.f("ix_upload_observation"), "upload", ["observation"], unique=False)
    op.create_index(op.f("ix_upload_person_created_id"), "upload", ["person", "created", "id"], unique=False)
    op.create_index(op.f("ix_upload_state_expires"), "upload", ["state", "expires"], unique=False)
