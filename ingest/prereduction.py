"""Which calibration frames of a folder belong to a recording, and how they may be used.

A frame belongs to it that has its size and binning; a bias or dark also its gain and offset settings, a flat
its filter, where headers state them. Nothing is guessed: what does not match is left out and said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.fits_header import FitsHeader
from ingest.fits_keywords import ImageType
from ingest.fits_times import exposure_s

SAME_EXPOSURE = 0.02
"""Relative difference up to which two exposures count as the same."""

SAME_TEMPERATURE = 5.0
"""Kelvin between sensor temperatures above which a dark's current is another one."""

BINNING_KEYS = (("XBINNING", "YBINNING"), ("CCDXBIN", "CCDYBIN"), ("BINX", "BINY"))
TRAIT_KEYS = frozenset(
    {key for pair in BINNING_KEYS for key in pair} | {"FILTER", "GAIN", "OFFSET", "CCD-TEMP"}
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What makes calibration frames fit: frame shape, and settings where the header states them."""

    shape: tuple[int, ...]
    exposure_s: float | None
    binning: tuple[float, float] | None
    gain: str | None
    offset: str | None
    filter: str | None
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class CalibrationFile:
    """One FITS file that is no light frame; a cube is combined on its own."""

    path: Path
    kind: ImageType
    traits: Traits
    cube: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are combined into one master."""

    kind: ImageType
    files: tuple[Path, ...]
    traits: Traits

    @property
    def text(self) -> str:
        """Number, kind and exposure, for people."""
        exposure = self.traits.exposure_s
        at = "" if exposure is None or self.kind == "bias" else f" of {exposure:g} s"
        return f"{len(self.files)} {self.kind} frame{'s' if len(self.files) > 1 else ''}{at}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is applied to a recording: groups by use, and what was left out with the reason."""

    bias: Group | None
    dark: Group | None
    flats: tuple[Group, ...]
    flat_darks: tuple[Group | None, ...]
    left_out: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether anything is applied."""
        return self.bias is not None or self.dark is not None or bool(self.flats)


def traits_of(header: FitsHeader, shape: tuple[int, ...]) -> Traits:
    """Traits of a frame from its header."""
    binning = next(
        ((x, y) for keys in BINNING_KEYS if (x := header.number(keys[0])) and (y := header.number(keys[1]))),
        None,
    )
    return Traits(
        shape=shape,
        exposure_s=exposure_s(header),
        binning=binning,
        gain=_setting(header, "GAIN"),
        offset=_setting(header, "OFFSET"),
        filter=_setting(header, "FILTER"),
        temperature_c=header.number("CCD-TEMP"),
    )


def _setting(header: FitsHeader, key: str) -> str | None:
    """A setting as text that compares: numbers in one form, words in small letters."""
    number = header.number(key)
    text = f"{number:g}" if number is not None else (header.text(key) or "").strip().lower()
    return text or None


def choose(files: Sequence[CalibrationFile], light: Traits, bias_given: bool = False) -> Chosen:
    """Sort the calibration frames of a folder by their use for a recording.

    Parameters
    ----------
    files : sequence of CalibrationFile
    light : Traits
        Of the recording's frames.
    bias_given : bool
        A bias from elsewhere is there to scale darks with.
    """
    left_out: list[str] = []
    fitting = [file for file in files if _fits(file, light, files, left_out)]
    biases = _largest(_groups(fitting, "bias"), left_out)
    darks = _groups(fitting, "dark")
    dark = _dark_for(light.exposure_s, darks, bias_given or biases is not None, left_out)
    flats = _flats(_groups(fitting, "flat"), darks)
    flat_darks = tuple(own for _, own in flats)
    used = {id(group) for group in (dark, *flat_darks)}
    for group in darks:
        if id(group) not in used and not any(text.startswith(group.text) for text in left_out):
            left_out.append(f"{group.text}: others have the recording's exposure")
    return Chosen(
        biases,
        dark,
        tuple(flat for flat, _ in flats),
        flat_darks,
        tuple(left_out),
        tuple(_remarks(dark, light)),
    )


def _fits(
    file: CalibrationFile, light: Traits, files: Sequence[CalibrationFile], left_out: list[str]
) -> bool:
    """Whether a frame belongs to the recording; each reason is kept once, with the number of frames."""
    reason = _mismatch(file, light)
    if reason is None:
        return True
    alike = [other for other in files if other.kind == file.kind and _mismatch(other, light) == reason]
    if alike[0] is file:
        left_out.append(f"{Group(file.kind, tuple(f.path for f in alike), _bare(file)).text}: {reason}")
    return False


def _bare(file: CalibrationFile) -> Traits:
    return Traits(file.traits.shape, None, None, None, None, None, None)


def _mismatch(file: CalibrationFile, light: Traits) -> str | None:
    own = file.traits
    if own.shape != light.shape:
        return f"{_size(own.shape)} pixels, the recording has {_size(light.shape)}"
    names: tuple[str, ...] = ("binning", "filter") if file.kind == "flat" else ("binning", "gain", "offset")
    for name in names:
        there, here = getattr(own, name), getattr(light, name)
        if there is not None and here is not None and there != here:
            return f"{name} {_said(there)}, the recording has {_said(here)}"
    return None


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in reversed(shape))


def _said(value: str | tuple[float, float]) -> str:
    return value if isinstance(value, str) else f"{value[0]:g}x{value[1]:g}"


def _groups(files: Sequence[CalibrationFile], kind: ImageType) -> list[Group]:
    """Files of a kind by exposure (not for bias frames), shortest first; a cube stays alone."""
    chosen = [file for file in files if file.kind == kind]
    plain = sorted((f for f in chosen if not f.cube), key=lambda f: (f.traits.exposure_s or 0.0, str(f.path)))
    lists = [[cube] for cube in chosen if cube.cube]
    for file in plain:
        last = lists[-1] if lists and not lists[-1][0].cube else None
        if last and (kind == "bias" or _same(last[0].traits.exposure_s, file.traits.exposure_s)):
            last.append(file)
        else:
            lists.append([file])
    return [Group(kind, tuple(file.path for file in files), files[0].traits) for files in lists]


def _flats(groups: Sequence[Group], darks: Sequence[Group]) -> list[tuple[Group, Group | None]]:
    """Flats with darks of their exposure; all others (twilight, whose exposures vary) are one group."""
    own = [(group, _same_exposure(group.traits.exposure_s, darks)) for group in groups]
    bare = [group for group, dark in own if dark is None]
    kept: list[tuple[Group, Group | None]] = [pair for pair in own if pair[1] is not None]
    if not bare:
        return kept
    traits = bare[0].traits if len(bare) == 1 else replace(bare[0].traits, exposure_s=None)
    return [*kept, (Group("flat", tuple(path for group in bare for path in group.files), traits), None)]


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= SAME_EXPOSURE * max(one, other)


def _largest(groups: Sequence[Group], left_out: list[str]) -> Group | None:
    if not groups:
        return None
    best = max(groups, key=lambda group: len(group.files))
    left_out += [f"{group.text}: another group is larger" for group in groups if group is not best]
    return best


def _same_exposure(exposure: float | None, darks: Iterable[Group]) -> Group | None:
    if exposure is None:
        return None
    return next((group for group in darks if _same(group.traits.exposure_s, exposure)), None)


def _dark_for(
    exposure: float | None, darks: Sequence[Group], bias: bool, left_out: list[str]
) -> Group | None:
    """The dark of the recording's exposure, else the one nearest to it if a bias allows scaling."""
    if not darks:
        return None
    same = _same_exposure(exposure, darks)
    if same is not None:
        return same
    unstated = [group for group in darks if group.traits.exposure_s is None]
    if exposure is None or (unstated and not bias):
        return unstated[0] if unstated else max(darks, key=lambda group: len(group.files))
    known = [group for group in darks if group.traits.exposure_s]
    if bias and known:
        return min(known, key=lambda group: abs((group.traits.exposure_s or 0.0) - exposure))
    left_out += [
        f"{group.text}: the recording was exposed {exposure:g} s, and there is no bias to scale them with"
        for group in darks
    ]
    return None


def _remarks(dark: Group | None, light: Traits) -> Iterable[str]:
    """What is known to limit the masters."""
    if dark is None:
        return
    cold, own = dark.traits.temperature_c, light.temperature_c
    if cold is not None and own is not None and abs(cold - own) > SAME_TEMPERATURE:
        yield f"the darks were taken at {cold:g} C, the recording at {own:g} C"
    if light.exposure_s is None or dark.traits.exposure_s is None:
        yield "the exposures of darks and recording are not both stated; they are taken as equal"
