"""What a person says about the event that is looked for; everything may be left to the curve."""

from typing import Annotated, Literal

from pydantic import Field

from reduction.settings import Settings

Positive = Annotated[float, Field(gt=0)]
ModelName = Literal["square", "diffraction", "disc", "gradual"]


class Geometry(Settings):
    """What shapes the flanks: how far, how fast, which light, how large a star.

    Attributes
    ----------
    distance_au : float
        Of the body, astronomical units.
    velocity_km_s : float
        Of the shadow over the observer, km/s, positive.
    normal_d, normal_r : float
        Velocity normal to the limb over `velocity_km_s` at D and at R (1: the limb is met head-on).
    wavelength_um, band_um : float
        Centre and full width of the band, micrometres.
    star_diameter_km : float or None
        Of the star at the body's distance.
    star_diameter_mas : float or None
        The same as an angle; give one of the two.
    """

    distance_au: Positive
    velocity_km_s: Positive
    normal_d: Annotated[float, Field(gt=0, le=1)] = 1.0
    normal_r: Annotated[float, Field(gt=0, le=1)] = 1.0
    wavelength_um: Positive = 0.7
    band_um: Annotated[float, Field(ge=0)] = 0.3
    star_diameter_km: Annotated[float, Field(ge=0)] | None = None
    star_diameter_mas: Annotated[float, Field(ge=0)] | None = None


class EventSettings(Settings):
    """How events are searched for and fitted.

    Attributes
    ----------
    search : bool
        False: a reduction ends with the light curve.
    false_alarm : float
        Probability of the whole search below which a dip is an event.
    most_events : int
        Dips looked for in one curve.
    expected_depth : float or None
        Share of the combined light of star and body that is expected to go (1: all of it).
    star_magnitude, body_magnitude : float or None
        From which the expected depth follows where it is not given.
    baseline_order : int
        Of the polynomial that the out-of-event level follows, fitted together with the event.
    models : tuple
        Flanks tried; empty: every one that `geometry` and the curve allow.
    geometry : Geometry or None
        Without it flanks are sharp, or gradual.
    exposure_s : float or None
        Instead of the curve's own.
    dead_time_s : float or None
        Of each sample's cadence, time without light; None: cadence less exposure.
    seed : int
        Of every random draw.
    """

    search: bool = True
    false_alarm: Annotated[float, Field(gt=0, lt=0.5)] = 1e-3
    most_events: Annotated[int, Field(ge=1, le=64)] = 8
    expected_depth: Annotated[float, Field(gt=0, le=1)] | None = None
    star_magnitude: float | None = None
    body_magnitude: float | None = None
    baseline_order: Annotated[int, Field(ge=0, le=5)] = 0
    models: tuple[ModelName, ...] = ()
    geometry: Geometry | None = None
    exposure_s: Positive | None = None
    dead_time_s: Annotated[float, Field(ge=0)] | None = None
    seed: int = 0

    def depth(self) -> float | None:
        """Share of the light that should go: given, or from the two magnitudes; None where unknown."""
        if self.expected_depth is not None:
            return self.expected_depth
        if self.star_magnitude is None or self.body_magnitude is None:
            return None
        star, body = 10 ** (-0.4 * self.star_magnitude), 10 ** (-0.4 * self.body_magnitude)
        return float(star / (star + body))
