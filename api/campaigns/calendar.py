"""Campaigns as an iCalendar document (RFC 5545)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from api.campaigns.tables import Campaign, Prediction

MEDIA_TYPE = "text/calendar; charset=utf-8"
LINE_BYTES = 75
LENGTH = timedelta(minutes=1)
"""Of an entry: around the geocentric closest approach; the shadow crosses the Earth in minutes."""
_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


def escaped(text: str) -> str:
    r"""Value of type TEXT (3.3.11): ``\\``, ``\;``, ``\,`` and ``\n``; other control characters go."""
    kept = "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or (c >= " " and c != "\x7f"))
    return kept.translate(_ESCAPES)


def folded(line: str) -> str:
    """A content line in pieces of at most 75 octets, never within a character (3.1)."""
    pieces: list[str] = []
    piece, size = "", 0
    for character in line:
        more = len(character.encode())
        if size + more > LINE_BYTES:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + character, size + more
    return "\r\n".join([*pieces, piece]) + "\r\n"


def stamp(at: datetime) -> str:
    """UTC, whole seconds."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def calendar_text(campaigns: Sequence[tuple[Campaign, Prediction]], url: str, host: str) -> str:
    """Return the document.

    Parameters
    ----------
    campaigns : sequence of (Campaign, Prediction)
        One entry each; the same campaign has the same UID for ever.
    url, host : str
        Of the service.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Umbra//Occultation campaigns//EN",
        "CALSCALE:GREGORIAN",
        "X-WR-CALNAME:Occultation campaigns",
    ]
    for campaign, prediction in campaigns:
        lines += _event(campaign, prediction, url, host)
    return "".join(folded(line) for line in [*lines, "END:VCALENDAR"])


def _event(campaign: Campaign, prediction: Prediction, url: str, host: str) -> Iterator[str]:
    changed = max(campaign.closed or campaign.opened, prediction.changed)
    star = "" if prediction.star_mag is None else f", star of magnitude {prediction.star_mag:.1f}"
    seconds = f"{prediction.at:%Y-%m-%d %H:%M:%S} UTC"
    words = f"Geocentric closest approach {seconds}{star}.\n{url}/api/v1/campaigns/{campaign.id}"
    yield "BEGIN:VEVENT"
    yield f"UID:{campaign.id}@{host}"
    yield f"DTSTAMP:{stamp(changed)}"
    yield f"LAST-MODIFIED:{stamp(changed)}"
    yield f"DTSTART:{stamp(prediction.at)}"
    yield f"DTEND:{stamp(prediction.at + LENGTH)}"
    yield f"SUMMARY:{escaped(f'Occultation: {campaign.name}')}"
    yield f"DESCRIPTION:{escaped(words)}"
    yield f"URL:{url}/api/v1/campaigns/{campaign.id}"
    yield "STATUS:CONFIRMED"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"
