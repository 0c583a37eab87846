"""How the pages of staff and superusers, and of issues, are asked: as the routes of the API behind them."""

from api.audit.log import record
from api.campaigns.importing import IMPORTED
from api.database.tables import new_id
from tests.api.access.asks import Ask, Builder, as_form
from tests.api.access.world import World

API = "/api/v1"


def _like(method: str, path: str) -> Builder:
    """As a route of the API is asked, all of which are known only when this file has been read."""

    def build(world: World, caller: str) -> Ask:
        from tests.api.access.requests import BUILDERS

        return BUILDERS[method, f"{API}{path}"](world, caller)

    return build


def _see(path: str) -> Builder:
    return _like("GET", path)


def _do(path: str, method: str = "POST") -> Builder:
    return as_form(_like(method, path))


def _bare(_world: World, _caller: str) -> Ask:
    return Ask({}, {})


def _import(_world: World, _caller: str) -> Ask:
    row = f"occ_id,object_name,at\n{new_id()},Ixion,2020-08-08T20:44:27Z\n"
    return Ask({}, {"files": {"file": ("a.csv", row.encode(), "text/csv")}})


def _imported(world: World, _caller: str) -> Ask:
    identity = new_id()
    with world.database.writing() as session:
        record(session, None, IMPORTED, identity, added=1, replaced=0, kept=0, predictions=[], notes=[])
    return Ask({"import_id": identity}, {})


def _announce(_world: World, _caller: str) -> Ask:
    return Ask({}, {"data": {"subject": "Maintenance", "text": "Tonight.", "send": "false"}})


JOB, BATCH = "/staff/queue/jobs/{job_id}", "/staff/queue/batches/{batch_id}"
PREDICTION, USER = "/staff/predictions/{prediction_id}", "/staff/users/{user_id}"
ISSUE = "/issues/{issue_id}"
STAFF_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", "/staff/predictions"): _bare,
    ("GET", "/staff/predictions/import"): _bare,
    ("POST", "/staff/predictions/import"): _import,
    ("GET", "/staff/predictions/imports/{import_id}"): _imported,
    ("GET", PREDICTION): _see("/predictions/{prediction_id}"),
    ("POST", f"{PREDICTION}/campaign"): as_form(_see("/predictions/{prediction_id}")),
    ("POST", f"{PREDICTION}/remove"): as_form(_see("/predictions/{prediction_id}")),
    ("GET", "/staff/queue"): _bare,
    ("GET", "/staff/queue/outbox"): _bare,
    ("POST", f"{JOB}/cancel"): _do("/jobs/{job_id}:cancel"),
    ("POST", f"{JOB}/retry"): _do("/jobs/{job_id}:retry"),
    ("POST", f"{BATCH}/cancel"): _do("/batches/{batch_id}:cancel"),
    ("POST", f"{BATCH}/retry"): _do("/batches/{batch_id}:retry-failed"),
    ("GET", "/staff/announcements"): _bare,
    ("POST", "/staff/announcements"): _announce,
    ("POST", "/staff/announcements/{announcement_id}/withdraw"): _do(
        "/announcements/{announcement_id}/withdrawal"
    ),
    ("GET", "/issues"): _bare,
    ("POST", "/issues"): _do("/issues"),
    ("GET", ISSUE): _see(ISSUE),
    ("POST", f"{ISSUE}/answers"): _do(f"{ISSUE}/answers"),
    ("POST", f"{ISSUE}/state"): _do(f"{ISSUE}/state", "PUT"),
    ("GET", "/staff/issues"): _bare,
    ("GET", "/staff/users"): _bare,
    ("GET", USER): _see("/users/{user_id}"),
    ("POST", f"{USER}/level"): _do("/users/{user_id}/level", "PUT"),
    ("POST", f"{USER}/suspension"): _do("/users/{user_id}/suspension", "PUT"),
    ("GET", "/staff/audit"): _bare,
}
"""(method, path) -> how it is asked."""
