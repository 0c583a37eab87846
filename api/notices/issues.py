"""Issues: reported by anybody with an account, answered by staff; both sides get e-mails."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access.caller import Caller
from api.access.matrix import MATRIX, Level, Operation
from api.access.relations import Concern, relations
from api.audit.log import record
from api.campaigns.tables import Campaign
from api.database.tables import new_id, now
from api.mail.outbox import tell
from api.notices.tables import Issue, IssueAnswer
from api.observations.tables import Observation
from api.people.tables import Person
from api.problems import RefusedError
from api.results.tables import Reduction
from api.settings import ServiceSettings
from api.words import Name, Prose
from reduction.errors import RequestError
from reduction.plan import Settings

Identity = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
IssueState = Literal["open", "closed"]
MOST_ANSWERS = 200


class IssueBody(Settings):
    """What is reported, and what it is about: at most one of a campaign, an observation, a reduction."""

    subject: Name
    text: Prose
    campaign: Identity | None = None
    observation: Identity | None = None
    reduction: Identity | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.campaign, self.observation, self.reduction)) > 1:
            raise ValueError("give one of campaign, observation, reduction")
        return self


class AnswerBody(Settings):
    """An answer."""

    text: Prose


class IssueStateBody(Settings):
    """Whether an issue is settled."""

    state: IssueState


class IssueView(Settings):
    """An issue, as lists show it."""

    id: str
    subject: str
    reporter: str
    campaign: str | None
    observation: str | None
    reduction: str | None
    state: IssueState
    created: datetime
    changed: datetime


class AnswerView(Settings):
    """An answer."""

    author: str
    text: str
    created: datetime


class IssueDetail(IssueView):
    """An issue with all that was said."""

    text: str
    answers: tuple[AnswerView, ...]


def report(session: Session, settings: ServiceSettings, caller: Caller, body: IssueBody) -> Issue:
    """Keep an issue, and tell staff.

    Raises
    ------
    RequestError
        What it is about is not there, or not the caller's to see.
    """
    at = now()
    row = Issue(
        id=new_id(),
        person=caller.known,
        subject=body.subject,
        text=body.text,
        observation=body.observation,
        reduction=body.reduction,
        state="open",
        created=at,
        changed=at,
    )
    row.campaign, about = _about(session, caller, body)
    session.add(row)
    record(session, caller, "issue reported", row.id)
    reporter = session.get_one(Person, row.person)
    values = {
        "subject": row.subject,
        "text": row.text,
        "reporter": reporter.name,
        "about": about,
        "path": page_of(row),
    }
    for person in _staff(session, besides=reporter.id):
        tell(session, settings, "issue", person, mine="", **values)
    tell(session, settings, "issue", reporter, mine="yes", **values)
    return row


def _about(session: Session, caller: Caller, body: IssueBody) -> tuple[str | None, str]:
    """The campaign of what an issue is about, and how that is said."""
    if body.observation is not None:
        observation = session.get(Observation, body.observation)
        _seen(session, caller, observation, Operation.SEE_OBSERVATION, "observation")
        assert observation is not None
        campaign, part = observation.campaign, f", the station {observation.station}"
    elif body.reduction is not None:
        reduction = session.get(Reduction, body.reduction)
        _seen(session, caller, reduction, Operation.SEE_REDUCTION, "reduction")
        assert reduction is not None
        campaign, part = reduction.campaign, f", the reduction {reduction.id}"
    elif body.campaign is not None:
        _seen(session, caller, session.get(Campaign, body.campaign), Operation.SEE_CAMPAIGNS, "campaign")
        campaign, part = body.campaign, ""
    else:
        return None, ""
    return campaign, f"{session.get_one(Campaign, campaign).name}{part}"


def _seen(session: Session, caller: Caller, thing: Concern | None, operation: Operation, what: str) -> None:
    """Refuse what is not there as what is not the caller's."""
    if thing is not None:
        standing = caller.standing | relations(session, caller.person, thing)
        if standing & MATRIX[operation].allowed:
            return
    raise RequestError(f"{what}: no such {what}, or not yours to see")


def _staff(session: Session, besides: str) -> Iterable[Person]:
    rows = select(Person).where(
        Person.level.in_((Level.STAFF.value, Level.SUPERUSER.value)),
        Person.deleted.is_(None),
        Person.suspended.is_(None),
        Person.id != besides,
    )
    return session.scalars(rows.order_by(Person.id)).all()


def path_of(row: Issue) -> str:
    """Where an issue is."""
    return f"/api/v1/issues/{row.id}"


def page_of(row: Issue) -> str:
    """Where people look at it."""
    return f"/issues/{row.id}"


def answer(session: Session, settings: ServiceSettings, caller: Caller, row: Issue, text: str) -> IssueAnswer:
    """Add an answer; the other side is told.

    Raises
    ------
    RefusedError
        409: it has as many as one may have.
    """
    held = select(IssueAnswer.id).where(IssueAnswer.issue == row.id).limit(MOST_ANSWERS)
    if len(session.scalars(held).all()) >= MOST_ANSWERS:
        raise RefusedError(409, f"an issue has at most {MOST_ANSWERS} answers; report another one")
    at = now()
    one = IssueAnswer(id=new_id(), issue=row.id, person=caller.known, text=text, created=at)
    session.add(one)
    row.changed = at
    record(session, caller, "issue answered", row.id)
    author = session.get_one(Person, caller.known).name
    values = {"subject": row.subject, "author": author, "text": text, "path": page_of(row)}
    for person in _others(session, caller, row):
        tell(session, settings, "issue_answer", person, **values)
    return one


def set_state(
    session: Session, settings: ServiceSettings, caller: Caller, row: Issue, state: IssueState
) -> None:
    """Close an issue, or open it again; the other side is told."""
    if row.state == state:
        return
    row.state, row.changed = state, now()
    record(session, caller, "issue closed" if state == "closed" else "issue opened again", row.id)
    author = session.get_one(Person, caller.known).name
    for person in _others(session, caller, row):
        tell(
            session, settings, "issue_state", person,
            subject=row.subject, author=author, state=state, path=page_of(row),
        )  # fmt: skip


def _others(session: Session, caller: Caller, row: Issue) -> Iterable[Person]:
    """Who is told of what `caller` does: who reported it; if it is they, the staff who answered, or all."""
    if caller.known != row.person:
        return [session.get_one(Person, row.person)]
    everyone = list(_staff(session, besides=row.person))
    answered = set(session.scalars(select(IssueAnswer.person).where(IssueAnswer.issue == row.id)))
    return [person for person in everyone if person.id in answered] or everyone


def views(session: Session, rows: Sequence[Issue]) -> tuple[IssueView, ...]:
    """What lists show of issues."""
    names = _names(session, {row.person for row in rows})
    return tuple(IssueView.model_validate(_fields(row, names[row.person])) for row in rows)


def detail(session: Session, row: Issue) -> IssueDetail:
    """An issue with its answers."""
    answers = select(IssueAnswer).where(IssueAnswer.issue == row.id)
    said = session.scalars(answers.order_by(IssueAnswer.created, IssueAnswer.id)).all()
    names = _names(session, {row.person, *(one.person for one in said)})
    told = tuple(AnswerView(author=names[one.person], text=one.text, created=one.created) for one in said)
    return IssueDetail.model_validate({**_fields(row, names[row.person]), "text": row.text, "answers": told})


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    rows = session.execute(select(Person.id, Person.name).where(Person.id.in_(ids)))
    return dict(rows.all())


def _fields(row: Issue, reporter: str) -> dict[str, object]:
    kept = ("id", "subject", "campaign", "observation", "reduction", "state", "created", "changed")
    return {**{name: getattr(row, name) for name in kept}, "reporter": reporter}
