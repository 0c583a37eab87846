"""An inspection as aligned text."""

import textwrap

from ingest.inspection import PLACES, Inspection, Levels, Times

LABEL = 11
WIDTH = 100
COLOURS = {"good": "\x1b[32m", "caution": "\x1b[33m", "bad": "\x1b[1;31m"}
PLAIN = "\x1b[0m"


def inspection_text(found: Inspection, colour: bool = False) -> str:
    """Lines that a person grasps in ten seconds; with `colour` the verdict on the times in its own."""
    info, times = found.info, found.times
    depth = f"{info.bit_depth} bit ({info.dtype})" if info.bit_depth else info.dtype
    rows = [("frames", f"{info.frames} of {info.width} x {info.height} px, {info.colour}, {depth}")]
    if "frame_types" in info.metadata:
        rows.append(("files", info.metadata["frame_types"]))
    rows.append(("verdict", f"times {found.verdict.state}: {found.verdict.sentence}"))
    rows += _time_rows(times, info.frames)
    if "gps" in info.metadata:
        rows.append(("gps", info.metadata["gps"]))
    rows.append(("repeated", _places(len(found.repeated), [f"frame {n}" for n in found.repeated[:PLACES]])))
    rows += _level_rows(found.levels)
    camera = [
        f"{name} {value:g} {unit}"
        for name, value, unit in (
            ("gain", info.gain_e_per_adu, "e/ADU"),
            ("read noise", info.read_noise_e, "e"),
        )
        if value is not None
    ]
    if camera:
        rows.append(("camera", ", ".join(camera)))
    rows.append(("digest", found.pixel_digest))
    rows += [("note", note.message) for note in found.notes]
    head = f"{info.name}: {_kind(found)}\n"
    lines = [_row(label, text) for label, text in rows]
    if colour:
        code = COLOURS[found.verdict.state]
        lines = [f"{code}{line}{PLAIN}" if line.startswith("  verdict") else line for line in lines]
    return head + "".join(lines)


def seconds_text(value: float | None) -> str:
    """A duration with a unit that suits it."""
    if value is None:
        return "unknown"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= size:
            return f"{value / size:.6g} {unit}"
    return f"{value / 1e-9:.6g} ns" if value else "0 s"


def _kind(found: Inspection) -> str:
    info = found.info
    parts = [info.format]
    if info.format == "zarr":
        parts.append(f"a stack made from {info.metadata.get('source_name', '?')}")
    parts += [info.metadata[key] for key in ("container", "codec", "pixel_format") if key in info.metadata]
    return ", ".join(parts)


def _time_rows(times: Times, frames: int) -> list[tuple[str, str]]:
    if not times.known:
        return [("times", "none")]
    known = "all frames" if times.known == frames else f"{times.known} of {frames} frames"
    rows = [
        ("first", f"{times.first_utc} mid-exposure"),
        ("last", f"{times.last_utc}"),
        ("times", f"on {known}; {times.source}; stamps name {_named(times)}"),
        ("sigma", seconds_text(times.sigma_s)),
        ("cadence", _cadence(times.cadence_s)),
        ("exposure", seconds_text(times.exposure_s)),
    ]
    places = [f"{seconds_text(p.seconds)} before frame {p.frame}" for p in times.gap_places]
    return [*rows, ("gaps", _places(times.gaps, places))]


def _named(times: Times) -> str:
    """Which instant the stamps name."""
    if times.meaning is None:
        return "the inserted time of a field"
    return f"the {times.meaning} of the exposure"


def _cadence(value: float | None) -> str:
    if value is None or value <= 0:
        return "unknown"
    return f"{seconds_text(value)} ({1 / value:.5g} frames/s)"


def _places(count: int, places: list[str]) -> str:
    if not count:
        return "none"
    more = f", and {count - len(places)} more" if count > len(places) else ""
    return f"{count}: {', '.join(places)}{more}"


def _level_rows(levels: Levels) -> list[tuple[str, str]]:
    if levels.minimum is None or levels.maximum is None or levels.median is None:
        return [("levels", "no pixel is a number")]
    rows = [("levels", f"{levels.minimum:g} to {levels.maximum:g}, median {levels.median:g} ADU")]
    if levels.saturation is not None:
        where = f"{levels.saturation:g} ADU from the {levels.saturation_source}"
        rows.append(("saturation", f"{where}; {_share(levels.saturated_fraction)} at it"))
    clipped = "clipped" if levels.black_clipped else "not clipped"
    return [*rows, ("black", f"{clipped}; {_share(levels.black_fraction)} at the lowest level")]


def _share(fraction: float) -> str:
    if fraction == 0:
        return "no pixel"
    return "less than 0.01 % of pixels" if fraction < 1e-4 else f"{100 * fraction:.3g} % of pixels"


def _row(label: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH - LABEL - 2) or [""]
    first = f"  {label:<{LABEL}}{lines[0]}\n"
    return first + "".join(f"  {'':<{LABEL}}{line}\n" for line in lines[1:])
