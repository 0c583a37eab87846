"""From what was asked for to orders of the queue."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.database.tables import new_id, now
from api.observations.tables import Observation, ObservationFile
from api.results.requests import ReductionAsk
from api.results.tables import Reduction
from cluster.campaign.digests import state_of
from cluster.campaign.orders import Work, key_of
from cluster.jobs.job import Order

ROWS = 500
Files = Mapping[str, ObservationFile]
"""Rows by id."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A reduction whose files are known.

    Attributes
    ----------
    line : int
        Of the manifest; 0 without one.
    file : ObservationFile
        The recording.
    work : Work
    """

    line: int
    ask: ReductionAsk
    observation: Observation
    file: ObservationFile
    work: Work


def files_of(session: Session, ids: Iterable[str]) -> dict[str, ObservationFile]:
    """Rows of files, by id; those that are not there are left out."""
    listed = sorted(set(ids))
    found: dict[str, ObservationFile] = {}
    for start in range(0, len(listed), ROWS):
        part = select(ObservationFile).where(ObservationFile.id.in_(listed[start : start + ROWS]))
        found |= {row.id: row for row in session.scalars(part)}
    return found


def observations_of(session: Session, files: Iterable[ObservationFile]) -> dict[str, Observation]:
    """Rows of the observations of files, by id."""
    listed = sorted({file.observation for file in files})
    found: dict[str, Observation] = {}
    for start in range(0, len(listed), ROWS):
        part = select(Observation).where(Observation.id.in_(listed[start : start + ROWS]))
        found |= {row.id: row for row in session.scalars(part)}
    return found


def fault_of(ask: ReductionAsk, files: Files) -> tuple[str, str] | None:
    """The field that names a file which cannot be used so, and why; None where all can.

    What is not there, and what is of another observation, is told apart from nothing.
    """
    recording = files.get(ask.file)
    for name, identity in ask.files.items():
        field = {"input": "file", "times": "times.table"}.get(name, name)
        row = files.get(identity)
        if row is None or recording is None or row.observation != recording.observation:
            return field, "no such file, or not yours to see"
        if name == "input" and row.role != "recording":
            return field, f"{row.name}: is no recording but of the role {row.role}"
        if row.state != "accepted":
            return field, f"{row.name}: is {row.state}; a file is reduced once it was inspected and accepted"
    return None


def asked(
    line: int, ask: ReductionAsk, files: Files, observations: Mapping[str, Observation], store: str
) -> Asked:
    """A reduction that has no fault, with what a worker needs."""
    rows = {name: files[identity] for name, identity in ask.files.items()}
    recording = rows["input"]
    request = ask.request({name: row.sha256 for name, row in rows.items()})
    key = key_of(request, [(f"{name}/raw", row.sha256) for name, row in rows.items()])
    size = sum(row.size for name, row in rows.items() if name != "input")
    work = Work(recording.observation, key, request, state_of(request), store, size)
    return Asked(line, ask, observations[recording.observation], recording, work)


def reduction_of(
    one: Asked, asker: str, priority: int, batch: str | None = None, idempotency_key: str | None = None
) -> Reduction:
    """The row of a reduction that is asked for."""
    return Reduction(
        id=new_id(),
        campaign=one.observation.campaign,
        observation=one.observation.id,
        file=one.file.id,
        batch=batch,
        line=one.line,
        person=one.observation.person,
        asker=asker,
        idempotency_key=idempotency_key,
        priority=priority,
        request=one.ask.kept,
        key=one.work.key,
        created=now(),
    )


def order_for(row: Reduction, work: Work) -> Order:
    """The job of a reduction."""
    return Order(row.id, work.text, row.asker, row.campaign, row.priority)


def orders_again(session: Session, rows: Iterable[Reduction], store: str) -> list[Order]:
    """Jobs of reductions that were acknowledged, and whose jobs a crash kept from the queue."""
    listed = list(rows)
    asks = {row.id: ReductionAsk.model_validate(row.request) for row in listed}
    files = files_of(session, (file for ask in asks.values() for file in ask.files.values()))
    observations = observations_of(session, files.values())
    return [
        order_for(row, asked(row.line, asks[row.id], files, observations, store).work)
        for row in listed
        if fault_of(asks[row.id], files) is None
    ]
