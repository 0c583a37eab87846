"""Requests about one's account, for routes of the API and for pages."""

from typing import Any

from api.access.caller import digest_of
from api.database.tables import new_id, now
from api.people.accounts import GOOD_FOR
from api.people.tables import ApiKey, Registration, Token
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import PASSWORD, World, kept, person, session_of


def body(**fields: Any) -> Builder:
    return lambda _world, _caller: Ask({}, {"json": fields} if fields else {})


def bare(_world: World, _caller: str) -> Ask:
    return Ask({}, {})


def registration(_world: World, _caller: str) -> Ask:
    body = {"email": f"{new_id()}@example.org", "password": PASSWORD, "name": "New"}
    return Ask({}, {"json": body})


def activation(world: World, _caller: str) -> Ask:
    token = new_id()
    world.add(
        Registration(
            id=new_id(), digest=digest_of(token), email=f"{new_id()}@example.org", name="New", affiliation="",
            password=kept(), created=now(), expires=now() + GOOD_FOR,
        )
    )  # fmt: skip
    return Ask({}, {"json": {"token": token, "password": PASSWORD}})


def log_in(world: World, _caller: str) -> Ask:
    somebody = person("somebody")
    world.add(somebody)
    return Ask({}, {"json": {"email": somebody.email, "password": PASSWORD}})


def proof(purpose: str, **more: str) -> Builder:
    def build(world: World, _caller: str) -> Ask:
        token, somebody = new_id(), person("somebody")
        world.add(somebody)
        world.add(
            Token(
                id=new_id(), digest=digest_of(token), person=somebody.id, purpose=purpose,
                value=f"{new_id()}@example.org", created=now(), expires=now() + GOOD_FOR,
            )
        )  # fmt: skip
        return Ask({}, {"json": {"token": token, **more}})

    return build


def session(world: World, caller: str) -> Ask:
    row = session_of(world.owner_for(caller))
    world.add(row)
    return Ask({"session_id": row.id}, {})


def key(world: World, caller: str) -> Ask:
    row = ApiKey(
        id=new_id(), digest=digest_of(new_id()), start="umbra_a", person=world.owner_for(caller).id, name="a",
        scopes=["account:read"], created=now(),
    )  # fmt: skip
    world.add(row)
    return Ask({"key_id": row.id}, {})
