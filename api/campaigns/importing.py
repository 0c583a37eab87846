"""Keep predictions: one, or all of a file, or none of it."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.audit.log import record
from api.audit.tables import Entry
from api.campaigns.prediction_files import Contents, Fault
from api.campaigns.prediction_views import columns_of
from api.campaigns.tables import Campaign, Prediction
from api.database.tables import new_id, now
from api.problems import FieldProblem, RefusedError
from reduction.errors import RequestError
from reduction.plan import Settings

Existing = Literal["refuse", "keep", "replace"]
"""What becomes of a prediction whose occ_id is there already."""
AT_ONCE = 500
SHOWN = 5
IMPORTED = "predictions imported"
"""In the audit log."""
REMEMBERED, LONGEST_NOTE = 100, 300
"""Predictions and notes of an import that the audit log keeps, and letters of a note."""


class ImportView(Settings):
    """What an import did, or would do (`dry_run`).

    Attributes
    ----------
    id : str or None
        Of the import; of a dry run none.
    predictions : tuple of str
        Ids, in the order of the file; of a dry run none.
    """

    id: str | None = None
    dry_run: bool
    added: int
    replaced: int
    kept: int
    notes: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()


Ready = tuple[str, dict[str, Any]]
"""Where a prediction stands in its file, and its columns."""


def prepared(contents: Contents) -> list[Ready]:
    """Columns of all predictions of a file; computes elements, so not within a transaction.

    Raises
    ------
    RefusedError
        422: with every fault.
    """
    faults = list(contents.faults)
    ready: list[Ready] = []
    for draft in contents.drafts:
        try:
            ready.append((draft.where, columns_of(draft.body)))
        except ValueError as error:
            faults.append(Fault(draft.where, str(error)))
    if faults:
        refuse(faults)
    if not ready:
        raise RequestError("no predictions in it")
    return ready


def refuse(faults: Sequence[Fault]) -> None:
    """Refuse a file, with all that is wrong.

    Raises
    ------
    RefusedError
        422, always.
    """
    lines = len({fault.where for fault in faults})
    told = "; ".join(f"{fault.where}: {fault.detail}" for fault in faults[:SHOWN])
    more = "" if len(faults) <= SHOWN else f"; and {len(faults) - SHOWN} more in errors"
    error = RefusedError(422, f"nothing was imported, {lines} of its predictions are wrong: {told}{more}")
    errors = tuple(FieldProblem(pointer=fault.where, detail=fault.detail) for fault in faults)
    error.problem = error.problem.model_copy(update={"errors": errors})
    raise error


def import_all(
    session: Session,
    caller: Caller,
    ready: Sequence[Ready],
    existing: Existing,
    dry_run: bool,
    notes: Sequence[str] = (),
) -> ImportView:
    """Keep all predictions of a file; `notes` are what reading it had to say.

    Raises
    ------
    RefusedError
        422: some are there already, and `existing` is ``refuse``: all of them are told.
    """
    there = _there(session, [columns["occ_id"] for _, columns in ready])
    if existing == "refuse" and there:
        refuse(
            [
                Fault(where, f"occ_id {columns['occ_id']!r} is there already; existing=keep or replace")
                for where, columns in ready
                if columns["occ_id"] in there
            ]
        )
    new = [columns for _, columns in ready if columns["occ_id"] not in there]
    old = [columns for _, columns in ready if columns["occ_id"] in there] if existing == "replace" else []
    view = ImportView(
        dry_run=dry_run,
        added=len(new),
        replaced=len(old),
        kept=len(there) if existing == "keep" else 0,
        notes=tuple(notes),
    )
    if dry_run:
        return view
    at = now()
    added = [Prediction(id=new_id(), created=at, changed=at, **columns) for columns in new]
    session.add_all(added)
    for columns in old:
        _overwrite(there[columns["occ_id"]], columns)
    ids = {row.occ_id: row.id for row in (*added, *there.values())}
    predictions = tuple(ids[columns["occ_id"]] for _, columns in ready)
    view = view.model_copy(update={"id": new_id(), "predictions": predictions})
    first, said = list(predictions[:REMEMBERED]), [note[:LONGEST_NOTE] for note in notes[:REMEMBERED]]
    counts = {"added": view.added, "replaced": view.replaced, "kept": view.kept}
    record(session, caller, IMPORTED, view.id, **counts, predictions=first, notes=said)
    return view


def import_of(session: Session, identity: str) -> ImportView:
    """What an import did, with the first `REMEMBERED` of its predictions and notes.

    Raises
    ------
    RefusedError
        404: there is none.
    """
    entry = session.scalar(select(Entry).where(Entry.thing == identity, Entry.action == IMPORTED))
    if entry is None:
        raise RefusedError(404, "no such import")
    return ImportView(id=identity, dry_run=False, **entry.details)


def _there(session: Session, identities: Sequence[str]) -> dict[str, Prediction]:
    found: dict[str, Prediction] = {}
    for start in range(0, len(identities), AT_ONCE):
        rows = select(Prediction).where(Prediction.occ_id.in_(identities[start : start + AT_ONCE]))
        found |= {row.occ_id: row for row in session.scalars(rows.with_for_update())}
    return found


def _overwrite(row: Prediction, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)
    row.changed = now()


def add(session: Session, caller: Caller, columns: dict[str, Any]) -> Prediction:
    """Keep one prediction.

    Raises
    ------
    RefusedError
        409: its occ_id is there already.
    """
    _free(session, columns["occ_id"], None)
    at = now()
    row = Prediction(id=new_id(), created=at, changed=at, **columns)
    session.add(row)
    record(session, caller, "prediction added", row.id)
    return row


def change(session: Session, caller: Caller, row: Prediction, columns: dict[str, Any]) -> None:
    """Replace a prediction; raises as `add`."""
    _free(session, columns["occ_id"], row.id)
    _overwrite(row, columns)
    record(session, caller, "prediction changed", row.id)


def _free(session: Session, occ_id: str, but: str | None) -> None:
    other = session.scalar(select(Prediction.id).where(Prediction.occ_id == occ_id))
    if other is not None and other != but:
        raise RefusedError(409, "this occ_id has another prediction already")


def remove(session: Session, caller: Caller, row: Prediction) -> None:
    """Remove a prediction that became no campaign.

    Raises
    ------
    RefusedError
        409: it has one.
    """
    if campaign_of(session, [row.id]):
        raise RefusedError(409, "a campaign was made of it; its prediction stays")
    session.delete(row)
    record(session, caller, "prediction removed", row.id)


def campaign_of(session: Session, predictions: Sequence[str]) -> dict[str, str]:
    """Id of each prediction's campaign, where it has one."""
    found: dict[str, str] = {}
    for start in range(0, len(predictions), AT_ONCE):
        asked = predictions[start : start + AT_ONCE]
        rows = select(Campaign.prediction, Campaign.id).where(Campaign.prediction.in_(asked))
        found |= {row.prediction: row.id for row in session.execute(rows)}
    return found
