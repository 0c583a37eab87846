"""The small archive of the portal's tests, made by the service's own routes."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from api.people.tables import Person
from tests.api.campaign import truth
from tests.api.campaign.truth import edges_ns
from tests.api.client import Client
from tests.api.people.browser import database
from tests.api.web import scenery
from tests.api.web.cast import (
    ADA,
    BEN,
    CLEO,
    DOV,
    EVA,
    EVERYONE,
    FINN,
    GUS,
    NEWCOMER,
    OBSERVERS,
    PASSWORD,
    RESPONSIBLE,
    STAFF,
    SUPERUSER,
    Member,
)  # fmt: skip
from tests.api.web.someone import Someone

REDUCED = (ADA, BEN, CLEO, DOV, EVA)
"""Whose recordings come to a light curve."""
STATUS = {EVA: "negative", FINN: "overcast", GUS: "technical_failure"}
DAY = timedelta(days=1)
WORDS = {
    FINN: "Clouds from 21:40 on; the target was not seen.",
    GUS: "The disk was full: the recording ends in its header.",
    EVA: "No event. Wind gusts shook the telescope twice.",
}


@dataclass
class Archive:
    """What is in the world, by words: `note` is written beside it for the tests.

    Attributes
    ----------
    stations : dict
        ``KEY`` of a member -> id of the observation in the past campaign.
    """

    client: Client
    folder: Path
    people: dict[str, Someone] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    equipment: dict[str, dict[str, str]] = field(default_factory=dict)
    predictions: dict[str, str] = field(default_factory=dict)
    campaigns: dict[str, str] = field(default_factory=dict)
    stations: dict[str, str] = field(default_factory=dict)
    planned: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def as_(self, member: Member) -> Someone:
        return self.people[member.key]

    @property
    def note(self) -> dict[str, Any]:
        people = {key: {"id": one.id, "email": one.member.email, "name": one.member.name,
                        "level": one.member.level, "password": PASSWORD}
                  for key, one in self.people.items()}  # fmt: skip
        named = ("sites", "equipment", "predictions", "campaigns", "stations", "planned", "files", "more")
        return {"people": people, **{name: getattr(self, name) for name in named}}


def fill(archive: Archive) -> None:
    """People, predictions, campaigns, what was observed and what came of it."""
    _people(archive)
    _instruments(archive)
    _predictions(archive)
    _campaigns(archive)
    for member in OBSERVERS:
        _joined(archive, member)
    for member in (*REDUCED, GUS):
        _sent(archive, member)
    _reduced(archive)
    _published(archive)
    _plans(archive)
    _said(archive)


def _people(archive: Archive) -> None:
    for member in EVERYONE:
        someone = archive.people[member.key] = Someone(archive.client, member)
        someone.register()
        if member.level != "observer":
            with database(archive.client).writing() as session:
                session.execute(update(Person).where(Person.id == someone.id).values(level=member.level))
    # who has not finished: their e-mail waits
    archive.as_(NEWCOMER).post("/accounts", email="late@example.org", password=PASSWORD, name="Lauri Late")


def _instruments(archive: Archive) -> None:
    for member in OBSERVERS:
        someone, place = archive.as_(member), scenery.placed(member)
        site = someone.post(
            "/sites", name=f"{member.key.title()}'s field", latitude_deg=place.latitude_deg,
            longitude_deg=place.longitude_deg, height_m=place.height_m, sigma_m=3.0, address="Pier 4",
        )  # fmt: skip
        archive.sites[member.key] = site["id"]
        made = archive.equipment[member.key] = {}
        for one in member.equipment:
            made[one["kind"]] = someone.post("/equipment", equipment=one)["id"]
    ada = archive.as_(ADA)
    archive.sites["siding"] = ada.post("/sites", name="Siding Spring", code="E12")["id"]


def _predictions(archive: Archive) -> None:
    staff = archive.as_(STAFF)
    made = staff.send(
        "POST", "/predictions/occelmnt", content=truth.XML, headers={"Content-Type": "application/xml"}
    )
    archive.more["import"] = made.json()["id"]
    (past,) = staff.get("/predictions", object_name=truth.NAME)["items"]
    archive.predictions["past"] = past["id"]
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for key, one in _coming(today).items():
        archive.predictions[key] = staff.post("/predictions", **one)["id"]


def _coming(today: datetime) -> dict[str, dict[str, Any]]:
    """Predictions about today: shadows over Europe, of stars that stand there at midnight."""
    return {
        "upcoming": _approach(today + 12 * DAY, 31, "Umbriferus", "Main belt", 1.86, 12.0, 11.4, 62.0, 0.4),
        "next": _approach(today + 26 * DAY, 47, "Hektor", "Trojan", 0.61, -11.0, 13.2, 225.0, 0.2, 4.6),
        "faint": _approach(today + 61 * DAY, 5, "Chariklo", "Centaur", 0.35, 8.0, 15.9, 250.0, 0.9, 14.2),
        "recent": _approach(today - 9 * DAY, 20, "Polymele", "Trojan", 0.55, -14.0, 12.5, 27.0, 0.3, 4.1),
        "bare": {
            "occ_id": "PRIVATE-1", "source": "a colleague's e-mail", "object_name": "1998 <XY>12 & co",
            "object_class": "NEO", "star_mag": 9.8, "at": (today + 3 * DAY).isoformat(),
        },
    }  # fmt: skip


def _approach(
    at: datetime, minute: int, name: str, kind: str, nearest: float, angle: float, mag: float,
    diameter: float, sigma: float, distance: float = 2.0,
) -> dict[str, Any]:  # fmt: skip
    sun = (at.timetuple().tm_yday - 80) * 0.9856
    return {
        "occ_id": f"{name.upper()}-{at:%Y%m%d}", "source": "Lucky Star", "object_name": name,
        "object_number": str(100 * minute + 24), "object_class": kind, "star_mag": mag,
        "star_name": f"Gaia DR3 33{minute}24100{minute}7712",
        "at": (at + timedelta(minutes=minute, seconds=17.25)).isoformat(),
        "approach": {
            "star_ra_deg": (sun + 180) % 360, "star_dec_deg": 21.0 if mag < 15 else -4.0,
            "closest_approach_arcsec": nearest * 2.0 / distance, "position_angle_deg": angle % 360,
            "velocity_km_s": -13.4 if kind == "Main belt" else -20.1, "distance_au": distance,
            "diameter_km": diameter, "diameter_sigma_km": diameter / 15, "sigma_arcsec": sigma / 100,
        },
    }  # fmt: skip


def _campaigns(archive: Archive) -> None:
    staff = archive.as_(STAFF)
    called: dict[str, dict[str, Any]] = {
        "past": {"message": "Five stations or more, please: the chord spacing should be below 8 km."},
        "recent": {"observers_reduce": True, "tell": False},
        "upcoming": {
            "observers_reduce": True,
            "message": "Bright star; a 15 cm telescope will do. Report also if you see nothing.",
        },
    }
    for key, options in called.items():
        made = staff.post("/campaigns", prediction=archive.predictions[key], **options)
        archive.campaigns[key] = made["id"]
        staff.post(f"/campaigns/{made['id']}/responsibles", email=RESPONSIBLE.email)


def _setup(archive: Archive, member: Member) -> dict[str, str]:
    return {"site": archive.sites[member.key], **archive.equipment[member.key]}


def _joined(archive: Archive, member: Member) -> None:
    someone, campaign = archive.as_(member), archive.campaigns["past"]
    made = someone.post(
        "/observations", campaign=campaign, station=scenery.placed(member).name, consent=member is not GUS,
        role="observer", **_setup(archive, member),
    )  # fmt: skip
    archive.stations[member.key] = made["id"]
    someone.patch(
        f"/observations/{made['id']}", status=STATUS.get(member, "positive"), report=_report(member)
    )


def _report(member: Member) -> dict[str, Any]:
    told: dict[str, Any] = {"timing": "gps", "clouds_percent": 10.0, "transparency": "clear",
                            "seeing": "steady", "wind": "light", "temperature_c": 11.5,
                            "limiting_mag": 13.5}  # fmt: skip
    if member in WORDS:
        told |= {"comments": [WORDS[member]], "clouds_percent": 100.0 if member is FINN else 5.0}
    if member in REDUCED:
        scene = scenery.scene_of(member)
        first = scene.start_ns / 1e9
        last = first + scene.frames * scene.cadence_s
        told |= {"begin": _utc(first), "end": _utc(last), "exposure_s": scene.exposure_s}
    if member in REDUCED and member is not EVA:
        gone, back = edges_ns(scenery.placed(member))
        told["disappearance"] = {"utc": _utc(gone / 1e9 + 0.03), "sigma_s": 0.08}
        told["reappearance"] = {"utc": _utc(back / 1e9 - 0.02), "sigma_s": 0.08}
    return told


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(round(seconds, 3), UTC).isoformat()


def _sent(archive: Archive, member: Member) -> None:
    someone, observation = archive.as_(member), archive.stations[member.key]
    recording, table = scenery.write(member, archive.folder)
    archive.files[member.key] = someone.file_of(someone.upload(observation, recording))
    if table is not None:
        url = someone.upload(observation, table, "additional")
        archive.files[f"{member.key} times"] = someone.file_of(url)
    if member is ADA:
        picture = archive.folder / "field.png"
        scenery.write_field(member, picture)
        archive.files["ada field"] = someone.file_of(someone.upload(observation, picture, "roi"))


def _reduced(archive: Archive) -> None:
    """A batch by the staff, a second version of one result, and a reduction that fails."""
    staff, campaign = archive.as_(STAFF), archive.campaigns["past"]
    lines = []
    for member in REDUCED:
        line: dict[str, Any] = {"file": archive.files[member.key]}
        line["plan"] = {"target": scenery.target_of(member)}
        if member is not DOV:
            line["times"] = {"meaning": "start"}
        if f"{member.key} times" in archive.files:
            line["times"]["table"] = archive.files[f"{member.key} times"]
        lines.append(line)
    batch = staff.send(
        "POST", "/batches", params={"campaign": campaign}, headers={"Content-Type": "application/jsonl"},
        content="\n".join(map(json.dumps, lines)),
    ).json()  # fmt: skip
    archive.more["batch"] = batch["id"]
    again = {"target": scenery.target_of(ADA), "aperture_px": 3.0}
    second = staff.post("/reductions", file=archive.files["ada"], plan=again, times={"meaning": "start"})
    failing = staff.post("/reductions", file=archive.files["ben"], plan={"target": {"x": 999.0, "y": 3.0}})
    jobs = staff.get(f"/batches/{batch['id']}/jobs", limit=50)["items"]
    archive.more |= {"jobs": [one["id"] for one in jobs], "failed": failing["id"], "again": second["id"]}
    for job in (*archive.more["jobs"], second["id"]):
        ended = staff.ended(f"/jobs/{job}")
        assert ended["state"] == "done", ended
    assert staff.ended(f"/jobs/{failing['id']}")["state"] == "failed"
    found = {key: staff.get(f"/observations/{one}/results")["items"] for key, one in archive.stations.items()}
    archive.more["results"] = {key: [one["id"] for one in rows] for key, rows in found.items() if rows}


def _published(archive: Archive) -> None:
    """The limb by the event responsible; those who took part may see it; the data are asked for."""
    responsible, campaign = archive.as_(RESPONSIBLE), archive.campaigns["past"]
    responsible.post(f"/campaigns/{campaign}/fits")
    assert responsible.ended(f"/campaigns/{campaign}/fits/1")["state"] == "done"
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    responsible.patch(f"/campaigns/{campaign}", embargo=past)
    archive.more["request"] = responsible.post(f"/campaigns/{campaign}/data-requests", results=True)["id"]
    staff, recent = archive.as_(STAFF), archive.campaigns["recent"]
    for member, status in ((ADA, "negative"), (FINN, "overcast")):
        made = archive.as_(member).post(
            "/observations", campaign=recent, station="home", status=status, **_setup(archive, member)
        )
        archive.more[f"recent {member.key}"] = made["id"]
    staff.patch(f"/campaigns/{recent}", state="closed")


def _plans(archive: Archive) -> None:
    """Who will observe the next one; one upload of the past one is still under way."""
    for member in (ADA, BEN, EVA):
        someone = archive.as_(member)
        place = {ADA: (47.9, 11.2, 610.0), BEN: (45.3, 5.8, 890.0), EVA: (50.2, 14.7, 240.0)}[member]
        site = someone.post(
            "/sites", name="Holiday place", latitude_deg=place[0], longitude_deg=place[1], height_m=place[2]
        )
        setup = {**_setup(archive, member), "site": site["id"]}
        made = someone.post(
            "/observations", campaign=archive.campaigns["upcoming"], station=f"{member.key} mobile", **setup
        )
        archive.planned[member.key] = made["id"]
    half = archive.folder / "second camera.ser"
    half.write_bytes((archive.folder / "ada.ser").read_bytes()[: 3 << 20])
    url = archive.as_(ADA).upload(archive.stations["ada"], half, part=0.55)
    archive.more["upload"] = url.rpartition("/")[2]


def _said(archive: Archive) -> None:
    staff, cleo, ada = archive.as_(STAFF), archive.as_(CLEO), archive.as_(ADA)
    everyone = staff.post(
        "/announcements", subject="Maintenance on Sunday",
        text="The service is away from 08:00 to 09:00 UTC.\n\nUploads go on by themselves afterwards.",
    )  # fmt: skip
    some = staff.post(
        "/announcements", subject="Five chords of 2000 LB11", campaign=archive.campaigns["past"],
        text="Thank you! The limb is fitted: have a look at the campaign's result.",
    )  # fmt: skip
    issue = cleo.post(
        "/issues", subject="My AVI has no times", observation=archive.stations["cleo"],
        text="The inserter's digits are outside of the picture.\nCan I send the times as a table?",
    )  # fmt: skip
    staff.post(f"/issues/{issue['id']}/answers", text="Yes: as an additional file, one line for each frame.")
    closed = ada.post("/issues", subject="Typo on the help page", text="Apperture <- Aperture")
    ada.send("PUT", f"/issues/{closed['id']}/state", json={"state": "closed"})
    key = ada.post("/keys", name="telescope computer", scopes=["data:read", "data:write"])
    archive.more |= {
        "announcements": [everyone["id"], some["id"]], "issues": [issue["id"], closed["id"]],
        "key": key["id"],
    }  # fmt: skip
    assert archive.as_(SUPERUSER).get("/users")["items"]
    assert archive.as_(BEN).get("/account")["name"] == BEN.name
