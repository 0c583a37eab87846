"""What a scene's sky holds and what happens to it: stars, events, knocks, and the truth of a frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Response = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SceneStar:
    """A star: place on frame 0, pixels, and electrons per frame under a clear sky.

    `colour` is the response of red, green and blue pixels to its light; `flux_e` holds for a response of
    one, so a mosaic catches a quarter of ``flux_e * (red + 2 green + blue)``. Without a mosaic all pixels
    respond with one.
    """

    x: float
    y: float
    flux_e: float
    colour: Response = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Occultation:
    """A loss of the target's light: seconds after the start of frame 0, and the fraction lost."""

    disappear_s: float
    reappear_s: float
    depth: float


@dataclass(frozen=True, slots=True)
class Bump:
    """A knock: from `frame` on the field is displaced, for `duration` frames (None: for good)."""

    frame: int
    dx: float
    dy: float
    duration: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a frame (or one field of it) holds. Arrays are ``(n_star,)``, in the order of `Scene.stars`.

    `x`, `y` are pixels of this very frame, `flux_e` electrons with cloud, scintillation and
    occultation in (before flat field and colour); `dx`, `dy` the shift of the frame's centre against
    frame 0, `scale` the size of the field against frame 0.
    """

    frame: int
    x: Floats
    y: Floats
    flux_e: Floats
    dx: float
    dy: float
    rotation_deg: float
    transparency: float
    target_light: float
    fwhm_px: float
    scale: float = 1.0
    field: int = 0
