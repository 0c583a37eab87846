"""The matrix: every operation, and who may. The paper's Table 1, made fine enough for routes."""

from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto
from types import MappingProxyType


class Level(StrEnum):
    """What a person is, everywhere."""

    OBSERVER = "observer"
    STAFF = "staff"
    SUPERUSER = "superuser"


class Standing(Flag):
    """What a caller is: by their level, each of which includes those before it, and to the thing at hand."""

    ANYONE = auto()
    OPERATOR = auto()
    """At this machine, while there are no accounts."""
    OBSERVER = auto()
    STAFF = auto()
    SUPERUSER = auto()
    OWNER = auto()
    """It is theirs."""
    PARTICIPANT = auto()
    """They have a station in its campaign."""
    RESPONSIBLE = auto()
    """They were appointed for its campaign."""
    OWN_REDUCER = auto()
    """It is theirs, in a campaign whose observers may reduce their own."""
    READER = auto()
    """They have a station in its campaign, and the embargo on its results is over."""


S = Standing
NOBODY = Standing(0)
RELATIONS = S.OWNER | S.PARTICIPANT | S.RESPONSIBLE | S.OWN_REDUCER | S.READER
"""What only a look at the thing can tell."""

BY_LEVEL = MappingProxyType(
    {
        Level.OBSERVER: S.ANYONE | S.OBSERVER,
        Level.STAFF: S.ANYONE | S.OBSERVER | S.STAFF,
        Level.SUPERUSER: S.ANYONE | S.OBSERVER | S.STAFF | S.SUPERUSER,
    }
)


class Area(StrEnum):
    """The services of Table 1. The scopes of an API key are ``AREA:read`` and ``AREA:write``."""

    ACCOUNT = "account"
    """One's own account; not in Table 1, which is about others'."""
    USERS = "users"
    PREDICTIONS = "predictions"
    REDUCTIONS = "reductions"
    DATA = "data"
    NOTICES = "notices"
    BACKUP = "backup"


class Operation(Enum):
    """What a route does."""

    SEE_HEALTH = auto()
    SEE_PAGES = auto()
    """Those of the portal that tell nothing of anybody: log-in, help, its own files."""

    SEE_STATISTICS = auto()
    """Counts of the whole archive, of nobody's."""

    REGISTER = auto()
    PROVE_ADDRESS = auto()
    LOG_IN = auto()
    RESET_PASSWORD = auto()
    SEE_ACCOUNT = auto()
    CHANGE_ACCOUNT = auto()
    CHANGE_PASSWORD = auto()
    SEE_SESSIONS = auto()
    END_SESSION = auto()
    SEE_KEYS = auto()
    MAKE_KEY = auto()
    REVOKE_KEY = auto()
    EXPORT_ACCOUNT = auto()
    DELETE_ACCOUNT = auto()

    SEE_USERS = auto()
    CHANGE_LEVEL = auto()
    SUSPEND_USER = auto()
    SEE_AUDIT = auto()

    SEE_PREDICTIONS = auto()
    MANAGE_PREDICTIONS = auto()
    SEE_CAMPAIGNS = auto()
    SEE_FEED = auto()
    MAKE_FEED = auto()
    OPEN_CAMPAIGN = auto()
    APPOINT_RESPONSIBLE = auto()
    MANAGE_CAMPAIGN = auto()

    LIST_EQUIPMENT = auto()
    SEE_EQUIPMENT = auto()
    MAKE_EQUIPMENT = auto()
    CHANGE_EQUIPMENT = auto()

    JOIN_CAMPAIGN = auto()
    SEE_PARTICIPANTS = auto()
    SEE_OWN_OBSERVATIONS = auto()
    SEE_OBSERVATIONS = auto()
    SEE_OBSERVATION = auto()
    CHANGE_OBSERVATION = auto()
    SEE_FILES = auto()
    WITHDRAW_FILE = auto()
    FLAG_FILE = auto()
    SEE_UPLOAD_SERVICE = auto()
    UPLOAD = auto()
    SEE_OWN_UPLOADS = auto()
    SEE_UPLOAD = auto()
    REQUEST_EVENT_DATA = auto()
    SEE_EVENT_DATA = auto()
    LIST_AUTHORS = auto()

    REDUCE_FOLDER = auto()
    SEE_FOLDER_JOB = auto()
    REDUCE = auto()
    SEE_REDUCTION = auto()
    CONTROL_REDUCTION = auto()
    SEE_QUEUE = auto()
    SEE_RESULT = auto()
    SEE_LIGHT_CURVE = auto()
    SEE_PROTOCOLS = auto()
    """What the Virtual Observatory may ask here; nothing of what there is."""

    SEARCH_ARCHIVE = auto()
    """By the Virtual Observatory's protocols: what one may see, and nothing else, is found."""
    SEE_CHORDS = auto()
    SEE_FIT = auto()
    FIT_CAMPAIGN = auto()

    ANNOUNCE = auto()
    SEE_ANNOUNCEMENTS = auto()
    FOLLOW_ANNOUNCEMENT = auto()
    SEE_OUTBOX = auto()
    SEE_NOTICES = auto()
    CHOOSE_NOTICES = auto()
    UNSUBSCRIBE = auto()
    MAKE_WEBHOOK = auto()
    SEE_WEBHOOKS = auto()
    SEE_WEBHOOK = auto()
    CHANGE_WEBHOOK = auto()
    REPORT_ISSUE = auto()
    SEE_ISSUES = auto()
    SEE_ALL_ISSUES = auto()
    SEE_ISSUE = auto()
    ANSWER_ISSUE = auto()

    BACK_UP = auto()


O = Operation  # noqa: E741 - the table below is read by columns


@dataclass(frozen=True, slots=True)
class Row:
    """Who may do an operation.

    Attributes
    ----------
    allowed : Standing
        Any of these.
    writes : bool
        It changes something: an API key needs ``AREA:write``.
    by_key : bool
        An API key may be used; not for what could make itself more than it is.
    seen_by : Operation or None
        Who may do that one may know that the thing exists: refused (403), for others it is not there (404).
    """

    area: Area
    allowed: Standing
    writes: bool = True
    by_key: bool = True
    seen_by: Operation | None = None

    @property
    def scope(self) -> str:
        """What an API key needs."""
        return f"{self.area}:{'write' if self.writes else 'read'}"


def _reads(area: Area, allowed: Standing, **more: Operation) -> Row:
    return Row(area, allowed, writes=False, seen_by=more.get("seen_by"))


_TEAM = S.RESPONSIBLE | S.STAFF
_A, _U, _P, _R, _D, _N = (
    Area.ACCOUNT,
    Area.USERS,
    Area.PREDICTIONS,
    Area.REDUCTIONS,
    Area.DATA,
    Area.NOTICES,
)

MATRIX = MappingProxyType(
    {
        O.SEE_HEALTH: _reads(_A, S.ANYONE),
        O.SEE_PAGES: _reads(_P, S.ANYONE),
        O.SEE_STATISTICS: _reads(_P, S.ANYONE),
        # one's own account
        O.REGISTER: Row(_A, S.ANYONE, by_key=False),
        O.PROVE_ADDRESS: Row(_A, S.ANYONE, by_key=False),
        O.LOG_IN: Row(_A, S.ANYONE, by_key=False),
        O.RESET_PASSWORD: Row(_A, S.ANYONE, by_key=False),
        O.SEE_ACCOUNT: _reads(_A, S.OBSERVER),
        O.CHANGE_ACCOUNT: Row(_A, S.OBSERVER),
        O.CHANGE_PASSWORD: Row(_A, S.OBSERVER, by_key=False),
        O.SEE_SESSIONS: Row(_A, S.OBSERVER, writes=False, by_key=False),
        O.END_SESSION: Row(_A, S.OWNER, by_key=False),
        O.SEE_KEYS: Row(_A, S.OBSERVER, writes=False, by_key=False),
        O.MAKE_KEY: Row(_A, S.OBSERVER, by_key=False),
        O.REVOKE_KEY: Row(_A, S.OWNER, by_key=False),
        O.EXPORT_ACCOUNT: Row(_A, S.OBSERVER, writes=False, by_key=False),
        O.DELETE_ACCOUNT: Row(_A, S.OBSERVER, by_key=False),
        # user service
        O.SEE_USERS: _reads(_U, S.SUPERUSER),
        O.CHANGE_LEVEL: Row(_U, S.SUPERUSER, by_key=False),
        O.SUSPEND_USER: Row(_U, S.SUPERUSER, by_key=False),
        O.SEE_AUDIT: _reads(_U, S.SUPERUSER),
        # prediction services
        O.SEE_PREDICTIONS: _reads(_P, S.OBSERVER),
        O.MANAGE_PREDICTIONS: Row(_P, S.STAFF),
        O.SEE_CAMPAIGNS: _reads(_P, S.OBSERVER),
        O.SEE_FEED: _reads(_P, S.ANYONE),
        O.MAKE_FEED: Row(_P, S.OBSERVER, by_key=False),
        O.OPEN_CAMPAIGN: Row(_P, S.STAFF),
        O.APPOINT_RESPONSIBLE: Row(_P, S.STAFF),
        # data service
        O.MANAGE_CAMPAIGN: Row(_D, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.LIST_EQUIPMENT: _reads(_D, S.OBSERVER),
        O.SEE_EQUIPMENT: _reads(_D, S.OWNER | S.STAFF),
        O.MAKE_EQUIPMENT: Row(_D, S.OBSERVER),
        O.CHANGE_EQUIPMENT: Row(_D, S.OWNER),
        O.JOIN_CAMPAIGN: Row(_D, S.OBSERVER),
        O.SEE_PARTICIPANTS: _reads(_D, S.PARTICIPANT | _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.SEE_OWN_OBSERVATIONS: _reads(_D, S.OBSERVER),
        O.SEE_OBSERVATIONS: _reads(_D, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.SEE_OBSERVATION: _reads(_D, S.OWNER | _TEAM),
        O.CHANGE_OBSERVATION: Row(_D, S.OWNER | _TEAM),
        O.SEE_FILES: _reads(_D, S.OWNER | _TEAM),
        O.WITHDRAW_FILE: Row(_D, S.OWNER, seen_by=O.SEE_FILES),
        O.FLAG_FILE: Row(_D, _TEAM, seen_by=O.SEE_FILES),
        O.SEE_UPLOAD_SERVICE: _reads(_D, S.ANYONE),
        O.UPLOAD: Row(_D, S.OWNER | _TEAM),
        O.SEE_OWN_UPLOADS: _reads(_D, S.OBSERVER),
        O.SEE_UPLOAD: _reads(_D, S.OWNER | _TEAM),
        O.REQUEST_EVENT_DATA: Row(_D, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.SEE_EVENT_DATA: _reads(_D, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.LIST_AUTHORS: _reads(_D, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        # analysis and reduction service
        O.REDUCE_FOLDER: Row(_R, S.OPERATOR | S.STAFF),
        O.SEE_FOLDER_JOB: _reads(_R, S.OPERATOR | S.STAFF),
        O.REDUCE: Row(_R, S.OWN_REDUCER | _TEAM, seen_by=O.SEE_OBSERVATION),
        O.SEE_REDUCTION: _reads(_R, S.OWN_REDUCER | _TEAM),
        O.CONTROL_REDUCTION: Row(_R, S.OWN_REDUCER | _TEAM),
        O.SEE_QUEUE: _reads(_R, S.STAFF),
        O.SEE_RESULT: _reads(_R, S.OWNER | _TEAM),
        O.SEE_LIGHT_CURVE: _reads(_R, S.OWNER | S.READER | _TEAM),
        O.SEE_PROTOCOLS: _reads(_R, S.ANYONE),
        O.SEARCH_ARCHIVE: _reads(_R, S.OBSERVER),
        O.SEE_CHORDS: _reads(_R, S.READER | _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.SEE_FIT: _reads(_R, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        O.FIT_CAMPAIGN: Row(_R, _TEAM, seen_by=O.SEE_CAMPAIGNS),
        # notification service
        O.ANNOUNCE: Row(_N, S.STAFF),
        O.SEE_ANNOUNCEMENTS: _reads(_N, S.OBSERVER),
        O.FOLLOW_ANNOUNCEMENT: _reads(_N, S.STAFF),
        O.SEE_OUTBOX: _reads(_N, S.STAFF),
        O.SEE_NOTICES: _reads(_N, S.OBSERVER),
        O.CHOOSE_NOTICES: Row(_N, S.OBSERVER),
        O.UNSUBSCRIBE: Row(_N, S.ANYONE, by_key=False),
        O.MAKE_WEBHOOK: Row(_N, S.OBSERVER),
        O.SEE_WEBHOOKS: _reads(_N, S.OBSERVER),
        O.SEE_WEBHOOK: _reads(_N, S.OWNER),
        O.CHANGE_WEBHOOK: Row(_N, S.OWNER),
        O.REPORT_ISSUE: Row(_N, S.OBSERVER),
        O.SEE_ISSUES: _reads(_N, S.OBSERVER),
        O.SEE_ALL_ISSUES: _reads(_N, S.STAFF),
        O.SEE_ISSUE: _reads(_N, S.OWNER | S.STAFF),
        O.ANSWER_ISSUE: Row(_N, S.OWNER | S.STAFF),
        # backup service: by nobody, over the network
        O.BACK_UP: Row(Area.BACKUP, NOBODY, by_key=False),
    }
)

SCOPES = tuple(sorted({row.scope for row in MATRIX.values() if row.by_key and row.allowed}))
"""What an API key may be given."""
