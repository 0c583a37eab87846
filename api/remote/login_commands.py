"""Register, activate, log in and out: how this machine comes to a key."""

import getpass
import sys
from typing import Annotated, Any, Self

import typer

from api.remote.address import checked_url
from api.remote.connection import Connection, ForbiddenError
from api.remote.kept import Login, chosen, forget, keep
from api.remote.shown import Where, say
from reduction.errors import RequestError

SCOPES = (
    "account:read",
    "predictions:read",
    "predictions:write",
    "data:read",
    "data:write",
    "reductions:read",
    "reductions:write",
)
DAYS = 90
Url = Annotated[str, typer.Argument(metavar="URL", help="Of the service: https://umbra.example.org")]
Email = Annotated[str, typer.Option("--email", metavar="ADDRESS", help="E-mail address of the account.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Allow http to another machine.")]
Scope = Annotated[
    list[str] | None, typer.Option("--scope", metavar="SCOPE", help="Of the key; may be repeated.")
]
Days = Annotated[int, typer.Option("--days", min=1, max=3650, help="How long the key is good.")]


def register(
    url: Url,
    email: Email,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="As it is to be printed.")],
    affiliation: Annotated[str, typer.Option("--affiliation", metavar="TEXT")] = "",
    orcid: Annotated[str | None, typer.Option("--orcid", metavar="ID")] = None,
    insecure: Insecure = False,
) -> None:
    """Ask for an account; the password is asked for, or read from standard input."""
    with Visitor(url, insecure) as visitor:
        body = {"email": email, "name": name, "affiliation": affiliation, "orcid": orcid}
        body["password"] = secret("Choose a password: ", again=True)
        told = visitor.ask("POST", "/accounts", body)
    say(f"{told['detail']}\nthen: umbra remote activate {visitor.url}")


def activate(url: Url, insecure: Insecure = False, scope: Scope = None, days: Days = DAYS) -> None:
    """Finish a registration: the e-mail's code, then the password, are asked for, or read line by line."""
    with Visitor(url, insecure) as visitor:
        token = secret("Code of the e-mail: ")
        visitor.enter("/accounts/activation", {"token": token, "password": secret("Password: ")})
        _keep(visitor, scope, days)


def login(
    url: Url,
    email: Annotated[
        str, typer.Option("--email", metavar="ADDRESS", help="Make a key, by address and password.")
    ] = "",
    insecure: Insecure = False,
    scope: Scope = None,
    days: Days = DAYS,
) -> None:
    """Log in with a key, or make one by --email and password; they are asked for, or read from stdin."""
    if email:
        with Visitor(url, insecure) as visitor:
            visitor.enter("/sessions", {"email": email, "password": secret("Password: ")})
            _keep(visitor, scope, days)
        return
    if scope:
        raise RequestError("--scope: is for a key that is made here; give --email too")
    login = Login(url=checked_url(url, insecure), key=secret("API key: "), insecure=insecure)
    answer = _account(login)
    keep(login)
    say(f"logged in to {login.url}{answer}")


def logout(
    service: Where = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="End the key as well; asks for the password.")
    ] = False,
) -> None:
    """Forget the key of a service."""
    login = chosen(service)
    if revoke:
        if not login.key_id:
            raise RequestError("--revoke: the key was not made by umbra remote; revoke it in your account")
        with Visitor(login.url, login.insecure) as visitor:
            visitor.enter("/sessions", {"email": login.email, "password": secret("Password: ")})
            visitor.ask("DELETE", f"/keys/{login.key_id}")
            visitor.leave()
    forget(login.url)
    say(f"logged out of {login.url}" + ("; the key opens nothing any more" if revoke else ""))


class Visitor:
    """Somebody at the service without a key; after `enter` in a session of their own."""

    def __init__(self, url: str, insecure: bool) -> None:
        self._connection = Connection(url, insecure=insecure)
        self.url, self.insecure = self._connection.url, insecure
        self._headers: dict[str, str] = {}
        self.account: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.client.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """As `api.client.Service.ask`."""
        return self._connection.ask(method, path, body, headers=self._headers)

    def enter(self, path: str, body: Any) -> None:
        """Begin a session."""
        try:
            self.account = self.ask("POST", path, body)
        except RequestError as error:
            raise RequestError(str(error).replace("; log in again: umbra remote login", "")) from error
        self._headers = {"X-CSRF-Token": self.account["csrf"]}

    def leave(self) -> None:
        """End the session."""
        self.ask("DELETE", "/sessions/current")


def _keep(visitor: Visitor, scope: list[str] | None, days: int) -> None:
    """Make a key for this machine, keep it, and end the session."""
    import socket

    body = {"name": f"umbra remote, {socket.gethostname()}"[:100], "scopes": scope or SCOPES, "days": days}
    made = visitor.ask("POST", "/keys", body)
    account = visitor.account
    keep(
        Login(
            url=visitor.url,
            key=made["key"],
            email=account["email"],
            key_id=made["id"],
            insecure=visitor.insecure,
        )
    )
    visitor.leave()
    say(f"logged in to {visitor.url} as {account['name']} ({account['level']}); good for {days} days")


def _account(login: Login) -> str:
    """Whose key it is, as far as its scopes tell; raises where the service does not know it."""
    with Connection(login.url, login.key, insecure=login.insecure) as connection:
        try:
            account = connection.ask("GET", "/account")
        except ForbiddenError:
            return ": the key is good, and tells nothing of its account"
    return f" as {account['name']} ({account['level']})"


def secret(prompt: str, again: bool = False) -> str:
    """Ask for something secret, or read a line of standard input where nobody sits before it.

    Raises
    ------
    RequestError
        Nothing was given, or not the same twice.
    """
    if not sys.stdin.isatty():
        text = sys.stdin.readline().rstrip("\r\n")
    else:
        text = getpass.getpass(prompt)
        if again and getpass.getpass("Again: ") != text:
            raise RequestError("the two differ; nothing was done")
    if not text:
        raise RequestError(f"{prompt.rstrip(': ')}: nothing was given")
    return text
