"""Files taken back by their observer, or flagged by the team; bytes go when nothing refers to them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from tests.requirements import require

require("server")

from api.audit.tables import Entry  # noqa: E402 - after the check for the extra
from api.bundles.tables import DataRequest  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.figures.keeping import kept  # noqa: E402
from api.fits.tables import ChordChoice  # noqa: E402
from api.observations.tables import ObservationFile  # noqa: E402
from api.results.tables import Reduction  # noqa: E402
from api.uploads.creating import used_by  # noqa: E402
from api.uploads.discarding import discard, hold, remove_discarded  # noqa: E402
from api.uploads.tables import Discarded, Upload  # noqa: E402
from cluster.jobs.tables import JobRow  # noqa: E402
from reduction.errors import ResourceError  # noqa: E402
from tests.api.access.figure_requests import png  # noqa: E402
from tests.api.access.fit_requests import fit_of  # noqa: E402
from tests.api.access.reduction_builders import reduced  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.bundles.served import Team, contents  # noqa: E402
from tests.api.bundles.test_results import reduced as with_result  # noqa: E402
from tests.api.client import Client  # noqa: E402

AT_ONCE = timedelta(0)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from service_on(request.param, tmp_path_factory.mktemp("service"))


@pytest.fixture
def team(client: Client, tmp_path: Path) -> Team:
    return Team(client, tmp_path)


def back(team: Team, file: ObservationFile, who: str = "owner") -> httpx.Response:
    return team.send(who, "DELETE", f"/files/{file.id}")


def told(team: Team, file: ObservationFile) -> Any:
    return team.send("owner", "GET", f"/files/{file.id}").json()


def removed(team: Team) -> None:
    remove_discarded(team.world.database, team.store, AT_ONCE)


def page(team: Team, who: str, method: str, path: str, **fields: str) -> httpx.Response:
    team.client.forget()
    headers = team.world.headers(who)
    data = {**fields, "csrf": headers["X-CSRF-Token"]} if method == "POST" else None
    return team.client.send(method, path, headers=headers, data=data)


def test_a_file_that_nothing_uses(team: Team) -> None:
    file = team.add(b"wrong night", "night.ser")
    assert back(team, file, "staff").status_code == 403
    assert back(team, file, "observer").status_code == 404
    assert back(team, file).status_code == 204
    view = told(team, file)
    assert (view["state"], view["recordings"], view["finding"]) == ("withdrawn", 0, {})
    assert team.send("staff", "GET", f"/files/{file.id}/content").status_code == 410
    assert back(team, file).status_code == 409
    remove_discarded(team.world.database, team.store)
    assert team.store.has_raw(file.sha256)  # not yet
    removed(team)
    assert not team.store.has_raw(file.sha256)
    with team.world.database.reading() as session:
        entry = session.scalars(select(Entry).where(Entry.thing == file.id)).one()
        assert session.get(Discarded, file.sha256) is None
    assert (entry.action, entry.actor) == ("file withdrawn", team.world.people["owner"].id)
    assert entry.details["sha256"] == file.sha256
    view = team.asked(missing="list")
    assert {"name": "night.ser", "why": "was taken back by its observer"}.items() <= view["absent"][0].items()


def test_bytes_that_another_file_has_stay(team: Team) -> None:
    first, second = team.add(b"twice", "one.ser"), team.add(b"twice", "two.ser")
    assert back(team, first).status_code == 204
    removed(team)
    assert team.store.has_raw(second.sha256)
    assert team.send("owner", "GET", f"/files/{second.id}/content").content == b"twice"
    assert back(team, second).status_code == 204
    removed(team)
    assert not team.store.has_raw(second.sha256)


def test_what_was_taken_back_does_not_count(team: Team) -> None:
    file, owner = team.add(b"quota"), team.world.people["owner"].id
    upload = Upload(
        id=new_id(), person=owner, observation=file.observation, role="recording", name="a.ser", length=5,
        received=5, details={}, state="stored", created=now(), expires=now(), file=file.id,
    )  # fmt: skip
    team.world.add(upload)
    with team.world.database.reading() as session:
        assert used_by(session, owner) == 5
    back(team, file)
    with team.world.database.reading() as session:
        assert used_by(session, owner) == 0


def refusal(team: Team, file: ObservationFile) -> str:
    answer = back(team, file)
    assert answer.status_code == 409, answer.text
    shown = page(team, "owner", "GET", f"/files/{file.id}/withdraw")
    assert "cannot be taken back" in shown.text
    assert page(team, "owner", "POST", f"/files/{file.id}/withdraw").status_code == 409
    detail: str = answer.json()["detail"]
    assert "ask the campaign's team to flag" in detail
    return detail


def test_a_file_of_a_result_stays(team: Team) -> None:
    light, dark = team.add(b"light"), team.add(b"dark", "dark.fit", "additional")
    result = with_result(team, light, 1, {"lightcurve.csv": b"1"})
    with team.world.database.writing() as session:
        row = session.scalars(select(Reduction).where(Reduction.file == light.id)).one()
        row.result, row.request = result, {"file": light.id, "dark": dark.id}
    for file in (light, dark):
        assert "version 1 of the results was made of it" in refusal(team, file)


@pytest.mark.parametrize(("state", "stays"), [("held", True), ("failed", False)])
def test_a_file_that_is_being_reduced_stays(team: Team, state: str, stays: bool) -> None:
    made = reduced(team.world, "owner")
    with team.world.database.writing() as session:
        session.execute(update(JobRow).where(JobRow.id == made.id).values(state=state))
        file = session.get_one(ObservationFile, made.file)
    if stays:
        assert f"it is being reduced ({state})" in refusal(team, file)
    else:
        assert back(team, file).status_code == 204
    with team.world.database.writing() as session:  # nobody takes the job up
        session.execute(delete(JobRow).where(JobRow.id == made.id))


def test_a_light_curve_of_the_limb_stays(team: Team) -> None:
    curve, chosen = team.add(b"curve", "a.csv", "additional"), team.add(b"b", "b.csv", "additional")
    fit_of(team.world, team.campaign, inputs={"stations": [{"curve": curve.id}]})
    staff = team.world.people["staff"].id
    choice = ChordChoice(
        observation=team.observation, campaign=team.campaign, person=staff, excluded=False, source="curve",
        file=chosen.id, reason="better", chosen=now(),
    )  # fmt: skip
    team.world.add(choice)
    assert "version 1 of the limb was made of it" in refusal(team, curve)
    assert "the team chose it" in refusal(team, chosen)


def test_a_file_of_event_data_stays_until_that_ends(team: Team) -> None:
    file = team.add(b"asked for")
    request = team.asked()
    assert "event data that can be fetched until" in refusal(team, file)
    with team.world.database.writing() as session:
        ended = update(DataRequest).where(DataRequest.id == request["id"])
        session.execute(ended.values(expires=now() - timedelta(seconds=1)))
    assert back(team, file).status_code == 204


def test_the_bytes_of_a_figure_stay_while_an_archive_has_them(team: Team) -> None:
    where = f"/campaigns/{team.campaign}/limb-figures"
    options: dict[str, Any] = {"params": {"caption": "a"}, "headers": {"Content-Type": "image/png"}}
    figure = team.send("staff", "POST", where, content=png(), **options).json()
    request = team.asked(results=True)
    assert team.send("staff", "DELETE", f"{where}/1").status_code == 204
    removed(team)
    assert "limb/uploaded/limb-figure-1.png" in contents(team.bundle(request).content)
    with team.world.database.writing() as session:
        session.execute(update(DataRequest).values(expires=now() - timedelta(seconds=1)))
    removed(team)
    assert not team.store.has_raw(figure["sha256"])


def test_bytes_that_are_referred_to_again_stay(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let go of, and needed again before they went; and bytes that went just before they were needed."""
    file, database = team.add(b"again"), team.world.database
    with database.writing() as session:
        discard(session, file.sha256)
        discard(session, file.sha256)
    with database.writing() as session:
        hold(session, team.store, file.sha256)
    with database.reading() as session:
        assert session.get(Discarded, file.sha256) is None
    team.store.drop_raw(file.sha256)
    with pytest.raises(ResourceError, match="send them again"), database.writing() as session:
        hold(session, team.store, file.sha256)

    def kept_and_lost(data: bytes, store: Any) -> Any:
        picture = kept(data, store)
        store.drop_raw(picture.raw.sha256)
        return picture

    monkeypatch.setattr("api.figures.figure_routes.kept", kept_and_lost)
    where, headers = f"/campaigns/{team.campaign}/limb-figures", {"Content-Type": "image/png"}
    answer = team.send("staff", "POST", where, params={"caption": "a"}, content=png(), headers=headers)
    assert answer.status_code == 503
    assert team.send("staff", "GET", where).json()["items"] == []


def test_flags(team: Team) -> None:
    file = team.add(b"another event", "other.ser")
    flags = f"/files/{file.id}/flag"
    assert team.send("owner", "PUT", flags, json={"reason": "x"}).status_code == 403
    assert team.send("staff", "PUT", flags, json={"reason": ""}).status_code == 422
    told_ = team.send("responsible", "PUT", flags, json={"reason": "of another event"}).json()
    assert (told_["state"], told_["message"]) == ("flagged", "flagged by the team: of another event")
    asked = team.send("staff", "POST", "/reductions", json={"file": file.id})
    assert asked.status_code == 422
    assert "is flagged" in asked.json()["detail"]
    assert team.asked(missing="list")["absent"][0]["why"] == "was flagged by the team: of another event"
    listed = page(team, "owner", "GET", f"/observations/{team.observation}/files").text
    assert "flagged by the team: of another event" in listed
    assert f"/files/{file.id}/withdraw" in listed
    assert f"/files/{file.id}/flag" not in listed
    assert page(team, "staff", "POST", f"/files/{file.id}/flag", lift="yes").status_code == 303
    assert told(team, file)["state"] == "accepted"
    assert "flag" not in told(team, file)["finding"]
    bad = page(team, "staff", "POST", f"/files/{file.id}/flag", reason="")
    assert bad.status_code == 422
    assert page(team, "staff", "POST", f"/files/{file.id}/flag", reason="blurred").status_code == 303
    assert 'value="blurred"' in page(team, "staff", "GET", f"/files/{file.id}/flag").text
    refused = team.add(b"bad", state="refused")
    assert team.send("staff", "PUT", f"/files/{refused.id}/flag", json={"reason": "x"}).status_code == 409


def test_the_page_takes_a_file_back(team: Team) -> None:
    file = team.add(b"by the page", "mine.ser")
    asked = page(team, "owner", "GET", f"/files/{file.id}/withdraw").text
    assert "is used by nothing" in asked
    done = page(team, "owner", "POST", f"/files/{file.id}/withdraw")
    assert (done.status_code, told(team, file)["state"]) == (303, "withdrawn")
    listed = page(team, "owner", "GET", f"/observations/{team.observation}/files").text
    assert "taken back" in listed
    assert f"/files/{file.id}/withdraw" not in listed
