"""Static files and islands."""

import gzip
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.notes import notes  # noqa: E402 - after the check for the extra
from api.web.pages import Portal  # noqa: E402
from api.web.serving import ISLANDS, ROOT, Assets  # noqa: E402
from tests.api.client import Client  # noqa: E402


def test_static_files_are_packed_tagged_and_kept(client: Client) -> None:
    assets: Assets = client.app.state.portal.assets
    address = assets.address("umbra.css")
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    packed = client.get(address, headers={"Accept-Encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert plain.content == packed.content, "httpx unpacks"
    assert plain.headers["etag"] != packed.headers["etag"]
    for answer in (plain, packed):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["content-type"] == "text/css; charset=utf-8"
        again = client.get(
            address, headers={"If-None-Match": answer.headers["etag"], "Accept-Encoding": "gzip"}
        )
        assert again.status_code == (304 if answer is packed else 200)
    other = client.get("/static/0123456789abcdef/umbra.css")
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("name", ["nothing.js", "%2e%2e/pages.py", "..%2fpages.py", "islands/", "x" * 300])
def test_nothing_else_is_served(client: Client, name: str) -> None:
    assert client.get(f"/static/x/{name}").status_code in {404, 422}


def test_the_edition_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.js").write_text("1")
    before = Assets(tmp_path).edition
    assert Assets(tmp_path).edition == before
    (tmp_path / "static" / "a.js").write_text("2")
    assert Assets(tmp_path).edition != before


def test_who_starts_the_service_is_told_what_is_missing(client: Client, tmp_path: Path) -> None:
    app = client.app
    app.state.portal = Portal(app.state.settings, Assets(ROOT))
    app.state.portal.assets.missing = ()
    assert "npm" not in "\n".join(notes(app))
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "umbra.css").write_text("")
    app.state.portal.assets = Assets(tmp_path)
    told = "\n".join(notes(app))
    assert f"{len(ISLANDS)} files" in told
    assert "npm ci --ignore-scripts --prefix" in told
    assert app.state.settings.url in told


def test_without_islands_pages_have_no_hole(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    assets = Assets(tmp_path)
    assert assets.missing == tuple(ISLANDS)
    assert assets.island("htmx.js") is None
    with pytest.raises(KeyError):
        assets.island("nothing.js")
    with pytest.raises(KeyError):
        assets.address("nothing.js")
    module = tmp_path / "islands" / "node_modules" / ISLANDS["htmx.js"]
    module.parent.mkdir(parents=True)
    module.write_text("var htmx;" * 200)
    found = Assets(tmp_path)
    address = found.island("htmx.js")
    assert address == f"/static/{found.edition}/islands/htmx.js"
    asset = found.get("islands/htmx.js")
    assert asset is not None
    assert asset.packed is not None
    assert gzip.decompress(asset.packed) == asset.plain
