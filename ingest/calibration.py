"""The calibration of a recording: masters that a person names, or those of its own folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.fits import FitsStack
from ingest.masters import Kind, Master, load_master
from ingest.prereduction import SAME_EXPOSURE, CalibrationFile, Chosen, Group, choose
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.response import LINEAR, Curve
from reduction.stack import Stack, frame_digest
from reduction.view import Calibration

Singles = NDArray[np.float32]
RESCALED = 1.5
"""Largest sample up to which floats among whole-numbered frames were rescaled to 0-1 by another program."""


@dataclass(frozen=True, slots=True)
class Nearby:
    """Calibration frames that came with the recording, used where none are named.

    Attributes
    ----------
    where : str
        Where they lie, for people.
    files : tuple of CalibrationFile
        FITS files, chosen from by what their headers say.
    groups : mapping of kind to paths
        Those of other formats, one recording of each kind.
    """

    where: str = "the recording's folder"
    files: tuple[CalibrationFile, ...] = ()
    groups: Mapping[Kind, tuple[Path, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """Calibration frames as the request names them; `automatic`: those that came with it are used, too."""

    bias: str | None = None
    dark: str | None = None
    flat: str | None = None
    automatic: bool = True
    nearby: Nearby = Nearby()


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A calibration, what must be said of it, and what was used for each kind, in words.

    `settled` tells that what the reader left out has been used or named here.
    """

    calibration: Calibration
    notes: tuple[Note, ...]
    used: dict[str, str]
    settled: bool


def load(stack: Stack, named: Named, response: Curve = LINEAR) -> Loaded:
    """Combine and scale the masters of a recording.

    A dark is scaled to the recording's exposure where both exposures are known and a bias is there; a flat
    has its own dark, or the bias, taken off and is normalised to its median. What is named wins over what
    lies in the folder.

    Parameters
    ----------
    stack : Stack
        The recording; FITS files that stand in one folder bring their calibration frames with them.
    named : Named
    response : array, (levels,), float32
        The camera's response, through which calibration frames go, too.

    Raises
    ------
    RequestError
        A named master does not fit the recording.
    DataError
        A calibration file is unreadable.
    """
    shape = stack.info.frame_shape
    found = _found(stack, named)
    nearby = named.nearby
    masters: dict[Kind, Master] = {}
    used: dict[str, str] = {}
    notes: list[Note] = []
    paths: tuple[tuple[Kind, str | None], ...] = (("bias", named.bias), ("dark", named.dark))
    for kind, path in paths:
        group: Group | None = getattr(found, kind) if found is not None else None
        if path is not None:
            masters[kind] = load_master(kind, [path], shape, response)
            used[kind] = f"{_count(masters[kind].frames)} given by --{kind}"
        elif named.automatic and kind in nearby.groups:
            masters[kind] = load_master(kind, nearby.groups[kind], shape, response)
            used[kind] = f"{_count(masters[kind].frames)} ({kind}) of {nearby.where}"
        elif group is not None:
            master = load_master(kind, group.files, shape, response)
            if _is_rescaled(master, stack):
                notes.append(_left_out(f"{group.text}: floats between 0 and 1; bring them back to ADU"))
                continue
            masters[kind] = master
            used[kind] = f"{group.text} of {nearby.where}"
    bias, dark = masters.get("bias"), masters.get("dark")
    offset, said = _offset(bias, dark, stack.info.exposure_s)
    flat, digest = _flat(stack, named, found, bias, dark, response, used, notes)
    digests: dict[str, str] = {kind: master.digest for kind, master in masters.items()}
    if digest is not None:
        digests["flat"] = digest
    notes += [*said, *(note for master in masters.values() for note in master.notes)]
    came_along = found is not None or bool(named.automatic and nearby.groups)
    if came_along:
        notes += _nearby_notes(found, used, nearby.where)
    return Loaded(Calibration(offset, flat, digests), tuple(notes), used, came_along)


def _found(stack: Stack, named: Named) -> Chosen | None:
    """What FITS files nearby offer of the kinds that are not named; None where there are none."""
    if not (named.automatic and isinstance(stack, FitsStack)):
        return None
    offered = (*stack.calibration_files, *named.nearby.files)
    if not offered:
        return None
    given = {"bias": named.bias, "dark": named.dark, "flat": named.flat}
    files = [file for file in offered if given.get(file.kind) is None]
    return choose(files, stack.traits, named.bias is not None)


def _count(frames: int) -> str:
    return "1 frame" if frames == 1 else f"{frames} frames"


def _left_out(text: str) -> Note:
    return Note(Caveat.FRAMES_EXCLUDED, f"Calibration frames left out: {text}.")


def _is_rescaled(master: Master, stack: Stack) -> bool:
    """Whether a program stored a master as 0-1 while the recording counts whole numbers."""
    if np.dtype(stack.info.dtype).kind == "f" or not np.isfinite(master.array).any():
        return False
    return bool(np.nanmax(master.array) < RESCALED and master.floats)


def _nearby_notes(found: Chosen | None, used: dict[str, str], where: str) -> list[Note]:
    notes = [] if found is None else [_left_out(text) for text in found.left_out]
    inside = [text for text in used.values() if text.endswith(f" of {where}")]
    if inside:
        words = ", ".join(text.removesuffix(f" of {where}") for text in inside)
        remarks = "" if found is None else "".join(f"; {remark}" for remark in found.remarks)
        text = f"Applied from {where}: {words}{remarks}. --no-calibration leaves them out."
        notes.append(Note(Caveat.FRAMES_APPLIED, text))
    return notes


def _offset(
    bias: Master | None, dark: Master | None, exposure: float | None
) -> tuple[Singles | None, list[Note]]:
    """What is taken off the recording: the dark, scaled where that can be, else the bias."""
    if dark is None:
        return (None if bias is None else bias.array), []
    scale = _ratio(exposure, dark.exposure_s)
    if scale is None or abs(scale - 1.0) <= SAME_EXPOSURE:
        return dark.array, []
    if bias is None:
        text = (
            f"The recording was exposed {scale:g} times as long as the dark; without a bias the dark is used "
            "as it is. Give --bias, or darks of the same exposure."
        )
        return dark.array, [Note(Caveat.UNCALIBRATED, text)]
    return bias.array + np.float32(scale) * (dark.array - bias.array), []


def _ratio(exposure: float | None, other: float | None) -> float | None:
    """One exposure over another, where both are known."""
    return None if not exposure or not other else exposure / other


def _flat(
    stack: Stack,
    named: Named,
    found: Chosen | None,
    bias: Master | None,
    dark: Master | None,
    response: Curve,
    used: dict[str, str],
    notes: list[Note],
) -> tuple[Singles | None, str | None]:
    """The normalised flat and the digest of what it was made from."""
    shape = stack.info.frame_shape
    if named.flat is not None:
        flat = load_master("flat", [named.flat], shape, response)
        used["flat"] = f"{_count(flat.frames)} given by --flat"
        notes += flat.notes
        return _normalised(flat, _pedestal(flat, bias, dark, None), named.flat, notes), flat.digest
    where = named.nearby.where
    if named.automatic and "flat" in named.nearby.groups:
        flat = load_master("flat", named.nearby.groups["flat"], shape, response)
        used["flat"] = f"{_count(flat.frames)} (flat) of {where}"
        notes += flat.notes
        return _normalised(
            flat, _pedestal(flat, bias, dark, None), f"the flat of {where}", notes
        ), flat.digest
    if found is None or not found.flats:
        return None, None
    parts: list[tuple[int, Singles]] = []
    for group, own_dark in zip(found.flats, found.flat_darks, strict=True):
        flat = load_master("flat", group.files, shape, response)
        own = None if own_dark is None else load_master("dark", own_dark.files, shape, response)
        level = _normalised(flat, _pedestal(flat, bias, dark, own), group.text, notes)
        notes += flat.notes
        parts.append((flat.frames, level))
    used["flat"] = f"{', '.join(group.text for group in found.flats)} of {where}"
    weights = [frames for frames, _ in parts]
    mean = np.average([level for _, level in parts], axis=0, weights=weights).astype(np.float32)
    return mean, frame_digest(mean).hex()


def _pedestal(flat: Master, bias: Master | None, dark: Master | None, own: Master | None) -> Singles | None:
    """What a flat holds besides light: a dark as long as itself, else the bias."""
    if own is not None:
        return own.array
    if dark is not None:
        scale = _ratio(flat.exposure_s, dark.exposure_s)
        if scale is not None and abs(scale - 1.0) < SAME_EXPOSURE:
            return dark.array
    return None if bias is None else bias.array


def _normalised(flat: Master, pedestal: Singles | None, where: str, notes: list[Note]) -> Singles:
    """A flat of median 1 without its pedestal.

    Raises
    ------
    RequestError
        It holds no light.
    """
    if pedestal is None:
        text = "The flat's own offset was not taken off: give --bias, or a --dark as long as the flat."
        notes.append(Note(Caveat.UNCALIBRATED, text))
    level = flat.array if pedestal is None else flat.array - pedestal
    middle = float(np.nanmedian(level))
    if not middle > 0:
        raise RequestError(f"{where}: the flat's median is {middle:g} ADU; is it a flat?")
    return (level / np.float32(middle)).astype(np.float32)
