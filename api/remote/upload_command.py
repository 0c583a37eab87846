"""`umbra remote upload`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.client import Service
from api.remote.kept import UploadNote
from api.remote.shown import (
    PATIENCE_S,
    Bar,
    Json,
    PatienceS,
    Where,
    leaving,
    opened,
    say,
    say_json,
    warn,
)
from api.remote.uploading import digest_of
from reduction.errors import DataError, RequestError

KEPT = "what has arrived stays; the same command goes on with it"
ROLES = ("recording", "additional", "roi")


def upload(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, archives, or others.")],
    observation: Annotated[
        str, typer.Option("--observation", metavar="ID", help="Whose they are; see umbra remote join.")
    ],
    role: Annotated[str, typer.Option("--role", metavar="|".join(ROLES), help="What they are.")] = ROLES[0],
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the service has looked at them.")
    ] = True,
    node: Annotated[
        str | None,
        typer.Option("--node", metavar="NAME|nearest", help="An upload node, which hands them over."),
    ] = None,
    patience_s: PatienceS = PATIENCE_S,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Send files. After a break it goes on by itself; after the end of this process, by the same command."""
    if role not in ROLES:
        raise RequestError(f"--role {role}: give {', '.join(ROLES)}")
    for path in files:
        if not path.is_file():
            raise RequestError(f"{path}: no such file; a folder goes up as an archive (zip)")
    refused: list[str] = []
    with opened(service, patience_s) as umbra, leaving(KEPT):
        umbra.ask("GET", f"/observations/{observation}")
        for path in files:
            identity = _sent(umbra, path, observation, role, node)
            if not wait:
                _tell(umbra.ask("GET", f"/uploads/{identity}"), as_json)
                continue
            try:
                _tell(umbra.file_of(identity, patience_s), as_json)
            except DataError as error:
                refused.append(str(error))
                warn(str(error))
    if refused:
        raise DataError(f"{len(refused)} of {len(files)} files were refused")


def _sent(umbra: Service, path: Path, observation: str, role: str, node: str | None) -> str:
    """Send one file; its id is kept until all of it has arrived."""
    try:
        sha256 = digest_of(path)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror or error}") from error
    note = UploadNote(umbra.connection.url, observation, role, sha256)
    identity = umbra.upload(path, observation, role, note.read(), Bar(path.name), note.write, sha256, node)
    note.drop()
    return identity


def _tell(view: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(view, indent=None)
        return
    say(f"{view['id']}  {view['name']}: {view['state']}, SHA-256 {view['sha256'][:16]}...")
    for recording in view.get("finding", {}).get("recordings", ()):
        say("  " + recording_text(recording))


def recording_text(recording: dict[str, Any]) -> str:
    """A recording of a file, and the verdict on it, in a line."""
    inspection = recording.get("inspection")
    if inspection is None:
        return f"{recording['name']}: {recording.get('problem') or recording['why']}"
    frame, verdict = inspection["input"], inspection["verdict"]
    size = f"{frame['frames']} frames of {frame['width']} x {frame['height']}"
    return f"{recording['name']}: {frame['format']}, {size}; times {verdict['state']}: {verdict['sentence']}"
