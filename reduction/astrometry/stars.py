"""Stars of the sky and stars of a frame, as plate solving takes them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reduction.astrometry.motion import place_at
from reduction.astrometry.plane import separation

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SkyStars:
    """Stars of a catalogue, ICRS; arrays ``(n,)``; what is not known is NaN.

    Attributes
    ----------
    ra, dec : degrees
    magnitude : mag
    pm_ra, pm_dec : mas per year, the first with the cosine of the declination
    parallax : mas
    epoch : Julian year of the places
    name : of the catalogue
    """

    ra: Floats
    dec: Floats
    magnitude: Floats
    pm_ra: Floats
    pm_dec: Floats
    parallax: Floats
    epoch: Floats
    name: str = "catalogue"

    def __len__(self) -> int:
        return int(self.ra.size)

    def at(self, year: float | None) -> "SkyStars":
        """Places at another epoch; with None, as they are. Stars without an epoch stay where they are."""
        if year is None:
            return self
        known = np.where(np.isfinite(self.epoch), self.epoch, year)
        ra, dec = place_at(self.ra, self.dec, self.pm_ra, self.pm_dec, self.parallax, known, year)
        return replace(self, ra=ra, dec=dec, epoch=np.full(self.ra.size, year))

    def within(self, ra0: float, dec0: float, radius: float) -> "SkyStars":
        """Stars within `radius` degrees of a place."""
        return self.chosen(np.flatnonzero(separation(self.ra, self.dec, ra0, dec0) <= radius))

    def chosen(self, index: NDArray[np.intp]) -> "SkyStars":
        """Some of the stars, in the order of `index`."""
        columns = ("ra", "dec", "magnitude", "pm_ra", "pm_dec", "parallax", "epoch")
        return replace(self, **{name: getattr(self, name)[index] for name in columns})

    def brightest_first(self) -> "SkyStars":
        """In the order of magnitudes, unknown ones last."""
        return self.chosen(np.argsort(self.magnitude, kind="stable"))


@dataclass(frozen=True, slots=True, eq=False)
class FrameStars:
    """Stars found on one frame, brightest first; arrays ``(n,)``.

    Attributes
    ----------
    x, y : full-frame pixels
    sigma : error of a place, each axis, pixels
    flux : any unit
    width, height : of the frame, pixels
    """

    x: Floats
    y: Floats
    sigma: Floats
    flux: Floats
    width: int
    height: int

    def __len__(self) -> int:
        return int(self.x.size)

    @property
    def diagonal(self) -> float:
        """Of the frame, pixels."""
        return float(np.hypot(self.width, self.height))
