"""How far an observation is, and what is still to be done for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.campaigns.tables import Campaign, Prediction
from api.observations.tables import ObservationFile
from api.observations.views import ObservationView
from api.results.tables import Result
from api.uploads.tables import ARRIVING, Upload

SETTLES = timedelta(minutes=10)
"""After the event, until a report can be expected."""
SEND = frozenset({"positive", "negative", "unknown"})
"""Of which a recording exists."""


@dataclass(frozen=True, slots=True)
class Progress:
    """An observation, its campaign, and what has arrived.

    Attributes
    ----------
    at : datetime
        Of the predicted event.
    past : bool
        It is over.
    usable, refused, looking : int
        Recordings that were accepted, refused, or are being looked at.
    others : int
        Additional files and images.
    unfinished : int
        Uploads that wait for their next byte.
    version : int or None
        Of the newest results.
    """

    view: ObservationView
    campaign: Campaign
    prediction: Prediction
    at: datetime
    past: bool
    usable: int
    refused: int
    looking: int
    others: int
    unfinished: int
    version: int | None

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is to be done, most urgent first.

        ``refused``, ``unfinished``, ``report``, ``send``, ``prepare``.
        """
        view = self.view
        equipped = any((view.telescope, view.camera, view.recorder))
        due = (
            ("refused", self.refused > 0 and not self.usable and not self.looking),
            ("unfinished", self.unfinished > 0),
            ("report", self.past and view.status == "planned"),
            ("send", self.past and view.status in SEND and not self._sent),
            ("prepare", not self.past and not equipped),
        )
        return tuple(name for name, is_due in due if is_due)

    @property
    def _sent(self) -> bool:
        return bool(self.usable or self.refused or self.looking or self.unfinished)


def progress_of(session: Session, views: Sequence[ObservationView], at: datetime) -> list[Progress]:
    """How far observations are at an instant, in their order.

    The caller has seen to it that they may be seen.
    """
    ids = [view.id for view in views]
    files = _files(session, ids)
    unfinished = _unfinished(session, ids, at)
    newest = select(Result.observation, func.max(Result.version)).where(Result.observation.in_(ids))
    versions = dict(session.execute(newest.group_by(Result.observation)).all())
    campaigns = {
        campaign.id: (campaign, prediction)
        for campaign, prediction in session.execute(
            select(Campaign, Prediction)
            .join(Prediction, Prediction.id == Campaign.prediction)
            .where(Campaign.id.in_({view.campaign for view in views}))
        )
    }
    found = []
    for view in views:
        campaign, prediction = campaigns[view.campaign]
        held = files.get(view.id, {})
        found.append(
            Progress(
                view=view,
                campaign=campaign,
                prediction=prediction,
                at=prediction.at,
                past=prediction.at + SETTLES < at,
                usable=held.get(("recording", "accepted"), 0),
                refused=held.get(("recording", "refused"), 0),
                looking=held.get(("recording", "quarantined"), 0),
                others=sum(count for (role, _), count in held.items() if role != "recording"),
                unfinished=unfinished.get(view.id, 0),
                version=versions.get(view.id),
            )
        )
    return found


def _files(session: Session, ids: list[str]) -> dict[str, dict[tuple[str, str], int]]:
    """Files of each observation, counted by role and state."""
    kinds = (ObservationFile.observation, ObservationFile.role, ObservationFile.state)
    counted = select(*kinds, func.count()).where(ObservationFile.observation.in_(ids)).group_by(*kinds)
    found: dict[str, dict[tuple[str, str], int]] = {}
    for observation, role, state, count in session.execute(counted):
        found.setdefault(observation, {})[role, state] = count
    return found


def _unfinished(session: Session, ids: list[str], at: datetime) -> dict[str, int]:
    """Uploads of each observation that wait for their next byte."""
    waiting = (Upload.observation.in_(ids), Upload.state == ARRIVING, Upload.expires > at)
    counted = select(Upload.observation, func.count()).where(*waiting).group_by(Upload.observation)
    return dict(session.execute(counted).all())
