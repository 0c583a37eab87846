"""A campaign whose body is known: stations under its shadow, with reports, or results in the store."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import update

from api.campaigns.tables import Campaign, Prediction
from api.database.tables import new_id, now
from api.equipment.tables import Site
from api.observations.tables import Observation
from api.results.tables import Reduction, Result
from cluster.store.published import ObjectStore
from reduction.limb.chords import Moment, Station
from reduction.limb.shape import Ellipse
from reduction.utc import utc_line
from tests.api.access.world import World, person
from tests.api.results.things import file_of
from tests.reduction.limb.events import event, observed, plane

TRUTH = Ellipse(12.0, -7.0, 55.0, 47.0, 30.0)
SHARES = (-0.8, -0.4, 0.1, 0.5, 0.9, 1.25)
"""Where the stations' chords pass, in half-widths: the last one misses."""
HEADER = (
    "frame,utc,exposure_s,target_flux,target_sigma,reference_flux,ratio,ratio_sigma,target_x,target_y,flags,"
    "utc_sigma_s,flux_norm,flux_norm_sigma,reference_sigma,target_sky,baseline"
)


def seen(seed: int = 3) -> list[Station]:
    """What the stations saw, from the geometry."""
    return observed(plane(), TRUTH, list(SHARES), np.random.default_rng(seed))


def elements() -> dict[str, Any]:
    return event().model_dump(mode="json")


def edge(moment: Moment) -> dict[str, Any]:
    return {"utc": utc_line(moment.utc_ns), "sigma_s": moment.sigma_s, "intervals_s": []}


def summary(station: Station, status: str | None = None) -> dict[str, Any]:
    """``summary.json`` of a reduction of what the station saw, as far as anybody reads it."""
    found: list[dict[str, Any]] = []
    if station.status == "positive" and status is None:
        assert station.d is not None
        assert station.r is not None
        found = [{"label": "square", "d": edge(station.d), "r": edge(station.r)}]
    return {
        "schema": "umbra-summary-1",
        "verdict": {"state": "good", "headline": "all is well"},
        "input": {
            "format": "ser", "frames": 8, "exposure_s": 0.04, "cadence_s": 0.04, "metadata": {},
            "first_utc": utc_line(station.from_ns or 0), "last_utc": utc_line(station.to_ns or 0),
        },
        "lightcurve": {"scatter": 0.05, "flags": {}},
        "event": {
            "status": status or station.status,
            "d_utc": None if not found else found[0]["d"]["utc"], "d_sigma_s": 0.05,
            "r_utc": None if not found else found[0]["r"]["utc"], "r_sigma_s": 0.05,
            "events": found,
            "detectable": None if found else {"shortest_s": 0.2, "depth": 1.0},
        },
        "provenance": {"version": "1"},
        "caveats": [],
    }  # fmt: skip


def curve(station: Station) -> str:
    """``lightcurve.csv``: the star, and its absence."""
    lines = [HEADER]
    start = (station.from_ns or 0) + 40_000_000_000
    for frame in range(400):
        mid = start + frame * 100_000_000
        gone = station.d is not None and station.r is not None and station.d.utc_ns < mid < station.r.utc_ns
        flux = (0.0 if gone else 1.0) + 0.01 * ((frame * 7) % 5 - 2)
        numbers = [0.04, flux, 0.05, 1.0, flux, 0.05, 10.0, 10.0, 0, 0.001, flux, 0.05, 0.01, 5.0, 1]
        lines.append(",".join([str(frame), utc_line(mid), *map(str, numbers)]))
    return "\n".join([*lines, ""])


class Stations:
    """Stations of the campaign `world.strict` or `world.opened`, of observers of their own."""

    def __init__(self, world: World, store: ObjectStore, folder: Path, kind: str = "strict") -> None:
        self.world, self.store, self.folder = world, store, folder
        self.things = getattr(world, kind)
        self.campaign: str = self.things["campaign"]
        self.seen = seen()
        self.observations: list[str] = []
        with world.database.writing() as session:
            chosen = update(Prediction).where(Prediction.id == self.things["prediction"])
            session.execute(chosen.values(elements=elements()))

    def embargo(self, at: Any) -> None:
        with self.world.database.writing() as session:
            session.execute(update(Campaign).where(Campaign.id == self.campaign).values(embargo=at))

    def join(self, station: Station, name: str = "home", **fields: Any) -> str:
        """A station that reports `fields`."""
        somebody, at = person(f"observer of {station.name}"), now()
        self.world.add(somebody)
        site = Site(
            id=new_id(), person=somebody.id, name="home", latitude_deg=station.site.latitude_deg,
            longitude_deg=station.site.longitude_deg, height_m=station.site.altitude_m, created=at,
        )  # fmt: skip
        self.world.add(site)
        values: dict[str, Any] = {"status": "planned", "report": {}} | fields
        row = Observation(
            id=new_id(), campaign=self.campaign, person=somebody.id, site=site.id, station=name,
            created=at, changed=at, **values,
        )  # fmt: skip
        self.world.add(row)
        self.observations.append(row.id)
        return row.id

    def reported(self, station: Station, sigma_s: float | None = 0.05) -> str:
        """A station that reports its contacts, to the microsecond that a report has."""
        report: dict[str, Any] = {
            "begin": utc_line(station.from_ns or 0), "end": utc_line(station.to_ns or 0), "exposure_s": 0.04,
        }  # fmt: skip
        for name, moment in (("disappearance", station.d), ("reappearance", station.r)):
            if moment is not None:
                report[name] = {"utc": utc_line(moment.utc_ns // 1000 * 1000)}
                if sigma_s is not None:
                    report[name]["sigma_s"] = sigma_s
        return self.join(station, station.name, status=station.status, report=report)

    def result(
        self, observation: str, station: Station, version: int = 1, status: str | None = None
    ) -> Result:
        """A version of an observation's results, its files in the store."""
        told, key, identity = summary(station, status), new_id() * 2, new_id()
        folder = self.folder / key
        folder.mkdir()
        (folder / "summary.json").write_text(json.dumps(told))
        (folder / "lightcurve.csv").write_text(curve(station))
        self.store.publish("results", key, folder)
        file = file_of(observation, "0" * 64)
        self.world.add(file)
        with self.world.database.reading() as session:
            owner = session.get_one(Observation, observation).person
        reduction = Reduction(
            id=new_id(), campaign=self.campaign, observation=observation, file=file.id, line=0, person=owner,
            asker=owner, priority=0, request={}, key=key, created=now(),
            result=identity,
        )  # fmt: skip
        self.world.add(reduction)
        event_ = told["event"]
        row = Result(
            id=identity, campaign=self.campaign, observation=observation, person=owner,
            reduction=reduction.id, version=version, key=key, edition="1",
            figures={"event": {name: event_[name] for name in ("status", "d_utc", "r_utc")}}, created=now(),
        )  # fmt: skip
        self.world.add(row)
        return row

    def fill(self) -> None:
        """Three stations with results, two with reports, and the one that missed with a result."""
        for number, station in enumerate(self.seen):
            if number in {1, 3}:
                self.reported(station)
            else:
                self.result(self.join(station, station.name), station)
