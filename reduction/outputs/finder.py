"""``finder.png``: the reference image with the named apertures."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reduction.outputs.compass import draw_compass, sky_words
from reduction.outputs.drawing import FAINT, ROLE_COLOURS, drawable, house_style, png, shorten
from reduction.result import ReductionResult, Role, Star

SIDE = 1600
"""A larger image is averaged over square groups of pixels down to this many."""

CUTOUTS = 3
"""Stars shown enlarged: the target and the most telling others."""

PLAIN_LABELS = 24
"""Stars without a role that are named in the picture."""

DPI = 120

WHITE = math.asinh(2.0)
"""Stretched value shown white at least, so that an empty field stays dark: sky plus six sigmas."""

MARGIN_LEFT, MARGIN_BOTTOM, MARGIN_TOP = 0.85, 1.0, 0.65
GAP, CUTOUT_GAP = 0.65, 0.36

_DARK = "#0d1117"
_NOTHING = "#2d1f3d"  # outside the image, and pixels that are not numbers
_OUTLINE = [withStroke(linewidth=2.6, foreground=_DARK)]


Place = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of the main picture, pixels of the image."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Shared area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def draw_finder(result: ReductionResult) -> bytes:
    """Draw the reference image, apertures and sky annuli; return a PNG.

    X runs to the right and Y downwards, pixel centres are integers and the first pixel is the
    upper left, as in positions given to the command.
    """
    with house_style():
        image, step = _reduced(result.reference_image)
        stretch = sky_stretch(image)
        height, width = result.reference_image.shape
        layout = _layout(width, height)
        figure = Figure(figsize=layout.size, dpi=DPI, facecolor="white")
        field = figure.add_axes(layout.place(MARGIN_LEFT, layout.top - layout.field[1], *layout.field))
        shown = stretch.apply(image)
        top = max(float(np.nanquantile(shown, 0.9995)) if np.isfinite(shown).any() else 0.0, WHITE)
        _show(field, shown, top, (-0.5, width - 0.5, height - 0.5, -0.5))
        field.set_xlabel("x, px to the right")
        field.set_ylabel("y, px downwards")
        _mark_stars(field, result, width / (layout.field[0] * DPI))
        _scale_bar(field, width, height)
        draw_compass(field, result, _OUTLINE)
        field.set_xlim(-0.5, width - 0.5)  # what lies outside the image is not drawn
        field.set_ylim(height - 0.5, -0.5)
        raw = sky_stretch(result.reference_image) if step > 1 else stretch
        for place, star in enumerate(cutout_stars(result.stars)):
            left = MARGIN_LEFT + layout.field[0] + GAP
            bottom = layout.top - (place + 1) * layout.cutout - place * CUTOUT_GAP
            axes = figure.add_axes(layout.place(left, bottom, layout.cutout, layout.cutout))
            _cutout(axes, result, star, raw)
        _title_and_legend(figure, result, step)
        return png(figure)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sky level and its sigma, ADU."""

    sky: float
    sigma: float

    def apply(self, image: NDArray[Any]) -> NDArray[np.float64]:
        """Return asinh of the image over the sky, in units of three sigmas."""
        return np.arcsinh((image.astype(np.float64) - self.sky) / (3 * self.sigma))


def sky_stretch(image: NDArray[Any]) -> Stretch:
    """Return median and scaled median absolute deviation of the finite pixels."""
    finite = image[np.isfinite(image)].astype(np.float64)
    if not finite.size:
        return Stretch(0.0, 1.0)
    sky = float(np.median(finite))
    sigma = 1.4826 * float(np.median(np.abs(finite - sky)))
    return Stretch(sky, sigma or float(np.std(finite)) or 1.0)


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in inches: the figure, the picture of the field, the side of a cutout."""

    size: tuple[float, float]
    field: tuple[float, float]
    cutout: float

    @property
    def top(self) -> float:
        """Upper edge of the pictures, from below."""
        return self.size[1] - MARGIN_TOP

    def place(self, left: float, bottom: float, width: float, height: float) -> Place:
        """Return a place in inches as fractions of the figure."""
        return (left / self.size[0], bottom / self.size[1], width / self.size[0], height / self.size[1])


def _layout(width: int, height: int) -> Layout:
    """Fit the field into 9 x 9 inches, square pixels, with the cutouts beside it."""
    scale = 9.0 / max(width, height)
    field = (max(0.4, width * scale), max(0.4, height * scale))
    cutout = max(1.4, (field[1] - (CUTOUTS - 1) * CUTOUT_GAP) / CUTOUTS)
    tall = max(field[1], CUTOUTS * cutout + (CUTOUTS - 1) * CUTOUT_GAP)
    wide = MARGIN_LEFT + field[0] + GAP + cutout + 0.25
    return Layout((max(9.0, wide), MARGIN_BOTTOM + tall + MARGIN_TOP), (field[0], field[1]), cutout)


def cutout_stars(stars: tuple[Star, ...]) -> tuple[Star, ...]:
    """Return the stars worth enlarging: target, references by weight, guides and others by flux."""
    rank: dict[Role, int] = {"target": 0, "reference": 1, "guide": 2, "star": 3}
    ordered = sorted(stars, key=lambda s: (rank[s.role], -s.weight, -s.flux, s.index))
    return tuple(ordered[:CUTOUTS])


def _reduced(image: NDArray[np.float32]) -> tuple[NDArray[np.float64], int]:
    """Return the image averaged over ``step * step`` pixels so that no side exceeds `SIDE`."""
    step = max(1, -(-max(image.shape) // SIDE))
    if step == 1:
        return image.astype(np.float64), 1
    rows, columns = (n // step for n in image.shape)
    groups = image[: rows * step, : columns * step].reshape(rows, step, columns, step)
    return groups.mean(axis=(1, 3), dtype=np.float64), step


def _show(
    ax: Axes, shown: NDArray[np.float64], high: float, extent: tuple[float, float, float, float]
) -> None:
    ax.grid(visible=False)
    ax.set_facecolor(_NOTHING)
    masked = np.ma.masked_invalid(shown)
    ax.imshow(masked, cmap="gray", vmin=-0.6, vmax=high, extent=extent, interpolation="nearest")


def _rings(ax: Axes, result: ReductionResult, star: Star, alpha: float = 1.0) -> None:
    """Draw the aperture, and the sky annulus of stars with a role; they do not set the limits of the axes."""
    colour = ROLE_COLOURS[star.role]
    at = (star.x, star.y)
    radius = result.photometry.aperture_px
    ax.add_artist(Circle(at, radius, fill=False, ec=colour, lw=1.5, alpha=alpha))
    if star.role != "star":
        for sky in result.photometry.sky_px:
            ax.add_artist(Circle(at, sky, fill=False, ec=colour, lw=0.9, ls=(0, (4, 3)), alpha=0.8 * alpha))


def _mark_stars(ax: Axes, result: ReductionResult, per_dot: float) -> None:
    """Draw and name the stars; `per_dot` is image pixels per dot of the figure."""
    height, width = result.reference_image.shape
    outer = result.photometry.sky_px[1]
    taken = [_around(star, outer if star.role != "star" else outer / 2) for star in result.stars]
    inside = [s for s in result.stars if -0.5 <= s.x < width - 0.5 and -0.5 <= s.y < height - 0.5]
    plain = [s for s in inside if s.role == "star"][:PLAIN_LABELS]
    labelled = [s for s in inside if s.role != "star"] + plain
    for star in result.stars:
        _rings(ax, result, star, 0.75 if star.role == "star" else 1.0)
    for star in labelled:
        size = 9 if star.role == "star" else 13
        text = drawable(star.name)
        wide = (0.68 * len(text) + 0.3) * size * DPI / 72 * per_dot
        tall = 1.25 * size * DPI / 72 * per_dot
        ring = result.photometry.aperture_px if star.role == "star" else outer
        place = label_place(star, ring, (wide, tall), taken, (width, height))
        taken.append(place)
        centre = (0.5 * (place.left + place.right), 0.5 * (place.top + place.bottom))
        ax.text(
            *centre, text, color=ROLE_COLOURS[star.role], fontsize=size, ha="center", va="center",
            fontweight="normal" if star.role == "star" else "bold", path_effects=_OUTLINE, parse_math=False,
            clip_on=True,
        )  # fmt: skip


def _around(star: Star, radius: float) -> Box:
    return Box(star.x - radius, star.y - radius, star.x + radius, star.y + radius)


def label_place(
    star: Star, ring: float, size: tuple[float, float], taken: list[Box], frame: tuple[int, int]
) -> Box:
    """Return where a label of `size` overlaps least with what is `taken`, inside the frame.

    Places round the ring are tried outwards; the first that is free is taken.
    """
    wide, tall = size
    width, height = frame
    far = 2.4 * ring + 1.12 * max(wide, tall)
    near = [other for other in taken if other.overlap(_around(star, far)) > 0]
    best, least = _around(star, 0), math.inf
    for reach in (1.0, 1.6, 2.4):
        for angle in (315, 45, 225, 135, 0, 180, 270, 90):
            cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
            x = min(max(star.x + cos * (ring * reach + 0.62 * wide), wide / 2 - 0.5), width - 0.5 - wide / 2)
            y = min(max(star.y + sin * (ring * reach + 0.62 * tall), tall / 2 - 0.5), height - 0.5 - tall / 2)
            box = Box(x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2)
            inside = box.overlap(Box(-0.5, -0.5, width - 0.5, height - 0.5))
            cost = sum(box.overlap(other) for other in near) + 10 * (wide * tall - inside)
            if cost <= 1e-9 * wide * tall:
                return box
            if cost < least:
                best, least = box, cost
    return best


def _scale_bar(ax: Axes, width: int, height: int) -> None:
    length = max((n for n in _nice_lengths() if n <= width / 5), default=1)
    x, y = 0.03 * width, 0.955 * height
    ax.plot([x, x + length], [y, y], color="white", lw=2.5, solid_capstyle="butt", path_effects=_OUTLINE)
    ax.text(
        x + length / 2, y - 0.012 * height, f"{length} px", color="white", fontsize=10, ha="center",
        va="bottom", path_effects=_OUTLINE,
    )  # fmt: skip


def _nice_lengths() -> list[int]:
    return [m * 10**k for k in range(5) for m in (1, 2, 5)]


def _cutout(ax: Axes, result: ReductionResult, star: Star, stretch: Stretch) -> None:
    """Draw one star enlarged, pixel by pixel."""
    image = result.reference_image
    height, width = image.shape
    half = math.ceil(1.25 * result.photometry.sky_px[1])
    x, y = round(star.x), round(star.y)
    left, top = max(0, x - half), max(0, y - half)
    right, bottom = min(width, x + half + 1), min(height, y + half + 1)
    ax.grid(visible=False)
    ax.set_facecolor(_NOTHING)
    if left < right and top < bottom:
        shown = stretch.apply(image[top:bottom, left:right])
        finite = shown[np.isfinite(shown)]
        _show(
            ax,
            shown,
            float(np.max(finite, initial=WHITE)),
            (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5),
        )
    ax.set_xlim(x - half - 0.5, x + half + 0.5)
    ax.set_ylim(y + half + 0.5, y - half - 0.5)
    ax.set_aspect("equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    ax.tick_params(labelsize=8.5)
    view, reach = _around(star, half + 1), max(result.photometry.aperture_px, result.photometry.sky_px[1])
    for other in result.stars:
        if view.overlap(_around(other, reach)) > 0:
            _rings(ax, result, other)
    name = drawable(star.name)
    ax.text(
        0.04, 0.95, name, transform=ax.transAxes, va="top", color=ROLE_COLOURS[star.role], fontsize=13,
        fontweight="bold", path_effects=_OUTLINE, parse_math=False,
    )  # fmt: skip


def _title_and_legend(figure: Figure, result: ReductionResult, step: int) -> None:
    wide, inches = figure.get_size_inches()
    name = shorten(drawable(result.source.name), 70)
    figure.text(MARGIN_LEFT / wide, 1 - 0.4 / inches, name, fontsize=15, fontweight="bold", parse_math=False)
    inner, outer = result.photometry.sky_px
    radius = result.photometry.aperture_px
    facts = f"reference image   ·   aperture {radius:.2f} px, sky {inner:.1f}-{outer:.1f} px"
    where = sky_words(result)
    facts = f"{where}   ·   {facts}" if where else facts
    if step > 1:
        facts += f"   ·   shown averaged {step} x {step}"
    figure.text(1 - 0.25 / wide, 0.2 / inches, facts, color=FAINT, fontsize=10, ha="right")
    handles = [
        Line2D([], [], ls="", marker="o", mfc="none", mec=_legend_colour(role), mew=2, ms=9, label=role)
        for role in ROLE_COLOURS
        if any(star.role == role for star in result.stars)
    ]
    left = (MARGIN_LEFT - 0.1) / wide
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(left, 0.08 / inches), ncols=4, fontsize=10,
        handletextpad=0.3, columnspacing=1.6, borderaxespad=0.3,
    )  # fmt: skip


def _legend_colour(role: str) -> str:
    return "#8a96a3" if role == "star" else ROLE_COLOURS[role]
