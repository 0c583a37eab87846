"""Figures of a campaign: chords with the limb, residuals by station, light curves by chord."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse as EllipsePatch

from reduction.events.curve import EventCurve
from reduction.limb.chords import Chord, Place
from reduction.limb.shape import Floats
from reduction.limb.study import ChordStudy
from reduction.outputs.drawing import FAINT, INK, RULE, drawable, house_style, png, shorten

CHORD, SHIFTED, MISS, LIMB, MIRROR = "#1f6fb2", "#d1242f", "#6e7781", "#1c2733", "#8250df"
BAND = "#f2c14e"
FORMATS = ("png", "svg", "pdf")
NAME, LETTER = 22, 0.018
"""Letters of a name at most; the width of one, in units of the figure's reach."""

COMPASS = ((-0.86, -0.92), (-0.86, 0.72), (0.50, 0.72))
"""Where the compass may stand, east and north in units of the reach; the first that is free."""

ROOM = np.array([[-0.06, -0.05], [0.46, 0.22]])
"""What the compass and the star's motion take up about that point."""

STEP = 1.6
"""From one light curve to the next, in units of the star's light."""


def written(figure: Figure, kind: str) -> bytes:
    """A figure as PNG, SVG or PDF; bytes depend on the content alone."""
    if kind == "png":
        return png(figure)
    import matplotlib as mpl

    buffer = io.BytesIO()
    dates = {"Date": None} if kind == "svg" else {"CreationDate": None}
    with mpl.rc_context({"svg.hashsalt": "umbra", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=kind, metadata={"Creator": None, **dates})
    return buffer.getvalue()


def draw_all(study: ChordStudy, curves: Mapping[str, EventCurve]) -> dict[str, bytes]:
    """Every figure in every format, by file name; `curves` by the station's name, may be empty."""
    answer: dict[str, bytes] = {}
    with house_style():
        made = {"limb": _limb(study), "residuals": _residuals(study)}
        if curves:
            made["curves"] = _curves(study, curves)
        for name, figure in made.items():
            for kind in FORMATS:
                answer[f"{name}.{kind}"] = written(figure, kind)
    return answer


def limb_figure(study: ChordStudy, kind: str, note: str) -> bytes:
    """Chords and limb alone, as PNG, SVG or PDF, with a note below."""
    with house_style():
        figure = _limb(study)
        figure.text(0.10, 0.012, note, fontsize=9, color=FAINT)
        return written(figure, kind)


def _limb(study: ChordStudy) -> Figure:
    """Sky plane: north up, east left."""
    figure = Figure(figsize=(8.6, 9.4), dpi=120)
    axes = figure.add_axes((0.10, 0.135, 0.86, 0.787))
    limb = study.limb
    reach = 1.35 * _extent(study)
    middle = (limb.ellipse.f_km, limb.ellipse.g_km)
    _band(axes, study)
    axes.plot(*limb.ellipse.outline().T, color=LIMB, linewidth=1.5, zorder=4)
    for other in limb.solutions[1:2]:
        axes.plot(*other.ellipse.outline().T, color=MIRROR, linewidth=1.1, linestyle=(0, (6, 4)), zorder=3)
        reach = max(
            reach,
            1.1 * float(np.hypot(other.ellipse.f_km - middle[0], other.ellipse.g_km - middle[1]))
            + other.ellipse.a_km,
        )
    named = {study.kept[one.chord] for one in study.offsets.named}
    for index, chord in enumerate(study.chords):
        if chord.station.status != "none":
            _chord(axes, chord, reach, middle, SHIFTED if index in named else CHORD)
    for one in study.offsets.named:
        _corrected(axes, study.chords[study.kept[one.chord]], one.shift_s)
    _centres(axes, study)
    axes.set_xlim(middle[0] + reach, middle[0] - reach)  # east to the left
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    axes.set_aspect("equal")
    _frame(axes, study, reach, middle, _names(axes, study, reach, middle))
    axes.set_xlabel("east of the predicted centre, km")
    axes.set_ylabel("north of the predicted centre, km")
    figure.text(0.10, 0.964, drawable(study.campaign.prediction.title), fontsize=14, fontweight="bold")
    figure.text(0.10, 0.938, sentence(study), fontsize=10, color=FAINT)
    _legend(axes, study)
    return figure


def _extent(study: ChordStudy) -> float:
    """Half-size of what must be seen about the limb's centre."""
    limb = study.limb.ellipse
    distances = [limb.a_km]
    for chord in study.chords:
        if chord.station.status == "positive":
            for place in (chord.d, chord.r):
                if place is not None:
                    distances.append(float(np.hypot(place.f_km - limb.f_km, place.g_km - limb.g_km)))
    return max(distances)


def sentence(study: ChordStudy) -> str:
    """Model and size in one line."""
    limb = study.limb
    one = limb.figures["diameter_km"]
    parts = [
        f"{limb.model}, {len(study.kept)} chord{'s' if len(study.kept) > 1 else ''}",
        f"area-equivalent diameter {one.value:.2f} ± {one.sigma:.2f} km",
    ]
    if limb.model == "ellipse":
        a, b = limb.figures["semi_major_km"], limb.figures["semi_minor_km"]
        parts.append(f"axes {2 * a.value:.1f} × {2 * b.value:.1f} km")
        angle = limb.figures["pa_deg"]
        parts.append(
            f"PA {angle.value:.0f} ± {angle.sigma:.0f}°" if limb.pa_determined else "PA undetermined"
        )
    return ", ".join(parts)


def _band(axes: Axes, study: ChordStudy) -> None:
    limb = study.limb
    angles = np.linspace(0, 360, 361)
    low, high = limb.band(angles)
    way = np.stack([np.sin(np.radians(angles)), np.cos(np.radians(angles))])
    centre = np.array([[limb.ellipse.f_km], [limb.ellipse.g_km]])
    ring = np.concatenate([centre + low * way, (centre + high * way)[:, ::-1]], axis=1)
    axes.fill(*ring, color=BAND, alpha=0.45, linewidth=0, zorder=2)


def _chord(axes: Axes, chord: Chord, reach: float, middle: tuple[float, float], colour: str) -> None:
    at = chord.closest
    speed = at.speed_km_s
    ahead = ((middle[0] - at.f_km) * at.f_km_s + (middle[1] - at.g_km) * at.g_km_s) / speed**2
    ends = np.array([at.after(ahead - 3 * reach / speed), at.after(ahead + 3 * reach / speed)])
    if chord.station.status == "negative":
        axes.plot(*ends.T, color=MISS, linewidth=1.2, linestyle=(0, (1, 2.2)), zorder=2)
        return
    axes.plot(*ends.T, color=colour, linewidth=0.5, alpha=0.35, zorder=1)
    if chord.d is not None and chord.r is not None:
        axes.plot(
            [chord.d.f_km, chord.r.f_km], [chord.d.g_km, chord.r.g_km], color=colour, linewidth=1.5, zorder=5
        )
    for place, moment in ((chord.d, chord.station.d), (chord.r, chord.station.r)):
        if place is not None and moment is not None:
            total = float(np.hypot(moment.sigma_s, chord.station.clock_sigma_s))
            span = np.array([place.after(-total), place.after(total)])
            axes.plot(*span.T, color=colour, linewidth=4.2, alpha=0.5, solid_capstyle="butt", zorder=6)
            axes.plot(place.f_km, place.g_km, "o", color=colour, markersize=3.2, zorder=7)


def _corrected(axes: Axes, chord: Chord, late_s: float) -> None:
    """Where a shifted chord would lie."""
    ends = [place.after(-late_s) for place in (chord.d, chord.r) if place is not None]
    axes.plot(*np.array(ends).T, color=SHIFTED, linewidth=1, linestyle=":", marker="o", markersize=5,
              markerfacecolor="none", zorder=6)  # fmt: skip


def _centres(axes: Axes, study: ChordStudy) -> None:
    axes.plot(0, 0, "+", color=FAINT, markersize=10, markeredgewidth=1.2, zorder=6)
    if study.prior.path_km2 is not None:
        ff, fg, gg = study.prior.path_km2
        predicted = _sigma_ellipse((0.0, 0.0), np.array([[ff, fg], [fg, gg]]))
        predicted.set(fill=False, edgecolor=FAINT, linestyle=(0, (2, 2)), linewidth=0.9, zorder=6)
        axes.add_patch(predicted)
    limb = study.limb
    centre = (limb.figures["f_km"].value, limb.figures["g_km"].value)
    fitted = _sigma_ellipse(centre, limb.centre_covariance)
    fitted.set(facecolor=BAND, edgecolor=LIMB, zorder=6)
    axes.add_patch(fitted)
    axes.plot(*centre, "x", color=LIMB, markersize=6, zorder=7)


def _sigma_ellipse(centre: tuple[float, float], covariance: Floats) -> EllipsePatch:
    """One sigma about a centre."""
    value, vector = np.linalg.eigh(covariance)
    width, height = 2 * np.sqrt(np.maximum(value, 0))
    return EllipsePatch(centre, width, height, angle=float(np.degrees(np.arctan2(*vector[::-1, 0]))))


def _names(axes: Axes, study: ChordStudy, reach: float, middle: tuple[float, float]) -> list[Floats]:
    """Names beyond the ends of the chords, moved apart where they would meet; about where each lies."""
    taken = []
    chords = [one for one in study.chords if one.station.status != "none"]
    motion = np.mean([[one.closest.f_km_s, one.closest.g_km_s] for one in chords], axis=0)
    along = motion / np.hypot(*motion)
    across = np.array([-along[1], along[0]])
    if along[0] > 0:  # east is left: names stand at the right
        along = -along
    lines = [across @ (np.array([one.closest.f_km, one.closest.g_km]) - middle) for one in chords]
    steep = abs(along[1]) > 0.8
    places = _spread(np.array(lines), reach * (0.16 if steep else 0.062))
    for chord, line, place in zip(chords, lines, places, strict=True):
        if abs(place) > 1.25 * reach:
            continue
        # the point of the frame that the shifted line meets first
        start = np.array(middle) + place * across
        limits = [
            (0.985 * reach - np.sign(way) * (at - centre)) / abs(way)
            for way, at, centre in zip(along, start, middle, strict=True)
            if abs(way) > 1e-6
        ]
        if min(limits) <= 0:
            continue
        end = start + min(limits) * along
        moved = abs(place - line) > 0.03 * reach
        true = np.array(middle) + line * across + 0.9 * min(limits) * along
        name = drawable(shorten(chord.station.name, NAME))
        width, height = LETTER * len(name) * reach, 0.03 * reach
        east = end[0] - (width / 2 if steep else 0)  # it ends there, and east is left
        taken.append(np.array([[east, end[1] - height], [east + width, end[1] + height]]))
        axes.annotate(
            name,
            xy=tuple(true),
            xytext=tuple(end),
            fontsize=8.5,
            color=MISS if chord.station.status == "negative" else INK,
            ha="center" if steep else "right",
            va="center",
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.5} if moved else None,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85},
            zorder=9,
            annotation_clip=True,
        )
    return taken


def _spread(lines: Floats, least: float) -> Floats:
    """Places near `lines`, in the same order, at least `least` apart."""
    order = np.argsort(lines, kind="stable")
    places = lines[order].copy()
    for _ in range(200):
        gaps = np.diff(places)
        short = np.maximum(least - gaps, 0) / 2
        if not short.any():
            break
        places[:-1] -= short
        places[1:] += short
    answer = np.empty_like(places)
    answer[order] = places
    return answer


def _frame(
    axes: Axes, study: ChordStudy, reach: float, middle: tuple[float, float], taken: Sequence[Floats]
) -> None:
    """Scale bar, compass and the motion of the star; these two in a corner that no name has."""
    round_ = 10.0 ** np.floor(np.log10(reach / 2))
    bar = float(next(m * round_ for m in (5, 2, 1) if m * round_ <= reach / 2))
    left, low = middle[0] + 0.94 * reach, middle[1] - 0.92 * reach
    axes.plot([left, left - bar], [low, low], color=INK, linewidth=3, solid_capstyle="butt", zorder=9)
    mas = bar / study.plane.prediction.km_per_mas
    axes.text(left, low + 0.03 * reach, f"{bar:g} km = {mas:.3g} mas", fontsize=9, ha="left", zorder=9)
    corners = [np.array(middle) + reach * np.array(where) for where in COMPASS]
    corner = min(corners, key=lambda one: sum(_meet(one + reach * ROOM, name) for name in taken))
    for way, name in (((0, 1), "N"), ((1, 0), "E")):
        tip = corner + 0.13 * reach * np.array(way)
        axes.annotate(
            "", xy=tuple(tip), xytext=tuple(corner), arrowprops={"arrowstyle": "-|>", "color": INK}, zorder=9
        )
        at = corner + 0.17 * reach * np.array(way)
        axes.text(at[0], at[1], name, ha="center", va="center", fontsize=10, zorder=9)
    motion = np.mean([[one.closest.f_km_s, one.closest.g_km_s] for one in study.chords], axis=0)
    way = motion / np.hypot(*motion) * 0.11 * reach
    foot = corner + np.array([0.30 * reach, 0.06 * reach])
    axes.annotate(
        "",
        xy=tuple(foot + way),
        xytext=tuple(foot - way),
        arrowprops={"arrowstyle": "-|>", "color": CHORD},
        zorder=9,
    )
    axes.text(
        foot[0], foot[1] - 0.09 * reach, "star", color=CHORD, ha="center", va="center", fontsize=9, zorder=9
    )


def _meet(one: Floats, other: Floats) -> bool:
    """Whether two boxes, each its lowest and highest east and north, overlap."""
    return bool(np.all((one[0] < other[1]) & (other[0] < one[1])))


def _legend(axes: Axes, study: ChordStudy) -> None:
    entries = [
        Line2D([], [], color=LIMB, linewidth=1.5, label="limb"),
        Line2D([], [], color=BAND, linewidth=7, alpha=0.6, label="its 68 % band"),
        Line2D([], [], color=CHORD, marker="o", markersize=3.2, label="chord, D and R"),
    ]
    if study.offsets.named:
        entries.append(Line2D([], [], color=SHIFTED, label="times as given, found shifted"))
        entries.append(
            Line2D(
                [],
                [],
                color=SHIFTED,
                linestyle=":",
                marker="o",
                markerfacecolor="none",
                label="the same, shifted back",
            )
        )
    if any(one.station.status == "negative" for one in study.chords):
        entries.append(Line2D([], [], color=MISS, linestyle=(0, (1, 2.2)), label="no event"))
    if len(study.limb.solutions) > 1:
        share = study.limb.solutions[1].probability
        label = f"other solution ({100 * share:.1f} %)" if share >= 5e-4 else "mirror image (excluded)"
        entries.append(Line2D([], [], color=MIRROR, linestyle=(0, (6, 4)), label=label))
    predicted = "predicted centre" if study.prior.path_km2 is None else "predicted centre, 1 sigma"
    entries.append(Line2D([], [], color=LIMB, marker="x", linestyle="none", label="centre, 1 sigma"))
    entries.append(Line2D([], [], color=FAINT, marker="+", linestyle="none", label=predicted))
    axes.legend(handles=entries, loc="upper center", bbox_to_anchor=(0.47, -0.07), ncols=4, fontsize=9,
                columnspacing=1.2)  # fmt: skip


def _residuals(study: ChordStudy) -> Figure:
    """Observed less computed time of each station's D and R."""
    kept = sorted(study.kept, key=lambda index: _from_top(study, study.chords[index]))
    tall = 1.85 + 0.42 * len(kept)
    figure = Figure(figsize=(8.6, tall), dpi=120)
    axes = figure.add_axes((0.24, 0.7 / tall, 0.71, 1 - 1.7 / tall))
    figure.text(
        0.04, 1 - 0.36 / tall, drawable(study.campaign.prediction.title), fontsize=13, fontweight="bold"
    )
    figure.text(0.04, 1 - 0.62 / tall, _agreement(study), fontsize=10, color=FAINT)
    limb, times = study.limb, study.times
    named = {study.kept[one.chord] for one in study.offsets.named}
    axes.axvline(0, color=INK, linewidth=1)
    for row, index in enumerate(kept):
        position = study.kept.index(index)
        for edge in np.flatnonzero(times.owner == position):
            up = -0.14 if times.side[edge] < 0 else 0.14
            colour = SHIFTED if index in named else (CHORD if times.side[edge] < 0 else "#d97706")
            value, error = float(limb.residual_s[edge]), float(limb.residual_sigma_s[edge])
            if index not in named:
                axes.plot(
                    [value - error, value + error], [row + up] * 2,
                    color=colour, linewidth=5, alpha=0.25, solid_capstyle="butt",
                )  # fmt: skip
            axes.errorbar(
                value, row + up, xerr=times.sigma_s[edge], color=colour, fmt="o" if up < 0 else "s",
                markersize=4, capsize=2, linewidth=1.2,
            )  # fmt: skip
    axes.set_yticks(range(len(kept)), [drawable(shorten(study.chords[k].station.name, NAME)) for k in kept])
    axes.set_ylim(len(kept) - 0.5, -0.5)
    axes.margins(x=0.08)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -0.15 * high), max(high, -0.15 * low))
    axes.set_xlabel("observed less computed time, s (late: right)")
    axes.grid(axis="y", visible=False)
    handles = [
        Line2D([], [], color=CHORD, marker="o", linestyle="none", label="D"),
        Line2D([], [], color="#d97706", marker="s", linestyle="none", label="R"),
        Line2D([], [], color=FAINT, linewidth=5, alpha=0.4, label="with relief and clock"),
    ]
    if named:
        handles.append(Line2D([], [], color=SHIFTED, marker="o", linestyle="none", label="found shifted"))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=9)
    return figure


def _from_top(study: ChordStudy, chord: Chord) -> float:
    """Chords in the order of the sky plane's figure from its top, north, down."""
    north = np.mean([one.closest.f_km_s for one in study.chords]) >= 0  # left of the motion is north
    return -chord.across_km if north else chord.across_km


def _agreement(study: ChordStudy) -> str:
    """How well the times agree, in one line."""
    limb = study.limb
    text = f"{limb.model}, {limb.freedom} degrees of freedom"
    if limb.freedom > 0:
        relief = limb.figures["relief_km"]
        low, high = relief.intervals[1]
        text += f", reduced chi² of the times alone {limb.chi2_reduced:.2f}, relief "
        text += f"{relief.value:.2g} ± {relief.sigma:.1g} km" if low > 0 else f"below {high:.2g} km (95 %)"
    return text


def _curves(study: ChordStudy, curves: Mapping[str, EventCurve]) -> Figure:
    """Light curves over each other in order across the shadow, each about its closest approach."""
    shown = [one for one in study.chords if one.station.name in curves and curves[one.station.name].dated]
    shown.sort(key=lambda one: _from_top(study, one))
    figure = Figure(figsize=(8.6, 1.5 + 0.95 * len(shown)), dpi=120)
    axes = figure.add_axes((0.1, 0.75 / figure.get_figheight(), 0.68, 1 - 1.15 / figure.get_figheight()))
    span = _span(shown)
    for row, chord in enumerate(shown):
        curve = curves[chord.station.name]
        level = -STEP * row
        seconds = curve.time_s + (curve.ref_ns - chord.closest.utc_ns) * 1e-9
        near = curve.usable & (np.abs(seconds) <= span)
        flux = np.clip(curve.flux[near], -0.6, 1.9)
        axes.axhline(level, color=RULE, linewidth=0.8)
        axes.plot(seconds[near], flux + level, color=INK, linewidth=0.7, marker=".", markersize=2.5)
        for place, name in ((chord.d, "D"), (chord.r, "R")):
            if place is not None:
                at = (place.utc_ns - chord.closest.utc_ns) * 1e-9
                axes.plot([at, at], [level - 0.1, level + 1.2], color=SHIFTED, linewidth=1)
                side = "right" if name == "D" else "left"
                axes.text(at, level + 0.5, f" {name} ", color=SHIFTED, fontsize=9, ha=side, va="center")
        label = f"{drawable(shorten(chord.station.name, NAME))}\n{chord.across_km:+.1f} km"
        axes.text(1.02, level + 0.9, label, transform=axes.get_yaxis_transform(), fontsize=9, va="center")
    axes.set_xlim(-span, span)
    axes.set_ylim(-STEP * (len(shown) - 1) - 0.5, 1.6)
    axes.set_yticks([])
    axes.set_xlabel("seconds from the station's closest approach to the predicted centre")
    figure.text(0.1, 1 - 0.3 / figure.get_figheight(), drawable(study.campaign.prediction.title), fontsize=13)
    return figure


def _span(shown: Sequence[Chord]) -> float:
    """Half of the time that is drawn."""

    def apart(place: Place, chord: Chord) -> float:
        return abs(place.utc_ns - chord.closest.utc_ns) * 1e-9

    ends = [apart(place, one) for one in shown for place in (one.d, one.r) if place is not None]
    return 2.2 * max(ends, default=10.0)
