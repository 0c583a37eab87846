"""Stars at other epochs, against astropy."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import GCRS, SkyCoord
from astropy.time import Time

from reduction.astrometry.motion import julian_year, place_at
from reduction.astrometry.plane import separation


@pytest.mark.parametrize(
    ("ra", "dec", "pm_ra", "pm_dec", "year"),
    [(0.0, 0.0, 1000.0, -2000.0, 2026.0), (359.9, -89.0, -5000.0, 300.0, 1950.0),
     (123.0, 45.0, 0.0, 10.0, 2050.0), (200.0, -0.3, 3.0, -4.0, 2024.7)],
)  # fmt: skip
def test_proper_motion_is_that_of_astropy(
    ra: float, dec: float, pm_ra: float, pm_dec: float, year: float
) -> None:
    start = Time(2016.0, format="jyear", scale="tdb")
    star = SkyCoord(
        ra * u.deg, dec * u.deg, pm_ra_cosdec=pm_ra * u.mas / u.yr, pm_dec=pm_dec * u.mas / u.yr,
        distance=10 * u.pc, obstime=start, frame="icrs",
    )  # fmt: skip
    there = star.apply_space_motion(new_obstime=Time(year, format="jyear", scale="tdb"))
    a, d = place_at(ra, dec, pm_ra, pm_dec, 0.0, 2016.0, year)
    assert float(separation(a, d, there.ra.deg, there.dec.deg)) * 3.6e6 < 0.02  # mas; tan against arc


def test_parallax_is_that_of_the_earth() -> None:
    """Direction differences between a near star and one far behind it, as astropy's GCRS has them."""
    time = Time("2023-03-21T00:00:00", scale="tdb")
    near = SkyCoord(80 * u.deg, 30 * u.deg, distance=10 * u.pc)
    far = SkyCoord(80 * u.deg, 30 * u.deg, distance=1e9 * u.pc)
    moved = near.transform_to(GCRS(obstime=time)).separation(far.transform_to(GCRS(obstime=time)))
    a, d = place_at(80.0, 30.0, 0.0, 0.0, 100.0, 2023.0, time.jyear)
    assert float(separation(a, d, 80.0, 30.0)) * 3.6e6 == pytest.approx(moved.to_value(u.mas), abs=0.05)
    assert moved.to_value(u.mas) > 50.0


def test_unknown_motion_moves_nothing_and_years_are_julian() -> None:
    a, d = place_at(10.0, -0.2, np.nan, np.nan, np.nan, 2016.0, 2026.0)
    assert float(separation(a, d, 10.0, -0.2)) < 1e-12
    assert julian_year(1_704_067_200 * 10**9) == pytest.approx(Time("2024-01-01T00:00:00").jyear, abs=1e-6)
