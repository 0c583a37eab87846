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


def as_form(builder: Builder) -> Builder:
    """The builder of an API route, for the page whose form sends the same; lists as ``name[]``."""

    def build(world: World, caller: str) -> Ask:
        ask = builder(world, caller)
        fields = {
            f"{name}[]" if isinstance(value, list) else name: value
            for name, value in ask.options.get("json", {}).items()
        }
        return Ask(ask.path, {"data": fields})

    return build
