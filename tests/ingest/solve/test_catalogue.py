"""Catalogues as programs write them, and damaged ones."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table

from ingest.solve.catalogue import read_catalogue
from reduction.errors import DataError, RequestError
from tests.fuzzing import COUNT, endure, fewer, mutations
from tests.reduction.astrometry.fields import Floats

RA, DEC = [123.5, 0.25, 359.9], [-0.5033, 45.0, -89.0]


def table() -> Table:
    stars = Table({"ra": RA, "dec": DEC, "phot_g_mean_mag": [12.5, 9.0, 15.1]})
    stars["ra"].unit = stars["dec"].unit = u.deg
    stars["pmra"] = MaskedColumn([10.0, -20.0, 5.0], mask=[False, False, True], unit=u.mas / u.yr)
    stars["pmdec"] = MaskedColumn([1.0, 2.0, 3.0], mask=[False, False, True], unit=u.mas / u.yr)
    stars["parallax"] = [2.0, 3.0, 1.0] * u.mas
    stars["ref_epoch"] = [2016.0] * 3
    return stars


def written(path: Path, form: str) -> Path:
    file = path / {"votable": "f.vot", "fits": "f.fits", "ascii.ecsv": "f.ecsv", "ascii.csv": "f.csv"}[form]
    table().write(file, format=form)
    return file


@pytest.mark.parametrize("form", ["votable", "fits", "ascii.ecsv", "ascii.csv"])
def test_all_forms_hold_the_same_stars(tmp_path: Path, form: str) -> None:
    stars = read_catalogue(written(tmp_path, form))
    assert np.allclose(stars.ra, RA)
    assert np.allclose(stars.dec, DEC)
    assert np.allclose(stars.magnitude, [12.5, 9.0, 15.1], atol=1e-6)
    assert np.allclose(stars.pm_ra[:2], [10.0, -20.0])
    assert np.isnan(stars.pm_ra[2])
    assert np.allclose(stars.epoch, 2016.0)


def read_text(tmp_path: Path, text: str) -> tuple[Floats, Floats]:
    (tmp_path / "f.csv").write_text(text, encoding="utf-8")
    stars = read_catalogue(tmp_path / "f.csv")
    return stars.ra, stars.dec


def test_sexagesimal_places_are_hours_and_keep_the_sign_of_zero(tmp_path: Path) -> None:
    ra, dec = read_text(tmp_path, "RA;DEC;mag\n12:29:00;-00:30:12;10\n00 00 01.5;+01 00 00;11\n")
    assert np.allclose(ra, [187.25, 0.00625])
    assert np.allclose(dec, [-(30 / 60 + 12 / 3600), 1.0])


def test_a_table_of_vizier(tmp_path: Path) -> None:
    head = "#\n# VizieR\nRAJ2000\tDEJ2000\tVmag\ndeg\tdeg\tmag\n-------\t-------\t----\n"
    text = head + "10.5\t-3.25\t 8.1\n11.5\t-3.5\t\n"
    ra, dec = read_text(tmp_path, text)
    assert np.allclose(ra, [10.5, 11.5])
    assert np.allclose(dec, [-3.25, -3.5])
    stars = read_catalogue(tmp_path / "f.csv")
    assert np.allclose(stars.epoch, 2000.0)
    assert np.isnan(stars.magnitude[1])


def test_units_that_a_table_states_are_heeded(tmp_path: Path) -> None:
    stars = Table(
        {"ra": np.radians(RA) * u.rad, "dec": np.radians(DEC) * u.rad, "pmra": [0.01] * 3 * u.arcsec / u.yr}
    )
    stars.write(tmp_path / "f.ecsv", format="ascii.ecsv")
    read = read_catalogue(tmp_path / "f.ecsv")
    assert np.allclose(read.ra, RA)
    assert np.allclose(read.pm_ra, 10.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no header row"), ("x,y\n1,2\n", "no columns ra and dec"), ("ra,dec\n400,5\n,\n", "none of its"),
     ("ra,dec\n1a,2b\n", "no angles")],
)  # fmt: skip
def test_what_is_no_catalogue_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read_text(tmp_path, text)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        read_catalogue(tmp_path / "none.csv")
    (tmp_path / "f.csv").write_bytes(b"ra,dec\n\xff\xfe,1\n")
    with pytest.raises(RequestError, match="UTF-8"):
        read_catalogue(tmp_path / "f.csv")
    (tmp_path / "f.vot").write_bytes(b"<?xml version='1.0'?><VOTABLE><RESOURCE><TABLE>")
    with pytest.raises(DataError, match=r"f\.vot"):
        read_catalogue(tmp_path / "f.vot")


@pytest.mark.parametrize("form", ["ascii.csv", "ascii.ecsv", "fits", "votable"])
def test_mutated_inputs_are_read_or_refused(tmp_path: Path, form: str) -> None:
    whole = written(tmp_path, form).read_bytes()
    count = COUNT if form == "ascii.csv" else fewer(10)  # astropy's readers take milliseconds each

    def read(path: Path) -> None:
        stars = read_catalogue(path)
        assert np.isfinite(stars.ra).all()
        assert (np.abs(stars.dec) <= 90).all()

    endure(tmp_path / "mutated.tab", mutations([whole], count, 3000), read, f"catalogue {form}")


def test_a_votable_field_without_a_name_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path, "votable")
    whole = path.read_bytes()
    path.write_bytes(
        re.sub(rb'(<FIELD[^>]*) name="[^"]*"', rb"\1", re.sub(rb'(<FIELD) ID="[^"]*"', rb"\1", whole))
    )
    with pytest.raises(DataError, match="damaged, or no votable"):
        read_catalogue(path)


def test_no_text_of_python_is_run(tmp_path: Path) -> None:
    buffer = io.StringIO()
    table().write(buffer, format="ascii.ecsv")
    evil = buffer.getvalue().replace(
        "# datatype:", "# meta: !!python/object/apply:os.system ['true']\n# datatype:", 1
    )
    (tmp_path / "f.ecsv").write_text(evil, encoding="utf-8")
    with pytest.raises(DataError, match=r"f\.ecsv"):
        read_catalogue(tmp_path / "f.ecsv")
