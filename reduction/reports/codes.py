"""Letters and digits by which Occult and the IOTA-ES form name what a record says in words.

They are those of Dave Herald's "Format for Asteroid Occultation Observations", version 2.15; the IOTA-ES
form 2.03 prints the same tables in its own text.
"""

from collections.abc import Mapping
from typing import Any

from reduction.record import Component, Method, Stability, TelescopeType, TimeSource, Transparency

TELESCOPES: Mapping[TelescopeType, str] = {
    "refractor": "1",
    "newtonian": "2",
    "schmidt-cassegrain": "3",
    "dobsonian": "4",
    "binoculars": "5",
    "other": "6",
    "none": "7",
    "evscope": "8",
}
METHODS: Mapping[Method, str] = {
    "video": "a",
    "dslr video": "b",
    "photometer": "c",
    "sequential images": "d",
    "drift scan": "e",
    "visual": "f",
    "other": "g",
}
TIME_SOURCES: Mapping[TimeSource, str] = {
    "gps": "a",
    "ntp": "b",
    "telephone": "c",
    "radio": "d",
    "internal clock": "e",
    "stopwatch": "f",
    "other": "g",
}
TRANSPARENCIES: Mapping[Transparency, str] = {
    "clear": "1",
    "fog": "2",
    "thin cloud": "3",
    "thick cloud": "4",
    "broken cloud": "5",
    "star faint": "6",
    "averted vision": "7",
}
STABILITIES: Mapping[Stability, str] = {"steady": "1", "slight flickering": "2", "strong flickering": "3"}

D_CODES: Mapping[Component, str] = {
    "main star": "D",
    "second star": "d",
    "satellite": "G",
    "satellite, second star": "g",
    "ring": "N",
}
R_CODES: Mapping[Component, str] = {
    "main star": "R",
    "second star": "r",
    "satellite": "B",
    "satellite, second star": "b",
    "ring": "N",
}
NOT_DETECTED = "M"
NOT_SEEN = "C"


def code(table: Mapping[Any, str], word: str | None, unstated: str = "") -> str:
    """Letter of a word; `unstated` where there is none."""
    return unstated if word is None else table[word]


def word(table: Mapping[Any, str], text: str) -> str | None:
    """Word of a letter; None for blanks, an underscore, or a letter that the table lacks."""
    return next((str(name) for name, letter in table.items() if letter == text.strip()), None)
