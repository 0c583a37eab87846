"""Participants of a campaign: for one another, and for the publication as JSON, CSV and LaTeX."""

import csv
import io
import unicodedata
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.campaigns.campaign_views import AuthorView, ParticipantView
from api.equipment.places import rough_place
from api.equipment.tables import Site
from api.observations.tables import Observation
from api.people.tables import Person

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{",
    "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "[": "{[}", "]": "{]}",
}  # fmt: skip
COLUMNS = ("name", "affiliation", "orcid", "consent", "roles", "stations")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def participants(session: Session, campaign: str) -> tuple[ParticipantView, ...]:
    """Who observes, station by station, as the other participants see them."""
    rows = session.execute(
        select(Observation, Person, Site)
        .join(Person, Person.id == Observation.person)
        .join(Site, Site.id == Observation.site)
        .where(Observation.campaign == campaign)
        .order_by(Observation.created, Observation.id)
    )
    return tuple(
        ParticipantView(
            name=person.name,
            affiliation=person.affiliation,
            station=observation.station,
            status=observation.status,
            place=rough_place(site.latitude_deg, site.longitude_deg, site.height_m),
        )
        for observation, person, site in rows
    )


def authors(session: Session, campaign: str, everyone: bool) -> tuple[AuthorView, ...]:
    """Participants for the publication, by name; somebody agrees if any of their observations says so.

    Parameters
    ----------
    everyone : bool
        Those who did not agree, too. A deleted account has no name any more, and is left out.
    """
    rows = session.execute(
        select(Observation, Person)
        .join(Person, Person.id == Observation.person)
        .where(Observation.campaign == campaign, Person.deleted.is_(None))
        .order_by(Observation.created, Observation.id)
    )
    people: dict[str, Person] = {}
    stations: dict[str, list[Observation]] = {}
    for observation, person in rows:
        people[person.id] = person
        stations.setdefault(person.id, []).append(observation)
    found = [
        AuthorView(
            name=people[key].name,
            affiliation=people[key].affiliation,
            orcid=people[key].orcid,
            consent=any(one.consent for one in those),
            roles=tuple(dict.fromkeys(one.role for one in those if one.role)),
            stations=tuple(dict.fromkeys(one.station for one in those)),
        )
        for key, those in stations.items()
    ]
    kept = [one for one in found if everyone or one.consent]
    return tuple(sorted(kept, key=lambda one: (_sorting(one.name), one.orcid or "")))


def _sorting(name: str) -> str:
    """By the last word of a name, without accents."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold() or name
    words = plain.split()
    return " ".join([*words[-1:], *words[:-1]])


def authors_csv(rows: Sequence[AuthorView]) -> str:
    """The list as CSV; what a spreadsheet would take for a formula begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in rows:
        cells = (
            one.name,
            one.affiliation,
            one.orcid or "",
            "yes" if one.consent else "no",
            "; ".join(one.roles),
            "; ".join(one.stations),
        )
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULAS) else cell for cell in cells])
    return text.getvalue()


def latex(text: str) -> str:
    """Text as LaTeX in UTF-8 prints it: nothing in it is a command."""
    return "".join(_LATEX.get(character, character) for character in text)


def authors_latex(rows: Sequence[AuthorView]) -> str:
    r"""The list as ``\author`` and ``\affil`` of the package authblk; iDs by ``\orcidlink`` of orcidlink."""
    places = list(dict.fromkeys(one.affiliation for one in rows if one.affiliation))
    lines = ["% needs \\usepackage{authblk} and \\usepackage{orcidlink}"]
    for one in rows:
        mark = f"[{places.index(one.affiliation) + 1}]" if one.affiliation else ""
        link = f"\\,\\orcidlink{{{one.orcid}}}" if one.orcid else ""
        lines.append(f"\\author{mark}{{{latex(one.name)}{link}}}")
    lines += [f"\\affil[{number}]{{{latex(place)}}}" for number, place in enumerate(places, 1)]
    return "\n".join([*lines, ""])
