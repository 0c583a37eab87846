"""Work that did not come to its end, through no fault of its own."""

from reduction.errors import ResourceError

RETRIES = 3
"""How often a task is begun again when its worker dies."""


class StoppedError(ResourceError):
    """The executor was closed before the work was done; the work can be done again."""


class DiedError(ResourceError):
    """The process that did the work died, as often as it was begun."""
