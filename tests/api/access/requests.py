"""How each route is asked, so that somebody who may succeeds. A new route needs a line here."""

import json
from base64 import b64encode
from typing import Any

from sqlalchemy import func, select

from api.access.caller import digest_of
from api.database.tables import new_id, now
from api.equipment.tables import Site
from api.observations.tables import Observation, ObservationFile
from api.people.accounts import GOOD_FOR
from api.people.tables import ApiKey, Registration, Token
from api.results.tables import Batch, Reduction, Result
from api.uploads.tables import Upload
from cluster.jobs.tables import JobRow
from tests.api.access.asks import Ask, Builder
from tests.api.access.campaign_requests import CAMPAIGN_BUILDERS
from tests.api.access.world import PASSWORD, World, kept, person, session_of
from tests.api.results.things import ABSENT, file_of


def _body(**fields: Any) -> Builder:
    return lambda _world, _caller: Ask({}, {"json": fields} if fields else {})


def _bare(_world: World, _caller: str) -> Ask:
    return Ask({}, {})


def _register(_world: World, _caller: str) -> Ask:
    body = {"email": f"{new_id()}@example.org", "password": PASSWORD, "name": "New"}
    return Ask({}, {"json": body})


def _activate(world: World, _caller: str) -> Ask:
    token = new_id()
    world.add(
        Registration(
            id=new_id(), digest=digest_of(token), email=f"{new_id()}@example.org", name="New", affiliation="",
            password=kept(), created=now(), expires=now() + GOOD_FOR,
        )
    )  # fmt: skip
    return Ask({}, {"json": {"token": token, "password": PASSWORD}})


def _log_in(world: World, _caller: str) -> Ask:
    somebody = person("somebody")
    world.add(somebody)
    return Ask({}, {"json": {"email": somebody.email, "password": PASSWORD}})


def _token(purpose: str, **more: str) -> Builder:
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


def _session(world: World, caller: str) -> Ask:
    row = session_of(world.owner_for(caller))
    world.add(row)
    return Ask({"session_id": row.id}, {})


def _key(world: World, caller: str) -> Ask:
    row = ApiKey(
        id=new_id(), digest=digest_of(new_id()), start="umbra_a", person=world.owner_for(caller).id, name="a",
        scopes=["account:read"], created=now(),
    )  # fmt: skip
    world.add(row)
    return Ask({"key_id": row.id}, {})


def _user(**fields: Any) -> Builder:
    def build(world: World, _caller: str) -> Ask:
        somebody = person("somebody")
        world.add(somebody)
        return Ask({"user_id": somebody.id}, {"json": fields} if fields else {})

    return build


TUS = {"Tus-Resumable": "1.0.0"}


def _join(world: World, caller: str) -> Ask:
    """With a site of the caller's own; nobody's where they have no account."""
    somebody = world.people.get(caller, world.people["owner"])
    site = Site(
        id=new_id(), person=somebody.id, name="home", latitude_deg=0.0, longitude_deg=0.0, height_m=0.0,
        created=now(),
    )  # fmt: skip
    world.add(site)
    campaign = world.things_for(caller)["campaign"]
    return Ask({}, {"json": {"campaign": campaign, "site": site.id, "station": new_id()}})


def _campaign(world: World, caller: str) -> Ask:
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {})


def _observation(**fields: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        identity = world.things_for(caller)["observation"]
        return Ask({"observation_id": identity}, {"json": fields} if fields else {})

    return build


def _fresh_observation(world: World, caller: str) -> Ask:
    things, at = world.things_for(caller), now()
    row = Observation(
        id=new_id(), campaign=things["campaign"], person=world.owner_for(caller).id, site=things["site"],
        station=new_id(), status="planned", report={}, created=at, changed=at,
    )  # fmt: skip
    world.add(row)
    return Ask({"observation_id": row.id}, {})


def _file(world: World, caller: str) -> Ask:
    row = ObservationFile(
        id=new_id(), observation=world.things_for(caller)["observation"], role="recording", name="a.ser",
        size=1, sha256="0" * 64, state="refused", finding={}, created=now(),
    )  # fmt: skip
    world.add(row)
    return Ask({"file_id": row.id}, {})


def _begin_upload(world: World, caller: str) -> Ask:
    observation = world.things_for(caller)["observation"]
    pairs = {"observation": observation, "filename": "a.ser"}
    metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())
    return Ask({}, {"headers": {**TUS, "Upload-Length": "5", "Upload-Metadata": metadata}})


def _upload(content: bytes | None = None) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Upload(
            id=new_id(), person=world.owner_for(caller).id, role="recording", name="a.ser", length=5,
            received=0, observation=world.things_for(caller)["observation"], details={}, state="arriving",
            problem="", created=now(), expires=now() + GOOD_FOR,
        )  # fmt: skip
        world.add(row)
        if content is None:
            return Ask({"upload_id": row.id}, {"headers": TUS})
        headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        return Ask({"upload_id": row.id}, {"headers": headers, "content": content})

    return build


def _job(_world: World, _caller: str) -> Ask:
    return Ask({"job_id": JOB["id"]}, {})


JOB: dict[str, str] = {}
"""A finished job of the data folder, which the test of routes makes."""


def _recording(world: World, caller: str) -> str:
    """A recording that the store does not have: its reduction fails at once."""
    row = file_of(world.things_for(caller)["observation"], ABSENT)
    world.add(row)
    return row.id


def _reduction(world: World, caller: str) -> Ask:
    return Ask({}, {"json": {"file": _recording(world, caller)}})


def _batch_asked(world: World, caller: str) -> Ask:
    line = json.dumps({"file": _recording(world, caller)})
    campaign = world.things_for(caller)["campaign"]
    headers = {"Content-Type": "application/jsonl"}
    return Ask({}, {"params": {"campaign": campaign}, "content": line, "headers": headers})


def _reduced(world: World, caller: str) -> Reduction:
    """A reduction whose job has ended."""
    things, owner = world.things_for(caller), world.owner_for(caller).id
    batch = Batch(
        id=new_id(), campaign=things["campaign"], person=owner, digest=ABSENT, faults={}, created=now()
    )
    world.add(batch)
    row = Reduction(
        id=new_id(), campaign=things["campaign"], observation=things["observation"], batch=batch.id, line=1,
        file=_recording(world, caller), person=owner, asker=owner, priority=0, request={}, key=ABSENT,
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


def _result(**more: str) -> Builder:
    def build(world: World, caller: str) -> Ask:
        """A result whose files the store has lost."""
        reduced = _reduced(world, caller)
        row = Result(
            id=new_id(), campaign=reduced.campaign, observation=reduced.observation, person=reduced.person,
            reduction=reduced.id, version=_version(world, reduced.observation), key=ABSENT, edition="1",
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


def _frame(**more: str) -> Builder:
    """A frame of a recording that the store has lost."""
    return lambda world, caller: Ask({"file_id": _recording(world, caller), **more}, PLACE)


PLACE: dict[str, Any] = {"params": {"x": 5, "y": 5}}


def _reduction_job(world: World, caller: str) -> Ask:
    return Ask({"job_id": _reduced(world, caller).id}, {})


def _batch(world: World, caller: str) -> Ask:
    return Ask({"batch_id": str(_reduced(world, caller).batch)}, {})


API = "/api/v1"
BUILDERS: dict[tuple[str, str], Builder] = {
    ("POST", f"{API}/accounts"): _register,
    ("POST", f"{API}/accounts/activation"): _activate,
    ("POST", f"{API}/sessions"): _log_in,
    ("POST", f"{API}/password-resets"): _body(email="nobody@example.org"),
    ("PUT", f"{API}/password-resets"): _token("reset", password=PASSWORD),
    ("GET", f"{API}/account"): _bare,
    ("PATCH", f"{API}/account"): _body(affiliation="Observatory"),
    ("PUT", f"{API}/account/password"): _body(password=PASSWORD, new="another good sentence"),
    ("POST", f"{API}/account/email"): _body(email="new@example.org", password=PASSWORD),
    ("PUT", f"{API}/account/email"): _token("email"),
    ("GET", f"{API}/account/export"): _bare,
    ("POST", f"{API}/account/deletion"): _body(password=PASSWORD),
    ("GET", f"{API}/sessions"): _bare,
    ("DELETE", f"{API}/sessions/current"): _bare,
    ("DELETE", f"{API}/sessions/{{session_id}}"): _session,
    ("GET", f"{API}/keys"): _bare,
    ("POST", f"{API}/keys"): _body(name="a", scopes=["predictions:read"]),
    ("DELETE", f"{API}/keys/{{key_id}}"): _key,
    ("GET", f"{API}/users"): _bare,
    ("GET", f"{API}/users/{{user_id}}"): _user(),
    ("PUT", f"{API}/users/{{user_id}}/level"): _user(level="staff"),
    ("PUT", f"{API}/users/{{user_id}}/suspension"): _user(suspended=True),
    ("GET", f"{API}/audit"): _bare,
    ("POST", f"{API}/folder/reductions"): _body(input="a.ser"),
    ("GET", f"{API}/folder/jobs/{{job_id}}"): _job,
    ("GET", f"{API}/folder/reductions/{{job_id}}/lightcurve.csv"): _job,
    ("GET", f"{API}/folder/reductions/{{job_id}}/summary.json"): _job,
    ("GET", f"{API}/folder/reductions/{{job_id}}/report.html"): _job,
    ("POST", f"{API}/observations"): _join,
    ("GET", f"{API}/observations"): _bare,
    ("GET", f"{API}/campaigns/{{campaign_id}}/observations"): _campaign,
    ("GET", f"{API}/observations/{{observation_id}}"): _observation(),
    ("PATCH", f"{API}/observations/{{observation_id}}"): _observation(status="negative"),
    ("DELETE", f"{API}/observations/{{observation_id}}"): _fresh_observation,
    ("GET", f"{API}/observations/{{observation_id}}/files"): _observation(),
    ("GET", f"{API}/files/{{file_id}}"): _file,
    ("OPTIONS", f"{API}/uploads"): _bare,
    ("POST", f"{API}/uploads"): _begin_upload,
    ("HEAD", f"{API}/uploads/{{upload_id}}"): _upload(),
    ("PATCH", f"{API}/uploads/{{upload_id}}"): _upload(b"abc"),
    ("DELETE", f"{API}/uploads/{{upload_id}}"): _upload(),
    ("GET", f"{API}/uploads"): _bare,
    ("GET", f"{API}/uploads/{{upload_id}}"): _upload(),
    ("GET", f"{API}/account/usage"): _bare,
    ("GET", f"{API}/health"): _bare,
    ("GET", f"{API}/ready"): _bare,
    ("POST", f"{API}/reductions"): _reduction,
    ("GET", f"{API}/observations/{{observation_id}}/jobs"): _observation(),
    ("GET", f"{API}/jobs/{{job_id}}"): _reduction_job,
    ("GET", f"{API}/jobs/{{job_id}}/events"): _reduction_job,
    ("GET", f"{API}/jobs/{{job_id}}/logs"): _reduction_job,
    ("POST", f"{API}/jobs/{{job_id}}:cancel"): _reduction_job,
    ("POST", f"{API}/jobs/{{job_id}}:retry"): _reduction_job,
    ("POST", f"{API}/batches"): _batch_asked,
    ("GET", f"{API}/batches/{{batch_id}}"): _batch,
    ("GET", f"{API}/batches/{{batch_id}}/jobs"): _batch,
    ("GET", f"{API}/batches/{{batch_id}}/events"): _batch,
    ("POST", f"{API}/batches/{{batch_id}}:cancel"): _batch,
    ("POST", f"{API}/batches/{{batch_id}}:retry-failed"): _batch,
    ("GET", f"{API}/observations/{{observation_id}}/results"): _observation(),
    ("GET", f"{API}/results/{{observation_id}}@{{version}}"): _result(version=""),
    ("GET", f"{API}/results/{{result_id}}"): _result(),
    ("GET", f"{API}/results/{{result_id}}/files/{{name}}"): _result(name="summary.json"),
    ("GET", f"{API}/results/{{result_id}}/lightcurve.{{form}}"): _result(form="csv"),
    ("GET", f"{API}/results/{{result_id}}/provenance"): _result(),
    ("GET", f"{API}/results/{{result_id}}/cutouts/{{star}}/{{frame}}.{{form}}"): _result(
        star="T", frame="0", form="png"
    ),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}.{{form}}"): _frame(frame="0", form="png"),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}/star"): _frame(frame="0"),
    ("GET", f"{API}/files/{{file_id}}/reference"): _frame(),
    **CAMPAIGN_BUILDERS,
}
"""(method, path) -> how it is asked."""
