"""Stars at an event's instant, against astropy's motion in space and closed formulas."""

import math
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reduction.errors import DataError
from reduction.geometry.stars import CatalogueStar, gaia_star, star_at

WHEN = int(datetime(2026, 3, 11, 20, 19, tzinfo=UTC).timestamp()) * 10**9
YEARS = 10.1895


def twin(star: CatalogueStar) -> tuple[float, float]:
    """ICRS direction from the Earth's centre by astropy: motion in space, then vectors."""
    from astropy import units as u
    from astropy.coordinates import Distance, SkyCoord, get_body_barycentric
    from astropy.time import Time

    time = Time("2026-03-11T20:19:00", scale="utc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_epoch = SkyCoord(
            star.ra * u.deg,
            star.dec * u.deg,
            distance=Distance(parallax=(star.parallax or 0) * u.mas),
            pm_ra_cosdec=(star.pmra or 0) * u.mas / u.yr,
            pm_dec=(star.pmdec or 0) * u.mas / u.yr,
            radial_velocity=(star.radial_velocity or 0) * u.km / u.s,
            obstime=Time(star.ref_epoch, format="jyear", scale="tcb"),
        )
        moved = at_epoch.apply_space_motion(new_obstime=time)
    seen = moved.cartesian.xyz - get_body_barycentric("earth", time, ephemeris="builtin").xyz
    x, y, z = seen.to_value(u.pc)
    return math.degrees(math.atan2(y, x)) % 360, math.degrees(math.atan2(z, math.hypot(x, y)))


@pytest.mark.parametrize(
    "star",
    [
        CatalogueStar(
            ra=269.45,
            dec=4.69,
            ref_epoch=2016,
            pmra=-801.6,
            pmdec=10362.4,
            parallax=546.98,
            radial_velocity=-110.5,
        ),
        CatalogueStar(ra=94.0, dec=-0.003, ref_epoch=2016, pmra=5.0, pmdec=-3.0, parallax=1.2),
        CatalogueStar(ra=359.99999, dec=89.2, ref_epoch=2000, pmra=150.0, pmdec=-70.0, parallax=20.0),
        CatalogueStar(
            ra=0.00001,
            dec=-62.7,
            ref_epoch=1991.25,
            pmra=-3775.0,
            pmdec=769.0,
            parallax=742.0,
            radial_velocity=-22.0,
        ),
    ],
    ids=["barnard", "equator", "pole", "near"],
)
def test_places_are_astropys(star: CatalogueStar) -> None:
    place = star_at(star, WHEN)
    ra, dec = twin(star)
    apart = ((place.ra_deg - ra + 180) % 360 - 180) * math.cos(math.radians(dec))
    assert abs(apart) * 3.6e6 < 0.02  # mas
    assert abs(place.dec_deg - dec) * 3.6e6 < 0.02


@settings(max_examples=25, deadline=None)
@given(st.floats(0.1, 2), st.floats(0.1, 2), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(-0.9, 0.9))
def test_sigmas_grow_with_the_motion_that_is_not_known(
    ra: float, dec: float, pmra: float, pmdec: float, corr: float
) -> None:
    """sigma^2 = sigma_0^2 + 2 rho sigma_0 sigma_pm t + (sigma_pm t)^2."""
    star = CatalogueStar(
        ra=100,
        dec=20,
        ref_epoch=2016,
        ra_error=ra,
        dec_error=dec,
        pmra=1,
        pmdec=1,
        pmra_error=pmra,
        pmdec_error=pmdec,
        ra_pmra_corr=corr,
        dec_pmdec_corr=-corr,
        parallax=0.001,
    )
    place = star_at(star, WHEN)
    t = YEARS
    assert place.sigma_ra_mas == pytest.approx(
        math.sqrt(ra**2 + 2 * corr * ra * pmra * t + (pmra * t) ** 2), rel=2e-3
    )
    assert place.sigma_dec_mas == pytest.approx(
        math.sqrt(dec**2 - 2 * corr * dec * pmdec * t + (pmdec * t) ** 2), rel=2e-3
    )


def test_sigmas_are_the_scatter_of_drawn_stars() -> None:
    star = CatalogueStar(
        ra=200,
        dec=-45,
        ref_epoch=2016,
        ra_error=0.5,
        dec_error=0.3,
        parallax=8,
        parallax_error=0.4,
        pmra=50,
        pmra_error=0.08,
        pmdec=-20,
        pmdec_error=0.05,
        ra_dec_corr=0.4,
        ra_parallax_corr=-0.3,
        parallax_pmra_corr=0.5,
        dec_pmdec_corr=0.2,
    )
    rng = np.random.default_rng(3)
    sigma = np.array([0.5, 0.3, 0.4, 0.08, 0.05])
    correlation = np.eye(5)
    for i, j, value in ((0, 1, 0.4), (0, 2, -0.3), (2, 3, 0.5), (1, 4, 0.2)):
        correlation[i, j] = correlation[j, i] = value
    draws = rng.multivariate_normal(np.zeros(5), correlation * np.outer(sigma, sigma), 600)
    place = star_at(star, WHEN)
    found = []
    for ra, dec, parallax, pmra, pmdec in draws:
        one = star.model_copy(
            update={
                "ra": 200 + ra / 3.6e6 / math.cos(math.radians(-45)),
                "dec": -45 + dec / 3.6e6,
                "parallax": 8 + parallax,
                "pmra": 50 + pmra,
                "pmdec": -20 + pmdec,
                "ra_error": None,
            }
        )
        seen = star_at(one, WHEN)
        found.append(
            [
                (seen.ra_deg - place.ra_deg) * 3.6e6 * math.cos(math.radians(-45)),
                (seen.dec_deg - place.dec_deg) * 3.6e6,
            ]
        )
    np.testing.assert_allclose(np.cov(np.array(found).T), place.covariance_mas2, rtol=0.15, atol=0.03)


def test_what_is_missing_or_doubtful_is_told() -> None:
    star = CatalogueStar(
        ra=1,
        dec=1,
        ref_epoch=2016,
        ra_error=1,
        dec_error=1,
        ruwe=2.3,
        duplicated_source=True,
        phot_g_mean_mag=15,
    )
    place = star_at(star, WHEN)
    text = " ".join(place.notes)
    for words in ("no proper motion", "10.2 years", "no parallax", "RUWE is 2.30", "duplicated"):
        assert words in text
    assert place.sigma_ra_mas == pytest.approx(math.hypot(1, 10 * YEARS), rel=1e-3)
    good = CatalogueStar(
        ra=1,
        dec=1,
        ref_epoch=2016,
        ra_error=1,
        dec_error=1,
        pmra=0,
        pmdec=0,
        pmra_error=0.1,
        pmdec_error=0.1,
        parallax=1,
        ruwe=1.0,
    )
    assert star_at(good, WHEN).notes == ()
    bright = star_at(good.model_copy(update={"phot_g_mean_mag": 9.0}), WHEN)
    assert "0.08 mas a year" in bright.notes[0]


def test_columns_of_the_archive_are_taken_by_name() -> None:
    columns = {
        "source_id": np.int64(3369413152171218944),
        "ra": np.float64(94.0),
        "dec": np.float64(-0.01),
        "ref_epoch": 2016.0,
        "pmra": np.float64("nan"),
        "parallax": np.ma.masked,
        "ruwe": np.float32(1.02),
        "phot_bp_mean_mag": 12.0,
        "duplicated_source": np.bool_(False),
    }
    star = gaia_star(columns)
    assert star.source_id == "3369413152171218944"
    assert star.pmra is None
    assert star.parallax is None
    assert star.dec == -0.01
    with pytest.raises(DataError, match="column dec"):
        gaia_star({"ra": 1.0, "dec": 95.0, "ref_epoch": 2016.0})
    with pytest.raises(DataError, match="column ref_epoch"):
        gaia_star({"ra": 1.0, "dec": 5.0})


def test_a_negative_parallax_is_no_distance() -> None:
    star = CatalogueStar(ra=10, dec=10, ref_epoch=2016, pmra=3, pmdec=3, parallax=-0.5)
    place = star_at(star, WHEN)
    assert abs(place.dec_deg - 10) * 3.6e6 < 3 * YEARS + 1
