"""How the pages of accounts, and those for everybody, are asked."""

from tests.api.access.account_builders import (
    activation,
    bare,
    body,
    key,
    log_in,
    proof,
    registration,
    session,
)
from tests.api.access.asks import Ask, Builder, as_form
from tests.api.access.world import PASSWORD, World


def _static(_world: World, _caller: str) -> Ask:
    return Ask({"edition": "x", "name": "umbra.css"}, {})


ACCOUNT_PAGES: dict[tuple[str, str], Builder] = {
    ("GET", "/static/{edition}/{name}"): _static,
    ("POST", "/theme"): as_form(body(theme="dark", next="/account")),
    ("GET", "/statistics"): bare,
    ("GET", "/login"): bare,
    ("POST", "/login"): as_form(log_in),
    ("POST", "/logout"): as_form(bare),
    ("GET", "/register"): bare,
    ("POST", "/register"): as_form(registration),
    ("GET", "/activate"): bare,
    ("POST", "/activate"): as_form(activation),
    ("GET", "/reset"): bare,
    ("POST", "/reset"): as_form(body(email="nobody@example.org")),
    ("POST", "/reset/password"): as_form(proof("reset", password=PASSWORD)),
    ("GET", "/address"): bare,
    ("POST", "/address"): as_form(proof("email")),
    ("GET", "/account"): bare,
    ("POST", "/account"): as_form(body(affiliation="Observatory")),
    ("GET", "/account/security"): bare,
    ("POST", "/account/password"): as_form(body(password=PASSWORD, new="another good sentence")),
    ("POST", "/account/email"): as_form(body(email="new@example.org", password=PASSWORD)),
    ("GET", "/account/sessions"): bare,
    ("POST", "/account/sessions/{session_id}/end"): as_form(session),
    ("GET", "/account/notices"): bare,
    ("POST", "/account/notices"): as_form(body(wanted="calls")),
    ("GET", "/account/data"): bare,
    ("GET", "/account/export"): bare,
    ("POST", "/account/deletion"): as_form(body(password=PASSWORD)),
    ("GET", "/account/keys"): bare,
    ("POST", "/account/keys"): as_form(body(name="a", days="365", scopes=["predictions:read"])),
    ("POST", "/account/keys/{key_id}/revoke"): as_form(key),
}
