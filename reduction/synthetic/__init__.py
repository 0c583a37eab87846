"""Recordings with known truth, made from a description: for the demo, the tests and the bench.

A `Scene` says what the telescope saw; `Scene.frame` renders one frame of it from its number alone,
so a recording of any length needs no memory; `Scene.truth` tells what a reduction should find, and
`position_bound_px` and
`flux_bounds` how well it possibly can.
"""

from reduction.synthetic.bounds import combined_bound_px, position_bound_px, shift_bound_px
from reduction.synthetic.field import star_field
from reduction.synthetic.flux_bounds import FluxBounds, flux_bounds
from reduction.synthetic.overlay import Overlay
from reduction.synthetic.psf import star_image
from reduction.synthetic.scene import CalibrationKind, Scene
from reduction.synthetic.sky import Bump, Occultation, SceneStar, Truth
from reduction.synthetic.source import SceneSource

__all__ = [
    "Bump",
    "CalibrationKind",
    "FluxBounds",
    "Occultation",
    "Overlay",
    "Scene",
    "SceneSource",
    "SceneStar",
    "Truth",
    "combined_bound_px",
    "flux_bounds",
    "position_bound_px",
    "shift_bound_px",
    "star_field",
    "star_image",
]
