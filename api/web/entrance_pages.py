"""Pages of those who are not logged in: register, prove an address, log in, choose a new password."""

from typing import Annotated

from fastapi import Query, Response

from api.access.caller import has_accounts
from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.dependencies import AttemptsDep
from api.people import account_routes, registration_routes
from api.people.passwords import SHORTEST
from api.people.views import AddressBody, LogInBody, ProofBody, RegistrationBody, TokenBody
from api.problems import RefusedError
from api.web.addresses import own
from api.web.forms import FORM_ERRORS, Form, FormDep, FormError
from api.web.pages import VisitDep, page_router

router = page_router()
MaySee = Annotated[Permit, may(Operation.SEE_PAGES)]
Token = Annotated[str, Query(max_length=200)]
Next = Annotated[str, Query(max_length=2000)]
HOME = "/"


def _kept_nowhere(page: Response) -> Response:
    """A page with a one-time code stays in no cache."""
    page.headers["Cache-Control"] = "no-store"
    return page


@router.get("/login")
def log_in_page(visit: VisitDep, permit: MaySee, next: Next = HOME) -> Response:  # noqa: A002 - as it is said on the web
    """The form to log in."""
    del permit
    if visit.person is not None:
        return visit.back(next)
    with visit.database.reading() as session:
        nobody = not has_accounts(session)
    return visit.page("account/login.html", next=own(next), nobody=nobody)


@router.post("/login")
def log_in(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.LOG_IN)], form: FormDep, attempts: AttemptsDep
) -> Response:
    """Log in, and go on where one wanted to."""
    wanted = own(form.text("next", HOME))
    answer = visit.back(wanted)
    try:
        body = form.read(LogInBody)
        registration_routes.log_in(
            body, visit.request, answer, permit, visit.database, visit.settings, attempts
        )
    except FORM_ERRORS as error:
        return visit.again("account/login.html", form, _about_all(error), next=wanted, nobody=False)
    return answer


def _about_all(error: Exception) -> Exception:
    """A wrong address or password can be mended on the form: both, or one does not say which."""
    if isinstance(error, RefusedError) and error.problem.status == 401:
        return FormError({"": f"{error.problem.detail}; forgot it? choose a new one below"})
    return error


@router.post("/logout")
def log_out(visit: VisitDep, permit: Annotated[Permit, may(Operation.SEE_SESSIONS)]) -> Response:
    """End the session."""
    answer = visit.back(HOME, "logged_out")
    account_routes.log_out(answer, permit, visit.database, visit.settings)
    return answer


@router.get("/register")
def register_page(visit: VisitDep, permit: MaySee) -> Response:
    """The form to ask for an account."""
    del permit
    return visit.page("account/register.html", shortest=SHORTEST)


@router.post("/register")
def register(
    visit: VisitDep, permit: Annotated[Permit, may(Operation.REGISTER)], form: FormDep, attempts: AttemptsDep
) -> Response:
    """Ask for an account."""
    try:
        body = form.read(RegistrationBody)
        registration_routes.register(body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        return visit.again("account/register.html", form, error, shortest=SHORTEST)
    return visit.page("account/asked.html", email=body.email, what="registration")


@router.get("/activate")
def activate_page(visit: VisitDep, permit: MaySee, token: Token = "") -> Response:
    """What the e-mail of a registration leads to."""
    del permit
    return _kept_nowhere(visit.page("account/activate.html", token=token))


@router.post("/activate")
def activate(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.PROVE_ADDRESS)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Make the account, and log in."""
    answer = visit.back(HOME, "activated")
    try:
        body = form.read(ProofBody)
        registration_routes.activate(
            body, visit.request, answer, permit, visit.database, visit.settings, attempts
        )
    except FORM_ERRORS as error:
        return visit.again("account/activate.html", form, _of_the_link(error, form), token=form.text("token"))
    return answer


@router.get("/reset")
def reset_page(visit: VisitDep, permit: MaySee, token: Token = "") -> Response:
    """Ask for an e-mail with which to choose a new password; with what it carries: choose it."""
    del permit
    return _kept_nowhere(visit.page("account/reset.html", token=token, shortest=SHORTEST))


@router.post("/reset")
def ask_reset(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.RESET_PASSWORD)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Send the e-mail."""
    try:
        body = form.read(AddressBody)
        registration_routes.ask_reset(body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        return visit.again("account/reset.html", form, error, token="", shortest=SHORTEST)
    return visit.page("account/asked.html", email=body.email, what="reset")


@router.post("/reset/password")
def reset(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.RESET_PASSWORD)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Choose a new password."""
    try:
        body = form.read(ProofBody)
        registration_routes.reset(body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        told = _of_the_link(error, form)
        return visit.again("account/reset.html", form, told, token=form.text("token"), shortest=SHORTEST)
    return visit.back("/login", "password_chosen")


@router.get("/address")
def address_page(visit: VisitDep, permit: MaySee, token: Token = "") -> Response:
    """What the e-mail to a new address leads to."""
    del permit
    return _kept_nowhere(visit.page("account/address.html", token=token))


@router.post("/address")
def prove_address(
    visit: VisitDep,
    permit: Annotated[Permit, may(Operation.PROVE_ADDRESS)],
    form: FormDep,
    attempts: AttemptsDep,
) -> Response:
    """Use the new address from now on."""
    try:
        body = form.read(TokenBody)
        account_routes.prove_address(body, visit.request, permit, visit.database, visit.settings, attempts)
    except FORM_ERRORS as error:
        return visit.again("account/address.html", form, _of_the_link(error, form), token=form.text("token"))
    return visit.back("/account" if visit.person else "/login", "address_changed")


def _of_the_link(error: Exception, form: Form) -> Exception:
    """What is wrong with a code is said of the form as a whole, since it came by the link."""
    _, told = form.told(error)
    if "token" in told:
        return FormError({"": "this link is not whole, was used, or is too old; ask for a new e-mail"})
    return error
