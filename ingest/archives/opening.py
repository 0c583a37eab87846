"""An archive as a recording: unpacked into scratch, sorted out, the recording in it opened as if given."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.archives.contents import Contents, Recording, sort_out
from ingest.archives.kinds import kind_of_file
from ingest.archives.process import Progress, Unpacked, unpack
from ingest.archives.roles import CALIBRATION
from ingest.formats import expand
from ingest.frame_status import FrameStatus, status_of
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.stack import FrameBlock, FrameSource, SourceInfo
from reduction.timing import TimeSolution


@dataclass(frozen=True, slots=True)
class Opened:
    """The recording of an archive.

    Attributes
    ----------
    archive : str
        Name of the archive.
    recording : Recording
        The one that is meant; its paths are below scratch.
    contents : Contents
        All that is in it.
    notes : tuple of Note
        What was decided, what was refused, what is missing.
    """

    archive: str
    recording: Recording
    contents: Contents
    notes: tuple[Note, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is handed to `open_source`."""
        return tuple(str(path) for path in self.recording.paths)


def archive_of(inputs: Sequence[str]) -> Path | None:
    """The archive that `inputs` name; None where they name none.

    Raises
    ------
    RequestError
        An archive is one of several inputs; an input is not there.
    """
    paths = expand(inputs)
    archives = [path for path in paths if kind_of_file(path) is not None]
    if archives and len(paths) > 1:
        raise RequestError(
            f"{len(paths)} inputs, {archives[0].name} is an archive: give one archive, or what is in it"
        )
    return archives[0] if archives else None


def open_archive(
    inputs: Sequence[str], scratch: Path, member: str | None = None, progress: Progress | None = None
) -> Opened | None:
    """Unpack the archive that `inputs` name; None where they name none.

    Parameters
    ----------
    inputs : sequence of str
        As for `open_source`.
    scratch : Path
        Folder to unpack below; whoever gave it removes it when the recording is closed.
    member : str, optional
        Which of several recordings is meant.
    progress : callable, optional
        Called with bytes of the archive read, and its size.

    Raises
    ------
    RequestError
        An archive is one of several inputs, it holds several recordings and none is chosen, or `member` is
        given without an archive.
    DataError, ResourceError
        As `ingest.archives.process.unpack`; no recording in it.
    """
    archive = archive_of(inputs)
    if archive is None:
        if member is not None:
            raise RequestError(f"--member {member}: {inputs[0]} is no archive")
        return None
    folder = scratch / archive.name
    folder.mkdir(parents=True)
    found = unpack(archive, folder, progress)
    contents = sort_out(folder, found.files)
    recording = contents.choose(member, archive.name)
    return Opened(
        archive.name, recording, contents, tuple(notes_of(archive.name, recording, contents, found))
    )


def notes_of(
    archive: str, recording: Recording | None, contents: Contents, found: Unpacked
) -> Iterator[Note]:
    """What must be said of an archive."""
    said = "" if recording is None else f"the recording is {recording.name} ({recording.why}); "
    others = [item for item in contents.recordings if item is not recording]
    roles = Counter(f"{item.role}" for item in others) + Counter(f"{role}" for _, role in contents.sides)
    rest = ", ".join(f"{count} {role}" for role, count in roles.items()) or "nothing else"
    yield Note(Caveat.ARCHIVE_SORTED, f"{archive}: {said}beside it: {rest}.")
    refused = list(found.refused)
    if refused:
        yield Note(
            Caveat.ARCHIVE_REFUSED, f"{archive}: not unpacked: {_some([f'{n} ({w})' for n, w in refused])}."
        )
    changed = [f"{item.path} ({item.changed})" for item in found.files if item.changed]
    if changed:
        yield Note(Caveat.ARCHIVE_REFUSED, f"{archive}: unpacked under another name: {_some(changed)}.")
    for text in (*found.notes, *contents.notes):
        yield Note(Caveat.ARCHIVE_INCOMPLETE, f"{text}.")


def left_aside(opened: Opened) -> tuple[Note, ...]:
    """What a stack made of the recording does not hold: the calibration frames of the archive."""
    frames = [item for item in opened.contents.recordings if item.role in CALIBRATION]
    if not frames:
        return ()
    text = _some([f"{item.name} ({item.role})" for item in frames if item is not opened.recording])
    return (
        Note(
            Caveat.FRAMES_EXCLUDED,
            f"{opened.archive}: calibration frames are not applied here: {text}; umbra reduce "
            "applies those of an archive, umbra unpack takes them out.",
        ),
    )


class FromArchive:
    """A source out of an archive, which says so."""

    def __init__(self, source: FrameSource, opened: Opened) -> None:
        self._source = source
        info = source.info
        metadata = {**info.metadata, "archive": opened.archive, "member": opened.recording.name}
        notes = (*opened.notes, *left_aside(opened), *info.notes)
        self._info = replace(info, metadata=metadata, notes=notes)

    @property
    def info(self) -> SourceInfo:
        """That of the recording, with the notes of the archive."""
        return self._info

    @property
    def times(self) -> TimeSolution:
        """That of the recording."""
        return self._source.times

    @property
    def frame_status(self) -> FrameStatus:
        """That of the recording."""
        return status_of(self._source)

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Those of the recording."""
        return self._source.blocks(size, start)

    def close(self) -> None:
        """Close the recording."""
        self._source.close()


def _some(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - 5} more" if len(texts) > 5 else ""
    return ", ".join(texts[:5]) + more
