"""Tables of figures."""

import sqlalchemy as sa
from alembic import op

revision = "0012_figures"
down_revision = "0011_notices"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "limb_figure",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("media", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", COUNT, nullable=False),
        sa.Column("crc32", COUNT, nullable=False),
        sa.Column("width", COUNT, nullable=False),
        sa.Column("height", COUNT, nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=True),
        sa.Column("removed_by", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_limb_figure_campaign")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_limb_figure_person")),
        sa.ForeignKeyConstraint(["removed_by"], ["person.id"], name=op.f("fk_limb_figure_removed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limb_figure")),
        sa.UniqueConstraint("campaign", "version", name=op.f("uq_limb_figure_campaign_version")),
    )
    op.create_index(
        op.f("ix_limb_figure_campaign_removed"), "limb_figure", ["campaign", "removed"], unique=False
    )
    op.create_index(op.f("ix_limb_figure_sha256"), "limb_figure", ["sha256"], unique=False)
