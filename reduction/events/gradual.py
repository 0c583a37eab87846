"""Gradual flanks: starlight bent by an isothermal atmosphere."""

import math
from dataclasses import dataclass

from reduction.events.flanks import Floats


@dataclass(frozen=True, slots=True)
class Isothermal:
    """Refraction by an isothermal atmosphere (Baum & Code 1953, AJ 58, 108).

    With the flux ``f``, ``(1/f - 2) + ln(1/f - 1) = t / h`` for ``t`` after half light, where ``h`` is the
    scale height over the velocity normal to the limb. ``z = 1/f - 1`` then obeys ``z + ln z = t/h + 1``
    (the Wright omega function), the share taken is ``z / (1 + z)``, and its integral is ``h z``.

    Attributes
    ----------
    height_s : float
        Time in which the limb moves by one scale height, seconds.
    """

    height_s: float

    def _z(self, inside_s: Floats) -> Floats:
        from scipy.special import wrightomega

        z: Floats = wrightomega(inside_s / self.height_s + 1.0)
        return z

    def taken(self, inside_s: Floats) -> Floats:
        """See `Flank`."""
        z = self._z(inside_s)
        return z / (1.0 + z)

    def integral(self, inside_s: Floats) -> Floats:
        """See `Flank`; it lags behind `inside_s` by ever more, as the shadow never grows quite dark."""
        return self.height_s * self._z(inside_s)

    def rise_s(self) -> float:
        """See `Flank`."""
        return self.height_s * (9.0 - 1.0 / 9.0 + math.log(81.0))

    def reach_s(self) -> float:
        """See `Flank`."""
        return math.inf
