"""How routes of predictions, campaigns, equipment and sites are asked."""

from typing import Any

from api.access.caller import digest_of
from api.campaigns.tables import Feed, Prediction, Responsible
from api.database.tables import new_id, now
from api.equipment.tables import Equipment, Site
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World, person
from tests.reduction.geometry.predictions import event, event_text

API = "/api/v1"
TELESCOPE = {"kind": "telescope", "name": "C11", "aperture_mm": 280}


def _fresh(**more: Any) -> dict[str, Any]:
    return {"occ_id": new_id(), "object_name": "Ixion", "at": "2020-08-08T20:44:27Z", **more}


def _new_prediction(_world: World, _caller: str) -> Ask:
    return Ask({}, {"json": _fresh()})


def _bulk(_world: World, _caller: str) -> Ask:
    return Ask({}, {"json": [_fresh(), _fresh()]})


def _occelmnt(_world: World, _caller: str) -> Ask:
    return Ask({}, {"content": event_text(ID_0=new_id()), "headers": {"Content-Type": "application/xml"}})


def prediction(world: World) -> Prediction:
    """A prediction that is no campaign's."""
    one = event()
    row = Prediction(
        id=new_id(), occ_id=new_id(), source="", object_name="2000 LB11", object_number="81879",
        object_key="818792000lb11", at=now(), elements=one.model_dump(mode="json"), created=now(),
        changed=now(),
    )  # fmt: skip
    world.add(row)
    return row


def a_prediction(**options: Any) -> Builder:
    def build(world: World, _caller: str) -> Ask:
        sent = {key: value() if callable(value) else value for key, value in options.items()}
        return Ask({"prediction_id": prediction(world).id}, sent)

    return build


def _equipment(**options: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Equipment(
            id=new_id(), person=world.owner_for(caller).id, kind="telescope", name="C11",
            details={"aperture_mm": 280.0}, created=now(),
        )  # fmt: skip
        world.add(row)
        return Ask({"equipment_id": row.id}, options)

    return build


def _site(**options: Any) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = Site(
            id=new_id(), person=world.owner_for(caller).id, name="home", latitude_deg=36.8,
            longitude_deg=30.3, height_m=2500.0, created=now(),
        )  # fmt: skip
        world.add(row)
        return Ask({"site_id": row.id}, options)

    return build


def _plain(**options: Any) -> Builder:
    return lambda _world, _caller: Ask({}, options)


def _campaign(**options: Any) -> Builder:
    return lambda world, caller: Ask({"campaign_id": world.things_for(caller)["campaign"]}, options)


def _open(world: World, _caller: str) -> Ask:
    return Ask({}, {"json": {"prediction": prediction(world).id, "tell": False}})


def _appoint(world: World, caller: str) -> Ask:
    somebody = person("somebody")
    world.add(somebody)
    return Ask({"campaign_id": world.things_for(caller)["campaign"]}, {"json": {"person": somebody.id}})


def _withdraw(world: World, caller: str) -> Ask:
    somebody, campaign = person("somebody"), world.things_for(caller)["campaign"]
    world.add(somebody)
    world.add(Responsible(campaign=campaign, person=somebody.id, appointed=now()))
    return Ask({"campaign_id": campaign, "person_id": somebody.id}, {})


def _feed(world: World, _caller: str) -> Ask:
    somebody, secret = person("somebody"), new_id()
    world.add(somebody)
    world.add(Feed(person=somebody.id, digest=digest_of(secret), created=now()))
    return Ask({"secret": secret}, {})


PLACE = {"name": "home", "latitude_deg": 36.8, "longitude_deg": 30.3, "height_m": 2500}
CAMPAIGN_BUILDERS: dict[tuple[str, str], Builder] = {
    ("GET", "/api/predictions"): _plain(),
    ("GET", f"{API}/predictions"): _plain(),
    ("POST", f"{API}/predictions"): _new_prediction,
    ("POST", f"{API}/predictions/bulk"): _bulk,
    ("POST", f"{API}/predictions/occelmnt"): _occelmnt,
    ("GET", f"{API}/predictions/{{prediction_id}}"): a_prediction(),
    ("PUT", f"{API}/predictions/{{prediction_id}}"): a_prediction(json=_fresh),
    ("DELETE", f"{API}/predictions/{{prediction_id}}"): a_prediction(),
    **{
        ("GET", f"{API}/predictions/{{prediction_id}}/{name}"): a_prediction()
        for name in ("path", "path.geojson", "path.kml", "path.csv", "occelmnt.xml")
    },
    ("GET", f"{API}/predictions/{{prediction_id}}/circumstances"): a_prediction(
        params={"latitude": 36.8, "longitude": 30.3}
    ),
    ("GET", f"{API}/campaigns"): _plain(),
    ("POST", f"{API}/campaigns"): _open,
    ("GET", f"{API}/campaigns/{{campaign_id}}"): _campaign(),
    ("PATCH", f"{API}/campaigns/{{campaign_id}}"): _campaign(json={"name": "Ixion"}),
    ("POST", f"{API}/campaigns/{{campaign_id}}/responsibles"): _appoint,
    ("DELETE", f"{API}/campaigns/{{campaign_id}}/responsibles/{{person_id}}"): _withdraw,
    ("GET", f"{API}/campaigns/{{campaign_id}}/participants"): _campaign(),
    ("GET", f"{API}/campaigns/{{campaign_id}}/authors"): _campaign(),
    ("GET", f"{API}/campaigns/{{campaign_id}}/authors.csv"): _campaign(),
    ("GET", f"{API}/campaigns/{{campaign_id}}/authors.tex"): _campaign(),
    ("GET", f"{API}/account/calls"): _plain(),
    ("PUT", f"{API}/account/calls"): _plain(json={"wanted": True}),
    ("GET", f"{API}/calendar"): _plain(),
    ("GET", f"{API}/calendar/paths.geojson"): _plain(),
    ("POST", f"{API}/calendar/address"): _plain(),
    ("DELETE", f"{API}/calendar/address"): _plain(),
    ("GET", f"{API}/calendar/{{secret}}/campaigns.ics"): _feed,
    ("GET", f"{API}/equipment"): _plain(),
    ("POST", f"{API}/equipment"): _plain(json={"equipment": TELESCOPE}),
    ("GET", f"{API}/equipment/{{equipment_id}}"): _equipment(),
    ("PUT", f"{API}/equipment/{{equipment_id}}"): _equipment(json={"equipment": TELESCOPE}),
    ("DELETE", f"{API}/equipment/{{equipment_id}}"): _equipment(),
    ("GET", f"{API}/sites"): _plain(),
    ("POST", f"{API}/sites"): _plain(json=PLACE),
    ("GET", f"{API}/sites/{{site_id}}"): _site(),
    ("PUT", f"{API}/sites/{{site_id}}"): _site(json=PLACE),
    ("DELETE", f"{API}/sites/{{site_id}}"): _site(),
    ("GET", f"{API}/observatories/{{code}}"): lambda _world, _caller: Ask({"code": "A84"}, {}),
}
"""(method, path) -> how it is asked."""
