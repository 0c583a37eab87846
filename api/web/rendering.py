"""Templates, and how values are written in them: the same on every page."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from api.database.tables import EPOCH, MICROSECOND
from api.settings import ServiceSettings
from api.web.addresses import with_query
from api.web.reduction_words import in_portal, setting, setting_value, stage
from api.web.serving import Assets
from reduction.events.document import digits_of
from reduction.timing import utc_text
from reduction.utc import utc_ns
from reduction.version import VERSION

NOTHING = "–"
"""Where there is no value."""

STATES = MappingProxyType(
    {
        # what observers report
        "positive": ("positive", "●", "positive"),
        "negative": ("negative", "▼", "negative"),
        "inconclusive": ("inconclusive", "◆", "inconclusive"),
        "no_data": ("none", "✕", "no data"),
        "overcast": ("none", "☁", "overcast"),
        "technical_failure": ("bad", "✖", "technical failure"),
        "planned": ("planned", "■", "planned"),
        "unknown": ("none", "◇", "unknown"),
        # campaigns
        "open": ("good", "○", "open"),
        "closed": ("none", "■", "closed"),
        # jobs
        "queued": ("waiting", "…", "queued"),
        "held": ("waiting", "‖", "held"),
        "cancelling": ("waiting", "■", "being cancelled"),
        "waiting": ("waiting", "…", "waiting"),
        "running": ("planned", "▶", "running"),
        "done": ("good", "✓", "done"),
        "failed": ("bad", "✕", "failed"),
        "cancelled": ("none", "■", "cancelled"),
        # files
        "arriving": ("waiting", "↑", "arriving"),
        "received": ("waiting", "…", "received"),
        "whole": ("waiting", "…", "being stored"),
        "quarantined": ("planned", "▶", "being looked at"),
        "accepted": ("good", "✓", "usable"),
        "examining": ("planned", "▶", "being looked at"),
        "stored": ("good", "✓", "stored"),
        "usable": ("good", "✓", "usable"),
        "refused": ("bad", "✕", "refused"),
        "flagged": ("warn", "!", "flagged: not used"),
        "withdrawn": ("none", "■", "taken back"),
        "expired": ("none", "■", "expired"),
        "answered": ("good", "✓", "answered"),
    }
)
"""Word of the service -> (colour, sign, word on the page): colour is never alone."""


def status_of(word: object) -> tuple[str, str, str]:
    """Colour, sign and word of a state."""
    text = str(word)
    return STATES.get(text, ("none", "•", text.replace("_", " ")))


def utc(value: datetime | str | None, digits: int = 0) -> str:
    """An instant as ``YYYY-MM-DD HH:MM:SS[.f] UTC``; text, which has its own digits, as it is.

    Parameters
    ----------
    digits : int
        Of a second, at most 6. What is beyond is rounded half up.
    """
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        return f"{value.replace('T', ' ').removesuffix('Z').removesuffix('+00:00')} UTC"
    step = 10 ** (6 - min(max(digits, 0), 6))
    micro = (value - EPOCH) // MICROSECOND
    whole, part = divmod((micro + step // 2) // step * step, 1_000_000)
    text = (EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}{f'.{part:06d}'[: digits + 1] if digits else ''} UTC"


def moment(value: str | None, sigma_s: float | None) -> str:
    """An instant of a recording to the digit that its uncertainty has; without one, to a millisecond.

    Parameters
    ----------
    value : str or None
        ISO 8601, UTC.
    """
    if value is None:
        return NOTHING
    return f"{utc_text(utc_ns(value), digits_of(sigma_s or math.inf))[:-1].replace('T', ' ')} UTC"


def day(value: datetime | None) -> str:
    """The date of an instant, UTC."""
    return NOTHING if value is None else value.astimezone(UTC).strftime("%Y-%m-%d")


def pm(value: float | None, sigma: float | None, unit: str = "", digits: int | None = None) -> str:
    """A value with its one-sigma uncertainty, to two digits of that: ``12.345 ± 0.021 s``.

    Without an uncertainty it says so, for a number alone would seem exact.
    """
    tail = f" {unit}" if unit else ""
    if value is None or not math.isfinite(value):
        return NOTHING
    if sigma is None or not math.isfinite(sigma) or sigma <= 0:
        return f"{number(value, 4 if digits is None else digits)}{tail} (± unknown)"
    places = digits if digits is not None else max(0, 1 - math.floor(math.log10(sigma)))
    return f"{minus(f'{value:.{places}f}')} ± {sigma:.{places}f}{tail}"


def number(value: float | int | None, digits: int = 3) -> str:
    """A number with a fixed count of decimals, and a minus sign that is one."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    return minus(f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else f"{value:.{digits}f}")


def minus(text: str) -> str:
    """Text of a number with a true minus sign."""
    return f"\u2212{text[1:]}" if text.startswith("-") else text


def size(value: int | None) -> str:
    """Bytes as people say them, in powers of 1000."""
    if value is None:
        return NOTHING
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.95 else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("the largest unit ends the loop")


def place(latitude: float | None, longitude: float | None, digits: int = 5) -> str:
    """Geodetic latitude and longitude, degrees, with their hemispheres."""
    if latitude is None or longitude is None:
        return NOTHING
    north, east = "S" if latitude < 0 else "N", "W" if longitude < 0 else "E"
    return f"{abs(latitude):.{digits}f}° {north}, {abs(longitude):.{digits}f}° {east}"


def duration(seconds: float | None) -> str:
    """A span of time as people say it."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 100:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {whole % 60:02d} s"


BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser(agent: str) -> str:
    """A browser as people say it, ``Firefox on Linux``; of a program what it calls itself."""
    name = next((told for mark, told in BROWSERS if mark in agent), "")
    system = next((told for mark, told in SYSTEMS if mark in agent), "")
    if name and system:
        return f"{name} on {system}"
    return name or agent.partition(" ")[0] or "unknown"


_CELLS = re.compile(r"<tr\b|<t[dh](?=[\s>])")


def labelled(rows: Markup, columns: Sequence[str]) -> Markup:
    """Rows of a table whose cells know the names of their columns: on a phone each row becomes a list.

    Parameters
    ----------
    rows : Markup
        Of a table's body, whose cells span no columns.
    """
    place = 0

    def named(found: re.Match[str]) -> str:
        nonlocal place
        if found.group() == "<tr":
            place = 0
            return "<tr"
        name = columns[place] if place < len(columns) else ""
        place += 1
        return f'{found.group()} data-label="{escape(name)}"'

    return Markup(_CELLS.sub(named, str(rows)))


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "utc": utc,
        "moment": moment,
        "day": day,
        "pm": pm,
        "number": number,
        "size": size,
        "place": place,
        "duration": duration,
        "status_of": status_of,
        "browser": browser,
        "with_query": with_query,
        "labelled": labelled,
        "setting": setting,
        "setting_value": setting_value,
        "in_portal": in_portal,
        "stage": stage,
    }
)


def policy(settings: ServiceSettings) -> str:
    """The Content-Security-Policy of every page: nothing inline, nothing from elsewhere but map tiles.

    Files may be sent to the upload nodes, and to no other place but the service itself.
    """
    nodes = "".join(f" {node.url}" for node in settings.upload_nodes)
    tiles = _origin(settings.map_tiles)
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' data:{f' {tiles}' if tiles else ''}",
            f"connect-src 'self'{nodes}",
            "font-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "manifest-src 'self'",
        )
    )


def _origin(template: str) -> str:
    """Origin of the addresses of map tiles; ``{s}`` stands for any name."""
    if not template:
        return ""
    parts = urlsplit(template.replace("{s}.", "*."))
    return f"{parts.scheme}://{parts.netloc}"


def make_environment(assets: Assets, settings: ServiceSettings) -> Environment:
    """Templates of the portal: everything is escaped, and a value that is missing is an error."""
    made = Environment(
        loader=PackageLoader("api.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    made.globals.update(
        asset=assets.address,
        island=assets.island,
        version=VERSION,
        map_tiles=settings.map_tiles,
        map_attribution=settings.map_attribution,
        registration=settings.registration,
    )
    return made
