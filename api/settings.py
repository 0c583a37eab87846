"""Settings of the service: options of `umbra serve`, and UMBRA_* of the environment."""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.nodes.known import UploadNode
from reduction.errors import RequestError, ResourceError

SHORTEST_SECRET = 32
Rate = Annotated[str, Field(pattern=r"^\d{1,6}/(second|minute|hour|day)$")]


class ServiceSettings(BaseSettings):
    """What the service is started with; each field is ``UMBRA_`` and its name, in the environment.

    Attributes
    ----------
    data : Path
        Folder that recordings of the local operator are taken from; resolved. Nothing outside it is read.
    home : Path
        Folder of the database, jobs and results.
    workers : int
        Reductions at once.
    hosts : tuple of str, or None
        Host names by which the service may be addressed; None is any.
    local : bool
        It listens on loopback alone: without any account, requests from this machine are the operator's.
    database : str
        ``postgresql://...``; empty is SQLite in `home`.
    store : str
        Folder or ``s3://BUCKET/PREFIX`` of recordings and results; empty is ``store`` in `home`.
    lease_s : float
        A reduction whose service says nothing for so long is begun again.
    largest_file, quota : int
        Bytes that one upload, and all uploads of a person, may have.
    upload_days : int
        How long an unfinished upload waits for its next byte.
    disk_reserve : int
        Bytes that uploads leave free on the disk of `home`.
    url : str
        Where people reach the service, for links in e-mails; with https, cookies are for https alone.
    proxies : str
        Addresses, comma between, whose X-Forwarded-For is believed.
    registration : str
        ``open``, or ``closed``: accounts are made by `umbra user add` alone.
    log : str
        File of the log, JSON lines, or ``-`` for standard error; empty: warnings alone.
    smtp_host, smtp_port, smtp_security, smtp_user, smtp_password, mail_from
        Where e-mail goes out; without a host it stays in the outbox.
    map_tiles : str
        Address of map tiles with ``{z}``, ``{x}``, ``{y}`` and perhaps ``{s}``; empty: coastlines alone, and
        no browser asks another site for anything.
    map_attribution : str
        Who made them, as it is said on the map.
    authority : str
        Of the identifiers (``ivo://AUTHORITY/umbra?...``) of data sets; empty: the host of `url`.
    webhooks : str
        ``public``: to public addresses by https; ``anywhere``: by http and to private addresses, too, for
        receivers in the service's own network; ``off``: none.
    upload_nodes : tuple of UploadNode
        Nodes that take uploads near the observer; JSON.
    node_secret : str
        What the keys of nodes are made from: 32 characters or more; `umbra node key` makes them.
    rate_visitor, rate_address : str
        Attempts (log-in, registration, reset) from one place, and for one e-mail address.
    """

    model_config = SettingsConfigDict(env_prefix="UMBRA_", frozen=True, extra="ignore")

    data: Path
    home: Path
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    hosts: tuple[str, ...] | None = None
    local: bool = False
    database: str = ""
    store: str = ""
    lease_s: Annotated[float, Field(ge=2, le=3600)] = 30.0
    largest_file: Annotated[int, Field(ge=1, le=1 << 50)] = 1 << 40
    quota: Annotated[int, Field(ge=0, le=1 << 60)] = 1 << 40
    upload_days: Annotated[int, Field(ge=1, le=365)] = 7
    disk_reserve: Annotated[int, Field(ge=0, le=1 << 50)] = 256 << 20
    url: str = "http://127.0.0.1:8000"
    proxies: str = ""
    registration: Literal["open", "closed"] = "open"
    log: str = ""
    smtp_host: str = ""
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    mail_from: str = ""
    map_tiles: str = ""
    map_attribution: str = ""
    authority: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{2,})?$")] = ""
    webhooks: Literal["public", "anywhere", "off"] = "public"
    upload_nodes: tuple[UploadNode, ...] = ()
    node_secret: SecretStr = SecretStr("")
    rate_visitor: Rate = "30/minute"
    rate_address: Rate = "20/hour"

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError("give https://NAME, or http://NAME:PORT, without a path")
        return url.rstrip("/")

    @field_validator("map_tiles")
    @classmethod
    def _tiles(cls, template: str) -> str:
        parts = urlsplit(template.replace("{s}.", ""))
        plain = re.fullmatch(r"[a-z0-9.-]+(:\d+)?", parts.netloc)
        whole = all(part in parts.path for part in ("{z}", "{x}", "{y}"))
        if template and not (parts.scheme in {"http", "https"} and plain and whole):
            raise ValueError("give https://NAME/{z}/{x}/{y}.png, perhaps with {s}. before NAME")
        return template

    @model_validator(mode="after")
    def _nodes(self) -> Self:
        names = [node.name for node in self.upload_nodes]
        if len(set(names)) < len(names):
            raise ValueError("upload_nodes: two nodes have one name")
        if names and len(self.node_secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(
                f"upload_nodes: they need UMBRA_NODE_SECRET, {SHORTEST_SECRET} characters or more"
            )
        return self

    @property
    def secure(self) -> bool:
        """Whether people reach it by https."""
        return self.url.startswith("https://")

    @property
    def where(self) -> str:
        """The database."""
        return self.database or f"sqlite:///{self.home / 'umbra.sqlite'}"

    @property
    def kept(self) -> str:
        """The store."""
        return self.store or str(self.home / "store")


def make_settings(
    data: str | None,
    host: str,
    workers: int | None = None,
) -> ServiceSettings:
    """Settings from options and environment.

    Parameters
    ----------
    data : str or None
        Folder of recordings; by default UMBRA_DATA, or the current folder.
    host : str
        Address to listen on. On a loopback address only loopback names are answered, and that of UMBRA_URL,
        so that no web page reaches the service by a name of its own.
    workers : int or None
        Reductions at once; by default UMBRA_WORKERS, or the CPUs of this process.

    Raises
    ------
    RequestError
        The data folder is none, or a setting is wrong.
    ResourceError
        The home folder cannot be made.
    """
    folder = Path(data or os.environ.get("UMBRA_DATA") or ".")
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder; --data names the folder of recordings")
    options: dict[str, object] = {"data": folder.resolve(), "home": home_folder(), "local": is_loopback(host)}
    if workers is not None or "UMBRA_WORKERS" not in os.environ:
        options["workers"] = len(os.sched_getaffinity(0)) if workers is None else workers
    public = urlsplit(os.environ.get("UMBRA_URL", "")).hostname
    if public:
        options["local"] = False  # a proxy stands before it: not everyone who comes from here is here
    if is_loopback(host):
        options["hosts"] = ("localhost", "127.0.0.1", "::1", host, *([public] if public else []))
    return checked(options)


def reached_by(settings: ServiceSettings, where: str) -> ServiceSettings:
    """Settings with the address that the service listens on, where UMBRA_URL names none."""
    return settings if os.environ.get("UMBRA_URL") else settings.model_copy(update={"url": where})


def checked(options: dict[str, object]) -> ServiceSettings:
    """Settings of `options` and environment.

    Raises
    ------
    RequestError
        One is wrong.
    """
    try:
        return ServiceSettings(**options)  # type: ignore[arg-type]  # checked by the model
    except ValidationError as error:
        told = [f"{'_'.join(('UMBRA', *map(str, e['loc']))).upper()}: {e['msg']}" for e in error.errors()]
        raise RequestError("; ".join(told)) from error


def home_folder() -> Path:
    """UMBRA_HOME, made where it is not there.

    Raises
    ------
    ResourceError
        It cannot be made.
    """
    shared = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    home = Path(os.environ.get("UMBRA_HOME") or Path(shared) / "umbra").absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{home}: cannot be made: {error.strerror}; name a folder for jobs by UMBRA_HOME"
        ) from error
    return home


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
