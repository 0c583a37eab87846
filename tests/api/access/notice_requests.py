"""How routes of notices are asked."""

from typing import Any

from api.database.tables import new_id, now
from api.mail.kinds import Topic
from api.mail.preferences import link
from api.notices.tables import Announcement, Issue
from api.settings import ServiceSettings
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World, person

API = "/api/v1"


def _plain(**options: Any) -> Builder:
    return lambda _world, _caller: Ask({}, options)


def _unsubscribe(world: World, _caller: str) -> Ask:
    somebody = person("somebody")
    world.add(somebody)
    with world.database.writing() as session:
        settings = ServiceSettings.model_construct(url="http://localhost")
        token = link(session, settings, somebody.id, Topic.CALLS).rpartition("/")[2]
    return Ask({"token": token}, {})


def _announcement(world: World, _caller: str) -> Ask:
    row = Announcement(
        id=new_id(), author=world.people["staff"].id, subject="Maintenance", text="Tonight.", created=now()
    )
    world.add(row)
    return Ask({"announcement_id": row.id}, {})


def an_issue(**options: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        at = now()
        row = Issue(
            id=new_id(), person=world.owner_for(caller).id, subject="No path", text="It is not there.",
            state="open", created=at, changed=at,
        )  # fmt: skip
        world.add(row)
        return Ask({"issue_id": row.id}, options)

    return build


WORDS = {"subject": "Maintenance", "text": "Tonight.\nThank you."}
NOTICE_BUILDERS: dict[tuple[str, str], Builder] = {
    ("GET", f"{API}/account/notices"): _plain(),
    ("PUT", f"{API}/account/notices"): _plain(json={"refused": []}),
    ("GET", f"{API}/unsubscribe/{{token}}"): _unsubscribe,
    ("POST", f"{API}/unsubscribe/{{token}}"): _unsubscribe,
    ("POST", f"{API}/announcements"): _plain(json={**WORDS, "send": False}),
    ("GET", f"{API}/announcements"): _plain(),
    ("GET", f"{API}/announcements/{{announcement_id}}"): _announcement,
    ("POST", f"{API}/announcements/{{announcement_id}}/withdrawal"): _announcement,
    ("GET", f"{API}/outbox"): _plain(),
    ("POST", f"{API}/issues"): _plain(json=WORDS),
    ("GET", f"{API}/issues"): _plain(),
    ("GET", f"{API}/issues/{{issue_id}}"): an_issue(),
    ("POST", f"{API}/issues/{{issue_id}}/answers"): an_issue(json={"text": "Look again."}),
    ("PUT", f"{API}/issues/{{issue_id}}/state"): an_issue(json={"state": "closed"}),
}
"""(method, path) -> how it is asked."""
