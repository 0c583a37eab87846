"""Cards of a FITS header (FITS standard 4.0, chapter 4): fixed format, ASCII, blocks of 2880 bytes."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BLOCK = 2880
CARD = 80
LONGEST_TEXT = 68

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Card:
    """A keyword with its value; or commentary, whose value is text and which may repeat.

    Attributes
    ----------
    key : str
        Up to eight letters, digits, ``-`` or ``_``.
    value : str, int, float or bool
        Floats with all their digits; texts are cut to 68 characters and written in ASCII.
    comment : str
        Cut to what room there is.
    """

    key: str
    value: Value
    comment: str = ""

    @property
    def commentary(self) -> bool:
        """COMMENT or HISTORY."""
        return self.key in {"COMMENT", "HISTORY"}

    def line(self) -> str:
        """80 characters."""
        if self.commentary:
            return f"{self.key:<8}{ascii_text(str(self.value))}"[:CARD].ljust(CARD)
        if isinstance(self.value, bool):
            field = f"{'T' if self.value else 'F':>20}"
        elif isinstance(self.value, str):
            field = _quoted(self.value)
        elif isinstance(self.value, int):
            field = f"{self.value:>20d}"
        else:
            field = f"{_number(self.value):>20}"
        line = f"{self.key:<8}= {field}"
        if self.comment and len(line) + 3 < CARD:
            line += f" / {ascii_text(self.comment)}"
        return line[:CARD].ljust(CARD)


def _number(value: float) -> str:
    """A real number as FITS writes it: with a point, exponents in capitals."""
    text = repr(float(value)).upper()
    mantissa, mark, exponent = text.partition("E")
    return (mantissa if "." in mantissa else f"{mantissa}.0") + mark + exponent


def _quoted(text: str) -> str:
    """A text in quotes, quotes within doubled, of at least eight characters."""
    inner = ""
    for letter in ascii_text(text).rstrip():
        written = "''" if letter == "'" else letter
        if len(inner) + len(written) > LONGEST_TEXT:
            break
        inner += written
    return f"'{inner:<8}'".ljust(20)


def ascii_text(text: str) -> str:
    """Text in printable ASCII: accents dropped, what has no like in ASCII as a question mark."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)
    )
    return "".join(letter if " " <= letter <= "~" else " " if letter.isspace() else "?" for letter in plain)


def commentary(key: str, text: str) -> Iterator[Card]:
    """A text of any length as several cards, broken at blanks."""
    room = CARD - 8
    line = ""
    for word in ascii_text(text).split():
        rest = word
        while rest:
            joined = f"{line} {rest}" if line else rest
            if len(joined) <= room:
                line, rest = joined, ""
            elif line:
                yield Card(key, line)
                line = ""
            else:
                line, rest = rest[:room], rest[room:]
    if line:
        yield Card(key, line)


def header_bytes(cards: Iterable[Card]) -> bytes:
    """A header: the cards, END, blanks up to a whole block."""
    text = "".join(card.line() for card in cards) + "END".ljust(CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")


def card_offset(cards: Iterable[Card], key: str) -> int:
    """Place of the first character of a text value in the header."""
    return next(k for k, card in enumerate(cards) if card.key == key) * CARD + 11
