"""What `umbra remote` keeps on this machine: keys, in a file of the user's alone, and uploads under way."""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ingest.durable import put
from reduction.errors import DataError, RequestError, ResourceError
from reduction.plan import Settings

URL, KEY = "UMBRA_REMOTE_URL", "UMBRA_REMOTE_KEY"
"""Variables of the environment that go before what is kept, for programs."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Login(Settings):
    """A service that one is logged in to.

    Attributes
    ----------
    email, key_id : str
        Whose key it is, and which, where it was made by `umbra remote login --email`.
    insecure : bool
        http to another machine was allowed.
    """

    url: str
    key: str
    email: str = ""
    key_id: str = ""
    insecure: bool = False


class Logins(Settings):
    """All of them by address; `current` is the one that counts where none is named."""

    current: str = ""
    logins: dict[str, Login] = Field(default_factory=dict)


def config_file() -> Path:
    """Where keys are kept."""
    shared = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(shared) / "umbra" / "remote.json"


def kept_logins() -> Logins:
    """What is kept of logins.

    Raises
    ------
    RequestError
        Others may read the file.
    DataError
        It is damaged.
    """
    path = config_file()
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Logins()
    except OSError as error:
        raise ResourceError(f"{path}: cannot be read: {error.strerror or error}") from error
    if mode & OTHERS:
        raise RequestError(f"{path}: others may read it (mode {mode & 0o777:o}); chmod 600, and log in again")
    try:
        return Logins.model_validate_json(text)
    except ValidationError as error:
        raise DataError(f"{path}: is damaged; remove it and log in again") from error


def keep(login: Login) -> None:
    """Keep a login, which counts from now on."""
    before = kept_logins()
    _write(Logins(current=login.url, logins={**before.logins, login.url: login}))


def forget(url: str) -> None:
    """Forget a login; another one counts, where there is only one left."""
    logins = {name: one for name, one in kept_logins().logins.items() if name != url}
    _write(Logins(current=next(iter(logins)) if len(logins) == 1 else "", logins=logins))


def chosen(url: str | None) -> Login:
    """The login of a service; by default that of the environment, or the current one.

    Raises
    ------
    RequestError
        There is none.
    """
    if url is None and os.environ.get(KEY):
        return Login(url=os.environ.get(URL, ""), key=os.environ[KEY])
    kept = kept_logins()
    wanted = kept.current if url is None else url
    if wanted not in kept.logins:
        known = ", ".join(kept.logins) or "none"
        raise RequestError(
            f"not logged in{f' to {wanted}' if wanted else ''}; umbra remote login URL (kept: {known})"
        )
    return kept.logins[wanted]


def _write(logins: Logins) -> None:
    path = config_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = os.umask(0o077)
        try:
            put(path, [logins.model_dump_json(indent=1).encode()])
        finally:
            os.umask(before)
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written: {error.strerror or error}") from error


class UploadNote:
    """The id of an upload under way, so that another process goes on with it; gone when it is done.

    Parameters
    ----------
    url, observation, role, sha256 : str
        What makes it the same upload: a file that has changed begins anew.
    """

    def __init__(self, url: str, observation: str, role: str, sha256: str) -> None:
        name = hashlib.sha256(f"{url} {observation} {role} {sha256}".encode()).hexdigest()[:32]
        shared = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self.path = Path(shared) / "umbra" / "uploads" / f"{name}.json"

    def read(self) -> str | None:
        """The id, if an upload is under way."""
        try:
            kept: Any = json.loads(self.path.read_text(encoding="utf-8"))
            return str(kept["upload"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, upload: str) -> None:
        """Keep the id."""
        try:
            put(self.path, [json.dumps({"upload": upload}).encode()])
        except OSError as error:
            raise ResourceError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def drop(self) -> None:
        """Forget it."""
        self.path.unlink(missing_ok=True)
