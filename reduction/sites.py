"""Where an observer stands."""

from typing import Annotated

from pydantic import Field

from reduction.plan import Settings


class Site(Settings):
    """A place on the Earth: geodetic, WGS84.

    Attributes
    ----------
    latitude_deg, longitude_deg : float
        North and east positive, degrees.
    altitude_m : float
        Above the ellipsoid where known so, else above the sea, metres.
    name : str
        Town or observatory.
    code : str or None
        Observatory code of the Minor Planet Center.
    """

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=360)]
    altitude_m: Annotated[float, Field(ge=-500, le=9000)] = 0.0
    name: str = ""
    code: str | None = None
