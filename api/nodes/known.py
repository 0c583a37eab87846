"""The upload nodes that a service knows, and which of them is near."""

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field

from api.remote.address import checked_url
from reduction.errors import RequestError
from reduction.plan import Settings

EARTH_KM = 6371.0
"""Mean radius: distances are for a choice, not for a survey."""

NodeName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


def _origin(url: str) -> str:
    try:
        return checked_url(url)
    except RequestError as error:
        raise ValueError(str(error)) from error


Origin = Annotated[str, AfterValidator(_origin)]
"""Scheme, host and port: https, or http on this machine."""


class UploadNode(Settings):
    """An upload node.

    Attributes
    ----------
    name : str
        Small letters, digits and hyphens; the node's key is made from it.
    url : str
        Where observers reach it.
    region : str
        As people call the place.
    latitude_deg, longitude_deg : float or None
        WGS 84, east positive.
    """

    name: NodeName
    url: Origin
    region: Annotated[str, Field(max_length=100)] = ""
    latitude_deg: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude_deg: Annotated[float, Field(ge=-180, le=360)] | None = None

    def distance_km(self, latitude_deg: float, longitude_deg: float) -> float | None:
        """Along a great circle; None where nobody said where the node is."""
        if self.latitude_deg is None or self.longitude_deg is None:
            return None
        here, there = math.radians(latitude_deg), math.radians(self.latitude_deg)
        across = math.radians(self.longitude_deg - longitude_deg)
        half = math.sin((there - here) / 2) ** 2
        half += math.cos(here) * math.cos(there) * math.sin(across / 2) ** 2
        return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))


def by_distance(
    nodes: Sequence[UploadNode], latitude_deg: float, longitude_deg: float
) -> list[tuple[UploadNode, float | None]]:
    """Nodes, the nearest first, with their distances in km; those of an unknown place come last."""
    found = [(node, node.distance_km(latitude_deg, longitude_deg)) for node in nodes]
    return sorted(found, key=lambda pair: math.inf if pair[1] is None else pair[1])


def known(nodes: Sequence[UploadNode], name: str) -> UploadNode:
    """The node of a name.

    Raises
    ------
    RequestError
        There is none.
    """
    for node in nodes:
        if node.name == name:
            return node
    names = ", ".join(node.name for node in nodes) or "none"
    raise RequestError(f"node {name!r}: no upload node of this service; it has: {names}")
