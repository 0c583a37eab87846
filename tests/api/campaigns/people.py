"""Somebody of each kind who asks the service."""

from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import delete

from api.campaigns.tables import Campaign, Prediction, Responsible
from api.observations.tables import Observation
from tests.api.access.world import World
from tests.api.client import API, Client


@dataclass(frozen=True)
class Callers:
    """The people of a world, and how they ask."""

    client: Client
    world: World

    def ask(self, who: str, method: str, path: str, **options: Any) -> httpx.Response:
        self.client.forget()
        headers = {**self.world.headers(who), **options.pop("headers", {})}
        where = path if path.startswith("/api") else API + path
        return self.client.send(method, where, headers=headers, **options)

    def get(self, who: str, path: str, **params: Any) -> Any:
        answer = self.ask(who, "GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make(self, who: str, path: str, body: Any) -> Any:
        answer = self.ask(who, "POST", path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def forget_predictions(self) -> None:
        """Leave no prediction and no campaign."""
        with self.world.database.writing() as session:
            for table in (Observation, Responsible, Campaign, Prediction):
                session.execute(delete(table))
