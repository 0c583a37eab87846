"""Routes of those who are not logged in: register, log in, choose a new password."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.audit.log import record
from api.dependencies import AttemptsDep, DatabaseDep, SettingsDep
from api.people import accounts, sessions
from api.people.attempts import evenly
from api.people.passwords import check_strength, hashed, matches
from api.people.tables import Person
from api.people.views import (
    AccountView,
    AddressBody,
    LogInBody,
    ProofBody,
    RegistrationBody,
    Told,
    account_view,
)
from api.problems import RefusedError, responses

MOST_BODY_BYTES = 16 * 1024
SENT = Told(detail="an e-mail is on its way to this address; it says what comes next")
WRONG = "address or password wrong"

router = APIRouter(prefix="/api/v1", tags=["account"])


@router.post(
    "/accounts",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(403, 413, 422, 429, 503),
    summary="Ask for an account",
)
def register(
    body: RegistrationBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.REGISTER)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> Told:
    """Ask for an account. The answer is the same whether the address has one already; the e-mail is not."""
    if settings.registration != "open":
        raise RefusedError(403, "accounts are made by the people who run this service; ask them")
    attempts.count(request, "register", body.email)
    check_strength(body.password, body.email, body.name)
    kept = hashed(body.password)
    with evenly(), database.writing() as session:
        accounts.ask(session, settings, permit.caller, body, kept)
    return SENT


@router.post(
    "/accounts/activation",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(403, 409, 413, 422, 429, 503),
    summary="Finish a registration",
)
def activate(
    body: ProofBody,
    request: Request,
    response: Response,
    permit: Annotated[Permit, may(Operation.PROVE_ADDRESS)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> AccountView:
    """Make the account, with the e-mail's token and the password that was chosen, and log in.

    Both are needed: the token proves the address, the password that it is not somebody else's registration.
    """
    attempts.count(request, "prove")
    with database.reading() as session:
        asked = accounts.pending(session, body.token)
    right, _ = matches(body.password, None if asked is None else asked.password)
    if asked is None or not right:
        raise RefusedError(422, "token or password wrong, or too old; register again")
    with database.writing() as session:
        person = accounts.activate(session, settings, permit.caller, asked)
        secret = sessions.begin(session, request, settings, permit.caller, person)
        view = account_view(person)
    return view.model_copy(update={"csrf": sessions.hand(response, settings, secret)})


@router.post(
    "/sessions",
    status_code=201,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(401, 403, 413, 422, 429, 503),
    summary="Log in",
)
def log_in(
    body: LogInBody,
    request: Request,
    response: Response,
    permit: Annotated[Permit, may(Operation.LOG_IN)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> AccountView:
    """Log in; the answer sets a cookie, and tells what to send beside it with every change."""
    attempts.count(request, "log in", body.email)
    with database.reading() as session:
        person = accounts.found(session, body.email)
    right, anew = matches(body.password, None if person is None else person.password)
    with database.writing() as session:
        living = None if person is None else session.get(Person, person.id)
        same = person is not None and living is not None and living.password == person.password
        if not (right and same) or living is None or living.suspended is not None:
            record(session, permit.caller, "log-in refused", None if person is None else person.id)
            view = None
        else:
            if anew is not None:
                living.password = anew
            secret = sessions.begin(session, request, settings, permit.caller, living)
            view = account_view(living)
    if view is None:
        raise RefusedError(401, WRONG)
    return view.model_copy(update={"csrf": sessions.hand(response, settings, secret)})


@router.post(
    "/password-resets",
    status_code=202,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(403, 413, 422, 429, 503),
    summary="Ask for a new password",
)
def ask_reset(
    body: AddressBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.RESET_PASSWORD)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> Told:
    """Ask for an e-mail with which to choose a new password; the answer is the same without an account."""
    attempts.count(request, "reset", body.email)
    with evenly(), database.writing() as session:
        accounts.ask_reset(session, settings, permit.caller, body.email)
    return SENT


@router.put(
    "/password-resets",
    status_code=204,
    max_body_size=MOST_BODY_BYTES,
    responses=responses(403, 413, 422, 429, 503),
    summary="Choose a new password",
)
def reset(
    body: ProofBody,
    request: Request,
    permit: Annotated[Permit, may(Operation.RESET_PASSWORD)],
    database: DatabaseDep,
    settings: SettingsDep,
    attempts: AttemptsDep,
) -> None:
    """Choose a new password with the e-mail's token; whoever was logged in no longer is."""
    attempts.count(request, "prove")
    check_strength(body.password)
    kept = hashed(body.password)
    with database.writing() as session:
        person, _ = accounts.redeem(session, body.token, "reset")
        accounts.set_password(session, settings, None, person, kept)
        record(session, permit.caller, "reset done", person.id)
