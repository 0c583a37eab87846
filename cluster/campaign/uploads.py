"""What observers sent in: a folder of uploads, told apart, as the rows of a manifest."""

import os
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.campaign.observation import LONGEST_NAME
from cluster.campaign.upload_rows import FRAMES, Row, Upload, input_of, row_of
from ingest.archives.contents import SYSTEM, sort_out
from ingest.archives.kinds import kind_of_file
from ingest.archives.process import unpack
from ingest.archives.roles import Role, role_by_name
from ingest.archives.sink import Member
from ingest.formats import natural_key
from ingest.scratch import scratch_folder
from reduction.errors import RequestError, ResourceError, UmbraError

MOST_FILES = 1_000_000
MOST_NAMED = 5

_WORD = re.compile(
    r"(?:master|super)?[-_ ]?(?:bias(?:es)?|offsets?|darks?|flats?|zeros?)[-_ ]?(?:frames?)?$", re.IGNORECASE
)


@dataclass(slots=True)
class Uploads:
    """Rows of a manifest, and what was not understood, for people."""

    rows: list[Row] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def find_uploads(
    folder: Path,
    manifest: Path,
    said: Callable[[str], None] = lambda _: None,
    scratch: Path | None = None,
    passed_over: Container[str] = (),
) -> Uploads:
    """Sort out a folder in which every file, folder or archive is an observer's.

    Parameters
    ----------
    folder : Path
        Of uploads.
    manifest : Path
        Where the manifest will stand: inputs below its folder are written relative to it.
    said : callable, optional
        Told the name of each upload before it is looked at.
    scratch : Path, optional
        Where archives are unpacked, one at a time, and removed again.
    passed_over : container of str
        Names in `folder` that are not looked at.

    Raises
    ------
    RequestError
        It is no folder, or holds nothing.
    ResourceError
        It cannot be listed, or an archive not be unpacked for want of room.
    """
    if not folder.is_dir():
        raise RequestError(f"{folder}: no folder; give the one that holds the uploads")
    folder, manifest = folder.absolute(), manifest.absolute()
    found, uploads = Uploads(), []
    for name, paths in _entries(folder, manifest, passed_over):
        said(name or folder.name)
        try:
            if paths[0].is_file() and name:
                _add_archive(found, paths[0], manifest, scratch)
            else:
                uploads.append(_sorted_out(folder, name, paths))
        except ResourceError:
            raise
        except UmbraError as error:
            found.questions.append(f"{name}: {error}")
    shared = [upload for upload in uploads if _is_calibration(upload, uploads)]
    for upload in uploads:
        if upload not in shared:
            theirs = [other for other in shared if _owner(other.name) in {"", upload.name}]
            _add(found, upload, theirs, manifest)
    found.questions += _left_over(found, shared, manifest)
    if not found.rows and not found.questions:
        raise RequestError(f"{folder}: nothing in it")
    _name_apart(found.rows)
    return found


def members_of(folder: Path) -> list[Path]:
    """What an observer may have put into a folder, in natural order of names.

    Raises
    ------
    ResourceError
        It cannot be listed.
    """
    try:
        members = sorted(folder.iterdir(), key=natural_key)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be listed: {error.strerror or error}") from error
    return [m for m in members if not m.name.startswith(".") and m.name.casefold() not in SYSTEM]


def _entries(folder: Path, manifest: Path, passed_over: Container[str]) -> Iterator[tuple[str, list[Path]]]:
    """Uploads by name: each folder and archive, and the loose files together under an empty name."""
    loose: list[Path] = []
    for member in members_of(folder):
        if member == manifest or member.name in passed_over:
            continue
        if member.is_dir() or kind_of_file(member) is not None:
            yield member.name, [member]
        elif member.is_file():
            loose.append(member)
    if loose:
        yield "", loose


def _sorted_out(folder: Path, name: str, paths: Sequence[Path]) -> Upload:
    """A folder, or the loose files."""
    if name:
        return Upload(name, paths[0], sort_out(folder, list(_members(folder, paths[0]))))
    members = [Member(path.name, path.stat().st_size) for path in paths]
    return Upload("", folder, sort_out(folder, members))


def _members(top: Path, folder: Path) -> Iterator[Member]:
    """Files below a folder, as an archive of `top` would hold them."""
    count = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(parent, name)
            if name.startswith(".") or not path.is_file():
                continue
            count += 1
            if count > MOST_FILES:
                raise RequestError(f"more than {MOST_FILES} files; give the folders in it one by one")
            yield Member(path.relative_to(top).as_posix(), path.stat().st_size)


def _add_archive(found: Uploads, path: Path, manifest: Path, scratch: Path | None) -> None:
    """Rows of an archive; what it holds is looked at and removed again."""
    with scratch_folder(scratch) as room:
        inside = room / "archive"
        inside.mkdir()
        contents = sort_out(inside, unpack(path, inside).files)
        name = (
            path.name.split(".")[0] if path.name.endswith((".tar.gz", ".tar.bz2", ".tar.xz")) else path.stem
        )
        _add(found, Upload(name, path, contents, archive=True), [], manifest)


def _add(found: Uploads, upload: Upload, shared: Sequence[Upload], manifest: Path) -> None:
    where = upload.name or upload.path.name
    for recording in upload.contents.lights:
        row, questions = row_of(upload, recording, shared, manifest)
        found.rows.append(row)
        found.questions += [f"{row['station']}: {text}" for text in questions]
    if not upload.contents.lights:
        held = ", ".join(name for name, _ in upload.contents.sides[:MOST_NAMED]) or "nothing"
        found.questions.append(f"{where}: no recording that can be read; it holds {held}")
        return
    others = [name for name, role in upload.contents.sides if role is Role.OTHER]
    others = [name for name in others if name.rpartition("/")[2].casefold() not in SYSTEM]
    if others:
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        found.questions.append(f"{where}: not understood: {', '.join(others[:MOST_NAMED])}{more}")
    found.questions += [f"{where}: {note}" for note in upload.contents.notes]


def _is_calibration(upload: Upload, uploads: Sequence[Upload]) -> bool:
    """Whether an upload holds calibration frames of other ones: its frames say so, or its name does."""
    if not upload.name or not upload.contents.recordings:
        return False
    if not upload.contents.lights:
        return True
    named = role_by_name((f"{upload.name}.",))
    if named is None or named[0] not in FRAMES or not _WORD.search(upload.name):
        return False
    owner = _owner(upload.name)
    return not owner or any(other.name == owner for other in uploads)


def _owner(name: str) -> str:
    """Whose calibration frames a folder holds by its name: ``A-dark`` is A's; empty: everybody's."""
    return _WORD.sub("", name).strip(" -_.")


def _left_over(found: Uploads, shared: Sequence[Upload], manifest: Path) -> Iterator[str]:
    """Folders of calibration frames that no row names."""
    used = {row[kind] for row in found.rows for kind in FRAMES.values() if kind in row}
    for upload in shared:
        if not used & {input_of(item, upload.contents, manifest) for item in upload.contents.recordings}:
            yield f"{upload.name}: calibration frames that fit no recording beside them"


def _name_apart(rows: Sequence[Row]) -> None:
    """Give each row a name of its own that a manifest takes."""
    used: set[str] = set()
    for row in rows:
        text = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in str(row["station"]))
        name = text = (text.lstrip(".").strip() or "station")[: LONGEST_NAME - 6]
        number = 1
        while name.casefold() in used:
            number += 1
            name = f"{text} ({number})"
        used.add(name.casefold())
        row["station"] = name
