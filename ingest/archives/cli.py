"""The verb `umbra unpack`."""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from ingest.archives.contents import Contents, sort_out
from ingest.archives.kinds import kind_of_file
from ingest.archives.opening import notes_of
from ingest.archives.process import Unpacked
from ingest.archives.process import unpack as unpack_archive
from reduction.caveats import Note
from reduction.command import run_verb
from reduction.errors import DataError, RequestError, ResourceError


def unpack(arguments: list[str]) -> int:
    """Run `umbra unpack`; returns the exit code."""
    return run_verb("unpack", _unpack, arguments)


def _unpack(
    archive: Annotated[str, typer.Argument(metavar="ARCHIVE", help="zip, 7z, rar, tar, gz, bz2 or xz.")],
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Folder to make.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Unpack an archive, and the archives in it, into a new folder; tell what is what."""
    path, target = Path(archive), Path(folder)
    if not path.is_file():
        raise RequestError(f"{archive}: no such file")
    if kind_of_file(path) is None:
        raise DataError(f"{archive}: no archive that is known here: zip, 7z, rar, tar, gz, bz2, xz")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RequestError(f"{folder}: exists; give the name of a folder to make")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside:
            inside = Path(beside) / path.name
            inside.mkdir()
            found = _with_progress(path, inside)
            contents = sort_out(inside, found.files)
            shutil.rmtree(target, ignore_errors=True)
            inside.rename(target)
    except OSError as error:
        raise ResourceError(f"{folder}: cannot be written: {error.strerror or error}") from error
    notes = tuple(notes_of(path.name, None, contents, found))
    document = _document(path, target, contents, found, notes)
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if as_json else _table(document))


def _with_progress(archive: Path, folder: Path) -> Unpacked:
    if not sys.stderr.isatty():
        return unpack_archive(archive, folder)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("unpack", total=None)
        return unpack_archive(
            archive, folder, lambda done, total: bar.update(task, completed=done, total=total)
        )


def _document(
    archive: Path, folder: Path, contents: Contents, found: Unpacked, notes: tuple[Note, ...]
) -> dict[str, Any]:
    return {
        "umbra_unpack": 1,
        "archive": archive.name,
        "folder": str(folder),
        "files": len(found.files),
        "bytes": sum(member.bytes for member in found.files),
        "recordings": [
            {
                "name": item.name,
                "role": item.role.value,
                "why": item.why,
                "format": item.format,
                "description": item.description,
                "files": item.files,
                "bytes": item.bytes,
            }
            for item in contents.recordings
        ],
        "others": [{"name": name, "role": role.value} for name, role in contents.sides],
        "refused": [{"name": name, "why": why} for name, why in found.refused],
        "notes": [{"caveat": note.caveat.value, "message": note.message} for note in notes],
    }


def _table(document: dict[str, Any]) -> str:
    """Lines for people: recordings first, then everything else."""
    lines = [
        f"{document['archive']}: {document['files']} files, {document['bytes'] / 1e6:.1f} MB, in "
        f"{document['folder']}"
    ]
    for item in document["recordings"]:
        count = f"{item['files']} files, " if item["files"] > 1 else ""
        size = f"{count}{item['bytes'] / 1e6:.1f} MB"
        lines.append(f"  {item['role']:<10}{item['name']}: {item['description']}, {size}; {item['why']}")
    lines += [f"  {item['role']:<10}{item['name']}" for item in document["others"]]
    lines += [f"  {'refused':<10}{item['name']}: {item['why']}" for item in document["refused"]]
    lines += [
        f"  note: {note['message']}"
        for note in document["notes"]
        if note["caveat"] != "archive-contents-sorted"
    ]
    return "\n".join(lines) + "\n"
