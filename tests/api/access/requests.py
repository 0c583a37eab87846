"""How each route is asked, so that somebody who may succeeds. A new route needs a line here."""

from base64 import b64encode
from typing import Any

from api.bundles.plan import Plan, text_entry
from api.bundles.tables import DataPlan, DataRequest
from api.database.tables import new_id, now
from api.equipment.tables import Site
from api.observations.tables import Observation, ObservationFile
from api.people.accounts import GOOD_FOR
from api.uploads.tables import Upload
from tests.api.access.account_builders import (
    activation,
    bare,
    body,
    key,
    log_in,
    proof,
    registration,
    session,
)
from tests.api.access.asks import Ask, Builder
from tests.api.access.campaign_requests import CAMPAIGN_BUILDERS
from tests.api.access.figure_requests import FIGURE_BUILDERS
from tests.api.access.fit_requests import FIT_BUILDERS
from tests.api.access.notice_requests import NOTICE_BUILDERS
from tests.api.access.page_requests import PAGES
from tests.api.access.reduction_builders import (
    a_file,
    batch,
    batch_asked,
    frame,
    reduction,
    reduction_job,
    result,
)
from tests.api.access.standard_requests import STANDARD_BUILDERS
from tests.api.access.webhook_requests import WEBHOOK_BUILDERS
from tests.api.access.world import PASSWORD, World, person


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


def _report(world: World, caller: str) -> Ask:
    return Ask({"observation_id": world.things_for(caller)["observation"], "form": "text"}, {})


def _ask_for_data(world: World, caller: str) -> Ask:
    """Files of other routes' tests are lost in the store: that is listed."""
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {"json": {"missing": "list"}})


def _data_request(*path: str) -> Builder:
    """A request of the caller's, of a campaign that has nothing yet."""

    def build(world: World, caller: str) -> Ask:
        plan = Plan("ixion.zip", (text_entry("ixion/README.txt", b"hello", 0),))
        asker, campaign = (
            world.people.get(caller, world.people["staff"]),
            world.things_for(caller)["campaign"],
        )
        row = DataRequest(
            id=new_id(), campaign=campaign, person=asker.id, results=False, digest=plan.digest,
            size=plan.layout.size, files=1, absent={"files": []}, created=now(), expires=now() + GOOD_FOR,
        )  # fmt: skip
        world.add(row)
        world.add(DataPlan(request=row.id, content=plan.content))
        filled = {"campaign_id": campaign, "request_id": row.id}
        return Ask({name: filled[name] for name in path}, {})

    return build


def _begin_upload(world: World, caller: str) -> Ask:
    observation = world.things_for(caller)["observation"]
    pairs = {"observation": observation, "filename": "a.ser"}
    metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())
    return Ask({}, {"headers": {**TUS, "Upload-Length": "5", "Upload-Metadata": metadata}})


def _direct_upload(world: World, caller: str) -> Ask:
    ask = _upload()(world, caller)
    return Ask(ask.path, {"headers": TUS, "json": {"node": "chile"}})


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


def _figure(_world: World, _caller: str) -> Ask:
    return Ask({"name": "outcomes", "form": "svg"}, {})


def _job(_world: World, _caller: str) -> Ask:
    return Ask({"job_id": JOB["id"]}, {})


JOB: dict[str, str] = {}
"""A finished job of the data folder, which the test of routes makes."""


API = "/api/v1"
BUILDERS: dict[tuple[str, str], Builder] = {
    ("POST", f"{API}/accounts"): registration,
    ("POST", f"{API}/accounts/activation"): activation,
    ("POST", f"{API}/sessions"): log_in,
    ("POST", f"{API}/password-resets"): body(email="nobody@example.org"),
    ("PUT", f"{API}/password-resets"): proof("reset", password=PASSWORD),
    ("GET", f"{API}/account"): bare,
    ("PATCH", f"{API}/account"): body(affiliation="Observatory"),
    ("PUT", f"{API}/account/password"): body(password=PASSWORD, new="another good sentence"),
    ("POST", f"{API}/account/email"): body(email="new@example.org", password=PASSWORD),
    ("PUT", f"{API}/account/email"): proof("email"),
    ("GET", f"{API}/account/export"): bare,
    ("POST", f"{API}/account/deletion"): body(password=PASSWORD),
    ("GET", f"{API}/sessions"): bare,
    ("DELETE", f"{API}/sessions/current"): bare,
    ("DELETE", f"{API}/sessions/{{session_id}}"): session,
    ("GET", f"{API}/keys"): bare,
    ("POST", f"{API}/keys"): body(name="a", scopes=["predictions:read"]),
    ("DELETE", f"{API}/keys/{{key_id}}"): key,
    ("GET", f"{API}/users"): bare,
    ("GET", f"{API}/users/{{user_id}}"): _user(),
    ("PUT", f"{API}/users/{{user_id}}/level"): _user(level="staff"),
    ("PUT", f"{API}/users/{{user_id}}/suspension"): _user(suspended=True),
    ("GET", f"{API}/audit"): bare,
    ("POST", f"{API}/folder/reductions"): body(input="a.ser"),
    ("GET", f"{API}/folder/jobs/{{job_id}}"): _job,
    ("GET", f"{API}/folder/reductions/{{job_id}}/lightcurve.csv"): _job,
    ("GET", f"{API}/folder/reductions/{{job_id}}/summary.json"): _job,
    ("GET", f"{API}/folder/reductions/{{job_id}}/report.html"): _job,
    ("POST", f"{API}/observations"): _join,
    ("GET", f"{API}/observations"): bare,
    ("GET", f"{API}/campaigns/{{campaign_id}}/observations"): _campaign,
    ("GET", f"{API}/observations/{{observation_id}}"): _observation(),
    ("PATCH", f"{API}/observations/{{observation_id}}"): _observation(status="negative"),
    ("DELETE", f"{API}/observations/{{observation_id}}"): _fresh_observation,
    ("GET", f"{API}/observations/{{observation_id}}/files"): _observation(),
    ("GET", f"{API}/files/{{file_id}}"): _file,
    ("DELETE", f"{API}/files/{{file_id}}"): a_file(),
    ("PUT", f"{API}/files/{{file_id}}/flag"): a_file(json={"reason": "of another event"}),
    ("GET", f"{API}/files/{{file_id}}/content"): _file,
    ("HEAD", f"{API}/files/{{file_id}}/content"): _file,
    ("GET", f"{API}/observations/{{observation_id}}/report.{{form}}"): _report,
    ("POST", f"{API}/campaigns/{{campaign_id}}/data-requests"): _ask_for_data,
    ("GET", f"{API}/campaigns/{{campaign_id}}/data-requests"): _campaign,
    ("GET", f"{API}/data-requests/{{request_id}}"): _data_request("request_id"),
    ("GET", f"{API}/data-requests/{{request_id}}/bundle.zip"): _data_request("request_id"),
    ("HEAD", f"{API}/data-requests/{{request_id}}/bundle.zip"): _data_request("request_id"),
    ("GET", f"{API}/campaigns/{{campaign_id}}/bundle.zip"): _data_request("campaign_id"),
    ("HEAD", f"{API}/campaigns/{{campaign_id}}/bundle.zip"): _data_request("campaign_id"),
    ("OPTIONS", f"{API}/uploads"): bare,
    ("POST", f"{API}/uploads"): _begin_upload,
    ("HEAD", f"{API}/uploads/{{upload_id}}"): _upload(),
    ("PATCH", f"{API}/uploads/{{upload_id}}"): _upload(b"abc"),
    ("DELETE", f"{API}/uploads/{{upload_id}}"): _upload(),
    ("POST", f"{API}/uploads/{{upload_id}}/tickets"): _direct_upload,
    ("GET", f"{API}/nodes"): bare,
    ("GET", f"{API}/uploads"): bare,
    ("GET", f"{API}/uploads/{{upload_id}}"): _upload(),
    ("GET", f"{API}/observations/{{observation_id}}/uploads"): _observation(),
    ("GET", f"{API}/account/usage"): bare,
    ("GET", f"{API}/health"): bare,
    ("GET", f"{API}/ready"): bare,
    ("POST", f"{API}/reductions"): reduction,
    ("GET", f"{API}/observations/{{observation_id}}/jobs"): _observation(),
    ("GET", f"{API}/jobs/{{job_id}}"): reduction_job,
    ("GET", f"{API}/jobs/{{job_id}}/events"): reduction_job,
    ("GET", f"{API}/jobs/{{job_id}}/logs"): reduction_job,
    ("POST", f"{API}/jobs/{{job_id}}:cancel"): reduction_job,
    ("POST", f"{API}/jobs/{{job_id}}:retry"): reduction_job,
    ("POST", f"{API}/batches"): batch_asked,
    ("GET", f"{API}/queue"): bare,
    ("GET", f"{API}/queue/jobs"): bare,
    ("GET", f"{API}/queue/batches"): bare,
    ("GET", f"{API}/batches/{{batch_id}}"): batch,
    ("GET", f"{API}/batches/{{batch_id}}/jobs"): batch,
    ("GET", f"{API}/batches/{{batch_id}}/events"): batch,
    ("POST", f"{API}/batches/{{batch_id}}:cancel"): batch,
    ("POST", f"{API}/batches/{{batch_id}}:retry-failed"): batch,
    ("GET", f"{API}/observations/{{observation_id}}/results"): _observation(),
    ("GET", f"{API}/results/{{observation_id}}@{{version}}"): result(version=""),
    ("GET", f"{API}/results/{{result_id}}"): result(),
    ("GET", f"{API}/results/{{result_id}}/files/{{name}}"): result(name="summary.json"),
    ("GET", f"{API}/results/{{result_id}}/lightcurve.{{form}}"): result(form="csv"),
    ("GET", f"{API}/results/{{result_id}}/columns.bin"): result(),
    ("GET", f"{API}/results/{{result_id}}/event.{{form}}"): result(form="png"),
    ("GET", f"{API}/results/{{result_id}}/provenance"): result(),
    ("GET", f"{API}/results/{{result_id}}/cutouts/{{star}}/{{frame}}.{{form}}"): result(
        star="T", frame="0", form="png"
    ),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}.{{form}}"): frame(frame="0", form="png"),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}/star"): frame(frame="0"),
    ("GET", f"{API}/files/{{file_id}}/frames"): frame(),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}"): frame(frame="0"),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}/pixels.{{form}}"): frame(frame="0", form="npy"),
    ("GET", f"{API}/files/{{file_id}}/frames/{{frame}}/profile"): frame(frame="0"),
    ("GET", f"{API}/files/{{file_id}}/reference"): frame(),
    ("GET", f"{API}/statistics"): bare,
    ("GET", f"{API}/statistics/table.csv"): bare,
    ("GET", f"{API}/statistics/figures/{{name}}.{{form}}"): _figure,
    **CAMPAIGN_BUILDERS,
    **FIT_BUILDERS,
    **FIGURE_BUILDERS,
    **WEBHOOK_BUILDERS,
    **NOTICE_BUILDERS,
    **STANDARD_BUILDERS,
    **PAGES,
}
"""(method, path) -> how it is asked."""
