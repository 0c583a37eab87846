"""What the figures share: style, fonts and bytes that depend on the content alone."""

import contextlib
import io
import threading
from collections.abc import Iterator
from functools import cache

from matplotlib import font_manager, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#1c2733"
FAINT = "#5f6b78"
RULE = "#d7dde3"
EDGE_COLOURS = {"D": "#7b3294", "R": "#007a5e"}
ROLE_COLOURS = {"target": "#ff4d5e", "reference": "#35c4ff", "guide": "#ffd23f", "star": "#c9d1d9"}

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
}

_LOCK = threading.Lock()


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Draw with matplotlib's defaults and this house's style, whatever a user's matplotlibrc says.

    One thread at a time: matplotlib's settings belong to the process.
    """
    with _LOCK, style.context(["default", _STYLE]):
        yield


def png(figure: Figure) -> bytes:
    """Return `figure` as PNG, without date or software in its metadata."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 3})
    return buffer.getvalue()


@cache
def _drawn_characters() -> frozenset[int]:
    path = font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    return frozenset(font_manager.get_font(path).get_charmap())


def drawable(text: str) -> str:
    """`text` with what the font cannot draw, and line breaks, replaced; file names hold anything."""
    known = _drawn_characters()
    return "".join(c if ord(c) in known and c.isprintable() else "�" for c in text)


def shorten(text: str, length: int) -> str:
    """`text`, its middle left out where it is longer than `length` characters."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
