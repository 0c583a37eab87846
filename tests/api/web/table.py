"""Every page of the portal, as whom it is looked at, and of what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.web.help_pages import TOPICS
from tests.api.web.world import World


@dataclass(frozen=True)
class Sight:
    """A page that is looked at.

    Attributes
    ----------
    name : str
        Of the screenshots.
    route : str
        As the app has it: ``/campaigns/{campaign_id}``.
    who : str or None
        Of the world; None is a visitor.
    ids : mapping
        Of what; by default those of the past campaign and of Ada's part in it.
    query : str
    """

    name: str
    route: str
    who: str | None = "ada"
    ids: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""

    def path(self, world: World) -> str:
        """Where it is in a world."""
        chosen = {name: walk(world.note, where) for name, where in self.ids.items()}
        values = {name: walk(world.note, where) for name, where in IDS.items()} | chosen
        return self.route.format(**values) + self.query.format(**values)


def walk(note: Any, where: Any) -> str:
    """What stands at ``campaigns.past`` in a world's note; ``=text`` is the text."""
    if where.startswith("="):
        return str(where[1:])
    for step in where.split("."):
        note = note[int(step)] if isinstance(note, list) else note[step]
    return str(note)


IDS = {
    "campaign_id": "campaigns.past", "observation_id": "stations.ada", "file_id": "files.ada",
    "result_id": "more.results.ada.0", "job_id": "more.jobs.0", "batch_id": "more.batch",
    "prediction_id": "predictions.past", "issue_id": "more.issues.0",
    "announcement_id": "more.announcements.0",
    "user_id": "people.ben.id", "site_id": "sites.ada", "equipment_id": "equipment.ada.telescope",
    "topic": "=curves", "version": "=1",
}  # fmt: skip

PAST, UPCOMING, RECENT = "campaigns.past", "campaigns.upcoming", "campaigns.recent"
HELP = tuple(Sight(f"help-{name}", "/help/{topic}", None, {"topic": f"={name}"}) for name in TOPICS)
"""Topics of the help: alike, and looked at by one test."""
SIGHTS = (
    Sight("login", "/login", None),
    Sight("register", "/register", None),
    Sight("activate", "/activate", None),
    Sight("reset", "/reset", None),
    Sight("address", "/address", None),
    Sight("home-visitor", "/", None),
    Sight("home", "/"),
    Sight("statistics-visitor", "/statistics", None),
    Sight("statistics", "/statistics"),
    Sight("announcements", "/announcements"),
    Sight("calendar", "/calendar"),
    Sight("account", "/account"),
    Sight("account-data", "/account/data"),
    Sight("account-keys", "/account/keys"),
    Sight("account-notices", "/account/notices"),
    Sight("account-security", "/account/security"),
    Sight("account-sessions", "/account/sessions"),
    Sight("equipment", "/equipment"),
    Sight("equipment-one", "/equipment/{equipment_id}"),
    Sight("sites", "/sites"),
    Sight("sites-none", "/sites", "newcomer"),
    Sight("site", "/sites/{site_id}"),
    Sight("campaigns", "/campaigns"),
    Sight("campaign-past", "/campaigns/{campaign_id}"),
    Sight("campaign-upcoming", "/campaigns/{campaign_id}", "newcomer", {"campaign_id": UPCOMING}),
    Sight("campaign-staff", "/campaigns/{campaign_id}", "staff", {"campaign_id": UPCOMING}),
    Sight("chords", "/campaigns/{campaign_id}/chords", "responsible"),
    Sight("chords-none", "/campaigns/{campaign_id}/chords", "staff", {"campaign_id": RECENT}),
    Sight("chord", "/campaigns/{campaign_id}/chords/{observation_id}", "responsible"),
    Sight("curves", "/campaigns/{campaign_id}/curves", "responsible"),
    Sight("fits", "/campaigns/{campaign_id}/fit", "responsible"),
    Sight("fit", "/campaigns/{campaign_id}/fit/{version}", "ada"),
    Sight("figures", "/campaigns/{campaign_id}/figures", "responsible"),
    Sight("event-data", "/campaigns/{campaign_id}/data", "responsible"),
    Sight("reduce-all", "/campaigns/{campaign_id}/reduce", "staff"),
    Sight("observations", "/observations"),
    Sight("observations-none", "/observations", "newcomer"),
    Sight("observation", "/observations/{observation_id}"),
    Sight("observation-planned", "/observations/{observation_id}", "eva", {"observation_id": "planned.eva"}),
    Sight("observation-staff", "/observations/{observation_id}", "staff", {"observation_id": "stations.eva"}),
    Sight("report", "/observations/{observation_id}/report"),
    Sight("upload", "/observations/{observation_id}/upload"),
    Sight("files", "/observations/{observation_id}/files"),
    Sight("files-refused", "/observations/{observation_id}/files", "gus", {"observation_id": "stations.gus"}),
    Sight("file-withdraw", "/files/{file_id}/withdraw"),
    Sight("file-flag", "/files/{file_id}/flag", "staff"),
    Sight("viewer", "/files/{file_id}/view"),
    Sight("reduce", "/observations/{observation_id}/reduce", "staff"),
    Sight("job", "/jobs/{job_id}", "staff"),
    Sight("job-failed", "/jobs/{job_id}", "staff", {"job_id": "more.failed"}),
    Sight("batch", "/batches/{batch_id}", "staff"),
    Sight("curve", "/results/{result_id}"),
    Sight("curve-miss", "/results/{result_id}", "eva", {"result_id": "more.results.eva.0"}),
    Sight("results", "/observations/{observation_id}/results"),
    Sight("issues", "/issues", "cleo"),
    Sight("issue", "/issues/{issue_id}", "staff"),
    Sight("staff-issues", "/staff/issues", "staff"),
    Sight("predictions", "/staff/predictions", "staff"),
    Sight("predictions-import", "/staff/predictions/import", "staff"),
    Sight(
        "predictions-imported",
        "/staff/predictions/imports/{import_id}",
        "staff",
        {"import_id": "more.import"},
    ),
    Sight("prediction", "/staff/predictions/{prediction_id}", "staff"),
    Sight(
        "prediction-open",
        "/staff/predictions/{prediction_id}",
        "staff",
        {"prediction_id": "predictions.next"},
    ),
    Sight("queue", "/staff/queue", "staff"),
    Sight("outbox", "/staff/queue/outbox", "staff"),
    Sight("staff-announcements", "/staff/announcements", "staff"),
    Sight("users", "/staff/users", "superuser"),
    Sight("user", "/staff/users/{user_id}", "superuser"),
    Sight("audit", "/staff/audit", "superuser"),
    Sight("help", "/help", None),
    *HELP,
    Sight("not-there", "/campaigns/{campaign_id}", "ada", {"campaign_id": "=" + "0" * 32}),
)
BESIDES = frozenset(
    {"/static/{edition}/{name}", "/account/export", "/observations/{observation_id}/report.{form}"}
)
"""Routes of files, which nobody looks at as a page."""
