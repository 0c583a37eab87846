"""How the routes of chords and fits are asked."""

from typing import Any

from sqlalchemy import func, select

from api.database.tables import new_id, now
from api.fits.tables import Fit
from tests.api.access.asks import Ask, Builder
from tests.api.access.world import World

API = "/api/v1"


def _campaign(**options: Any) -> Builder:
    return lambda world, caller: Ask({"campaign_id": world.things_for(caller)["campaign"]}, options)


def _station(world: World, caller: str) -> Ask:
    things = world.things_for(caller)
    path = {"campaign_id": things["campaign"], "observation_id": things["observation"]}
    return Ask(path, {"json": {"excluded": True, "reason": "clouds at the time"}})


def fit_of(world: World, campaign: str, **more: Any) -> Fit:
    """A fit whose files the store has lost."""
    with world.database.reading() as session:
        last = session.scalar(select(func.max(Fit.version)).where(Fit.campaign == campaign)) or 0
    fields: dict[str, Any] = {
        "id": new_id(), "campaign": campaign, "version": last + 1, "key": new_id() * 2,
        "person": world.people["staff"].id, "request": {}, "inputs": {"stations": []}, "edition": "1",
        "state": "done", "attempts": 1, "created": now(),
        "outcome": {
            "sentence": "circle", "chords": 1, "stations": 2, "fit": {"model": "circle"},
            "fit_with_named_stations_free": None, "named": [], "notes": [],
        },
    }  # fmt: skip
    row = Fit(**fields | more)
    world.add(row)
    return row


def _fit(**more: str) -> Builder:
    def build(world: World, caller: str) -> Ask:
        row = fit_of(world, world.things_for(caller)["campaign"])
        return Ask({"campaign_id": row.campaign, "version": str(row.version), **more}, {})

    return build


HERE = f"{API}/campaigns/{{campaign_id}}"
FIT_BUILDERS: dict[tuple[str, str], Builder] = {
    ("GET", f"{HERE}/chords"): _campaign(),
    ("GET", f"{HERE}/chords.csv"): _campaign(),
    ("GET", f"{HERE}/chords.xlsx"): _campaign(),
    ("GET", f"{HERE}/map.{{form}}"): lambda world, caller: Ask(
        {"campaign_id": world.things_for(caller)["campaign"], "form": "png"}, {}
    ),
    ("GET", f"{HERE}/chords/{{observation_id}}"): lambda world, caller: Ask(_station(world, caller).path, {}),
    ("PUT", f"{HERE}/chords/{{observation_id}}"): _station,
    ("GET", f"{HERE}/report.html"): _campaign(),
    ("POST", f"{HERE}/fits"): _campaign(json={}),
    ("GET", f"{HERE}/fits"): _campaign(),
    ("GET", f"{HERE}/fits/{{version}}"): _fit(),
    ("GET", f"{HERE}/fits/{{version}}/limb.{{form}}"): _fit(form="png"),
    ("GET", f"{HERE}/fits/{{version}}/files/{{name}}"): _fit(name="limb.json"),
}
"""(method, path) -> how it is asked."""
