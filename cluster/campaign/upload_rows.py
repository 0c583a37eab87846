"""The row of a manifest for a recording that was sent in: input, calibration frames, times, site."""

import glob
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path
from typing import Any

from ingest.archives.contents import Contents, Recording
from ingest.archives.roles import Role
from ingest.formats import folder_files, open_source
from ingest.side_files import find_beside
from ingest.timeoptions import NAMED
from reduction.angles import sexagesimal_degrees
from reduction.errors import UmbraError
from reduction.stack import FrameSource, SourceInfo

FRAMES = {Role.BIAS: "bias", Role.DARK: "dark", Role.FLAT: "flat"}
"""Columns by the frames that they name."""

LOGS = ("FireCapture log", "SharpCap settings")
"""Programs whose logs a reduction uses without being told."""

SAME_EXPOSURE = 0.01
HEAD_BYTES = 1 << 16
MOST_LISTED = 50
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """An observer's folder or archive, or loose files (without a name), sorted out."""

    name: str
    path: Path
    contents: Contents
    archive: bool = False


@dataclass(slots=True)
class _Making:
    """A row in the making."""

    row: Row
    remarks: list[str]
    questions: list[str]


def row_of(
    upload: Upload, recording: Recording, shared: Sequence[Upload], manifest: Path
) -> tuple[Row, list[str]]:
    """The row of a recording, and what a person must look at.

    Parameters
    ----------
    upload : Upload
        In which it came.
    recording : Recording
        Whose files are there now.
    shared : sequence of Upload
        Calibration frames of other folders that may be meant for it.
    manifest : Path
        Absolute; inputs are written relative to its folder where they are below it.
    """
    several = len(upload.contents.lights) > 1
    stem = Path(recording.name).name.partition(".")[0]
    name = f"{upload.name}-{stem}" if upload.name and several else upload.name or stem
    made = _Making({"station": name}, [], [])
    made.row["input"] = (
        _place(upload.path, manifest) if upload.archive else input_of(recording, upload.contents, manifest)
    )
    if upload.archive and several:
        made.row["member"] = recording.name
    if not upload.archive and not made.row["input"]:
        made.questions.append(
            f"{recording.files} files of {recording.name} among others: name them in the manifest"
        )
        made.row["input"] = _place(recording.paths[0], manifest)
    try:
        with closing(open_source([*recording.paths])) as source:
            _describe(made, upload, recording, shared, manifest, source)
    except UmbraError as error:
        made.questions.append(str(error))
        made.remarks.append(f"cannot be opened: {error}")
    return made.row | {"remarks": "; ".join(made.remarks)}, made.questions


def _describe(
    made: _Making,
    upload: Upload,
    recording: Recording,
    shared: Sequence[Upload],
    manifest: Path,
    source: FrameSource,
) -> None:
    """What can be told of a recording that opens."""
    info = source.info
    made.remarks.append(
        f"{info.format}, {info.frames} frames, {info.frame_shape[-1]} x {info.frame_shape[-2]}"
    )
    made.row |= _site(info)
    if upload.archive:
        return
    if not source.times.known.any():
        _find_times(made, recording, upload, manifest)
    own = [(upload, item) for item in upload.contents.recordings]
    others = [(other, item) for other in shared for item in other.contents.recordings]
    for role, column in FRAMES.items():
        for offered in (own, others):
            found = [
                (of, item)
                for of, item in offered
                if item.role is role or (of in shared and _named(of) is role)
            ]
            by_itself = made.row["input"] == _place(recording.paths[0].parent, manifest)
            if found and not (by_itself and _is_used_by_itself(recording, [item for _, item in found])):
                _choose(made, column, found, info, manifest)
            if column in made.row:
                break


def _named(upload: Upload) -> Role | None:
    """Role that the name of a folder gives to all that is in it."""
    from ingest.archives.roles import role_by_name

    named = role_by_name((f"{upload.name}.",))
    return None if named is None else named[0]


def _is_used_by_itself(recording: Recording, frames: Sequence[Recording]) -> bool:
    """Whether a reduction takes the calibration frames anyway: FITS files in the recording's own folder."""
    folder = recording.paths[0].parent
    return recording.format == "fits" and all(
        item.format == "fits" and path.parent == folder for item in frames for path in item.paths
    )


def _choose(
    made: _Making, column: str, offered: Sequence[tuple[Upload, Recording]], info: SourceInfo, manifest: Path
) -> None:
    """Name the calibration frames that fit: those of the recording's geometry, of several its exposure's."""
    fitting: list[tuple[str, float | None]] = []
    for upload, item in offered:
        try:
            with closing(open_source([*item.paths])) as source:
                other = source.info
        except UmbraError as error:
            made.questions.append(str(error))
            continue
        if other.frame_shape == info.frame_shape:
            fitting.append((input_of(item, upload.contents, manifest), other.exposure_s))
    if len(fitting) > 1:
        same = [pair for pair in fitting if _alike(pair[1], info.exposure_s)]
        fitting = same if len(same) == 1 else fitting
    if len(fitting) == 1 and fitting[0][0]:
        made.row[column] = fitting[0][0]
    elif fitting:
        names = ", ".join(place or "?" for place, _ in fitting)
        made.questions.append(
            f"nothing tells which {column} is meant ({names}): name it in the column {column}"
        )


def _alike(exposure_s: float | None, other_s: float | None) -> bool:
    return bool(exposure_s and other_s and abs(exposure_s / other_s - 1.0) < SAME_EXPOSURE)


def _find_times(made: _Making, recording: Recording, upload: Upload, manifest: Path) -> None:
    """Name the file that gives the times which the recording lacks, where only one can."""
    beside = [one for one in find_beside(recording.paths) if one.own]
    if any(one.program in LOGS for one in beside):
        made.remarks.append(f"{beside[0].path.name} stands beside it")
        return
    folder, stem = recording.paths[0].parent, recording.paths[0].stem.casefold()
    if recording.paths[0].parent == upload.path and recording.files > 1:
        stem = upload.path.name.casefold()
    tables = [one.path for one in beside] or list(_tables(folder))
    own = [path for path in tables if path.name.casefold().startswith(stem)]
    chosen = own if own or len(upload.contents.lights) > 1 else tables
    if len(chosen) == 1:
        made.row["times.table"] = _place(chosen[0], manifest)
        made.remarks.append(f"times of {chosen[0].name}")
    elif chosen:
        names = ", ".join(path.name for path in chosen)
        made.questions.append(f"no times in the recording; several files could give them ({names})")
    else:
        made.questions.append("no times in the recording, and no file of times beside it")


def _tables(folder: Path) -> Iterator[Path]:
    """Files of a folder that are tables of times by their header."""
    for path in folder_files(folder):
        if path.suffix.lower() not in {".csv", ".txt"}:
            continue
        with path.open("rb") as file:
            lines = file.read(HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()
        header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
        if {"utc", *NAMED} & {cell.strip().strip('"').lower() for cell in header.split(",")}:
            yield path


def input_of(recording: Recording, contents: Contents, manifest: Path) -> str:
    """How a manifest names the files of a recording: file, folder, pattern or list; empty where none does."""
    paths = recording.paths
    folder = paths[0].parent
    if len(paths) == 1:
        return _place(paths[0], manifest)
    if any(path.parent != folder for path in paths):
        return ""
    other = {path for item in contents.recordings if item is not recording for path in item.paths}
    mixed = [item for item in contents.recordings if item is not recording and item.paths[0].parent == folder]
    by_header = all(item.format == "fits" and item.why.startswith("its header") for item in mixed)
    if not mixed or (recording.format == "fits" and by_header):
        return _place(folder, manifest)
    first = _common_start([path.name for path in paths])
    last = _common_start([path.name[::-1] for path in paths])[::-1]
    pattern = f"{glob.escape(first)}*{glob.escape(last)}"
    if (
        {path for path in folder.glob(pattern) if path not in other}
        == set(paths)
        == set(folder.glob(pattern))
    ):
        return f"{glob.escape(_place(folder, manifest))}/{pattern}"
    return json.dumps([_place(path, manifest) for path in paths]) if len(paths) <= MOST_LISTED else ""


def _common_start(names: Sequence[str]) -> str:
    """What all names begin with."""
    first, last = min(names), max(names)
    same = next(
        (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return first[:same]


def _place(path: Path, manifest: Path) -> str:
    """A path as the manifest writes it."""
    folder = manifest.parent
    text = relpath(path, folder) if path.is_relative_to(folder) else str(path)
    return json.dumps([text]) if ";" in text or text.startswith(("[", "raw:")) else text


def _site(info: SourceInfo) -> Row:
    """The site that a recording states, where its coordinates can be read."""
    words = {name: info.metadata.get(name, "") for name in ("latitude", "longitude", "altitude")}
    try:
        place: Row = {
            f"{name}_deg": round(sexagesimal_degrees(words[name]), 7) for name in ("latitude", "longitude")
        }
    except ValueError:
        return {}
    if abs(place["latitude_deg"]) > 90 or not -180 <= place["longitude_deg"] <= 360:
        return {}
    try:
        return place | {"altitude_m": round(float(words["altitude"]), 2)}
    except ValueError:
        return place
