"""A result of as many points as wanted, put into store and database without a reduction."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from api.database.tables import new_id, now
from api.database.transactions import Database
from api.results.tables import Reduction, Result
from cluster.store.published import ObjectStore
from reduction.events.analyse import analyse
from reduction.events.curve import curve_of
from reduction.events.document import document
from reduction.events.settings import EventSettings
from reduction.timing import utc_text
from tests.api.results.columns import curve, folder_of

KEY = "f" * 64


def lengthened(summary: dict[str, Any], n: int) -> dict[str, Any]:
    """The summary of a short result, with the event of the long one."""
    light = curve(n, (n // 2, n // 2 + max(20, n // 40)))
    one = curve_of(light, summary["input"]["name"], 0.04)
    found = analyse(one)
    said = document(found, one, EventSettings())
    event = {
        name: value for name, value in said.items() if name not in {"curve", "settings", "version", "schema"}
    }
    edges = found.events[0]
    assert edges.d is not None
    assert edges.r is not None
    event |= {
        "d_utc": utc_text(edges.d.utc_ns, 9), "d_sigma_s": edges.d.utc.sigma,
        "r_utc": utc_text(edges.r.utc_ns, 9),
        "r_sigma_s": edges.r.utc.sigma, "edges_from": "fit", "depth": edges.depth.value,
        "depth_sigma": edges.depth.sigma,
    }  # fmt: skip
    times = {"first_utc": utc_text(int(light.mid_ns[0]), 9), "last_utc": utc_text(int(light.mid_ns[-1]), 9)}
    points = {"points": n, "good_points": n, "flags": {}}
    return summary | {
        "event": event,
        "input": summary["input"] | times | {"frames": n, "cadence_s": 0.04, "exposure_s": 0.04},
        "lightcurve": summary["lightcurve"] | points,
    }


def long_result(database: Database, store: ObjectStore, like: str, folder: Path, n: int) -> str:
    """Id of a new version of `n` points of the observation of the result `like`."""
    with database.reading() as session:
        row = session.get_one(Result, like)
        asked = session.scalar(select(Reduction).where(Reduction.id == row.reduction))
    assert asked is not None
    short = folder / "short"
    store.fetch("results", row.key, short)
    summary = json.loads((short / "summary.json").read_text(encoding="utf-8"))
    stars = tuple(str(star["name"]) for star in summary["stars"])
    light = curve(n, (n // 2, n // 2 + max(20, n // 40)))
    made = folder_of(folder / "long", light, stars)
    (made / "summary.json").write_text(json.dumps(lengthened(summary, n)), encoding="utf-8")
    for name in ("lightcurve.png", "finder.png", "report.html"):
        (short / name).rename(made / name)
    store.publish("results", KEY, made)
    version = Result(
        id=new_id(), campaign=row.campaign, observation=row.observation, person=row.person,
        reduction=asked.id,
        version=row.version + 1, key=KEY, edition=row.edition, figures=row.figures, created=now(),
    )  # fmt: skip
    with database.writing() as session:
        session.add(version)
    return version.id
