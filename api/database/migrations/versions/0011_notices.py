"""Tables of notices."""

import sqlalchemy as sa
from alembic import op

revision = "0011_notices"
down_revision = "0010_fits"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "fault",
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("untold", COUNT, nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("signature", name=op.f("pk_fault")),
    )
    op.create_table(
        "owed",
        sa.Column("thing", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_owed_person")),
        sa.PrimaryKeyConstraint("thing", name=op.f("pk_owed")),
    )
    op.create_index(op.f("ix_owed_kind_person_created"), "owed", ["kind", "person", "created"], unique=False)
    op.create_table(
        "announcement",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=True),
        sa.Column("level", sa.String(length=64), nullable=True),
        sa.Column("mailing", sa.String(length=32), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["author"], ["person.id"], name=op.f("fk_announcement_author")),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_announcement_campaign")),
        sa.ForeignKeyConstraint(["mailing"], ["mailing.id"], name=op.f("fk_announcement_mailing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcement")),
    )
    op.create_index(op.f("ix_announcement_campaign"), "announcement", ["campaign"], unique=False)
    op.create_index(op.f("ix_announcement_created_id"), "announcement", ["created", "id"], unique=False)
    op.create_table(
        "issue",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=256), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("campaign", sa.String(length=32), nullable=True),
        sa.Column("observation", sa.String(length=32), nullable=True),
        sa.Column("reduction", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign"], ["campaign.id"], name=op.f("fk_issue_campaign")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_issue_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue")),
    )
    op.create_index(op.f("ix_issue_created_id"), "issue", ["created", "id"], unique=False)
    op.create_index(op.f("ix_issue_person_created_id"), "issue", ["person", "created", "id"], unique=False)
    op.create_table(
        "issue_answer",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("issue", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["issue"], ["issue.id"], name=op.f("fk_issue_answer_issue")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_issue_answer_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_answer")),
    )
    op.create_index(
        op.f("ix_issue_answer_issue_created_id"), "issue_answer", ["issue", "created", "id"], unique=False
    )
    op.create_index(op.f("ix_issue_answer_person"), "issue_answer", ["person"], unique=False)
