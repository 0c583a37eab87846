"""Tickets: what they say is sealed, ends, and is good for one thing at one node."""

import base64
import time
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.nodes.tickets import Purpose, Ticket, TicketError, key_of, signed, verified  # noqa: E402 - the extra
from tests.fuzzing import COUNT, mutations  # noqa: E402

KEY = key_of("s" * 32, "chile")


def ticket(**changes: Any) -> Ticket:
    told: dict[str, Any] = {
        "purpose": "send", "node": "chile", "upload": "0" * 32, "length": 5, "name": "Σ.ser",
        "expires": int(time.time()) + 60,
    }  # fmt: skip
    return Ticket(**told | changes)


def test_what_is_signed_is_read_again() -> None:
    one = ticket(sha256="a" * 64)
    assert verified(signed(one, KEY), KEY, "send") == one


@pytest.mark.parametrize(
    ("text", "purpose", "why"),
    [
        (signed(ticket(), key_of("s" * 32, "spain")), "send", "another node"),
        (signed(ticket(), key_of("t" * 32, "chile")), "send", "none of this service"),
        (signed(ticket(), KEY), "hand", "something else"),
        (signed(ticket(purpose="hand"), KEY), "send", "something else"),
        (signed(ticket(expires=int(time.time()) - 1), KEY), "send", "expired"),
        ("", "send", "none"),
        ("..", "send", "none"),
        ("chile.é.x", "send", "none"),
        ("x" * 5000, "send", "none"),
    ],
)
def test_what_is_not_good(text: str, purpose: Purpose, why: str) -> None:
    with pytest.raises(TicketError, match=why) as raised:
        verified(text, KEY, purpose)
    assert raised.value.problem.status == 401


def test_nothing_can_be_changed() -> None:
    good = signed(ticket(), KEY)
    node, claims, seal = good.split(".")
    other = base64.urlsafe_b64encode(ticket(upload="1" * 32).model_dump_json().encode()).decode()
    for text in (f"{node}.{other}.{seal}", f"spain.{claims}.{seal}", f"{node}.{claims}.{seal}="):
        with pytest.raises(TicketError):
            verified(text, KEY, "send")


def test_mutated_inputs_of_tickets() -> None:
    sound = signed(ticket(), KEY)
    for data in mutations([sound.encode()], COUNT, 400):
        text = data.decode("latin-1")
        if text != sound:
            with pytest.raises(TicketError):
                verified(text, KEY, "send")
