"""Bytes in the store that something has let go of."""

import sqlalchemy as sa
from alembic import op

revision = "0013_discarded"
down_revision = "0012_figures"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "discarded",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_discarded")),
    )
    op.create_index(op.f("ix_discarded_since"), "discarded", ["since"], unique=False)
