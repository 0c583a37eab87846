"""Paths of requests: all of them lie under the data folder, whatever they say."""

import os
from pathlib import Path, PurePosixPath

from reduction.errors import RequestError


def confine(root: Path, text: str, field: str) -> Path:
    """Return the path that a request names, which lies under `root` and exists.

    Parameters
    ----------
    root : Path
        The data folder, resolved.
    text : str
        Path relative to it; symbolic links may not lead out, nor any inside a folder.
    field : str
        Field of the request, for messages.

    Raises
    ------
    RequestError
        The path is absolute, climbs, leads out of the folder, or names nothing.
    """
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        raise RequestError(f"{field} {text!r}: give a path below the data folder, without a leading / or ..")
    try:
        found = (root / path).resolve()
        outside = not found.is_relative_to(root)
        missing = not outside and not found.exists()
    except (OSError, ValueError, RuntimeError) as error:  # over-long, NUL, surrogates, a loop of links
        raise RequestError(f"{field} {text!r}: is no path that can be looked up") from error
    if outside:
        raise RequestError(f"{field} {text!r}: a link leads out of the data folder; put the files inside")
    if missing:
        raise RequestError(f"{field} {text!r}: no such file or folder in the data folder")
    for link in _links(found):
        if not _leads_inside(link, root):
            raise RequestError(
                f"{field} {text!r}: {link.relative_to(found)} is a link out of the data folder; "
                "put the file itself there"
            )
    return found


def _links(folder: Path) -> list[Path]:
    """Symbolic links anywhere below a folder."""
    links = []
    for parent, folders, files in os.walk(folder):
        links += [Path(parent, name) for name in (*folders, *files) if Path(parent, name).is_symlink()]
    return links


def _leads_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        return False


def fingerprint(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change, nanoseconds, of a file, or of every file below a folder.

    Raises
    ------
    RequestError
        Files vanish meanwhile, or cannot be looked at.
    """
    try:
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        found = [(p.relative_to(path), p.stat()) for p in files]
    except OSError as error:
        raise RequestError(
            f"{path.name}: cannot be looked at: {error.strerror}; ask again when nothing writes there"
        ) from error
    return [(str(name), status.st_size, status.st_mtime_ns) for name, status in found]
