"""A predicted occultation: everything that an occelmnt file tells of one, typed, units in the names."""

from typing import Annotated

from pydantic import Field

from reduction.plan import Settings

EARTH_RADIUS_KM = 6378.137
"""Unit of the elements: the equatorial radius."""
AU_KM = 149597870.7
RADIAN_ARCSEC = 206264.80624709636
HOUR_NS = 3_600_000_000_000

Cubic = tuple[float, float, float, float]
"""Coefficients of t^0 to t^3, t in hours."""

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Coefficient = Annotated[float, Field(ge=-1e4, le=1e4)]
RightAscension = Annotated[float, Field(ge=0, le=24)]
Declination = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-360, le=360)]
Magnitude = Annotated[float, Field(ge=-30, le=60)]


class Elements(Settings):
    """Besselian elements: path of the shadow's axis through the fundamental plane.

    The plane passes through the Earth's centre, normal to the apparent direction of the star; x points
    east, y to the true celestial pole *of date* (found by comparing the rates of three events, of two
    programs, with rates from their orbits: J2000 axes would be off by 0.0025, these agree to 0.0001).

    Attributes
    ----------
    source : str
        Of the orbit.
    max_duration_s : float or None
        Longest occultation that the file states.
    epoch_ns : int
        UTC that t is counted from, POSIX nanoseconds: closest approach as seen from the Earth's centre.
    x_earth_radii, y_earth_radii : tuple of 4 float
        Coefficients of t^0 .. t^3 with t in hours after `epoch_ns`; equatorial radii of the Earth.
    """

    source: str = ""
    max_duration_s: NotNegative | None = None
    epoch_ns: Annotated[int, Field(ge=-(2**63) + 1, lt=2**63)]
    x_earth_radii: tuple[Coefficient, Coefficient, Coefficient, Coefficient]
    y_earth_radii: tuple[Coefficient, Coefficient, Coefficient, Coefficient]


class EarthAspect(Settings):
    """Places on the Earth under star and Sun at the epoch, east longitudes, degrees; only for comparison."""

    substellar_longitude_deg: Longitude | None = None
    substellar_latitude_deg: Declination | None = None
    subsolar_longitude_deg: Longitude | None = None
    subsolar_latitude_deg: Declination | None = None
    jwst: bool | None = None


class PredictedStar(Settings):
    """The star: J2000 (ICRS) at the epoch of the event, and apparent (true equator of date)."""

    name: str = ""
    ra_hours: RightAscension
    dec_deg: Declination
    magnitude_b: Magnitude | None = None
    magnitude_v: Magnitude | None = None
    magnitude_r: Magnitude | None = None
    diameter_mas: NotNegative | None = None
    double_code: str = ""
    kepler2_id: str = ""
    apparent_ra_hours: RightAscension | None = None
    apparent_dec_deg: Declination | None = None
    drop_v_mag: float | None = None
    drop_r_mag: float | None = None
    adjusted: str = ""
    nearby_bright: str = ""
    nearby_all: str = ""

    @property
    def ra_deg(self) -> float:
        """Right ascension, J2000, degrees."""
        return self.ra_hours * 15


class PredictedBody(Settings):
    """The occulting body."""

    number: str = ""
    name: str = ""
    magnitude: Magnitude | None = None
    diameter_km: Positive
    diameter_sigma_km: NotNegative | None = None
    distance_au: Annotated[float, Field(gt=0, le=1e5)]
    rings: str = ""
    moons: str = ""
    ra_rate_s_per_h: float | None = None
    dec_rate_arcsec_per_h: float | None = None
    taxonomy: str = ""
    shape_models: str = ""
    magnitude_v: Magnitude | None = None
    magnitude_r: Magnitude | None = None


class PredictedOrbit(Settings):
    """Osculating elements as the file states them: ecliptic of J2000, degrees and astronomical units."""

    equinox_flag: str = ""
    mean_anomaly_deg: float | None = None
    year: float | None = None
    month: float | None = None
    day: float | None = None
    perihelion_deg: float | None = None
    node_deg: float | None = None
    inclination_deg: float | None = None
    eccentricity: float | None = None
    semimajor_au: float | None = None
    perihelion_au: float | None = None
    absolute_magnitude: float | None = None
    log_r_coefficient: float | None = None
    slope_g: float | None = None


class PredictedErrors(Settings):
    """How sure the prediction is.

    Attributes
    ----------
    path_width_ratio : float or None
        1 + (1-sigma shift of the path across its direction) / (diameter of the body): found from samples.
    major_arcsec, minor_arcsec, position_angle_deg : float or None
        1-sigma ellipse of the body's place against the star's; the angle from north through east.
    sigma_arcsec : float or None
        1-sigma.
    basis : str
        Where that comes from.
    ruwe : float or None
        Gaia's renormalised unit weight error of the star; above 1.4 its astrometry is doubtful.
    duplicate_source, no_proper_motion, ucac4_proper_motion : str
        Flags as they stand in the file (0 no, 1 yes, -1 not known).
    """

    path_width_ratio: float | None = None
    major_arcsec: NotNegative | None = None
    minor_arcsec: NotNegative | None = None
    position_angle_deg: float | None = None
    sigma_arcsec: NotNegative | None = None
    basis: str = ""
    ruwe: float | None = None
    duplicate_source: str = ""
    no_proper_motion: str = ""
    ucac4_proper_motion: str = ""


class Prediction(Settings):
    """One predicted occultation."""

    event_id: str = ""
    created_mjd: float | None = None
    elements: Elements
    earth: EarthAspect = EarthAspect()
    star: PredictedStar
    body: PredictedBody
    orbit: PredictedOrbit = PredictedOrbit()
    errors: PredictedErrors = PredictedErrors()

    @property
    def title(self) -> str:
        """Body and star, for people."""
        body = f"({self.body.number}) {self.body.name}" if self.body.number else self.body.name
        return f"{body.strip() or 'body without a name'} occults {self.star.name or 'a star without a name'}"

    @property
    def km_per_mas(self) -> float:
        """Length of a milliarcsecond at the body's distance."""
        return self.body.distance_au * AU_KM / RADIAN_ARCSEC / 1000
