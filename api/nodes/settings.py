"""Settings of an upload node: options of `umbra node`, and UMBRA_NODE_* of the environment."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.nodes.known import NodeName
from api.remote.address import checked_url
from reduction.errors import RequestError, ResourceError


class NodeSettings(BaseSettings):
    """What a node is started with; each field is ``UMBRA_NODE_`` and its name, in the environment.

    Attributes
    ----------
    central : str
        The service that files are handed over to; https, or http on this machine.
    data : Path
        Folder of the files, and of what is known of them.
    name : str
        As the service knows the node.
    key : str
        Of ``umbra node key NAME``, at the service.
    quota : int
        Bytes of all files that the node holds.
    disk_reserve : int
        Bytes that are left free on the disk of `data`.
    days : int
        How long an unfinished file waits for its next byte, and one for which the service has no use any
        more is kept.
    pages : tuple of str
        Origins of web pages that may send here, besides that of `central`.
    log : str
        File of the log, JSON lines, or ``-`` for standard error; empty: warnings alone.
    """

    model_config = SettingsConfigDict(env_prefix="UMBRA_NODE_", frozen=True, extra="ignore")

    central: str
    data: Path
    name: NodeName
    key: Annotated[SecretStr, Field(min_length=32)]
    quota: Annotated[int, Field(ge=1, le=1 << 60)] = 1 << 40
    disk_reserve: Annotated[int, Field(ge=0, le=1 << 50)] = 256 << 20
    days: Annotated[int, Field(ge=1, le=365)] = 7
    pages: tuple[str, ...] = ()
    log: str = ""

    @field_validator("central")
    @classmethod
    def _central(cls, url: str) -> str:
        try:
            return checked_url(url)
        except RequestError as error:
            raise ValueError(str(error)) from error

    @field_validator("pages")
    @classmethod
    def _pages(cls, pages: tuple[str, ...]) -> tuple[str, ...]:
        for page in pages:
            parts = urlsplit(page)
            if f"{parts.scheme}://{parts.netloc}" != page:
                raise ValueError("give origins: https://umbra.example.org")
        return pages

    @property
    def where(self) -> Path:
        """The database."""
        return self.data / "node.sqlite"

    @property
    def folder(self) -> Path:
        """Of the files."""
        return self.data / "uploads"


def node_settings(**options: object) -> NodeSettings:
    """Settings from options, where they are given, and environment; the folder is made.

    Raises
    ------
    RequestError
        One is missing or wrong.
    ResourceError
        The folder cannot be made.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = NodeSettings(**given)  # type: ignore[arg-type]  # checked by the model
    except ValidationError as error:
        told = [f"UMBRA_NODE_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise RequestError("; ".join(told)) from error
    try:
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"{settings.folder}: cannot be made: {error.strerror}") from error
    return settings
