"""The options of `umbra events` about what is looked for: from the command line to `EventSettings`."""

from typing import Any

from pydantic import ValidationError

from ingest.time_arguments import Argument
from reduction.errors import RequestError
from reduction.events.settings import EventSettings, Geometry

Words = dict[str, Any]
"""Values of the options by name, without those that were not given."""

ARGUMENTS: dict[str, Argument] = {
    "expected_depth": Argument(float, "--depth", "D", "Share of the light expected to go, 1 for all."),
    "star_magnitude": Argument(float, "--star-mag", "M", "Magnitude of the star, and with"),
    "body_magnitude": Argument(float, "--body-mag", "M", "that of the body: the depth follows."),
    "false_alarm": Argument(
        float, "--false-alarm", "P", "Probability below which a dip is an event (0.001)."
    ),
    "most_events": Argument(int, "--most-events", "N", "Dips looked for (8)."),
    "baseline_order": Argument(int, "--baseline-order", "N", "Of the polynomial out of events, 0 to 5 (0)."),
    "models": Argument(str, "--models", "A,B", "Flanks tried: square, diffraction, disc, gradual (all)."),
    "dead_time_s": Argument(float, "--dead-time", "S", "Time without light in each cadence."),
    "seed": Argument(int, "--seed", "N", "Of every random draw (0)."),
    "distance_au": Argument(float, "--distance", "AU", "Distance of the body: with --velocity, diffraction."),
    "velocity_km_s": Argument(float, "--velocity", "KM/S", "Velocity of the shadow over the observer."),
    "star_diameter_km": Argument(float, "--star-diameter", "KM", "Of the star at the body's distance."),
    "star_diameter_mas": Argument(float, "--star-diameter-mas", "MAS", "The same as an angle."),
    "wavelength_um": Argument(float, "--wavelength", "UM", "Centre of the band, micrometres (0.7)."),
    "band_um": Argument(float, "--band", "UM", "Width of the band, micrometres (0.3)."),
    "normal_d": Argument(float, "--normal-d", "F", "Velocity normal to the limb at D, over --velocity (1)."),
    "normal_r": Argument(float, "--normal-r", "F", "The same at R (1)."),
}

GEOMETRY = tuple(Geometry.model_fields)


def event_settings(words: Words, exposure_s: float | None) -> EventSettings:
    """The settings, checked.

    Raises
    ------
    RequestError
        A value is out of its range, or the geometry is told in part.
    """
    shape = {name: value for name, value in words.items() if name in GEOMETRY}
    rest = {name: value for name, value in words.items() if name not in GEOMETRY}
    if shape and not {"distance_au", "velocity_km_s"} <= set(shape):
        raise RequestError("flanks are shaped by --distance and --velocity together: give both")
    if "star_diameter_km" in shape and "star_diameter_mas" in shape:
        raise RequestError("--star-diameter and --star-diameter-mas: give one of them")
    if "models" in rest:
        rest["models"] = tuple(part.strip() for part in rest["models"].split(",") if part.strip())
    try:
        geometry = Geometry(**shape) if shape else None
        return EventSettings(**rest, geometry=geometry, exposure_s=exposure_s)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        flag = ARGUMENTS[name].flag if name in ARGUMENTS else name
        raise RequestError(f"{flag} {first['input']}: {first['msg']}") from error
