"""What a route is asked with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.api.access.world import World


@dataclass(frozen=True)
class Ask:
    """What fills the route's path, and what is sent.

    Attributes
    ----------
    path : dict
        Parameters of the path: ids of things of `world.owner_for(caller)` and `world.things_for(caller)`.
    options : dict
        As httpx takes them: json, params, headers, content.
    """

    path: dict[str, str]
    options: dict[str, Any]


Builder = Callable[[World, str], Ask]
"""(world, caller) -> the request; makes what it needs anew, since it may be deleted."""
