"""What a plate solution adds to the picture of the field: north, east, and a bar in seconds of arc."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import AbstractPathEffect

from reduction.astrometry.angles import dec_text, ra_text
from reduction.result import ReductionResult

if TYPE_CHECKING:
    from reduction.astrometry.solution import SkySolution

ARM = 0.075
"""Length of the arrows, in units of the picture's smaller side."""

LENGTHS_ARCSEC = tuple(m * u for u in (1.0, 60.0, 3600.0) for m in (1, 2, 5, 10, 20, 30))


def draw_compass(ax: Axes, result: ReductionResult, outline: Sequence[AbstractPathEffect]) -> None:
    """Draw arrows to north and east, and a bar; nothing where the solution is of another frame."""
    sky = result.sky
    if sky is None or sky.solution.frame != result.plan.frame:
        return
    height, width = result.reference_image.shape
    _arrows(ax, sky.solution, width, height, outline)
    _bar(ax, sky.solution, width, height, outline)


def sky_words(result: ReductionResult) -> str:
    """Where the picture's middle, or the target, is on the sky; empty where that is not known."""
    sky = result.sky
    if sky is None or sky.solution.frame != result.plan.frame:
        return ""
    if sky.goal is not None:
        return f"T = {ra_text(sky.goal.ra_deg, 2)} {dec_text(sky.goal.dec_deg, 1)}"
    height, width = result.reference_image.shape
    ra, dec = sky.solution.to_sky(0.5 * (width - 1), 0.5 * (height - 1))
    return f"middle {ra_text(float(ra), 1)} {dec_text(float(dec), 0)}"


def directions(solution: "SkySolution", x: float, y: float) -> dict[str, tuple[float, float]]:
    """Unit vectors of the picture (y downwards) to north and east at a place."""
    ra, dec = (float(v) for v in solution.to_sky(x, y))
    step = solution.scale_arcsec / 3600.0
    found = {}
    for name, a, d in (("N", ra, dec + step), ("E", ra + step / max(np.cos(np.radians(dec)), 1e-9), dec)):
        to_x, to_y = (float(v) for v in solution.to_pixel(a, d))
        size = float(np.hypot(to_x - x, to_y - y))
        found[name] = ((to_x - x) / size, (to_y - y) / size)
    return found


def _arrows(
    ax: Axes, solution: "SkySolution", width: int, height: int, outline: Sequence[AbstractPathEffect]
) -> None:
    side = min(width, height)
    arm = ARM * side
    x, y = width - 1 - 2.0 * arm, height - 1 - 2.0 * arm
    for name, (dx, dy) in directions(solution, x, y).items():
        if not np.isfinite(dx + dy):
            continue
        ax.annotate(
            "", (x + arm * dx, y + arm * dy), (x, y),
            arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 1.8, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        ax.text(
            x + 1.4 * arm * dx, y + 1.4 * arm * dy, name, color="white", fontsize=12, fontweight="bold",
            ha="center", va="center", path_effects=outline, clip_on=True,
        )  # fmt: skip


def _bar(
    ax: Axes, solution: "SkySolution", width: int, height: int, outline: Sequence[AbstractPathEffect]
) -> None:
    """A bar of a round angle above the bar of pixels."""
    scale = solution.scale_arcsec
    length = max((n for n in LENGTHS_ARCSEC if n / scale <= width / 5), default=LENGTHS_ARCSEC[0])
    x, y, long = 0.03 * width, 0.895 * height, length / scale
    if long > 0.9 * width:
        return
    ax.plot([x, x + long], [y, y], color="white", lw=2.5, solid_capstyle="butt", path_effects=outline)
    ax.text(
        x + long / 2, y - 0.012 * height, angle_text(length), color="white", fontsize=10, ha="center",
        va="bottom", path_effects=outline,
    )  # fmt: skip


def angle_text(arcsec: float) -> str:
    """``20"``, ``5'`` or ``1°``."""
    if arcsec >= 3600.0:
        return f"{arcsec / 3600.0:g}°"
    return f"{arcsec / 60.0:g}'" if arcsec >= 60.0 else f'{arcsec:g}"'
