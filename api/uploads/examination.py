"""The process that looks at strangers' files: ``python -m api.uploads.examination``, an order on its stdin.

It limits itself before it reads anything, and writes one JSON document: what is there, per file.
"""

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from reduction.errors import DataError, UmbraError

MEMORY = 4 << 30
SPACE = 16 << 30
"""Addresses: numba, libraries and mapped files take many, memory few."""

MOST_RECORDINGS = 40
MOST_FILES = 50_000
MOST_PIXELS = 100_000_000
PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF")
TIMES = ("DATE-OBS", "TIME-OBS", "DATE-BEG", "DATE-END", "EXPTIME", "EXPOSURE")


def main() -> int:
    """Look at what the order names."""
    order = json.load(sys.stdin)
    confine(order["seconds"])
    folder, name = Path(order["folder"]), order["name"]
    try:
        if order["role"] == "roi":
            found = picture(folder / name)
        elif order["role"] == "additional":
            found = additional(folder / name)
        else:
            found = recordings(folder, name, order["members"])
    except UmbraError as error:
        found = {"good": False, "message": str(error)}
    except MemoryError:
        found = {"good": False, "message": f"{name}: needs too much memory to be looked at"}
    sys.stdout.write(json.dumps(found))
    return 0


def confine(seconds: int) -> None:
    """Set the limits that the system keeps."""
    for what, limit in (
        (resource.RLIMIT_AS, SPACE),
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 64 << 20),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (bound, bound))


def recordings(folder: Path, name: str, members: list[Any]) -> dict[str, Any]:
    """Tell the recordings of a folder: of an archive (`members`), or one file."""
    from ingest.archives.contents import sort_out
    from ingest.archives.roles import Role
    from ingest.archives.sink import Member

    archive = bool(members)
    if not archive:
        members = [[name, (folder / name).stat().st_size, False]]
        _require_known(folder / name)
    contents = sort_out(folder, [Member(path, size, cut=cut) for path, size, cut in members])
    found: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    wrong: list[str] = []
    for recording in contents.recordings:
        told: dict[str, Any] = {
            "name": recording.name,
            "role": recording.role.value,
            "format": recording.format,
            "description": recording.description,
            "why": recording.why,
            "files": recording.files,
            "bytes": recording.bytes,
        }
        files += [entry for path in recording.paths for entry in listed(path, folder, recording)]
        if len(found) < MOST_RECORDINGS:
            try:
                told["inspection"] = inspected(recording.paths)
            except UmbraError as error:
                told["problem"] = str(error)
                wrong.append(str(error))
        found.append(told)
    good = any("problem" not in told and told["role"] == Role.LIGHT for told in found) or (
        bool(found) and not wrong
    )
    message = "; ".join(wrong[:3])
    if not found:
        held = ", ".join(f"{path} ({role})" for path, role in contents.sides[:5]) or "nothing"
        message = f"{name}: no recording that can be read in it; it holds {held}"
    sides = [[path, role.value] for path, role in contents.sides[:MOST_FILES]]
    return {
        "good": good,
        "message": message,
        "recordings": found,
        "files": files[:MOST_FILES],
        "sides": sides,
        "notes": list(contents.notes),
    }


def _require_known(path: Path) -> None:
    """Raise what is wrong with a file that is no recording of any known format."""
    from ingest.formats import recognise

    if not path.stat().st_size:
        raise DataError(f"{path.name}: is empty")
    recognise(path)


def inspected(paths: tuple[Path, ...]) -> dict[str, Any]:
    """Read a recording whole, and tell what `umbra inspect` tells."""
    from ingest.formats import open_source
    from ingest.inspection import inspect_recording

    with closing(open_source(list(paths))) as source:
        document = inspect_recording(source).document()
    document["times"].pop("ledger", None)
    return document


def listed(path: Path, folder: Path, recording: Any) -> Iterator[dict[str, Any]]:
    """One file of a recording: type, image type, axes, time."""
    if not path.is_file():
        return
    told: dict[str, Any] = {"name": str(path.relative_to(folder)), "format": recording.format}
    if recording.format == "fits":
        try:
            told |= fits_facts(path)
        except DataError as error:
            told["problem"] = str(error)
    yield told


def fits_facts(path: Path) -> dict[str, Any]:
    """What a FITS header says: image type, NAXIS, time and exposure as they stand there."""
    from ingest.fits_header import read_image
    from ingest.fits_keywords import WANTED, stated_type

    image, header = read_image(path, WANTED | frozenset(TIMES))
    facts: dict[str, Any] = {"image_type": stated_type(header), "naxis": list(image.axes)}
    for key in TIMES:
        text = header.text(key)
        number = header.number(key) if text is None else None
        if text is not None or number is not None:
            facts[key.lower().replace("-", "_")] = text if text is not None else number
    return facts


def picture(path: Path) -> dict[str, Any]:
    """Look at an image of the region of interest; it is decoded whole."""
    import warnings

    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        with Image.open(path, formats=PICTURES) as image:
            image.load()
            facts = {"kind": image.format, "width": image.width, "height": image.height}
    except UnidentifiedImageError as error:
        raise DataError(f"{path.name}: is no image; send one of {', '.join(PICTURES)}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{path.name}: has more than {MOST_PIXELS} pixels; send a smaller image") from error
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, IndexError, TypeError) as error:
        raise DataError(f"{path.name}: damaged: {error}; send it again") from error
    return {"good": True, "message": "", **facts}


def additional(path: Path) -> dict[str, Any]:
    """Tell what an additional file is; it may be anything."""
    from ingest.archives.roles import side_role
    from ingest.formats import recognise

    try:
        kind = recognise(path).description
    except DataError:
        kind = side_role(path.name).value
    return {"good": True, "message": "", "kind": kind, **light_curve(path)}


def light_curve(path: Path) -> dict[str, Any]:
    """What Umbra finds in a light curve of any program; nothing where the file is none, or has no dates.

    Returns
    -------
    dict
        ``events``: as in ``events.json``; ``watched``: first and last UTC and the exposure, seconds.
    """
    from ingest.curves.dialects import read_curve
    from reduction.events.analyse import analyse
    from reduction.events.document import document
    from reduction.events.settings import EventSettings
    from reduction.timing import utc_text

    try:
        curve = read_curve(path)
        if not curve.dated:
            return {}
        settings = EventSettings()
        found = document(analyse(curve, settings), curve, settings)
    except UmbraError:
        return {}
    first, last = (curve.utc_ns(float(curve.time_s[side])) for side in (0, -1))
    exposures = sorted(float(one) for one in curve.exposure_s if one > 0)
    watched = {"first_utc": utc_text(first, 9), "last_utc": utc_text(last, 9)}
    exposure = exposures[len(exposures) // 2] if exposures else None
    return {"kind": "light curve", "events": found, "watched": watched | {"exposure_s": exposure}}


if __name__ == "__main__":
    sys.exit(main())
