"""README.txt of an archive of event data: what it is, what lies where, what is missing, whose it is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from api.bundles.gathering import Contents

if TYPE_CHECKING:
    from api.bundles.planning import Absent

ROLES = {
    "recording": "recordings",
    "additional": "additional files",
    "roi": "images of the region of interest",
    "report": "report files",
    "result": "result files",
    "fit": "files of the limb",
    "figure": "uploaded figures of the limb",
}
TEXT = """\
{title}
{line}
Event data of a stellar occultation campaign.

Event       {event}
Stations    {stations}
Files       {files}

What lies where
  NN_OBSERVER_STATION/   one folder for each station
    report.txt           the asteroidal occultation report, made from what the observer stated
    report.html          the same to read and print
    report.json          the same for `umbra report`, which writes every other form from it
    recordings/          as they were sent, byte for byte; archives are not unpacked
    additional/, roi/    other files, and images of the region of interest, as they were sent
{results}  manifest.json          all of this for programs: sizes, SHA-256, names as they were sent
  SHA256SUMS             to compare: sha256sum -c SHA256SUMS

What is missing
{absent}

Whose it is
  Recordings and reports are their observers'. No licence comes with them: who wants to pass them on, or use
  them for more than this campaign, asks the observers.
  {named}
  {embargo}
  Reports hold names, addresses and exact places of observers: they are for the campaign's team alone.
"""
RESULTS = """\
    results/             the last reduction of each recording: light curve, summary, figures, report
  limb/                  the last fit of the campaign's chords, if there is one: limb, chords, figures;
                         uploaded/: figures that the team made elsewhere, captions in manifest.json
"""


def readme(
    contents: Contents,
    stations: Sequence[dict[str, Any]],
    limb: Sequence[dict[str, Any]],
    absent: Sequence["Absent"],
) -> str:
    """The text.

    Parameters
    ----------
    stations, limb : sequence of dict
        As the manifest tells them.
    """
    body = contents.prediction
    number = f"({body.object_number}) " if body.object_number else ""
    star = f", star {body.star_name}" if body.star_name else ""
    title = contents.campaign.name
    return TEXT.format(
        title=title,
        line="=" * len(title),
        event=f"{number}{body.object_name}{star}, geocentric approach {body.at:%Y-%m-%d %H:%M:%S} UTC",
        stations=_counted(row["status"].replace("_", " ") for row in stations) or "none",
        files=_files([*(file for row in stations for file in row["files"]), *limb]),
        results=RESULTS if contents.with_results else "",
        absent="\n".join(f"  {one.station}: {one.name}: {one.why}" for one in absent) or "  Nothing.",
        named=_named(stations),
        embargo=_embargo(contents),
    )


def _counted(words: Iterable[str]) -> str:
    counts = Counter(words)
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return f"{counts.total()} ({told})" if counts else ""


def _files(files: Sequence[dict[str, Any]]) -> str:
    size = sum(file["size"] for file in files)
    counts = Counter(file["role"] for file in files)
    told = [f"{counts[role]} {words}" for role, words in ROLES.items() if counts[role]]
    return f"{len(files)} ({', '.join(told)}), {size} bytes" if files else "none"


def _named(stations: Sequence[dict[str, Any]]) -> str:
    agreed = sorted({row["observer"] for row in stations if row["may_be_named"] and row["observer"]})
    others = sorted({row["observer"] for row in stations if row["observer"]} - set(agreed))
    told = f"Agreed to be named in a publication: {', '.join(agreed) or 'nobody'}."
    return f"{told} Did not (yet): {', '.join(others)}." if others else told


def _embargo(contents: Contents) -> str:
    until = contents.campaign.embargo
    if until is None:
        return "There is no embargo on the results."
    return (
        f"Results are for staff and the event responsible alone until {until:%Y-%m-%d %H:%M} UTC (embargo)."
    )
