"""A sharp limb before a star without size: the square well."""

from dataclasses import dataclass

import numpy as np

from reduction.events.flanks import Floats


@dataclass(frozen=True, slots=True)
class Sharp:
    """All light goes at once; over an exposure the share is exact, whatever part of it is dark."""

    def taken(self, inside_s: Floats) -> Floats:
        """See `Flank`; half at the very edge."""
        return np.heaviside(inside_s, 0.5)

    def integral(self, inside_s: Floats) -> Floats:
        """See `Flank`."""
        return np.maximum(inside_s, 0.0)

    def rise_s(self) -> float:
        """See `Flank`."""
        return 0.0

    def reach_s(self) -> float:
        """See `Flank`."""
        return 0.0
