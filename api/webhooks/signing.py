"""Signatures of webhooks: who knows the secret can tell that a request is the service's, whole and new."""

import hashlib
import hmac
import json
import re
import time
from typing import Any

from reduction.errors import DataError

SIGNATURE = "Umbra-Signature"
HEADER = re.compile(r"^t=(\d{1,12}),v1=([0-9a-f]{64})$")
TOLERANCE_S = 300.0


def signature(secret: str, body: bytes, at: int) -> str:
    """The header `SIGNATURE` of a body that is sent `at` POSIX seconds."""
    return f"t={at},v1={_digest(secret, body, at)}"


def verify(
    secret: str, header: str | None, body: bytes, tolerance_s: float = TOLERANCE_S, at: float | None = None
) -> dict[str, Any]:
    """Return the event of a webhook's request, if it is the service's.

    Parameters
    ----------
    secret : str
        As it was told when the webhook was made.
    header : str or None
        `Umbra-Signature` of the request.
    body : bytes
        As they came, before anything reads them.
    tolerance_s : float
        How old, or how far ahead, a request may be: older ones may be somebody's copy.
    at : float, optional
        POSIX seconds of now; by default this machine's clock.

    Raises
    ------
    DataError
        It is not, or too old.
    """
    found = HEADER.match(header or "")
    if found is None:
        raise DataError(f"webhook: no {SIGNATURE} as the service writes it")
    sent = int(found[1])
    if not hmac.compare_digest(_digest(secret, body, sent), found[2]):
        raise DataError("webhook: the signature is not of this secret and these bytes")
    if abs((time.time() if at is None else at) - sent) > tolerance_s:
        raise DataError(f"webhook: was sent more than {tolerance_s:g} s ago or ahead; see to the clocks")
    event: dict[str, Any] = json.loads(body)
    return event


def _digest(secret: str, body: bytes, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
