"""The paper's listing 1, as printed but for the host, against the command `umbra serve`."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.requirements import require

require("server")
require("ray")

from api.access.caller import digest_of  # noqa: E402 - after the check for the extra
from api.campaigns.prediction_views import object_key  # noqa: E402
from api.campaigns.tables import Prediction  # noqa: E402
from api.database.migrate import migrate  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.people.tables import ApiKey  # noqa: E402
from tests.api.access.world import person  # noqa: E402
from tests.reduction.geometry.predictions import event  # noqa: E402

ROOT = Path(__file__).parents[3]
LISTING_1 = (
    "curl -k -X GET 'https://occultation.tug.tubitak.gov.tr/api/predictions?start_date=2022-02-01"
    "&end_date=2022-02-15&mag_min=10&mag_max=18&object_name=Hektor&page=1' -H 'X-API-Key: SECRET_API_KEY'"
)
EVENTS = (
    ("1", "Hektor", "2022-02-03T01:02:03+00:00", 14.5),
    ("2", "Hektor", "2022-02-03T01:02:03+00:00", 9.5),
    ("3", "Hektor", "2022-02-16T01:02:03+00:00", 14.5),
    ("4", "Patroclus", "2022-02-03T01:02:03+00:00", 14.5),
    ("5", "Hektor", "2022-02-15T23:59:59+00:00", 18.0),
)


def fill(home: Path) -> None:
    """An observer with the key of the listing, and predictions."""
    from datetime import datetime

    home.mkdir()
    database = Database(home / "umbra.sqlite")
    migrate(database.engine)
    owner = person("ann")
    with database.writing() as session:
        session.add(owner)
        session.flush()
        session.add(
            ApiKey(
                id=new_id(), digest=digest_of("SECRET_API_KEY"), start="SECRET", person=owner.id, name="curl",
                scopes=["predictions:read"], created=now(),
            )
        )  # fmt: skip
        elements = event().model_dump(mode="json")
        session.add_all(
            Prediction(
                id=new_id(), occ_id=occ_id, source="", object_name=name, object_key=object_key("", name),
                at=datetime.fromisoformat(at), star_mag=mag, elements=elements, created=now(), changed=now(),
            )
            for occ_id, name, at, mag in EVENTS
        )  # fmt: skip
    database.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_listing_1(tmp_path: Path) -> None:
    fill(tmp_path / "home")
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-m", "umbra", "serve", "--port", "0", "--data", str(tmp_path / "data")]
    environment = os.environ | {"UMBRA_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [*command, "--workers", "1"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"umbra serve: (http://127\.0\.0\.1:\d+)/api/v1\n", line)
        assert found is not None, line
        asked = LISTING_1.replace("https://occultation.tug.tubitak.gov.tr", found[1])
        answers = [
            subprocess.run(["sh", "-c", f"{one} -s"], capture_output=True, text=True, check=True).stdout
            for one in (asked, asked.replace("SECRET_API_KEY", "ANOTHER"))
        ]
    finally:
        process.terminate()
        process.communicate(timeout=300)
    page = json.loads(answers[0])
    assert (page["count"], page["page"], page["pages"]) == (2, 1, 1)
    assert [one["occ_id"] for one in page["items"]] == ["1", "5"]
    assert page["items"][0]["at"] == "2022-02-03T01:02:03Z"
    assert json.loads(answers[1])["status"] == 401
