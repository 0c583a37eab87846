"""Figures of the limb that the team uploads: versions, who sees them, the archive, the pages."""

import html
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from tests.requirements import require

require("server")

from api.audit.tables import Entry  # noqa: E402 - after the check for the extra
from api.campaigns.tables import Campaign  # noqa: E402
from api.database.tables import now  # noqa: E402
from api.figures.tables import LimbFigure  # noqa: E402
from cluster.store.names import raw_name  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.backends import service_on  # noqa: E402
from tests.api.bundles.served import contents  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.client import Client  # noqa: E402
from tests.api.figures.test_cleaning import SECRET, picture, placed  # noqa: E402


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    yield from service_on(request.param, tmp_path_factory.mktemp("service"))


class Team:
    """A campaign, and those who may upload."""

    def __init__(self, client: Client) -> None:
        client.forget()
        self.callers = Callers(client, make_world(client.app.state.database))
        self.world, self.store = self.callers.world, client.app.state.store
        self.campaign = self.world.strict["campaign"]
        self.here = f"/campaigns/{self.campaign}/limb-figures"

    def upload(
        self, data: bytes, caption: str = "By hand.", who: str = "responsible", kind: str = "image/png"
    ) -> httpx.Response:
        params, headers = {"caption": caption, "name": "limb.png"}, {"Content-Type": kind}
        return self.callers.ask(who, "POST", self.here, params=params, content=data, headers=headers)

    def made(self, data: bytes, caption: str = "By hand.") -> Any:
        answer = self.upload(data, caption)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def versions(self) -> list[int]:
        return [one["version"] for one in self.callers.get("staff", self.here)["items"]]

    def image(self, version: int, who: str = "staff", **headers: str) -> httpx.Response:
        return self.callers.ask(who, "GET", f"{self.here}/{version}/image", headers=headers)

    def page(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        client = self.callers.client
        client.forget()
        headers = {**self.world.headers(who), **options.pop("headers", {})}
        return client.send(method, f"/campaigns/{self.campaign}{path}", headers=headers, **options)


@pytest.fixture
def team(client: Client) -> Team:
    return Team(client)


def test_versions(team: Team) -> None:
    first = team.made(placed("PNG"))
    assert (first["version"], first["name"], first["by"]) == (1, "limb.png", "responsible")
    image = team.image(1)
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    assert (len(image.content), image.headers["etag"]) == (first["size"], f'"{first["sha256"]}"')
    assert SECRET not in image.content
    assert image.headers["content-disposition"] == 'attachment; filename="limb-figure-1.png"'
    assert image.headers["x-content-type-options"] == "nosniff"
    assert team.image(1, Range="bytes=1-3").content == b"PNG"
    again = team.upload(placed("PNG"))
    assert (again.status_code, again.json()) == (200, first)
    assert team.made(placed("PNG"), "By hand, better.")["version"] == 2
    assert team.versions() == [2, 1]
    assert team.callers.ask("staff", "DELETE", f"{team.here}/2").status_code == 204
    assert team.versions() == [1]
    for path in ("", "/image"):
        assert team.callers.ask("staff", "GET", f"{team.here}/2{path}").status_code == 404
    assert team.callers.ask("staff", "DELETE", f"{team.here}/2").status_code == 404
    assert team.made(picture(kind="JPEG"))["version"] == 3  # a number is never given again
    with team.world.database.reading() as session:
        told = select(Entry).where(Entry.thing == team.campaign).order_by(Entry.at)
        actions = [(row.action, row.details["version"], row.actor) for row in session.scalars(told)]
        removed = session.scalars(select(LimbFigure).where(LimbFigure.version == 2)).all()[-1]
    people = team.world.people
    assert actions == [
        ("limb figure uploaded", 1, people["responsible"].id),
        ("limb figure uploaded", 2, people["responsible"].id),
        ("limb figure removed", 2, people["staff"].id),
        ("limb figure uploaded", 3, people["responsible"].id),
    ]
    assert removed.removed_by == people["staff"].id


def test_what_is_no_figure_is_refused(team: Team) -> None:
    assert team.upload(b"<svg/>").status_code == 422
    cut = team.upload(picture()[:-30])
    assert cut.status_code == 422
    assert "damaged" in cut.json()["detail"]
    assert team.upload(picture(), kind="application/pdf").status_code == 415
    assert team.upload(picture(), caption="").status_code == 422
    assert team.upload(picture(), caption="x" * 2001).status_code == 422
    assert team.upload(bytes((20 << 20) + 1)).status_code == 413
    assert team.versions() == []


def test_who_takes_part_sees_it_once_the_embargo_is_over(team: Team) -> None:
    team.made(picture())
    assert team.image(1, "participant").status_code == 403
    assert team.image(1, "observer").status_code == 403
    assert team.upload(picture(), who="participant").status_code == 403
    with team.world.database.writing() as session:
        over = now() - timedelta(days=1)
        session.execute(update(Campaign).where(Campaign.id == team.campaign).values(embargo=over))
    assert team.image(1, "participant").status_code == 200
    assert team.callers.get("participant", team.here)["items"][0]["caption"] == "By hand."
    shown = team.page("participant", "GET", "/figures")
    assert "By hand." in shown.text
    assert "Remove" not in shown.text
    assert "enctype" not in shown.text
    assert team.callers.ask("participant", "DELETE", f"{team.here}/1").status_code == 403


def test_in_the_archive(team: Team) -> None:
    first, second = team.made(picture()), team.made(picture(kind="WEBP"), "Drawn\nanew.")

    def archive(**body: Any) -> dict[str, bytes]:
        made = team.callers.make("staff", f"/campaigns/{team.campaign}/data-requests", body)
        found = team.callers.ask("staff", "GET", made["links"]["bundle"])
        assert found.status_code == 200, found.text
        return contents(found.content)

    files = archive(results=True)
    for one, suffix in ((first, "png"), (second, "webp")):
        path = f"limb/uploaded/limb-figure-{one['version']}.{suffix}"
        assert files[path] == team.image(one["version"]).content
    rows = json.loads(files["manifest.json"])["limb"]
    assert [(row["role"], row["caption"]) for row in rows] == [
        ("figure", "By hand."), ("figure", "Drawn\nanew."),
    ]  # fmt: skip
    assert "2 uploaded figures of the limb" in files["README.txt"].decode()
    team.callers.ask("staff", "DELETE", f"{team.here}/1")
    assert "limb/uploaded/limb-figure-1.png" not in archive(results=True)
    assert not any(path.startswith("limb/") for path in archive())


def test_an_image_that_the_store_has_lost(team: Team) -> None:
    made = team.made(picture("RGBA"))
    team.store._objects.delete([raw_name(made["sha256"])])
    assert team.image(1).status_code == 410
    asked = team.callers.ask(
        "staff", "POST", f"/campaigns/{team.campaign}/data-requests", json={"results": True}
    )
    assert asked.status_code == 409
    assert "limb-figure-1.png is not in the store any more" in asked.json()["detail"]


def test_pages(team: Team) -> None:
    def send(caption: str, name: str = "limb.png", data: bytes = b"") -> httpx.Response:
        # the token that a form sends is what other requests send as a header
        fields = {"caption": caption, "csrf": team.world.headers("responsible")["X-CSRF-Token"]}
        sent = {"file": (name, data or picture())}
        return team.page("responsible", "POST", "/figures", data=fields, files=sent)

    empty = team.page("responsible", "GET", "/figures")
    assert "No figure has been uploaded yet" in empty.text
    bad = send("Drawn.", data=b"%PDF-1.4")
    assert bad.status_code == 422
    assert "is no PNG, JPEG or WebP" in bad.text
    assert "Drawn.</textarea>" in bad.text
    nasty = '<b>"Drawn"</b>'
    assert send(nasty, "../<i>.png").status_code == 303
    for path in ("/figures", "/fit", "/chords"):
        text = team.page("responsible", "GET", path).text
        assert f"/api/v1{team.here}/1/image" in text, path
        assert nasty in html.unescape(text), path
        assert "<b>" not in text
    assert team.callers.get("staff", f"{team.here}/1")["name"] == "__i_.png"
    assert "Upload another version" in team.page("responsible", "GET", "/fit").text
    gone = team.page("responsible", "POST", "/figures/1/remove", data={
        "csrf": team.world.headers("responsible")["X-CSRF-Token"]
    })  # fmt: skip
    assert gone.headers["location"].endswith("/figures?done=figure_removed")
    assert team.versions() == []
