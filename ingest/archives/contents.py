"""What an unpacked archive holds: recordings, calibration frames, logs, notes, images, reports."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.archives.members import Parts
from ingest.archives.roles import CALIBRATION, Role, role_by_name, side_role
from ingest.archives.sink import Member
from ingest.fits_header import read_image
from ingest.fits_keywords import WANTED, image_type, stated_type
from ingest.formats import Format, natural_key, open_source, recognise
from reduction.errors import DataError, RequestError, UmbraError

FEWEST_PICTURES = 5
"""Pictures of a folder from which they are taken for the frames of a recording."""

SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of an archive: light, or calibration frames.

    Attributes
    ----------
    name : str
        Path of its file, or of the folder of its files, below the archive.
    role : Role
    format : str
        Name in the registry.
    description : str
        Of the format.
    paths : tuple of Path
        What is handed to `open_source`.
    files, bytes : int
    why : str
        What decided its role.
    """

    name: str
    role: Role
    format: str
    description: str
    paths: tuple[Path, ...]
    files: int
    bytes: int
    why: str

    @property
    def text(self) -> str:
        """Name, format and size, for people."""
        count = f"{self.files} files, " if self.files > 1 else ""
        return f"{self.name} ({self.description}, {count}{self.bytes / 1e6:.1f} MB)"


@dataclass(frozen=True, slots=True)
class Contents:
    """Recordings by their names in natural order, and the role of every other file."""

    recordings: tuple[Recording, ...]
    sides: tuple[tuple[str, Role], ...]
    notes: tuple[str, ...]

    @property
    def lights(self) -> tuple[Recording, ...]:
        """The recordings that are no calibration frames."""
        return tuple(found for found in self.recordings if found.role is Role.LIGHT)

    def choose(self, member: str | None, archive: str) -> Recording:
        """The recording that is meant.

        Parameters
        ----------
        member : str, optional
            Its name, or the end of it; needed where there are several.
        archive : str
            For messages.

        Raises
        ------
        RequestError
            There are several, or none is called `member`.
        DataError
            There is none.
        """
        if member is not None:
            return self._named(member, archive)
        lights = self.lights
        if len(lights) == 1:
            return lights[0]
        if not lights:
            held = ", ".join(f"{name} ({role})" for name, role in self.sides[:5]) or "nothing"
            raise DataError(f"{archive}: no recording that can be read in it; it holds {held}")
        raise RequestError(
            f"{archive}: {len(lights)} recordings: {_listed(lights)}; choose one with --member NAME"
        )

    def _named(self, member: str, archive: str) -> Recording:
        wanted = member.strip("/").casefold()
        names = [found.name.casefold() for found in self.recordings]
        for rule in (str.__eq__, _ends_with):
            matches = [own for own, name in zip(self.recordings, names, strict=True) if rule(name, wanted)]
            if len(matches) == 1:
                return matches[0]
        what = "no recording" if not matches else f"{len(matches)} recordings"
        raise RequestError(
            f"{archive}: --member {member}: {what} of that name; it holds {_listed(self.recordings)}"
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that is a recording, or a frame of one."""

    path: Path
    parts: Parts
    member: Member
    row: Format
    role: Role
    why: str
    alone: bool


def sort_out(folder: Path, members: Sequence[Member]) -> Contents:
    """Tell the files of an unpacked archive apart.

    The role of a recording is what its header says (FITS image type, frame types of a container), else what
    its name says, else what its folders' names say, outer folders that all recordings share left out. Where
    names make calibration frames of everything, they are not believed.
    """
    stacks = _zarr_stacks(folder, members)
    found: list[_Found] = []
    sides: list[tuple[str, Role]] = []
    for member in sorted(members, key=lambda m: natural_key(Path(m.path))):
        parts = member.parts
        if any(parts[: len(stack)] == stack for stack in stacks):
            continue
        row = None if _is_of_the_system(parts) else _row(folder.joinpath(*parts))
        if row is None:
            role = Role.OTHER if _is_of_the_system(parts) else side_role(parts[-1])
            sides.append((member.path, role))
        else:
            found.append(_look(folder.joinpath(*parts), parts, member, row))
    found, pictures = _without_pictures(found)
    sides += [(item.member.path, Role.IMAGE) for item in pictures]
    named, notes = _by_names(found)
    kept, cut = _without_cut(named)
    sides += [(item.member.path, Role.OTHER) for item in cut]
    notes += [f"{item.member.path} is cut off and is left out" for item in cut]
    recordings = [*_grouped(kept), *_of_stacks(folder, stacks, members)]
    ordered = sorted(recordings, key=lambda r: (natural_key(Path(r.name)), r.role is not Role.LIGHT))
    return Contents(tuple(ordered), tuple(sides), tuple(notes))


def _zarr_stacks(folder: Path, members: Sequence[Member]) -> list[Parts]:
    """Folders that are Zarr stacks, those inside others left out."""
    tops = sorted({member.parts[:-1] for member in members if member.parts[-1] == "zarr.json"}, key=len)
    kept: list[Parts] = []
    for top in tops:
        if top and not any(top[: len(other)] == other for other in kept) and _row(folder.joinpath(*top)):
            kept.append(top)
    return kept


def _of_stacks(folder: Path, stacks: Sequence[Parts], members: Sequence[Member]) -> Iterator[Recording]:
    for parts in stacks:
        row = recognise(folder.joinpath(*parts))
        inside = [member for member in members if member.parts[: len(parts)] == parts]
        role, word = role_by_name(parts) or (Role.LIGHT, "")
        why = f"named {word}" if word else "nothing says otherwise"
        size = sum(member.bytes for member in inside)
        path = folder.joinpath(*parts)
        yield Recording("/".join(parts), role, row.name, row.description, (path,), len(inside), size, why)


def _is_of_the_system(parts: Parts) -> bool:
    return any(part.startswith(".") or part.casefold() in SYSTEM for part in parts)


def _row(path: Path) -> Format | None:
    try:
        return recognise(path)
    except DataError:
        return None


def _look(path: Path, parts: Parts, member: Member, row: Format) -> _Found:
    """A file with the role that its header states; `Role.OTHER`: it states none."""
    role, why, alone = Role.OTHER, "", not row.many
    if row.name == "fits":
        try:
            image, header = read_image(path, WANTED)
        except DataError:  # the reader will say it again, if the file is wanted
            return _Found(path, parts, member, row, role, why, alone)
        alone = len(image.axes) > 2
        stated = stated_type(header)
        if stated is not None:
            kind = image_type(header)
            role, why = Role(kind or "light"), f"its header says {stated}"
    elif row.random_access and not row.many:
        types = _frame_types(path)
        if types is not None:
            role, why = types, f"its frames are {types} frames"
    return _Found(path, parts, member, row, role, why, alone)


def _frame_types(path: Path) -> Role | None:
    """The one type of all frames, where a container says so."""
    try:
        source = open_source(path)
    except UmbraError:  # said when it is opened as the recording that is wanted
        return None
    stated = source.info.metadata.get("frame_types", "")
    source.close()
    words = [word for word in (Role.LIGHT, Role.DARK, Role.FLAT, Role.BIAS) if word in stated]
    return words[0] if len(words) == 1 else None


def _without_pictures(found: Sequence[_Found]) -> tuple[list[_Found], list[_Found]]:
    """Recordings, and the pictures that are not enough of a kind in their folder to be one.

    A file of many pages is a recording of its own.
    """
    counts = Counter((item.parts[:-1], item.row.name) for item in found)
    kept: list[_Found] = []
    single: list[_Found] = []
    for item in found:
        of_files = item.row.many and item.row.name != "fits"
        if not of_files or counts[item.parts[:-1], item.row.name] >= FEWEST_PICTURES:
            kept.append(item)
        elif _pages(item.path) >= FEWEST_PICTURES:
            kept.append(replace(item, alone=True))
        else:
            single.append(item)
    return kept, single


def _pages(path: Path) -> int:
    try:
        source = open_source(path)
    except UmbraError:  # no recording, whatever it is
        return 0
    frames = source.info.frames
    source.close()
    return frames


def _by_names(found: Sequence[_Found]) -> tuple[list[_Found], list[str]]:
    """Roles of those whose headers state none."""
    shared = _shared_folders([item.parts for item in found])
    named: list[_Found] = []
    for item in found:
        if item.role is not Role.OTHER:
            named.append(item)
            continue
        role, word = role_by_name(item.parts[shared:]) or (Role.LIGHT, "")
        named.append(replace(item, role=role, why=f"named {word}" if word else "nothing says otherwise"))
    if not named or any(item.role is Role.LIGHT for item in named):
        return named, []
    doubtful = [item for item in named if item.why.startswith("named ")]
    if not doubtful:
        return named, []
    first = doubtful[0]
    text = f"{first.member.path} is {first.why}, but nothing else can be the recording: it is taken for it"
    believed = [
        item if item not in doubtful else replace(item, role=Role.LIGHT, why="nothing else is there")
        for item in named
    ]
    return believed, [text]


def _shared_folders(paths: Sequence[Parts]) -> int:
    """How many outer folders all paths have in common."""
    shared = 0
    while paths and all(len(p) > shared + 1 and p[shared] == paths[0][shared] for p in paths):
        shared += 1
    return shared


def _without_cut(found: Sequence[_Found]) -> tuple[list[_Found], list[_Found]]:
    """A member that the archive's end cut is used only where it is the recording."""
    whole = [item for item in found if not item.member.cut]
    has_light = any(item.role is Role.LIGHT for item in whole)
    kept = [item for item in found if not item.member.cut or (item.role is Role.LIGHT and not has_light)]
    return kept, [item for item in found if item not in kept]


def _grouped(found: Sequence[_Found]) -> Iterator[Recording]:
    """One recording per file, or per folder, format and role where files are frames."""
    groups: dict[tuple[Parts, str, Role], list[_Found]] = {}
    for item in found:
        place = item.parts if item.alone else item.parts[:-1]
        groups.setdefault((place, item.row.name, item.role), []).append(item)
    for (place, _, role), items in groups.items():
        first = items[0]
        paths = tuple(item.path for item in items)
        name = "/".join(first.parts if first.alone or len(items) == 1 else place) or "."
        size = sum(item.member.bytes for item in items)
        row = first.row
        yield Recording(name, role, row.name, row.description, paths, len(items), size, first.why)


def _ends_with(name: str, wanted: str) -> bool:
    return name.endswith("/" + wanted)


def _listed(recordings: Sequence[Recording]) -> str:
    texts = [found.text for found in recordings[:10]]
    return "; ".join(texts) + (f"; and {len(recordings) - 10} more" if len(recordings) > 10 else "")


def calibration(contents: Contents) -> dict[Role, list[Recording]]:
    """Calibration recordings by their use."""
    return {
        role: found
        for role in CALIBRATION
        if (found := [recording for recording in contents.recordings if recording.role is role])
    }
