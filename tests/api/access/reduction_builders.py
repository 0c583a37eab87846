"""Recordings, reductions and results that routes and pages are asked about."""

import json
from typing import Any

from sqlalchemy import func, select

from api.database.tables import new_id, now
from api.observations.tables import ObservationFile
from api.results.tables import Batch, Reduction, Result
from cluster.jobs.tables import JobRow
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World
from tests.api.results.things import ABSENT, file_of


def recording(world: World, caller: str) -> str:
    """A recording that the store does not have: its reduction fails at once."""
    row = file_of(world.things_for(caller)["observation"], ABSENT)
    world.add(row)
    return row.id


def a_file(**options: Any) -> Builder:
    """An accepted file that nothing uses."""

    def build(world: World, caller: str) -> Ask:
        row = ObservationFile(
            id=new_id(), observation=world.things_for(caller)["observation"], role="additional", name="a.txt",
            size=1, sha256="2" * 64, state="accepted", finding={}, created=now(),
        )  # fmt: skip
        world.add(row)
        return Ask({"file_id": row.id}, options)

    return build


def reduction(world: World, caller: str) -> Ask:
    return Ask({}, {"json": {"file": recording(world, caller)}})


def batch_asked(world: World, caller: str) -> Ask:
    line = json.dumps({"file": recording(world, caller)})
    campaign = world.things_for(caller)["campaign"]
    headers = {"Content-Type": "application/jsonl"}
    return Ask({}, {"params": {"campaign": campaign}, "content": line, "headers": headers})


def reduced(world: World, caller: str) -> Reduction:
    """A reduction whose job has ended."""
    things, owner = world.things_for(caller), world.owner_for(caller).id
    batch = Batch(
        id=new_id(), campaign=things["campaign"], person=owner, digest=ABSENT, faults={}, created=now()
    )
    world.add(batch)
    row = Reduction(
        id=new_id(), campaign=things["campaign"], observation=things["observation"], batch=batch.id, line=1,
        file=recording(world, caller), person=owner, asker=owner, priority=0, request={}, key=ABSENT,
        created=now(),
    )  # fmt: skip
    world.add(row)
    with world.database.writing() as session:
        session.add(
            JobRow(
                id=row.id, payload="{}", owner=owner, campaign=row.campaign, priority=0, state="failed",
                submitted=1.0, finished=2.0, failure="data", error="bad",
            )
        )  # fmt: skip
    return row


def result(**more: str) -> Builder:
    def build(world: World, caller: str) -> Ask:
        """A result whose files the store has lost."""
        made = reduced(world, caller)
        row = Result(
            id=new_id(), campaign=made.campaign, observation=made.observation, person=made.person,
            reduction=made.id, version=_version(world, made.observation), key=ABSENT, edition="1",
            figures={}, created=now(),
        )  # fmt: skip
        world.add(row)
        if more == {"version": ""}:
            return Ask({"observation_id": row.observation, "version": str(row.version)}, {})
        return Ask({"result_id": row.id, **more}, {})

    return build


def _version(world: World, observation: str) -> int:
    with world.database.reading() as session:
        return (
            1
            + session.scalars(
                select(func.count()).select_from(Result).where(Result.observation == observation)
            ).one()
        )


def frame(**more: str) -> Builder:
    """A frame of a recording that the store has lost."""
    return lambda world, caller: Ask({"file_id": recording(world, caller), **more}, PLACE)


PLACE: dict[str, Any] = {"params": {"x": 5, "y": 5}}


def reduction_job(world: World, caller: str) -> Ask:
    return Ask({"job_id": reduced(world, caller).id}, {})


def batch(world: World, caller: str) -> Ask:
    return Ask({"batch_id": str(reduced(world, caller).batch)}, {})
