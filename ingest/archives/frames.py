"""Calibration frames of an archive: which of them belong to the recording, nothing guessed."""

from collections.abc import Sequence

from ingest.archives.contents import Recording, calibration
from ingest.archives.opening import Opened
from ingest.archives.roles import Role
from ingest.calibration import Nearby
from ingest.fits import FitsStack
from ingest.fits_header import read_image
from ingest.fits_keywords import WANTED
from ingest.fits_times import WANTED as TIME_KEYS
from ingest.formats import open_source
from ingest.masters import Kind
from ingest.prereduction import SAME_EXPOSURE, TRAIT_KEYS, CalibrationFile, traits_of
from reduction.caveats import Caveat, Note
from reduction.errors import DataError, UmbraError
from reduction.stack import Stack

KINDS: dict[Role, Kind] = {Role.BIAS: "bias", Role.DARK: "dark", Role.FLAT: "flat"}
KEYS = WANTED | TRAIT_KEYS | TIME_KEYS


def frames_for(opened: Opened, stack: Stack) -> tuple[Nearby, tuple[Note, ...]]:
    """Calibration frames of an archive for its recording.

    FITS frames of a FITS recording are chosen by their headers as those of its own folder are. Of others,
    the one of each kind with the recording's geometry is taken; of several, the one of its exposure.
    """
    files: list[CalibrationFile] = []
    groups: dict[Kind, tuple[Recording, ...]] = {}
    left: list[str] = []
    for role, found in calibration(opened.contents).items():
        others = [item for item in found if item is not opened.recording]
        if isinstance(stack, FitsStack):
            files += [file for item in others if item.format == "fits" for file in _files(item, left)]
            others = [item for item in others if item.format != "fits"]
        if role not in KINDS:
            left += [f"{item.name}: {role} frames" for item in others]
            continue
        chosen = _chosen(others, stack, left)
        if chosen is not None:
            groups[KINDS[role]] = (chosen,)
    nearby = Nearby(
        where=f"the archive {opened.archive}",
        files=tuple(files),
        groups={kind: items[0].paths for kind, items in groups.items()},
    )
    notes = (
        (Note(Caveat.FRAMES_EXCLUDED, f"Calibration frames left out: {text}."),)
        if (text := "; ".join(left))
        else ()
    )
    return nearby, notes


def _files(recording: Recording, left: list[str]) -> list[CalibrationFile]:
    """FITS frames with what their headers state."""
    kind = KINDS.get(recording.role, "dark")
    found: list[CalibrationFile] = []
    for path in recording.paths:
        try:
            image, header = read_image(path, KEYS)
        except DataError as error:
            left.append(str(error))
            continue
        cube = len(image.axes) > 2
        traits = traits_of(header, image.axes[1:] if cube else image.axes)
        if recording.role is Role.FLAT_DARK and traits.exposure_s is None:
            left.append(f"{path.name}: a flat dark that does not state its exposure")
            continue
        found.append(CalibrationFile(path, kind, traits, cube))
    return found


def _chosen(recordings: Sequence[Recording], stack: Stack, left: list[str]) -> Recording | None:
    """The one recording that fits; None where none does, or nothing tells which."""
    shape, exposure = stack.info.frame_shape, stack.info.exposure_s
    fitting: list[tuple[Recording, float | None]] = []
    for item in recordings:
        try:
            source = open_source([*item.paths])
        except UmbraError as error:
            left.append(f"{item.name}: {error}")
            continue
        own, other = source.info.exposure_s, source.info.frame_shape
        source.close()
        if other == shape:
            fitting.append((item, own))
        else:
            left.append(f"{item.name}: {_size(other)} pixels, the recording has {_size(shape)}")
    if len(fitting) < 2:
        return fitting[0][0] if fitting else None
    same = [item for item, own in fitting if own and exposure and abs(own / exposure - 1) < SAME_EXPOSURE]
    if len(same) == 1:
        left.extend(
            f"{item.name}: another has the recording's exposure" for item, _ in fitting if item is not same[0]
        )
        return same[0]
    kind = fitting[0][0].role
    names = ", ".join(item.name for item, _ in fitting)
    left.append(f"{names}: nothing tells which {kind} belongs to the recording; give it by --{kind}")
    return None


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in reversed(shape))
