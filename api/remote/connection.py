"""Requests to a service, and what becomes of them: what is refused, what may pass, what cannot be trusted."""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import httpx

from api.remote.address import checked_url
from reduction.errors import RequestError, ResourceError

API = "/api/v1"
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
AGAIN = frozenset({408, 409, 423, 429, 460, 500, 502, 503, 504, 507})
"""Answers after which the same may succeed."""

Answer = TypeVar("Answer")
Trouble = Callable[[str], None]
"""Told why something is tried again."""


class AwayError(ResourceError):
    """The service cannot be reached, or says to come again: the same may succeed later.

    Attributes
    ----------
    after_s : float
        How long it asks to wait.
    status : int
        Of its answer; 0 without one.
    """

    def __init__(self, text: str, after_s: float = 0.0, status: int = 0) -> None:
        super().__init__(text)
        self.after_s = after_s
        self.status = status


class GoneError(RequestError):
    """It is not there, or not for the caller to know of (404), or it ended (410)."""


class UnknownError(RequestError):
    """The caller is not known, or no more (401)."""


class ForbiddenError(RequestError):
    """The caller may not (403)."""


class Connection:
    """A service, as the holder of an API key asks it.

    Parameters
    ----------
    url : str
        ``https://umbra.example.org``.
    key : str
        An API key; empty for who has none.
    patience_s : float
        How long what may pass is tried again.
    timeout_s : float
        For one answer.
    insecure : bool
        Allow http to another machine, by which everyone on the way can read the key.
    trouble : callable, optional
        Told why something is tried again.

    Attributes
    ----------
    renewal : str
        What to do where the service does not know the caller (401).
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        patience_s: float = 3600.0,
        timeout_s: float = 120.0,
        insecure: bool = False,
        trouble: Trouble | None = None,
    ) -> None:
        self.url = checked_url(url, insecure)
        self.patience_s = patience_s
        self.renewal = "log in again: umbra remote login"
        self.trouble = trouble
        headers = {"X-API-Key": key} if key else {}
        try:
            self.client = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s)
        except (OSError, ssl.SSLError) as error:  # of SSL_CERT_FILE
            raise ResourceError(
                f"certificates to trust cannot be read: {error}; see SSL_CERT_FILE"
            ) from error

    def beside(self, url: str, headers: Mapping[str, str]) -> "Connection":
        """Another place that the service names: as patient, without the key, with `headers`."""
        other = Connection(url, "", self.patience_s, trouble=self.trouble)
        other.client.timeout = self.client.timeout
        other.client.headers.update(headers)
        return other

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """Send a request and return its answer.

        Raises
        ------
        RequestError
            The service refuses it; the message is the service's.
        AwayError
            It cannot be reached, or fails.
        ResourceError
            Its certificate cannot be trusted.
        """
        options: dict[str, Any] = {} if body is None else {"json": body}
        with self.explained():
            answer = self.client.request(
                method, path, headers=headers, content=content, params=params, **options
            )
        self.require(answer)
        return answer

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Any:
        """Send a request below ``/api/v1``, and return what its JSON says; raises as `send`."""
        return self.told(self.send(method, API + path, headers, content, body, params))

    def told(self, answer: httpx.Response) -> Any:
        """What the JSON of an answer says."""
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            kind = answer.headers.get("content-type", "something")
            raise RequestError(
                f"{self.url}: answers with {kind:.80}, no JSON; is that a service of Umbra's?"
            ) from error

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say in Umbra's errors what keeps a request from its answer."""
        try:
            yield
        except httpx.TransportError as error:
            if _distrusted(error):
                raise ResourceError(f"{self.url}: no safe connection: {error}; {TRUST}") from error
            if isinstance(error, httpx.UnsupportedProtocol):
                raise RequestError(f"{self.url}: {error}") from error
            told = str(error) or type(error).__name__
            raise AwayError(f"{self.url}: cannot be reached: {told}; is the service there?") from error

    def require(self, answer: httpx.Response) -> None:
        """Raise what the service refuses; as `send`."""
        if answer.is_success:
            return
        status = answer.status_code
        text = f"{answer.request.url.path}: {status}: {_detail(answer)}"
        if answer.is_redirect:
            where = answer.headers.get("location", "elsewhere")
            raise RequestError(f"{text}; the service is at {where:.200}: log in there")
        if status == 401:
            raise UnknownError(f"{self.url}: {_detail(answer)} (401); {self.renewal}")
        if status == 403:
            raise ForbiddenError(text)
        if status in {404, 410}:
            raise GoneError(text)
        if status in AGAIN:
            raise AwayError(text, _after_s(answer), status)
        raise RequestError(text)

    def patiently(self, work: Callable[[], Answer]) -> Answer:
        """Do something until it succeeds, at most for the patience there is; raises its last `AwayError`."""
        patience = Patience(self)
        while True:
            try:
                return work()
            except AwayError as error:
                patience.wait(error)


class Patience:
    """Waits longer from time to time, until there is no patience left.

    Parameters
    ----------
    connection : Connection
        Whose patience it is.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.renew()

    def renew(self) -> None:
        """Begin anew: something went on."""
        self._ends = time.monotonic() + self._connection.patience_s
        self._pause = FIRST_PAUSE_S

    def wait(self, error: AwayError) -> None:
        """Wait before the next attempt; raises `error` where there shall be none."""
        pause = max(self._pause, error.after_s)
        if time.monotonic() + pause > self._ends:
            raise error
        if self._connection.trouble is not None:
            self._connection.trouble(f"{error}; tried again in {pause:.0f} s")
        time.sleep(pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)


TRUST = "if it is your own, name its certificate by SSL_CERT_FILE; else do not trust what answers there"


def _distrusted(error: httpx.TransportError) -> bool:
    """Whether a connection failed for what its other end showed: the same will fail again."""
    cause: BaseException | None = error
    seen = 0
    while cause is not None and seen < 10:
        if isinstance(cause, ssl.SSLError) and not isinstance(
            cause, ssl.SSLEOFError | ssl.SSLZeroReturnError
        ):
            return isinstance(error, httpx.ConnectError)
        cause, seen = cause.__cause__ or cause.__context__, seen + 1
    return False


def _after_s(answer: httpx.Response) -> float:
    """Seconds of Retry-After, at most ten minutes; 0 where it is a date or nonsense."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), 600.0) if text.isdecimal() and len(text) < 9 else 0.0


def _detail(answer: httpx.Response) -> str:
    try:
        answer.read()
        problem = answer.json()
        faults = [f"{one['pointer']}: {one['detail']}" for one in problem.get("errors", ())]
        detail = str(problem["detail"])
    except (ValueError, KeyError, TypeError, AttributeError, httpx.HTTPError):
        return answer.reason_phrase
    new = [fault for fault in faults if fault not in detail]
    return "\n  ".join([detail, *new])
