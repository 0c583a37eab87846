"""Objects behind S3, by obstore."""

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cluster.store.objects import PART, PIECE, Entry, MissingError
from reduction.errors import RequestError, ResourceError

if TYPE_CHECKING:
    from obstore.store import S3Store

STREAMS = 4
"""Objects written or read at once; each holds up to `PARTS_AT_ONCE` parts."""
PARTS_AT_ONCE = 2
MOST_PARTS = 9000  # S3 takes 10,000
SPAN = 64 << 20
"""Bytes of a request whose answer is passed on while it comes."""
PATIENCE_S = 60.0
REQUEST_S = 60.0
CONNECT_S = 5.0
MOST_RETRIES = 1000  # the time is the bound
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
ROUNDS = 5
OPTIONS = ("endpoint", "region", "allow_http", "style", "patience_s")
CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Variables of which one says who asks; without any, a cloud's metadata service would be waited for."""
BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
PREFIX = re.compile(r"^(?:[A-Za-z0-9._=-]+/)*$")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is: what its URL says."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str
    allow_http: bool
    virtual: bool
    patience_s: float

    @property
    def url(self) -> str:
        """The URL again, with the endpoint that the environment named, without credentials."""
        said: dict[str, str] = {"endpoint": self.endpoint} if self.endpoint else {}
        said |= {"region": self.region}
        said |= {"allow_http": "1"} if self.allow_http else {}
        said |= {"style": "virtual"} if self.virtual else {}
        said |= {"patience_s": f"{self.patience_s:g}"} if self.patience_s != PATIENCE_S else {}
        return f"s3://{self.bucket}/{self.prefix.rstrip('/')}?{urlencode(said, safe=':/')}"


def place_of(url: str) -> Place:
    """What ``s3://BUCKET/PREFIX?OPTIONS`` means here.

    Options are ``endpoint``, ``region``, ``allow_http=1``, ``style=virtual`` (a host name for each bucket)
    and ``patience_s``, how long a request is tried again. The first two default to ``AWS_ENDPOINT_URL_S3`` or
    ``AWS_ENDPOINT_URL``, and to ``AWS_REGION`` or ``AWS_DEFAULT_REGION``.

    Raises
    ------
    RequestError
        It means nothing, or an endpoint without TLS that is not on this machine.
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix = f"{parts.path.strip('/')}/".lstrip("/")
    if "@" in parts.netloc or any("key" in name or "secret" in name or "token" in name for name in options):
        raise RequestError(
            f"s3://{parts.hostname}: credentials do not belong in a URL; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    dots = any(one in {".", ".."} for one in prefix.split("/"))
    if not BUCKET.match(parts.netloc) or not PREFIX.match(prefix) or dots or parts.fragment:
        raise RequestError(f"{url!r}: give s3://BUCKET/PREFIX, the prefix of A-Z a-z 0-9 . _ = - and /")
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        raise RequestError(f"{url!r}: option {unknown[0]!r} is not known; there are {', '.join(OPTIONS)}")
    environ = os.environ.get
    endpoint = options.get("endpoint") or environ("AWS_ENDPOINT_URL_S3") or environ("AWS_ENDPOINT_URL")
    region = options.get("region") or environ("AWS_REGION") or environ("AWS_DEFAULT_REGION") or "us-east-1"
    allow_http = _one_of(url, options, "allow_http", {"0": False, "1": True}, "0")
    virtual = _one_of(url, options, "style", {"path": False, "virtual": True}, "path")
    _check_endpoint(url, endpoint, allow_http)
    return Place(parts.netloc, prefix, endpoint or None, region, allow_http, virtual, _patience(url, options))


def _one_of(url: str, options: dict[str, str], name: str, meanings: dict[str, bool], default: str) -> bool:
    value = options.get(name, default)
    if value not in meanings:
        raise RequestError(f"{url!r}: {name}={value}: give {' or '.join(meanings)}")
    return meanings[value]


def _patience(url: str, options: dict[str, str]) -> float:
    try:
        patience_s = float(options.get("patience_s", PATIENCE_S))
    except ValueError:
        patience_s = -1.0
    if not 0.0 <= patience_s <= 86400.0:
        raise RequestError(f"{url!r}: patience_s: give seconds, 0 to 86400")
    return patience_s


def _check_endpoint(url: str, endpoint: str | None, allow_http: bool) -> None:
    """Refuse what is no endpoint, or would send recordings in the clear through a network."""
    if not endpoint:
        return
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        raise RequestError(f"{url!r}: endpoint {endpoint!r}: give https://HOST:PORT")
    if parts.scheme == "http" and not allow_http and not _on_loopback(parts.hostname):
        raise RequestError(
            f"{url!r}: endpoint {endpoint!r} is not encrypted; give https, or allow_http=1 on a "
            "private network"
        )


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_s3(url: str) -> "S3Objects":
    """Objects at an S3 URL; see `place_of`.

    Raises
    ------
    RequestError
        It is no such URL.
    ResourceError
        The environment has no credentials.
    """
    place = place_of(url)
    if not any(os.environ.get(name) for name in CREDENTIALS):
        raise ResourceError(
            f"{place.url}: the environment has no credentials; set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return S3Objects(place)


class S3Objects:
    """Objects below a prefix of a bucket."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = _client(place, _identity())

    @property
    def url(self) -> str:
        """Where they are, without credentials."""
        return self._place.url

    @property
    def streams(self) -> int:
        """Requests take longer than they work."""
        return STREAMS

    def create(self, name: str, data: bytes, after: Sequence[str] = ()) -> bool:
        """Write an object unless there is one; False if there is, with other content."""
        del after  # what S3 has acknowledged is safe
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        for last in (*[False] * (ROUNDS - 1), True):
            try:
                with self._failing(name):
                    obstore.put(self._store, self._key(name), data, mode="create")
                return True
            except (AlreadyExistsError, PreconditionError) as error:
                try:
                    return self.get(name) == data  # ours, where the answer to it was lost
                except MissingError:  # another began to write it at the same time, and did not
                    if last:
                        raise ResourceError(f"{self.url}: {name}: {_short(error)}; try again") from error
        raise AssertionError

    def put(self, name: str, data: bytes) -> None:
        """Write an object, or replace it."""
        import obstore

        with self._failing(name):
            obstore.put(self._store, self._key(name), data, use_multipart=False)

    def upload(self, name: str, parts: Iterator[bytes], size: int) -> None:
        """Write an object in parts; where `parts` raises, there is none."""
        import obstore

        if size <= PART:
            self.put(name, b"".join(parts))
            return
        failed: list[BaseException] = []

        def watched() -> Iterator[bytes]:
            try:
                yield from parts
            except GeneratorExit:  # obstore wants no more, of which it tells itself
                raise
            except BaseException as error:
                failed.append(error)
                raise

        at_a_time = max(PART, -(-size // MOST_PARTS))
        try:
            with self._failing(name):
                obstore.put(
                    self._store,
                    self._key(name),
                    watched(),
                    use_multipart=True,
                    chunk_size=at_a_time,
                    max_concurrency=PARTS_AT_ONCE,
                )
        except MissingError as error:  # it is whole and the answer was lost, or somebody ended it
            raise ResourceError(
                f"{self.url}: {name}: the server has forgotten this upload; see whether it is there"
            ) from error
        except BaseException as error:
            if failed:  # obstore tells of it in its own words
                raise failed[0] from error
            raise

    def stage(self, name: str, parts: Iterator[bytes], size: int) -> None:
        """Write an object; S3 has it whole or not at all."""
        self.upload(name, parts, size)

    def get(self, name: str) -> bytes:
        """Return a small object. Raises `MissingError`."""
        import obstore

        with self._failing(name):
            return bytes(obstore.get(self._store, self._key(name)).bytes())

    def read(self, name: str) -> Iterator[bytes]:
        """Return an object in parts, each a request of its own. Raises `MissingError`."""
        import obstore

        with self._failing(name):
            found = obstore.get(self._store, self._key(name))
            size = found.meta["size"]
            whole = bytes(found.bytes()) if size <= PART else None
        if whole is not None:
            yield whole
            return
        for start in range(0, size, PART):
            with self._failing(name):
                part = obstore.get_range(
                    self._store, self._key(name), start=start, end=min(start + PART, size)
                )
            yield bytes(part)

    def read_range(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Return a part of an object in pieces, a request for each `SPAN`. Raises `MissingError`.

        Where a connection breaks after something came, the rest is asked for anew: whoever takes the pieces
        may be slower than a server waits.
        """
        import obstore

        at = start
        while at < stop:
            began, last = at, min(at + SPAN, stop)
            with self._failing(name):
                found = obstore.get(self._store, self._key(name), options={"range": (at, last)})
                ends = found.range[1]
                coming = iter(found.stream(min_chunk_size=PIECE))
            for piece in self._pieces(name, coming):
                yield piece
                at += len(piece)
            if at == began or (at >= ends and ends < last):  # it ends here
                return

    def _pieces(self, name: str, coming: Iterator[Any]) -> Iterator[bytes]:
        """Return what a request brings, in pieces, until it breaks; raises where it brings nothing."""
        came = False
        while True:
            try:
                with self._failing(name):
                    chunk = next(coming, None)
            except ResourceError:
                if came:
                    return
                raise
            if chunk is None:
                return
            came, content = True, memoryview(chunk)
            yield from (bytes(content[k : k + PIECE]) for k in range(0, len(content), PIECE))

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes; None without one."""
        import obstore

        try:
            with self._failing(name):
                return int(obstore.head(self._store, self._key(name))["size"])
        except MissingError:
            return None

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Objects whose names begin with `prefix`; S3 lists them sorted."""
        import obstore

        with self._failing(prefix):
            for some in obstore.list(self._store, prefix=self._key(prefix)):
                for one in some:
                    name = one["path"].removeprefix(self._place.prefix)
                    yield Entry(name, one["size"], one["last_modified"])

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders right below `prefix`, sorted."""
        import obstore

        with self._failing(prefix):
            found = obstore.list_with_delimiter(self._store, prefix=self._key(prefix))
            return sorted(one.rstrip("/").rpartition("/")[2] for one in found["common_prefixes"])

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects."""
        import obstore

        keys = [self._key(name) for name in names]
        if keys:
            with self._failing(keys[0]):
                obstore.delete(self._store, keys)

    def unfinished(self) -> Iterator[Entry]:
        """Nothing can be told: a rule of the bucket removes unfinished uploads."""
        return iter(())

    def drop_unfinished(self, name: str) -> None:
        """There are none."""

    def _key(self, name: str) -> str:
        return f"{self._place.prefix}{name}"

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Explain errors of the server; obstore has tried again what could be."""
        from obstore import exceptions

        where = f"{self.url}: {name or 'the list of objects'}"
        try:
            yield
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise ResourceError(f"{where}: there is no bucket {self._place.bucket}; make it") from error
            raise MissingError(name) from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise ResourceError(f"{where}: refused: {_short(error)}; see to the credentials") from error
        except (exceptions.BaseError, OSError) as error:
            raise ResourceError(
                f"{where}: {_short(error)}; tried again for up to {self._place.patience_s:g} s, what was "
                "acknowledged is kept"
            ) from error


def _identity() -> tuple[object, ...]:
    """What a client takes from the environment, and the process whose connections it holds."""
    return os.getpid(), *sorted(pair for pair in os.environ.items() if pair[0].startswith("AWS_"))


@lru_cache(8)
def _client(place: Place, _identity: tuple[object, ...]) -> "S3Store":
    """Client of a place; kept, so that who opens a store again finds its connections open."""
    from obstore.store import S3Store

    config: dict[str, Any] = {
        "region": place.region,
        "virtual_hosted_style_request": place.virtual,
        "conditional_put": "etag",
    }
    if place.endpoint:
        config["endpoint"] = place.endpoint
    http = place.endpoint is not None and place.endpoint.startswith("http://")
    return S3Store(
        place.bucket,
        config=config,  # type: ignore[arg-type]  # a dict of its keys
        client_options={
            "allow_http": http,
            "timeout": timedelta(seconds=REQUEST_S),
            "connect_timeout": timedelta(seconds=CONNECT_S),
        },
        retry_config={
            "max_retries": MOST_RETRIES,
            "retry_timeout": timedelta(seconds=place.patience_s),
            "backoff": {
                "init_backoff": timedelta(seconds=FIRST_PAUSE_S),
                "max_backoff": timedelta(seconds=LONGEST_PAUSE_S),
                "base": 2,
            },
        },
    )


def _short(error: BaseException) -> str:
    """What obstore says, without the structures that it prints after it."""
    text = " ".join(str(error).split("\n\nDebug source:")[0].split())
    return text if len(text) <= 400 else f"{text[:400]} ..."
