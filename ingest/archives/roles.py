"""What a file of an archive is for: by its header, by its name, by the folders it stands in."""

import re
from collections.abc import Sequence
from enum import StrEnum


class Role(StrEnum):
    """Use of a file or a recording."""

    LIGHT = "light"
    DARK = "dark"
    FLAT = "flat"
    BIAS = "bias"
    FLAT_DARK = "flat dark"
    LOG = "log"
    NOTES = "notes"
    IMAGE = "image"
    REPORT = "report"
    OTHER = "other"


CALIBRATION = (Role.BIAS, Role.DARK, Role.FLAT, Role.FLAT_DARK)

_WORDS = (
    (Role.FLAT_DARK, r"flat[-_ ]?darks?|dark[-_ ]?flats?"),
    (Role.BIAS, r"bias(?:es)?|offsets?|zeros?"),
    (Role.DARK, r"darks?|dunkel(?:bild(?:er)?)?"),
    (Role.FLAT, r"flats?|twilight|flat[-_ ]?fields?"),
    (Role.LIGHT, r"lights?"),
)
_NAMED = tuple(
    (role, re.compile(rf"(?<![a-z])(?:master|super)?[-_ ]?(?:{words})[-_ ]?(?:frames?|images?)?(?![a-z])"))
    for role, words in _WORDS
)
_LOG = re.compile(r"(?<![a-z])(?:log|settings|camerasettings)(?![a-z])")
_REPORT = re.compile(r"report|aota|lightcurve|(?<![a-z])lc(?![a-z])")
_IMAGE_SUFFIXES = frozenset({"png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "heic"})
_REPORT_SUFFIXES = frozenset({"xlsx", "xls", "ods", "csv", "dat", "xml", "html", "htm"})
_NOTES_SUFFIXES = frozenset({"txt", "md", "rtf", "doc", "docx", "odt", "pdf", "eml"})
_LOG_SUFFIXES = frozenset({"log", "ini", "cfg", "json", "nmea", "toml", "yaml"})


def role_by_name(parts: Sequence[str]) -> tuple[Role, str] | None:
    """Role that a path names, the file first, then its folders from inside; and the word that says so.

    ``light`` ends the search: ``dark site/lights/a.fits`` is a light frame.
    """
    for number, part in enumerate(reversed(parts)):
        text = part.lower()
        if number == 0:
            text = text.rpartition(".")[0] or text
        for role, pattern in _NAMED:
            if pattern.search(text):
                return role, part
    return None


def side_role(name: str) -> Role:
    """Role of a file that is no recording."""
    text = name.lower()
    stem, _, suffix = text.rpartition(".")
    if suffix in _IMAGE_SUFFIXES:
        return Role.IMAGE
    if suffix in _REPORT_SUFFIXES or (suffix in _NOTES_SUFFIXES and _REPORT.search(stem)):
        return Role.REPORT
    if suffix in _LOG_SUFFIXES or (suffix in _NOTES_SUFFIXES and _LOG.search(stem)):
        return Role.LOG
    return Role.NOTES if suffix in _NOTES_SUFFIXES else Role.OTHER
