"""Files that are not to be used any more: taken back by their observer, or flagged by the team."""

import json
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.permit import Permit
from api.audit.log import record
from api.database.tables import now
from api.fits.tables import ChordChoice, Fit
from api.observations.tables import ACCEPTED, FLAGGED, WITHDRAWN, Observation, ObservationFile
from api.problems import RefusedError
from api.results.tables import Reduction, Result
from api.uploads.discarding import discard, requests_with
from cluster.jobs.job import ENDED
from cluster.jobs.tables import JobRow
from reduction.errors import RequestError

WHAT_TO_DO = (
    "What was made of a file stays as it is, so that it can be checked; ask the campaign's team to flag the "
    "file, and nothing new is made of it"
)


def owned_file(session: Session, permit: Permit, identity: str) -> ObservationFile:
    """A file, locked, of an observation that the permit is good for.

    Raises
    ------
    RefusedError
        403, 404.
    """
    row = session.get(ObservationFile, identity)
    permit.over(session, None if row is None else session.get(Observation, row.observation), "file")
    assert row is not None
    session.refresh(row, with_for_update=True)
    return row


def uses_of(session: Session, row: ObservationFile) -> tuple[str, ...]:
    """What was made of a file, or is being made, in words; nothing: it can be taken back."""
    return (*_of_reductions(session, row), *_of_limb(session, row), *_of_archives(session, row))


def _of_reductions(session: Session, row: ObservationFile) -> Iterator[str]:
    """Any file of a reduction is named in its request, by an id that nothing else has."""
    asked = select(Reduction).where(Reduction.observation == row.observation).order_by(Reduction.created)
    for one in session.scalars(asked):
        if one.file != row.id and row.id not in json.dumps(one.request):
            continue
        result = None if one.result is None else session.get(Result, one.result)
        state = session.scalar(select(JobRow.state).where(JobRow.id == one.id))
        if result is not None:
            yield f"version {result.version} of the results was made of it"
        elif state is not None and state not in ENDED:
            yield f"it is being reduced ({state}); that can be cancelled"


def _of_limb(session: Session, row: ObservationFile) -> Iterator[str]:
    campaign = session.get_one(Observation, row.observation).campaign
    if session.scalar(select(ChordChoice.observation).where(ChordChoice.file == row.id)) is not None:
        yield "the team chose it for the station's chord"
    for fit in session.scalars(select(Fit).where(Fit.campaign == campaign).order_by(Fit.version)):
        inputs = json.dumps(fit.inputs)
        if row.id in inputs or row.sha256 in inputs:
            yield f"version {fit.version} of the limb was made of it"


def _of_archives(session: Session, row: ObservationFile) -> Iterator[str]:
    campaign = session.get_one(Observation, row.observation).campaign
    for one in requests_with(session, row.sha256, campaign):
        yield f"it is in event data that can be fetched until {one.expires:%Y-%m-%d %H:%M} UTC"


def withdraw(session: Session, permit: Permit, identity: str) -> ObservationFile:
    """Take back a file.

    Raises
    ------
    RefusedError
        403, 404. 409: it was taken back before, or something uses it.
    """
    row = owned_file(session, permit, identity)
    if row.state == WITHDRAWN:
        raise RefusedError(409, f"{row.name}: was taken back before")
    uses = uses_of(session, row)
    if uses:
        raise RefusedError(409, f"{row.name}: cannot be taken back: {'; '.join(uses)}. {WHAT_TO_DO}")
    was = row.state
    row.state, row.finding = WITHDRAWN, {}
    discard(session, row.sha256)
    record(
        session, permit.caller, "file withdrawn", row.id,
        observation=row.observation, sha256=row.sha256, size=row.size, was=was,
    )  # fmt: skip
    return row


def flag(session: Session, permit: Permit, identity: str, reason: str) -> ObservationFile:
    """Have a file used no more, or again where `reason` is empty.

    Raises
    ------
    RefusedError
        403, 404. 409: it is neither accepted nor flagged.
    """
    row = owned_file(session, permit, identity)
    if row.state not in {ACCEPTED, FLAGGED}:
        raise RefusedError(409, f"{row.name}: is {row.state}; accepted files are flagged")
    rest = {name: value for name, value in row.finding.items() if name != "flag"}
    if reason:
        told = {"reason": reason, "by": permit.caller.known, "at": now().isoformat()}
        row.state, row.finding = FLAGGED, {**rest, "flag": told}
    elif row.state == ACCEPTED:
        raise RequestError("reason: say why the file is not to be used")
    else:
        row.state, row.finding = ACCEPTED, rest
    record(session, permit.caller, "file flagged" if reason else "file flag lifted", row.id)
    return row
