"""Somebody at the service, as a browser would ask it: logged in by cookie, files sent by tus."""

import time
from pathlib import Path
from typing import Any

import httpx

from tests.api.client import API, Client
from tests.api.people.browser import token_of
from tests.api.uploads.observer import BODY, TUS, metadata
from tests.api.web.cast import PASSWORD, Member

AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1",
)


class Someone:
    """One person; several share a service."""

    def __init__(self, client: Client, member: Member) -> None:
        self.client, self.member = client, member
        self.cookie = self.csrf = ""
        self.agent = AGENTS[len(member.key) % len(AGENTS)]
        self.id = ""

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask; what the service refuses ends the making of the world."""
        self.client.forget()
        headers = {"User-Agent": self.agent, **options.pop("headers", {})}
        if self.cookie:
            headers |= {"Cookie": self.cookie, "X-CSRF-Token": self.csrf}
        url = path if path.startswith(("/api", "http")) else API + path
        answer = self.client.send(method, url, headers=headers, **options)
        assert answer.is_success, f"{self.member.key}: {method} {path}: {answer.status_code} {answer.text}"
        return answer

    def get(self, path: str, **params: Any) -> Any:
        return self.send("GET", path, params=params).json()

    def post(self, path: str, /, **body: Any) -> Any:
        return self.send("POST", path, json=body).json()

    def patch(self, path: str, /, **body: Any) -> Any:
        return self.send("PATCH", path, json=body).json()

    def register(self) -> None:
        """Ask for an account, by the code of the e-mail, and log in."""
        about = self.member
        profile = {"name": about.name, "affiliation": about.affiliation, "orcid": about.orcid}
        self.post("/accounts", email=about.email, password=PASSWORD, **profile)
        token = token_of(self.client, about.email, "activation")
        self._logged_in(
            self.send("POST", "/accounts/activation", json={"token": token, "password": PASSWORD})
        )
        self.id = self.get("/account")["id"]

    def _logged_in(self, answer: httpx.Response) -> None:
        self.cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        self.csrf = answer.json()["csrf"]

    def upload(self, observation: str, path: Path, role: str = "recording", part: float = 1.0) -> str:
        """Send a file, or the first part of it; the upload's address."""
        content = path.read_bytes()
        told = metadata(observation=observation, filename=path.name, role=role)
        begun = self.send(
            "POST", "/uploads",
            headers={**TUS, "Upload-Length": str(len(content)), "Upload-Metadata": told},
        )  # fmt: skip
        url = begun.headers["Location"]
        sent = content[: round(len(content) * part)]
        self.send("PATCH", url, headers={**TUS, **BODY, "Upload-Offset": "0"}, content=sent)
        return url

    def file_of(self, url: str) -> str:
        """Id of the file that an upload became, once it was looked at."""
        upload = self._when(url, {"stored"})
        file: str = self._when(f"/files/{upload['file']}", {"accepted", "refused"})["id"]
        return file

    def _when(self, path: str, states: set[str], seconds: float = 120.0) -> dict[str, Any]:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            view: dict[str, Any] = self.get(path)
            if view["state"] in states:
                return view
            time.sleep(0.05)
        raise AssertionError(view)

    def ended(self, path: str, seconds: float = 300.0) -> dict[str, Any]:
        """A job, or a fit, when it has ended."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            view: dict[str, Any] = self.get(path, wait=20)
            if view["state"] in {"done", "failed", "cancelled"}:
                return view
        raise AssertionError(view)
