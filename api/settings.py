"""Settings of the service."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field

from reduction.errors import RequestError, ResourceError
from reduction.plan import Settings


class ServiceSettings(Settings):
    """What the service is started with.

    Attributes
    ----------
    data : Path
        Folder that recordings are taken from; resolved. Nothing outside it is read.
    home : Path
        Folder of jobs and results.
    workers : int
        Reductions at once.
    hosts : tuple of str, or None
        Host names by which the service may be addressed; None is any.
    """

    data: Path
    home: Path
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    hosts: tuple[str, ...] | None = None


def make_settings(
    data: str | None, host: str, workers: int | None = None, environment: Mapping[str, str] = os.environ
) -> ServiceSettings:
    """Settings from options and environment.

    Parameters
    ----------
    data : str or None
        Folder of recordings; by default UMBRA_DATA, or the current folder.
    host : str
        Address to listen on. On a loopback address only loopback names are answered, so that no web page
        reaches the service by a name of its own.
    workers : int or None
        Reductions at once; by default the CPUs of this process.
    environment : mapping
        UMBRA_DATA, UMBRA_HOME, XDG_DATA_HOME.

    Raises
    ------
    RequestError
        The data folder is none.
    ResourceError
        The home folder cannot be made.
    """
    folder = Path(data or environment.get("UMBRA_DATA") or ".")
    if not folder.is_dir():
        raise RequestError(f"{folder}: no such folder; --data names the folder of recordings")
    shared = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    home = Path(environment.get("UMBRA_HOME") or Path(shared) / "umbra").absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{home}: cannot be made: {error.strerror}; name a folder for jobs by UMBRA_HOME"
        ) from error
    return ServiceSettings(
        data=folder.resolve(),
        home=home,
        workers=len(os.sched_getaffinity(0)) if workers is None else workers,
        hosts=("localhost", "127.0.0.1", "::1", host) if is_loopback(host) else None,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
