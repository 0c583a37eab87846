"""Two azimuthal projections of a sphere: the Earth as the star sees it, and a neighbourhood.

Snyder, Map Projections (USGS Professional Paper 1395), chapters 20 and 25. Geodetic latitudes are drawn as
if the Earth were a sphere: distances on a regional map are right to 0.4 %.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Azimuthal:
    """A plane touching the Earth at a centre.

    Attributes
    ----------
    longitude_deg, latitude_deg : float
        The centre.
    kind : str
        ``orthographic``: seen from infinitely far; ``equidistant``: right distances from the centre.
    """

    longitude_deg: float
    latitude_deg: float
    kind: Literal["orthographic", "equidistant"]

    def forward(self, longitude_deg: Floats, latitude_deg: Floats) -> tuple[Floats, Floats]:
        """Right and up on the map, km; NaN for what lies behind an orthographic globe."""
        lon, lat = np.radians(np.asarray(longitude_deg) - self.longitude_deg), np.radians(latitude_deg)
        sin0, cos0 = np.sin(np.radians(self.latitude_deg)), np.cos(np.radians(self.latitude_deg))
        x = np.cos(lat) * np.sin(lon)
        y = cos0 * np.sin(lat) - sin0 * np.cos(lat) * np.cos(lon)
        z = sin0 * np.sin(lat) + cos0 * np.cos(lat) * np.cos(lon)
        if self.kind == "orthographic":
            behind = z < 0
            return np.where(behind, np.nan, x * RADIUS_KM), np.where(behind, np.nan, y * RADIUS_KM)
        far = np.hypot(x, y)
        angle = np.arctan2(far, z)
        scale = np.where(far > 1e-12, angle / np.maximum(far, 1e-300), 1.0) * RADIUS_KM
        return x * scale, y * scale

    def inverse(self, x_km: Floats, y_km: Floats) -> tuple[Floats, Floats]:
        """Longitude (-180 to 180) and latitude, degrees; NaN beside the globe."""
        x, y = np.asarray(x_km) / RADIUS_KM, np.asarray(y_km) / RADIUS_KM
        far = np.hypot(x, y)
        edge = 1.0 if self.kind == "orthographic" else np.pi
        inside = far <= edge
        angle = np.arcsin(np.minimum(far, 1.0)) if self.kind == "orthographic" else np.minimum(far, np.pi)
        share = np.where(far > 1e-12, np.sin(angle) / np.maximum(far, 1e-300), 1.0)
        right, up, out = x * share, y * share, np.cos(angle)
        sin0, cos0 = np.sin(np.radians(self.latitude_deg)), np.cos(np.radians(self.latitude_deg))
        latitude = np.degrees(np.arcsin(np.clip(out * sin0 + up * cos0, -1, 1)))
        longitude = np.degrees(np.arctan2(right, out * cos0 - up * sin0)) + self.longitude_deg
        longitude = (longitude + 180) % 360 - 180
        return np.where(inside, longitude, np.nan), np.where(inside, latitude, np.nan)


def graticule_step(span_deg: float) -> float:
    """Round distance between lines of a graticule, degrees, so that four to eight of them cross a span."""
    for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0):
        if span_deg / step <= 8:
            return step
    return 30.0


def degrees_text(value: float, axis: Literal["longitude", "latitude"]) -> str:
    """``12°E``, ``0.5°S``, ``0°``."""
    wrapped = (value + 180) % 360 - 180 if axis == "longitude" else value
    letter = ("E" if wrapped > 0 else "W") if axis == "longitude" else ("N" if wrapped > 0 else "S")
    plain = f"{abs(wrapped):.10g}°"
    return plain if abs(wrapped) in {0.0, 180.0} else plain + letter
