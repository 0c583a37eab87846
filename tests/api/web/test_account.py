"""The pages of accounts, used as a browser without scripts does."""

from typing import Any

import pytest

from tests.requirements import require

require("server")

from tests.api.client import Client  # noqa: E402 - after the check for the extra
from tests.api.people.browser import mails  # noqa: E402
from tests.api.web.surfer import PASSWORD, Surfer, arrived, link_of  # noqa: E402

ANN = "ann@example.org"


def test_register_activate_log_out_and_in(client: Client) -> None:
    ann = arrived(client, ANN)
    ann.get("/account")
    assert "Ann" in ann.words
    ann.post("/logout", follow=False)
    assert ann.send("GET", "/account").headers["location"] == "/login?next=%2Faccount"
    ann.get("/account")
    assert "Log in" in ann.words
    assert ann.post("/login", email=ANN, password="wrong one").status_code == 422
    assert "address or password wrong" in ann.words
    assert ann.forms[-1].fields["email"] == [ANN], "what was typed is there still"
    assert ann.forms[-1].fields["password"] == [""], "but not what is secret"
    answer = ann.post("/login", email=ANN, password=PASSWORD)
    assert answer.status_code == 200
    assert "Your account" in ann.words, "where one wanted to"


def test_what_is_wrong_stands_at_its_field(client: Client) -> None:
    bob = Surfer(client)
    bob.get("/register")
    fields: dict[str, Any] = {"email": "no address", "orcid": "0000-0002-1825-0098", "password": PASSWORD}
    answer = bob.post("/register", name="Bob <b>", **fields)
    assert answer.status_code == 422
    assert "is no e-mail address" in bob.words
    assert "check digit" in bob.words
    assert "Bob <b>" not in answer.text
    assert 'id="e-email"' in answer.text
    assert PASSWORD not in answer.text
    bob.post("/register", name="Bob", email="bob@example.org", orcid="", password="short")
    assert "5 characters; use 10" in bob.words


def test_a_link_that_is_none(client: Client) -> None:
    bob = Surfer(client)
    bob.get("/activate?token=nonsense")
    assert bob.post("/activate", password=PASSWORD).status_code == 422
    assert "register again" in bob.words
    bob.get("/reset?token=non<sense")
    assert bob.post("/reset/password", password=PASSWORD).status_code == 422
    assert "ask for a new e-mail" in bob.words


def test_pages_with_a_code_stay_in_no_cache(client: Client) -> None:
    bob = Surfer(client)
    for page in ("/activate", "/reset", "/address"):
        assert bob.get(f"{page}?token=abc").headers["cache-control"] == "no-store"


def test_a_new_password(client: Client) -> None:
    arrived(client, ANN)
    bob = Surfer(client)
    bob.get("/reset")
    bob.post("/reset", email=ANN)
    assert "mailbox" in bob.words
    bob.get(link_of(client, ANN, "reset"))
    bob.post("/reset/password", password="another good sentence")
    assert "new password holds" in bob.words
    assert bob.post("/login", email=ANN, password="another good sentence", follow=False).status_code == 303
    bob.get("/account/security")
    assert bob.post("/account/password", password="wrong", new=PASSWORD).status_code == 403
    assert "password" in bob.words
    bob.post("/account/password", password="another good sentence", new=PASSWORD)
    assert "Your password is changed" in bob.words


def test_a_new_address(client: Client) -> None:
    ann = arrived(client, ANN)
    ann.get("/account/security")
    ann.post("/account/email", email="ann@observatory.org", password=PASSWORD)
    assert "until you follow its link" in ann.words
    ann.get(link_of(client, "ann@observatory.org", "address"))
    ann.post("/address")
    assert "new e-mail address holds" in ann.words
    ann.get("/account")
    assert "ann@observatory.org" in ann.words


def test_the_profile(client: Client) -> None:
    ann = arrived(client, ANN)
    ann.get("/account")
    ann.post("/account", name="Ann Lee", affiliation="Observatory", orcid="0000-0002-1825-0097")
    assert "saved" in ann.words
    form = next(form for form in ann.forms if form.action == "/account")
    assert (form.fields["affiliation"], form.fields["orcid"]) == (["Observatory"], ["0000-0002-1825-0097"])
    ann.post("/account", affiliation="", orcid="")
    form = next(form for form in ann.forms if form.action == "/account")
    assert (form.fields["affiliation"], form.fields["orcid"]) == ([""], [""])
    assert ann.post("/account", name="").status_code == 422


def test_keys(client: Client) -> None:
    ann = arrived(client, ANN)
    ann.get("/account/keys")
    scopes: dict[str, Any] = {"scopes[]": ["predictions:read"]}
    answer = ann.post("/account/keys", name="notebook", days="", **scopes)
    assert answer.status_code == 201
    secret = answer.text.partition('id="key">')[2].partition("<")[0]
    assert secret.startswith("umbra_")
    client.forget()
    assert client.get("/api/v1/campaigns", headers={"X-API-Key": secret}).status_code == 200
    ann.get("/account/keys")
    assert "notebook" in ann.words
    assert secret not in ann.words
    revoke = next(form.action for form in ann.forms if form.action.endswith("/revoke"))
    ann.post(revoke)
    assert "revoked" in ann.words
    client.forget()
    assert client.get("/api/v1/campaigns", headers={"X-API-Key": secret}).status_code == 401
    assert ann.post("/account/keys", name="none").status_code == 422
    assert "is needed" in ann.words


def test_sessions(client: Client) -> None:
    ann, other = arrived(client, ANN), Surfer(client)
    other.get("/login")
    other.post("/login", email=ANN, password=PASSWORD, follow=False)
    ann.get("/account/sessions")
    ends = [form.action for form in ann.forms if form.action.endswith("/end")]
    assert len(ends) == 1, "the one at hand ends by logging out"
    ann.post(ends[0])
    assert "has ended" in ann.words
    assert other.send("GET", "/account").status_code == 303


def test_notices(client: Client) -> None:
    ann = arrived(client, ANN)
    ann.get("/account/notices")
    wanted = next(form for form in ann.forms if form.action == "/account/notices").fields["wanted"]
    ann.post("/account/notices", wanted=[one for one in wanted if one != "calls"])
    now = next(form for form in ann.forms if form.action == "/account/notices").fields["wanted"]
    assert set(wanted) - set(now) == {"calls"}


def test_export_and_deletion(client: Client) -> None:
    ann = arrived(client, ANN)
    export = ann.send("GET", "/account/export")
    assert export.json()["account"]["email"] == ANN
    assert "attachment" in export.headers["content-disposition"]
    ann.get("/account/data")
    assert ann.post("/account/deletion", password="wrong").status_code == 403
    assert "Delete" in ann.words
    assert ann.post("/account/deletion", password=PASSWORD, follow=False).status_code == 303
    assert ann.send("GET", "/account").status_code == 303
    assert mails(client, ANN, "deleted")


@pytest.mark.parametrize("page", ["/account", "/account/keys", "/account/sessions", "/account/data"])
def test_account_pages_stay_in_no_cache(client: Client, page: str) -> None:
    assert arrived(client, ANN).get(page).headers["cache-control"] == "no-store"
