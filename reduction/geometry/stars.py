"""A star's place at the instant of an event: proper motion, parallax, and what is left unsure of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from reduction.errors import DataError
from reduction.geometry.earth import tt_of
from reduction.plan import Settings

Floats = NDArray[np.float64]

KM_S_OF_AU_YR = 4.740470463533349
"""One astronomical unit a Julian year, km/s."""
MAS = math.radians(1 / 3_600_000)
DOUBTFUL_RUWE = 1.4
UNKNOWN_MOTION_MAS_YR = 10.0
"""1-sigma of each component of a proper motion that a catalogue does not give: that of faint field stars."""
_BRIGHT_G = 13.0

Sigma = Annotated[float, Field(ge=0)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
_PARAMETERS = ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")


class CatalogueStar(Settings):
    """Astrometry of a star, ICRS, in the words of the Gaia archive.

    Attributes
    ----------
    ra, dec : float
        Degrees, at `ref_epoch`.
    ra_error, dec_error : float
        1-sigma, mas; that of the right ascension times cos(dec).
    ref_epoch : float
        Julian year, TCB (2016.0 for DR3).
    parallax, parallax_error : float or None
        mas.
    pmra, pmdec, pmra_error, pmdec_error : float or None
        mas a year; right ascension times cos(dec).
    radial_velocity, radial_velocity_error : float or None
        km/s, away from us positive.
    *_corr : float
        Correlations of the five astrometric parameters.
    ruwe : float or None
        Renormalised unit weight error.
    """

    source_id: str = ""
    ra: Annotated[float, Field(ge=0, le=360)]
    dec: Annotated[float, Field(ge=-90, le=90)]
    ref_epoch: Annotated[float, Field(ge=1800, le=2200)]
    ra_error: Sigma | None = None
    dec_error: Sigma | None = None
    parallax: Annotated[float, Field(ge=-1e4, le=1e4)] | None = None
    parallax_error: Sigma | None = None
    pmra: Annotated[float, Field(ge=-1e5, le=1e5)] | None = None
    pmra_error: Sigma | None = None
    pmdec: Annotated[float, Field(ge=-1e5, le=1e5)] | None = None
    pmdec_error: Sigma | None = None
    radial_velocity: Annotated[float, Field(ge=-2000, le=2000)] | None = None
    radial_velocity_error: Sigma | None = None
    ra_dec_corr: Correlation = 0.0
    ra_parallax_corr: Correlation = 0.0
    ra_pmra_corr: Correlation = 0.0
    ra_pmdec_corr: Correlation = 0.0
    dec_parallax_corr: Correlation = 0.0
    dec_pmra_corr: Correlation = 0.0
    dec_pmdec_corr: Correlation = 0.0
    parallax_pmra_corr: Correlation = 0.0
    parallax_pmdec_corr: Correlation = 0.0
    pmra_pmdec_corr: Correlation = 0.0
    ruwe: Sigma | None = None
    duplicated_source: bool = False
    phot_g_mean_mag: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StarPlace:
    """Where a star is seen from the Earth's centre, ICRS, without aberration and deflection.

    Attributes
    ----------
    ra_deg, dec_deg : float
        Astrometric direction: proper motion and annual parallax applied.
    covariance_mas2 : array, (2, 2)
        Of (right ascension times cos(dec), dec).
    notes : tuple of str
        What is doubtful or missing.
    """

    ra_deg: float
    dec_deg: float
    covariance_mas2: Floats
    notes: tuple[str, ...]

    @property
    def sigma_ra_mas(self) -> float:
        """1-sigma of the right ascension times cos(dec)."""
        return math.sqrt(self.covariance_mas2[0, 0])

    @property
    def sigma_dec_mas(self) -> float:
        """1-sigma of the declination."""
        return math.sqrt(self.covariance_mas2[1, 1])


def gaia_star(columns: Mapping[str, Any]) -> CatalogueStar:
    """A star from columns named as in the Gaia archive; others are passed over, masked or NaN ones missing.

    Raises
    ------
    DataError
        A column that is needed is missing, or a value is out of bounds.
    """
    fields = CatalogueStar.model_fields
    values = {name: _plain(columns[name]) for name in fields if name in columns}
    present = {name: value for name, value in values.items() if value is not None}
    if "source_id" in present:
        present["source_id"] = str(present["source_id"])
    try:
        return CatalogueStar(**present)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"star {present.get('source_id', '')}: column {where}: {first['msg']}") from None


def star_at(star: CatalogueStar, utc_ns: int) -> StarPlace:
    """Where a star is seen at an instant from the Earth's centre.

    A straight line in space, as the catalogue means it, and annual parallax with the Earth's barycentric
    place. The covariance is carried through the same motion; a missing proper motion is 0 with 1-sigma of
    10 mas a year, a missing parallax or radial velocity 0. The light's travel across the Earth's orbit is
    left out: 0.2 mas for the fastest star known.

    Parameters
    ----------
    star : CatalogueStar
        Catalogue place.
    utc_ns : int
        POSIX UTC nanoseconds.
    """
    import erfa

    day, part = tt_of(utc_ns)  # TT for TDB: 2 ms
    earth_au = np.asarray(erfa.epv00(day, part)[1]["p"])
    years = (day - 2451545.0 + part) / 365.25 + 2000.0 - star.ref_epoch
    values = np.array([getattr(star, name) or 0.0 for name in _PARAMETERS])
    start = _direction(values, years, earth_au)
    covariance = _covariance(star)
    ra, dec = math.atan2(start[1], start[0]), math.asin(max(-1.0, min(1.0, float(start[2]))))
    east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    north = np.cross(start, east)
    slopes = np.empty((2, values.size))
    for k, step in enumerate((1e-3, 1e-3, 1e-2, 1e-2, 1e-2, 1.0)):
        shift = np.zeros(values.size)
        shift[k] = step
        if k == 0:  # degrees of right ascension, from mas times cos(dec)
            shift[k] /= 3_600_000 * max(math.cos(math.radians(star.dec)), 1e-9)
        elif k == 1:
            shift[k] /= 3_600_000
        moved = _direction(values + shift, years, earth_au) - _direction(values - shift, years, earth_au)
        slopes[:, k] = moved @ east / (2 * step * MAS), moved @ north / (2 * step * MAS)
    return StarPlace(
        ra_deg=math.degrees(ra) % 360,
        dec_deg=math.degrees(dec),
        covariance_mas2=slopes @ covariance @ slopes.T,
        notes=tuple(_notes(star, years)),
    )


def _direction(values: Floats, years: float, earth_au: Floats) -> Floats:
    """Unit vector to a star of these six parameters from a place in the solar system, ICRS.

    The standard model of Hipparcos and Gaia (ESA SP-1200, vol. 1, eq. 1.2.16): a straight line in space.
    """
    ra, dec = math.radians(values[0]), math.radians(values[1])
    unit = np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])
    east = np.array([-math.sin(ra), math.cos(ra), 0.0])
    motion = values[3] * east + values[4] * np.cross(unit, east)
    away = values[5] * max(float(values[2]), 0.0) / KM_S_OF_AU_YR
    moved = unit * (1 + away * MAS * years) + motion * MAS * years
    # a parallax that is not positive carries no distance, but its shift is the catalogue's best estimate
    seen = moved - values[2] * MAS * earth_au
    return np.asarray(seen / np.linalg.norm(seen))


def _covariance(star: CatalogueStar) -> Floats:
    """Covariance of (ra, dec, parallax, pmra, pmdec, radial velocity): mas, mas a year, km/s."""
    sigmas = np.array([getattr(star, f"{name}_error") or 0.0 for name in _PARAMETERS])
    for k, name in ((3, "pmra"), (4, "pmdec")):
        if getattr(star, name) is None:
            sigmas[k] = UNKNOWN_MOTION_MAS_YR
    correlation = np.eye(6)
    for i, first in enumerate(_PARAMETERS[:5]):
        for j, second in enumerate(_PARAMETERS[:5]):
            if i < j:
                correlation[i, j] = correlation[j, i] = getattr(star, f"{first}_{second}_corr")
    return np.asarray(correlation * np.outer(sigmas, sigmas))


def _notes(star: CatalogueStar, years: float) -> list[str]:
    notes: list[str] = []
    if star.ra_error is None or star.dec_error is None:
        notes.append("the catalogue gives no errors of the place: they are not in the sigmas")
    if star.pmra is None or star.pmdec is None:
        notes.append(
            f"no proper motion is known: 0 is taken, with {UNKNOWN_MOTION_MAS_YR:g} mas a year of 1-sigma "
            f"over {abs(years):.1f} years"
        )
    elif star.pmra_error is None or star.pmdec_error is None:
        notes.append("the catalogue gives no errors of the proper motion: they are not in the sigmas")
    if star.parallax is None:
        notes.append("no parallax is known: 0 is taken")
    if star.ruwe is not None and star.ruwe > DOUBTFUL_RUWE:
        notes.append(
            f"RUWE is {star.ruwe:.2f}, above {DOUBTFUL_RUWE}: the star may be double and its place "
            "off by several of the stated sigmas"
        )
    if star.duplicated_source:
        notes.append("the catalogue calls it a duplicated source: its place may be wrong")
    if star.phot_g_mean_mag is not None and star.phot_g_mean_mag < _BRIGHT_G and star.pmra is not None:
        notes.append(
            "a bright star (G < 13): the catalogue's frame turns against the faint stars' by up to 0.08 mas "
            "a year, which is not corrected"
        )
    return notes


def _plain(value: Any) -> Any:
    """A column's value as Python has it; None where it is masked, empty or not finite."""
    if value is None or value is np.ma.masked or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
