"""E-mails about what has ended: reductions, batches, files that arrived. One e-mail for many at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign, Responsible
from api.database.tables import EPOCH, now
from api.database.transactions import Database
from api.mail.outbox import tell
from api.notices.owed import due, settle
from api.notices.tables import Owed
from api.observations.tables import Observation, ObservationFile
from api.people.tables import Person
from api.results.tables import Batch, Reduction, Result
from api.settings import ServiceSettings
from api.uploads.tables import WHOLE, Upload
from api.webhooks.telling import announce
from cluster.jobs.job import ENDED
from cluster.jobs.tables import JobRow

AT_ONCE = 500
MOST_LINES = 20
"""Of a list in an e-mail; the others are counted."""
LONGEST_SILENCE = timedelta(hours=1)
"""While more of the same is under way, an e-mail tells of what has ended so often."""
QUIET = timedelta(minutes=2)
"""Files that arrive one after the other are told of together, once none has come for so long."""
VERSION_S = 60.0
"""How long an e-mail waits for the version of a result that is done."""

_open = or_(JobRow.state.is_(None), JobRow.state.not_in(ENDED))


def _unsettled() -> ColumnElement[bool]:
    """Done a moment ago, its version is not written yet."""
    recent = JobRow.finished > (now() - EPOCH).total_seconds() - VERSION_S
    return (JobRow.state == "done") & Reduction.result.is_(None) & recent


def tell_batches(database: Database, settings: ServiceSettings) -> int:
    """Tell of the batches that have ended; returns how many."""
    under_way = (
        select(Reduction.id)
        .outerjoin(JobRow, JobRow.id == Reduction.id)
        .where(Reduction.batch == Owed.thing, or_(_open, _unsettled()))
    )
    ended = select(Owed.thing).where(*due("batch"), ~exists(under_way.correlate(Owed)))
    with database.reading() as session:
        found = list(session.scalars(ended.limit(AT_ONCE)))
    for identity in found:
        with database.writing() as session:
            row = session.get(Owed, identity)
            if row is not None and settle(session, [row]):
                _tell_batch(session, settings, session.get_one(Batch, identity))
    return len(found)


def _tell_batch(session: Session, settings: ServiceSettings, batch: Batch) -> None:
    """Tell who asked, the team of the campaign, and whose recordings were reduced."""
    campaign = session.get_one(Campaign, batch.campaign)
    counted = (
        select(Reduction.person, JobRow.state, func.count())
        .join(JobRow, JobRow.id == Reduction.id)
        .where(Reduction.batch == batch.id)
        .group_by(Reduction.person, JobRow.state)
    )
    states: Counter[str] = Counter()
    owners: dict[str, Counter[str]] = {}
    for person, state, count in session.execute(counted):
        states[state] += count
        owners.setdefault(person, Counter())[state] += count
    values: dict[str, Any] = {
        "campaign": campaign.name,
        "total": sum(states.values()),
        "counts": _counts(states),
        "failed": states["failed"],
        "failures": _failures(session, batch.id),
        "verdicts": _verdicts(session, batch.id),
        "id": batch.id,
    }
    team = set(session.scalars(select(Responsible.person).where(Responsible.campaign == batch.campaign)))
    for identity in sorted({batch.person} | team):
        mine = "yes" if identity == batch.person else ""
        tell(session, settings, "batch", session.get_one(Person, identity), mine=mine, **values)
    announce(
        session, "batch.ended", [batch.person], batch=batch.id, campaign=batch.campaign,
        total=states.total(), **{state: states[state] for state in ENDED},
        links={"batch": f"/api/v1/batches/{batch.id}"},
    )  # fmt: skip
    for identity in sorted(owners.keys() - team - {batch.person}):
        _tell_owner(session, settings, identity, campaign, owners[identity], ())


def _counts(states: Mapping[str, int]) -> str:
    """How many ended how, as words."""
    told = [f"{states[state]} {state}" for state in ENDED if states.get(state)]
    return ", ".join(told) or "none"


def _failures(session: Session, batch: str) -> list[str]:
    """Lines about the first that failed."""
    rows = (
        select(Reduction.line, ObservationFile.name, JobRow.error)
        .join(JobRow, JobRow.id == Reduction.id)
        .join(ObservationFile, ObservationFile.id == Reduction.file)
        .where(Reduction.batch == batch, JobRow.state == "failed")
        .order_by(Reduction.line)
        .limit(MOST_LINES)
    )
    return [f"line {number}, {name}: {_reason(error)}" for number, name, error in session.execute(rows)]


def _verdicts(session: Session, batch: str) -> list[str]:
    """How many results say what, most frequent first."""
    rows = (
        select(Result.figures).join(Reduction, Reduction.result == Result.id).where(Reduction.batch == batch)
    )
    said = Counter(_said(figures) for figures in session.scalars(rows))
    return [f"{count} {verdict}" for verdict, count in said.most_common()]


def _said(figures: Mapping[str, Any]) -> str:
    """What a result says of an event, and how far it can be trusted."""
    event = str((figures.get("event") or {}).get("status") or "not searched for events")
    return f"{event} (quality: {figures.get('verdict') or 'not judged'})"


def _reason(error: str | None) -> str:
    text = " ".join((error or "no reason was kept").split())
    return text if len(text) <= 200 else text[:199] + "…"


def _tell_owner(
    session: Session,
    settings: ServiceSettings,
    person: str,
    campaign: Campaign,
    states: Mapping[str, int],
    lines: Sequence[str],
) -> None:
    """Tell an observer that others reduced their recordings; of those that failed, the others know."""
    if not states.get("done"):
        return
    values: dict[str, Any] = {
        "campaign": campaign.name,
        "count": states["done"],
        "lines": list(lines[:MOST_LINES]),
        "id": campaign.id,
    }
    tell(session, settings, "reduced", session.get_one(Person, person), **values)


def tell_reductions(database: Database, settings: ServiceSettings) -> int:
    """Tell of reductions that were asked for one by one; returns of how many."""
    told = 0
    with database.reading() as session:
        people = list(session.scalars(select(Owed.person).where(*due("reduction")).distinct()))
    for person in people:
        with database.reading() as session:
            if not _ended(session, person):
                continue
        with database.writing() as session:
            rows = _ended(session, person)
            taken = {row.thing for row in settle(session, [owed for owed, _, _ in rows])}
            mine = [row for row in rows if row[0].thing in taken]
            if mine:
                _tell_asker(session, settings, person, mine)
                told += len(mine)
    return told


Ended = tuple[Owed, Reduction, JobRow]


def _ended(session: Session, person: str) -> list[Ended]:
    """Reductions of which somebody is to be told now; none while others of theirs are under way."""
    theirs = (
        select(Owed, Reduction, JobRow)
        .join(Reduction, Reduction.id == Owed.thing)
        .outerjoin(JobRow, JobRow.id == Reduction.id)
        .where(*due("reduction"), Owed.person == person)
    )
    over = theirs.where(~_open, ~_unsettled()).order_by(Reduction.created, Reduction.id).limit(AT_ONCE)
    rows = [(owed, reduction, job) for owed, reduction, job in session.execute(over)]
    if not rows:
        return []
    waits = session.execute(theirs.where(or_(_open, _unsettled())).limit(1)).first() is not None
    first = min(job.finished or 0.0 for _, _, job in rows)
    silent = (now() - EPOCH).total_seconds() - first
    return rows if not waits or silent >= LONGEST_SILENCE.total_seconds() else []


def _tell_asker(session: Session, settings: ServiceSettings, person: str, rows: Sequence[Ended]) -> None:
    """Tell who asked for reductions, and whose recordings they are."""
    names = _named(session, ObservationFile, (reduction.file for _, reduction, _ in rows))
    stations = _named(session, Observation, (reduction.observation for _, reduction, _ in rows))
    results = _named(session, Result, (reduction.result for _, reduction, _ in rows if reduction.result))
    lines: list[str] = []
    shares: dict[tuple[str, str], tuple[Counter[str], list[str]]] = {}
    for _, reduction, job in rows:
        file = f"{names[reduction.file].name} ({stations[reduction.observation].station})"
        said = f"{file}: {_outcome(job, results.get(reduction.result or ''))}"
        lines.append(said)
        if reduction.person != person:
            share = shares.setdefault((reduction.person, reduction.campaign), (Counter(), []))
            share[0][job.state] += 1
            share[1].extend([said] if job.state == "done" else [])
    states = Counter(job.state for _, _, job in rows)
    values: dict[str, Any] = {
        "total": len(rows),
        "counts": _counts(states),
        "outcome": states.most_common(1)[0][0] if len(states) == 1 else "",
        "file": names[rows[0][1].file].name,
        "lines": lines[:MOST_LINES],
        "paths": [f"/jobs/{reduction.id}" for _, reduction, _ in rows[:MOST_LINES]],
        "more": max(0, len(lines) - MOST_LINES),
    }
    tell(session, settings, "reductions", session.get_one(Person, person), **values)
    for (owner, campaign), (ended, said_of) in sorted(shares.items(), key=lambda each: each[0]):
        _tell_owner(session, settings, owner, session.get_one(Campaign, campaign), ended, said_of)


def _outcome(job: JobRow, result: Result | None) -> str:
    if job.state == "failed":
        return f"failed: {_reason(job.error)}"
    if result is None:
        return job.state
    event = result.figures.get("event") or {}
    told = [f"version {result.version}: {_said(result.figures)}"]
    for name in ("d", "r"):
        utc, sigma = event.get(f"{name}_utc"), event.get(f"{name}_sigma_s")
        if utc and sigma is not None:
            told.append(f"{name.upper()} {utc} +- {sigma:.3f} s")
    return ", ".join(told)


def _named(session: Session, table: Any, ids: Iterable[str]) -> dict[str, Any]:
    """Rows by id."""
    listed = sorted(set(ids))
    return {row.id: row for row in session.scalars(select(table).where(table.id.in_(listed)))}


def tell_files(database: Database, settings: ServiceSettings) -> int:
    """Tell of files that arrived and can be used; returns of how many."""
    told = 0
    with database.reading() as session:
        waiting = select(Owed.person, func.min(Owed.created), func.max(Owed.created))
        rows = list(session.execute(waiting.where(*due("file")).group_by(Owed.person)))
        ready = [person for person, first, last in rows if _is_quiet(session, person, first, last)]
    for person in ready:
        with database.writing() as session:
            theirs = select(Owed).where(*due("file"), Owed.person == person).order_by(Owed.created)
            taken = settle(session, list(session.scalars(theirs.limit(AT_ONCE))))
            files = _named(session, ObservationFile, (row.thing for row in taken))
            if files:
                _tell_files(session, settings, person, list(files.values()))
                told += len(files)
    return told


def _is_quiet(session: Session, person: str, first: datetime, last: datetime) -> bool:
    at = now()
    if at - first >= LONGEST_SILENCE:
        return True
    coming = exists().where(Upload.person == person, Upload.state == WHOLE)
    return at - last >= QUIET and not session.scalar(select(coming))


def _tell_files(
    session: Session, settings: ServiceSettings, person: str, files: Sequence[ObservationFile]
) -> None:
    observations = _named(session, Observation, (file.observation for file in files))
    lines = [
        f"{file.name} ({observations[file.observation].station}): {_content(file)}"
        for file in sorted(files, key=lambda each: (each.created, each.id))
    ]
    values: dict[str, Any] = {
        "total": len(files),
        "file": files[0].name,
        "lines": lines[:MOST_LINES],
        "more": max(0, len(lines) - MOST_LINES),
    }
    tell(session, settings, "files", session.get_one(Person, person), **values)


def _content(file: ObservationFile) -> str:
    """What was found in a file, in a few words."""
    found = file.finding.get("recordings") or ()
    if file.role != "recording" or not found:
        return f"{file.role}, {file.size:,} bytes"
    frames = sum(_frames(each) for each in found)
    what = "recording" if len(found) == 1 else f"{len(found)} recordings"
    return f"{what}, {frames:,} frames, {file.size:,} bytes" if frames else f"{what}, {file.size:,} bytes"


def _frames(recording: Mapping[str, Any]) -> int:
    """Of a recording that was inspected."""
    return int(((recording.get("inspection") or {}).get("input") or {}).get("frames") or 0)


STEPS: tuple[Callable[[Database, ServiceSettings], int], ...] = (tell_batches, tell_reductions, tell_files)
"""Done again and again by the service."""
