"""How a request names its target by its place on the sky."""

from typing import Annotated

from pydantic import Field

from reduction.settings import Settings


class SkyRequest(Settings):
    """How a target is named by its place on the sky: the options of the command."""

    target: str | None = None
    wcs: str | None = None
    catalogue: str | None = None
    epoch: Annotated[float, Field(ge=1800, le=2200)] | None = None
    pm: str | None = None
    parallax: Annotated[float, Field(ge=-1000, le=1000)] | None = None
