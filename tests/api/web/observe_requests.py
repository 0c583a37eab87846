"""How the pages of equipment, sites and observations are asked."""

from api.database.tables import new_id, now
from api.equipment.tables import Equipment, Site
from api.observations.tables import Observation
from api.people.accounts import GOOD_FOR
from api.uploads.tables import Upload
from tests.api.access.account_builders import bare
from tests.api.access.asks import Ask, Builder
from tests.api.access.reduction_builders import a_file
from tests.api.access.world import World

FILE = {"files": {"file": ("notes.txt", b"clear sky")}, "data": {"sent_as": "additional"}}


def _fields(**fields: str) -> Builder:
    return lambda _world, _caller: Ask({}, {"data": fields})


def _equipment(**fields: str) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Equipment(
            id=new_id(), person=world.owner_for(caller).id, kind="camera", name="c", details={}, created=now()
        )
        world.add(row)
        return Ask({"equipment_id": row.id}, {"data": fields} if fields else {})

    return build


def _site(**fields: str) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Site(
            id=new_id(), person=world.owner_for(caller).id, name="home", latitude_deg=0.0, longitude_deg=0.0,
            height_m=0.0, created=now(),
        )  # fmt: skip
        world.add(row)
        return Ask({"site_id": row.id}, {"data": fields} if fields else {})

    return build


def _observation(**options: object) -> Builder:
    return lambda world, caller: Ask(
        {"observation_id": world.things_for(caller)["observation"]}, dict(options)
    )


def _text(world: World, caller: str) -> Ask:
    return Ask({"observation_id": world.things_for(caller)["observation"], "form": "text"}, {})


def _fresh(world: World, caller: str) -> Ask:
    things, at = world.things_for(caller), now()
    row = Observation(
        id=new_id(), campaign=things["campaign"], person=world.owner_for(caller).id, site=things["site"],
        station=new_id(), status="planned", report={}, created=at, changed=at,
    )  # fmt: skip
    world.add(row)
    return Ask({"observation_id": row.id}, {})


def _unfinished(world: World, caller: str) -> Ask:
    observation, at = world.things_for(caller)["observation"], now()
    row = Upload(
        id=new_id(), person=world.owner_for(caller).id, observation=observation, role="recording",
        name="a.ser", length=9, received=0, details={}, state="arriving", created=at,
        expires=at + GOOD_FOR,
    )  # fmt: skip
    world.add(row)
    return Ask({"observation_id": observation, "upload_id": row.id}, {})


CAMERA = {"kind": "camera", "name": "QHY174M-GPS", "pixel_um": "5,86"}
PLACE = {"name": "Hill", "latitude_deg": "36 49 28.2 N", "longitude_deg": "30.3354", "height_m": "2485"}
OBSERVE_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", "/files/{file_id}/withdraw"): a_file(),
    ("POST", "/files/{file_id}/withdraw"): a_file(data={}),
    ("GET", "/files/{file_id}/flag"): a_file(),
    ("POST", "/files/{file_id}/flag"): a_file(data={"reason": "of another event"}),
    ("GET", "/equipment"): bare,
    ("POST", "/equipment"): _fields(**CAMERA),
    ("GET", "/equipment/{equipment_id}"): _equipment(),
    ("POST", "/equipment/{equipment_id}"): _equipment(**CAMERA),
    ("POST", "/equipment/{equipment_id}/retire"): _equipment(),
    ("GET", "/sites"): bare,
    ("POST", "/sites"): _fields(**PLACE),
    ("GET", "/sites/{site_id}"): _site(),
    ("POST", "/sites/{site_id}"): _site(**PLACE),
    ("POST", "/sites/{site_id}/retire"): _site(),
    ("GET", "/observations"): bare,
    ("GET", "/observations/{observation_id}"): _observation(),
    ("POST", "/observations/{observation_id}"): _observation(data={"status": "negative"}),
    ("GET", "/observations/{observation_id}/report"): _observation(),
    ("GET", "/observations/{observation_id}/report.{form}"): _text,
    ("POST", "/observations/{observation_id}/leave"): _fresh,
    ("GET", "/observations/{observation_id}/upload"): _observation(),
    ("POST", "/observations/{observation_id}/upload"): _observation(**FILE),
    ("POST", "/observations/{observation_id}/uploads/{upload_id}/end"): _unfinished,
    ("GET", "/observations/{observation_id}/files"): _observation(),
}
