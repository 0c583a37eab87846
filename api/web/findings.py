"""What the inspection found in a file, as the page tells it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from api.observations.views import FileDetail
from api.web.reduction_words import in_portal
from api.web.rendering import NOTHING, number, size, utc
from reduction.timing import utc_text
from reduction.utc import utc_ns

VERDICTS: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "good": ("good", "✓", "times good"),
        "caution": ("warn", "▲", "times: caution"),
        "bad": ("bad", "✕", "times bad"),
    }
)
"""Verdict -> (colour, sign, word)."""
ROLES: Mapping[str, str] = MappingProxyType(
    {"recording": "recording", "additional": "additional file", "roi": "ROI image"}
)
MEANINGS: Mapping[str, str] = MappingProxyType(
    {"start": "start of each exposure", "mid": "middle of each exposure", "end": "end of each exposure"}
)
MOST_LISTED = 200
"""FITS files that are listed on the page; the rest is told by the API."""
FITS_COLUMNS = ("File", "Image type", "NAXIS", "DATE-OBS", "Exposure (s)")
SHOWN = frozenset({"PNG", "JPEG", "GIF", "WEBP", "BMP"})
"""Images that browsers show."""
Row = tuple[str, str, str]
"""Label, value, and topic and term of the help page, if it needs one."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording in a file.

    Attributes
    ----------
    verdict : (str, str, str) or None
        Colour, sign and word.
    rows : list of Row
        Its figures.
    notes : list of str
        Caveats.
    """

    name: str
    role: str
    format: str
    problem: str = ""
    verdict: tuple[str, str, str] | None = None
    sentence: str = ""
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """What is told of a file.

    Attributes
    ----------
    frames : list of tuple
        FITS files of it, by `FITS_COLUMNS`; `unlisted` more are there.
    """

    role: str
    kind: str
    shown: bool
    recordings: list[Recording]
    frames: list[tuple[str, ...]]
    unlisted: int
    sides: list[tuple[str, str]]
    notes: list[str]


def instant_text(text: str, sigma_s: float | None) -> str:
    """A UTC instant with as many digits as its uncertainty tells; three where it is not known."""
    try:
        instant = utc_ns(f"{text.rstrip('Zz')}Z")
    except ValueError:
        return utc(text)
    step = 10 ** (9 - _digits(sigma_s))
    return utc(utc_text((instant + step // 2) // step * step, _digits(sigma_s)))


def sigma_text(sigma_s: float | None) -> str:
    """A 1-sigma uncertainty, to two digits."""
    return "unknown" if sigma_s is None else f"{sigma_s:.{_digits(sigma_s)}f} s"


def _digits(sigma_s: float | None) -> int:
    """Decimals of a second in which two digits of an uncertainty show."""
    if sigma_s is None or not 0 < sigma_s < math.inf:
        return 3
    return min(9, max(0, 1 - math.floor(math.log10(sigma_s))))


def found_in(file: FileDetail) -> Found:
    """All that the page tells of a file. Whatever a finding lacks is left out."""
    finding = file.finding
    listed = [one for one in _list(finding, "files") if "naxis" in one or "image_type" in one]
    kind = str(finding.get("kind", ""))
    picture = f"{kind}, {finding['width']} × {finding['height']} px" if "width" in finding else kind
    return Found(
        role=ROLES.get(file.role, file.role),
        kind=picture,
        shown=file.role == "roi" and file.state == "accepted" and kind in SHOWN,
        recordings=[_recording(one) for one in _list(finding, "recordings")],
        frames=[_frame(one) for one in listed[:MOST_LISTED]],
        unlisted=max(0, len(listed) - MOST_LISTED),
        sides=[(str(one[0]), str(one[1])) for one in finding.get("sides") or ()],
        notes=[str(one) for one in finding.get("notes") or ()],
    )


def _list(holder: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    return holder.get(name) or ()


def _map(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return holder.get(name) or {}


def _recording(told: Mapping[str, Any]) -> Recording:
    name, role = str(told.get("name", "")), str(told.get("role", ""))
    form = str(told.get("description") or told.get("format") or "")
    look = _map(told, "inspection")
    if not look:
        return Recording(name, role, form, str(told.get("problem", "")))
    verdict = _map(look, "verdict")
    return Recording(
        name=name,
        role=role,
        format=form,
        verdict=VERDICTS.get(str(verdict.get("state", ""))),
        sentence=in_portal(str(verdict.get("sentence", ""))),
        rows=[row for row in (*_frames(told, look), *_times(look), *_levels(look)) if row[1] != NOTHING],
        notes=[in_portal(str(note.get("message", ""))) for note in _list(look, "notes")],
    )


def _frames(told: Mapping[str, Any], look: Mapping[str, Any]) -> list[Row]:
    shape, cadence, repeated = _map(look, "input"), _map(look, "cadence"), _map(look, "repeated")
    frames, missing = shape.get("frames"), cadence.get("frames_missing")
    depth = shape.get("bit_depth")
    pixels = f"{shape.get('width', '?')} × {shape.get('height', '?')} px" + (
        f", {depth} bit" if depth else ""
    )
    colour = shape.get("colour")
    return [
        ("Image type", str(told.get("role", "")) or NOTHING, ""),
        ("Frames", f"{number(frames)} in {number(told['files'])} files" if told.get("files", 1) != 1 else
            number(frames), ""),
        ("Size", f"{pixels}{f', {colour}' if colour else ''}, {size(told.get('bytes'))}", ""),
        ("Frames missing", number(missing), "times#gaps"),
        ("Repeated frames", number(repeated.get("count")), "times#gaps"),
    ]  # fmt: skip


def _times(look: Mapping[str, Any]) -> list[Row]:
    times, frames = _map(look, "times"), _map(look, "input").get("frames")
    if not times.get("known"):
        return [("Times", "none", "times#sources")]
    known = times["known"]
    meaning = MEANINGS.get(str(times.get("meaning")), "not stated")
    return [
        ("First frame", utc(times.get("first_utc")) + " (mid-exposure)", "times#mid"),
        ("Last frame", utc(times.get("last_utc")) + " (mid-exposure)", "times#mid"),
        ("Stamps name the", meaning, "times#meaning"),
        ("Time source", str(times.get("source") or NOTHING), "times#sources"),
        (
            "Frames without a time",
            number(frames - known) if isinstance(frames, int) else NOTHING,
            "times#sources",
        ),
        ("Uncertainty", _sigma(times), "times#uncertainty"),
        ("Cadence", _seconds(times.get("cadence_s")), "times#exposure"),
        ("Exposure", _seconds(times.get("exposure_s")), "times#exposure"),
        ("Gaps", number(times.get("gaps")), "times#gaps"),
    ]


def _sigma(times: Mapping[str, Any]) -> str:
    median, most = times.get("sigma_s"), times.get("sigma_max_s")
    if median is None:
        return "unknown"
    told = f"±{_seconds(median)} (1 sigma)"
    return told if most is None or most <= 1.5 * median else f"{told}, at most ±{_seconds(most)}"


def _seconds(value: Any) -> str:
    if not isinstance(value, int | float):
        return NOTHING
    return f"{value * 1e3:.3g} ms" if 0 < abs(value) < 0.1 else f"{value:.6g} s"


def _levels(look: Mapping[str, Any]) -> list[Row]:
    levels = _map(look, "levels")
    if levels.get("minimum") is None:
        return []
    saturation = levels.get("saturation")
    at = (
        f"at {saturation:.6g} ADU, by the {levels.get('saturation_source')}"
        if saturation is not None
        else "unknown"
    )
    share = levels.get("saturated_fraction") or 0.0
    many = f"; {share:.2%} of pixels reach it" if share >= 1e-4 else "; hardly a pixel reaches it"
    low, middle, high = (levels.get(name) for name in ("minimum", "median", "maximum"))
    return [
        ("Levels", " / ".join(NOTHING if one is None else f"{one:.6g}" for one in (low, middle, high)) +
            " ADU (min / median / max)", "formats#pixels"),
        ("Saturation", at + (many if saturation is not None else ""), "photometry#saturation"),
    ]  # fmt: skip


def _frame(told: Mapping[str, Any]) -> tuple[str, ...]:
    axes = " × ".join(str(one) for one in told.get("naxis") or ())
    exposure = told.get("exptime", told.get("exposure"))
    at = told.get("date_obs", told.get("date_beg"))
    problem = told.get("problem")
    named = (told.get("name"), problem or told.get("image_type"), axes, at, exposure)
    return tuple(NOTHING if value in {None, ""} else str(value) for value in named)
