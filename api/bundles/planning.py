"""From what a campaign has to the plan of its archive: a folder for each station, a manifest, checksums."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from api.bundles.checking import Found, Lost, ResultFiles, files_in, kept_in
from api.bundles.gathering import Contents, Station
from api.bundles.plan import Entry, Plan, text_entry
from api.bundles.readme import readme
from api.downloads import file_name
from api.figures.tables import LimbFigure, file_name_of
from api.observations.reporting import record_of, record_text
from api.observations.tables import FLAGGED, WITHDRAWN, ObservationFile
from api.results.tables import Result
from cluster.store.published import ObjectStore
from ingest.archives.members import SafeNames

FOLDERS = MappingProxyType({"recording": "recordings", "additional": "additional", "roi": "roi"})
"""Role of a file -> its folder."""
UNEXAMINED = "is still being examined: ask for the data again when that is done"


@dataclass(frozen=True, slots=True)
class Absent:
    """A file that is not in the archive.

    Attributes
    ----------
    lost : bool
        It should be there; else it was refused, or is still being examined.
    """

    station: str
    name: str
    why: str
    lost: bool


@dataclass
class Planned:
    """A plan, and what was found on the way.

    Attributes
    ----------
    crc32 : dict
        Checksums of files that had none, or were found sound again.
    damaged : list of str
        Ids of files of which the store has something else.
    """

    plan: Plan = field(default_factory=lambda: Plan("", ()))
    absent: list[Absent] = field(default_factory=list)
    crc32: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


def planned(store: ObjectStore, contents: Contents, known: ResultFiles) -> Planned:
    """Settle what the archive of a campaign holds.

    Raises
    ------
    ResourceError
        The store cannot be reached.
    """
    from reduction.reports.form import plain

    made = Planned()
    body = contents.prediction
    root = f"{plain(f'{body.object_number} {body.object_name}'.strip(), 'event')}_{body.at:%Y%m%d}"
    files = [file for station in contents.stations for file in station.files if file.state == "accepted"]
    there = dict(zip((file.id for file in files), files_in(store, files), strict=True))
    parts = [_Part(root, station, made) for station in contents.stations]
    for part in parts:
        part.add_reports()
        part.add_files(there)
        part.add_results(store, known)
    rows = [part.row() for part in parts]
    limb = _limb(root, contents, made, store, known)
    entries = [entry for part in (*parts, limb) for entry in part.entries]
    when = seconds(_latest(contents))
    document = {**_head(contents), "stations": rows, "limb": limb.rows, "absent": _absent_rows(made.absent)}
    before = [
        text_entry(f"{root}/README.txt", readme(contents, rows, limb.rows, made.absent).encode(), when),
        text_entry(f"{root}/manifest.json", _json(document), when),
    ]
    sums = "".join(f"{one.sha256}  {one.name.partition('/')[2]}\n" for one in (*before, *entries))
    before.append(text_entry(f"{root}/SHA256SUMS", sums.encode(), when))
    made.plan = Plan(f"{root}.zip", (*before, *entries))
    return made


class _Folder:
    """A folder of the archive that is filled.

    Attributes
    ----------
    entries : list of Entry
    rows : list of dict
        What the manifest tells of them.
    """

    def __init__(self, root: str, folder: str, made: Planned) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.rows: list[dict[str, Any]] = []
        self._root, self._made, self._names = root, made, SafeNames()

    def add_published(
        self, store: ObjectStore, known: ResultFiles, key: str, into: str, when: datetime, **told: Any
    ) -> None:
        """Add the files that are published under a key, into a folder in this one (empty: into this one)."""
        commit = store.find("results", key)
        if commit is None:
            self._leave_out(into.rstrip("/") or key, "is not in the store any more", True)
            return
        for file in commit.files:
            found = known.look(store, commit, file)
            if isinstance(found, Found):
                self._add_found(self._place(f"{into}{file.name}"), found, when, **told)
            else:
                self._leave_out(f"{into}{file.name}", found.why, True)

    def add_figure(self, store: ObjectStore, row: LimbFigure) -> None:
        """Add a figure that was uploaded."""
        name = f"uploaded/{file_name_of(row)}"
        found = kept_in(store, row.sha256, row.size, row.crc32)
        if isinstance(found, Found):
            told = {"role": "figure", "version": row.version, "caption": row.caption, "sent_as": row.name}
            self._add_found(self._place(name), found, row.created, **told)
        else:
            self._leave_out(name, found.why, True)

    def _place(self, name: str) -> str:
        parts = self._names.file(f"{self.folder}/{name}").parts
        return "/".join((self._root, *parts))

    def _add_found(self, place: str, found: Found, when: datetime, **told: Any) -> None:
        entry = Entry(place, found.size, found.crc32, seconds(when), found.sha256, store=found.store)
        self._add(entry, **told)

    def _add(self, entry: Entry, **told: Any) -> None:
        self.entries.append(entry)
        path = entry.name.partition("/")[2]
        self.rows.append({"path": path, "size": entry.size, "sha256": entry.sha256, **told})

    def _leave_out(self, name: str, why: str, lost: bool) -> None:
        self._made.absent.append(Absent(self.folder, name, why, lost))


class _Part(_Folder):
    """A station's folder."""

    def __init__(self, root: str, station: Station, made: Planned) -> None:
        from reduction.reports.form import plain

        row, person = station.stated.observation, station.stated.person
        last = (person.name.split() or [""])[-1]
        name = f"{station.number:02d}_{plain(last, 'observer')}_{plain(row.station, 'station')}"
        super().__init__(root, name, made)
        self._station = station

    def add_reports(self) -> None:
        """Add the asteroidal occultation report: as text, as a page, as the record of all forms."""
        from reduction.reports import classic, page

        record = record_of(self._station.stated)
        changed = seconds(self._station.stated.observation.changed)
        for name, content in (
            ("report.txt", classic.fill(record)[0].content),
            ("report.html", page.fill(record)[0].content),
            ("report.json", record_text(record)),
        ):
            self._add(text_entry(self._place(name), content, changed), role="report")

    def add_files(self, there: dict[str, Found | Lost]) -> None:
        """Add recordings, additional files and ROI images as they were sent."""
        for file in self._station.files:
            found = there.get(file.id)
            if isinstance(found, Found):
                place = self._place(f"{FOLDERS[file.role]}/{file_name(file.name)}")
                self._add_found(place, found, file.created, role=file.role, sent_as=file.name)
                if file.crc32 is None or file.damaged is not None:
                    self._made.crc32[file.id] = found.crc32
            else:
                self._leave_out(file.name, _why(file, found), found is not None)
                if found is not None and found.damaged and file.damaged is None:
                    self._made.damaged.append(file.id)

    def add_results(self, store: ObjectStore, known: ResultFiles) -> None:
        """Add the files of the last reduction of each recording."""
        for result, recording in self._station.results:
            into = f"results/{file_name(recording)} v{result.version}/"
            self.add_published(store, known, result.key, into, result.created, role="result", **_of(result))

    def row(self) -> dict[str, Any]:
        """What the manifest tells of the station."""
        row, person = self._station.stated.observation, self._station.stated.person
        return {
            "folder": self.folder,
            "observation": row.id,
            "station": row.station,
            "observer": person.name,
            "affiliation": person.affiliation,
            "orcid": person.orcid,
            "status": row.status,
            "may_be_named": row.consent,
            "role_in_publication": row.role,
            "files": self.rows,
        }


def _limb(root: str, contents: Contents, made: Planned, store: ObjectStore, known: ResultFiles) -> _Folder:
    """The folder of the limb: what the last fit wrote, and figures that were uploaded."""
    folder, fit = _Folder(root, "limb", made), contents.fit
    if fit is not None:
        told = {"role": "fit", "fit": fit.id, "version": fit.version, "edition": fit.edition}
        folder.add_published(store, known, fit.key, "", fit.finished or fit.created, **told)
    for one in contents.figures:
        folder.add_figure(store, one)
    return folder


def _why(file: ObservationFile, found: Lost | Found | None) -> str:
    if isinstance(found, Lost):
        return found.why
    if file.state == "quarantined":
        return UNEXAMINED
    if file.state == WITHDRAWN:
        return "was taken back by its observer"
    if file.state == FLAGGED:
        return f"was flagged by the team: {file.finding['flag']['reason']}"
    return f"was refused: {file.finding.get('message') or 'it cannot be read'}"


def _of(result: Result) -> dict[str, Any]:
    return {"result": result.id, "version": result.version, "edition": result.edition}


def _head(contents: Contents) -> dict[str, Any]:
    campaign, body = contents.campaign, contents.prediction
    return {
        "schema": "umbra-event-data-1",
        "campaign": {
            "id": campaign.id,
            "name": campaign.name,
            "embargo": None if campaign.embargo is None else _utc(campaign.embargo),
        },
        "prediction": {
            "occ_id": body.occ_id,
            "number": body.object_number,
            "name": body.object_name,
            "star": body.star_name,
            "closest_approach": _utc(body.at),
        },
        "results": contents.with_results,
        "licence": None,
    }


def _absent_rows(absent: Iterable[Absent]) -> list[dict[str, Any]]:
    return [{"station": one.station, "name": one.name, "why": one.why, "lost": one.lost} for one in absent]


def _latest(contents: Contents) -> datetime:
    """When the last of what is told was written."""
    found = [contents.campaign.opened, contents.prediction.changed]
    for station in contents.stations:
        found += [station.stated.observation.changed, *(file.created for file in station.files)]
        found += [result.created for result, _ in station.results]
    if contents.fit is not None:
        found.append(contents.fit.finished or contents.fit.created)
    found += [figure.created for figure in contents.figures]
    return max(found)


def seconds(when: datetime) -> int:
    """POSIX seconds, whole."""
    return int(when.timestamp())


def _utc(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S}Z"


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
