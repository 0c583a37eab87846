"""What results cover; the star of a prediction as columns, so that it can be asked for by its place."""

import math
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014_standards"
down_revision = "0013_discarded"
COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
STAR = ("star_ra_deg", "star_dec_deg", "star_x", "star_y", "star_z")
FIGURES = ("exposure_s", "cadence_s")
COUNTS = ("samples", "size", "width", "height")
SCALES = ("scale_arcsec", "fwhm_px", "aperture_px")


def upgrade() -> None:
    """Make table and columns, and fill these from the elements that are there."""
    op.create_table(
        "coverage",
        sa.Column("result", sa.String(length=32), nullable=False),
        sa.Column("t_min", sa.Double(), nullable=True),
        sa.Column("t_max", sa.Double(), nullable=True),
        *(sa.Column(name, sa.Double(), nullable=True) for name in FIGURES),
        *(sa.Column(name, COUNT, nullable=True) for name in COUNTS),
        *(sa.Column(name, sa.Double(), nullable=True) for name in SCALES),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name=op.f("fk_coverage_result")),
        sa.PrimaryKeyConstraint("result", name=op.f("pk_coverage")),
    )
    op.create_index(op.f("ix_coverage_t_min"), "coverage", ["t_min"], unique=False)
    for name in STAR:
        op.add_column("prediction", sa.Column(name, sa.Double(), nullable=True))
    _fill()


def _fill() -> None:
    prediction = sa.table(
        "prediction", sa.column("id", sa.String), sa.column("elements", DOCUMENT), *map(sa.column, STAR)
    )
    connection = op.get_bind()
    found = connection.execute(sa.select(prediction.c.id, prediction.c.elements)).all()
    rows = [
        {"of": identity, **_place(elements["star"])}
        for identity, elements in found
        if (elements or {}).get("star")
    ]
    if rows:
        given: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in STAR}
        connection.execute(
            sa.update(prediction).where(prediction.c.id == sa.bindparam("of")).values(given), rows
        )


def _place(star: dict[str, Any]) -> dict[str, float]:
    ra, dec = math.radians(star["ra_hours"] * 15.0), math.radians(star["dec_deg"])
    values = (
        star["ra_hours"] * 15.0,
        star["dec_deg"],
        math.cos(dec) * math.cos(ra),
        math.cos(dec) * math.sin(ra),
        math.sin(dec),
    )
    return {f"to_{name}": value for name, value in zip(STAR, values, strict=True)}
