"""What a node tells its operator."""

from typing import Any

from sqlalchemy import func, select

from api.database.tables import now
from api.database.transactions import Database
from api.nodes.tables import STATES, Held
from api.uploads.tables import ARRIVING, REFUSED, WHOLE

SHOWN = 50
WORDS = {
    ARRIVING: "on their way here",
    WHOLE: "kept until the service has them",
    REFUSED: "refused by the service",
    "handed": "handed over in the last 30 days",
}


def report(database: Database) -> dict[str, Any]:
    """Files by state, and those that are not handed over, the oldest first.

    Returns
    -------
    dict
        ``states``: per state ``files``, ``bytes``, ``handed`` (bytes of them at the service); ``waiting``:
        at most 50 files, each with ``id``, ``name``, ``state``, ``length``, ``received``, ``handed``,
        ``seconds`` since it was begun, ``problem``.
    """
    columns = (
        Held.state,
        func.count(),
        func.coalesce(func.sum(Held.length), 0),
        func.coalesce(func.sum(Held.handed), 0),
    )
    with database.reading() as session:
        counted = session.execute(select(*columns).group_by(Held.state)).all()
        open_ones = select(Held).where(Held.state.in_((ARRIVING, WHOLE, REFUSED))).order_by(Held.created)
        rows = list(session.scalars(open_ones.limit(SHOWN)))
    at = now()
    found = {state: (int(files), int(size), int(handed)) for state, files, size, handed in counted}
    return {
        "states": {
            state: dict(zip(("files", "bytes", "handed"), found.get(state, (0, 0, 0)), strict=True))
            for state in STATES
        },
        "waiting": [
            {
                "id": row.id,
                "name": row.name,
                "state": row.state,
                "length": row.length,
                "received": row.received,
                "handed": row.handed,
                "seconds": round((at - row.created).total_seconds(), 1),
                "problem": row.problem,
            }
            for row in rows
        ],
    }


def text_of(report: dict[str, Any]) -> str:
    """The same for people."""
    lines = []
    for state, counted in report["states"].items():
        if counted["files"]:
            lines.append(f"{counted['files']} files {WORDS[state]}: {counted['bytes']} bytes")
    for one in report["waiting"]:
        if one["state"] == ARRIVING:
            told = f"{_share(one['received'], one['length'])} % have arrived"
        elif one["state"] == WHOLE:
            told = f"kept at the node, handed over {_share(one['handed'], one['length'])} %"
        else:
            told = "refused"
        problem = f": {one['problem']}" if one["problem"] else ""
        lines.append(f"  {one['id']}  {one['name']}, {one['length']} bytes: {told}{problem}")
    return "\n".join([*(lines or ["nothing here"]), ""])


def _share(part: int, whole: int) -> int:
    return 100 if not whole else 100 * part // whole
