"""The scenes of a bad night: each with one thing that makes placing or measuring hard."""

from dataclasses import dataclass, replace
from typing import Any

from reduction.synthetic import Bump, Occultation, Overlay, Scene, SceneStar
from tests.scenes.scenes import SceneCase, little_ser

FRAMES = 400
CADENCE_S = 0.04
LENGTH_S = FRAMES * CADENCE_S

TARGET = SceneStar(150.3, 120.7, 9_000.0)
COMPARISONS = (
    SceneStar(90.2, 70.4, 30_000.0),
    SceneStar(215.6, 95.1, 22_000.0),
    SceneStar(200.8, 160.3, 14_000.0),
    SceneStar(105.7, 165.9, 9_500.0),
    SceneStar(160.1, 65.3, 6_000.0),
    SceneStar(130.4, 150.8, 2_500.0),
)

CLEAR = Scene(
    frames=FRAMES,
    height=240,
    width=320,
    seed=41,
    stars=(TARGET, *COMPARISONS),
    occultations=(Occultation(0.42 * LENGTH_S + 0.013, 0.60 * LENGTH_S + 0.031, 0.85),),
    wind_px=0.3,
    gain_e_per_adu=0.9,
    cadence_s=CADENCE_S,
    exposure_s=CADENCE_S,
)

VIDEO = replace(
    CLEAR, bit_depth=8, gain_e_per_adu=12.0, sky_e=140.0, read_noise_e=3.0, offset_adu=8.0, fwhm_px=3.2
)
"""As a video camera records: eight bits."""


@dataclass(frozen=True, slots=True)
class HardCase(SceneCase):
    """A scene and what it is judged by.

    Attributes
    ----------
    position_px : float
        Error of the target's position that is allowed where the guides' bound is below it.
    nobody : tuple of int
        Frames that nobody could place.
    fluxes : bool
        Whether the ratio can be unbiased without further information (vignetting needs a flat).
    peers : bool
        Whether circles on whole frames measure the same.
    """

    position_px: float = 0.05
    nobody: tuple[int, ...] = ()
    fluxes: bool = True
    peers: bool = True


def _case(scene: Scene, options: dict[str, Any] | None = None, **judged: Any) -> HardCase:
    return HardCase(scene, little_ser, options=tuple((options or {}).items()), **judged)


_COLOURS = ((1.0, 0.55, 0.3), (0.4, 0.8, 1.0), (0.9, 0.9, 0.7), (0.5, 0.9, 1.0), (1.0, 0.7, 0.4))
_BRIGHT = tuple(
    replace(star, flux_e=8.0 * star.flux_e, colour=colour)
    for star, colour in zip(CLEAR.stars, _COLOURS, strict=False)
)
_NEIGHBOUR = SceneStar(TARGET.x + 4.05, TARGET.y - 1.95, 4_500.0)  # at 1.5 FWHM
_CLOUD = ((0.0, 1.0), (0.15, 0.15), (0.3, 0.15), (0.45, 1.0), (0.7, 0.6), (1.0, 1.0))
_UNDER_THE_DIGITS = SceneStar(60.5, 192.3, 8_000.0)
_VANISHES = (Occultation(0.42 * LENGTH_S + 0.013, 0.60 * LENGTH_S + 0.031, 1.0),)
_DIGITS = Overlay(x=30, y=216, dot_px=2, soft_px=0.4)

HARD: dict[str, HardCase] = {
    "overlay, 40 px drift": _case(
        replace(
            VIDEO, seed=42, drift_px=(32.0, 24.0), overlay=_DIGITS, stars=(*VIDEO.stars, _UNDER_THE_DIGITS)
        )
    ),
    "overlay in a box": _case(
        replace(
            VIDEO, seed=144, drift_px=(-24.0, 32.0), overlay=replace(_DIGITS, y=8, boxed=True, soft_px=0.0)
        )
    ),
    "hot pixels, 40 px drift": _case(
        replace(CLEAR, seed=44, drift_px=(-32.0, 24.0), hot_pixels=768, hot_e=400.0, hot_spread=0.5)
    ),
    "blinking and dead pixels, 40 px drift": _case(
        replace(
            CLEAR,
            seed=45,
            drift_px=(24.0, -32.0),
            hot_pixels=300,
            hot_e=400.0,
            hot_spread=0.5,
            hot_blinking=0.3,
            dead_pixels=100,
        )
    ),
    "glow and vignetting, 40 px drift": _case(
        replace(CLEAR, seed=46, drift_px=(32.0, 24.0), glow_e=4_000.0, glow_px=40.0, vignetting=0.5),
        fluxes=False,
    ),
    "cloud to 15 % and to nothing": _case(
        replace(CLEAR, seed=47, transparency=_CLOUD, opaque=((290, 310),)), nobody=tuple(range(290, 310))
    ),
    "bump of 40 px": _case(
        replace(CLEAR, seed=48, bumps=(Bump(120, 32.0, -24.0), Bump(300, -20.0, 10.0, 40)))
    ),
    "rotation of 6 degrees": _case(replace(CLEAR, seed=49, rotation_deg=6.0), position_px=0.3),
    "100 px drift": _case(replace(CLEAR, seed=50, drift_px=(-80.0, -60.0))),
    "scale change": _case(replace(CLEAR, seed=51, scale_change=0.01, drift_px=(6.0, 4.0))),
    "wind of 5 px": _case(replace(CLEAR, seed=52, wind_px=5.0), position_px=0.3),
    "two stars": _case(
        replace(CLEAR, seed=53, stars=(TARGET, COMPARISONS[1]), drift_px=(12.0, 9.0), occultations=_VANISHES)
    ),
    "one star": _case(replace(CLEAR, seed=54, stars=(TARGET,), drift_px=(12.0, 9.0))),
    "saturated guide star": _case(
        replace(
            CLEAR,
            seed=55,
            stars=(TARGET, replace(COMPARISONS[0], flux_e=600_000.0), *COMPARISONS[1:]),
            full_well_e=30_000.0,
            drift_px=(9.0, 12.0),
        ),
        saturated=(1,),
    ),
    "defocus by 2": _case(
        replace(CLEAR, seed=56, seeing=((0.0, 1.0), (0.5, 2.0), (1.0, 1.2)), drift_px=(6.0, 4.0))
    ),
    "target of S/N 3": _case(
        replace(CLEAR, seed=57, stars=(replace(TARGET, flux_e=190.0), *COMPARISONS), drift_px=(9.0, 12.0))
    ),
    "neighbour at 1.5 FWHM": _case(
        replace(CLEAR, seed=58, stars=(*CLEAR.stars, _NEIGHBOUR), drift_px=(9.0, 12.0)),
        {"extract": "psf"},
        peers=False,
    ),
    "interlaced fields": _case(
        replace(CLEAR, seed=59, fields="top", drift_px=(16.0, 12.0)), {"fields": "top"}, peers=False
    ),
    "mosaic, stars of different colour": _case(
        replace(
            CLEAR,
            seed=60,
            stars=_BRIGHT,
            fwhm_px=2.0,
            colour="rggb",
            sky_colour=(0.6, 1.0, 0.7),
            drift_px=(9.0, 12.0),
        )
    ),
    "gamma of 0.45": _case(
        replace(
            VIDEO,
            seed=61,
            gamma=0.45,
            drift_px=(9.0, 12.0),
            occultations=(Occultation(0.42 * LENGTH_S + 0.013, 0.60 * LENGTH_S + 0.031, 0.5),),
        ),
        {"gamma": 0.45},
    ),
}
"""Every scene by name."""
