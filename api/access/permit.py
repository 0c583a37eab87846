"""The one dependency by which a route says what it does: `may`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, NoReturn, TypeVar

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from api.access.caller import KEY_HEADER, Caller, caller_of
from api.access.matrix import MATRIX, RELATIONS, Operation, Row
from api.access.relations import Concern, relations
from api.access.versions import Versions, versions_of
from api.problems import RefusedError

Thing = TypeVar("Thing", bound=Concern)


class Permit:
    """Leave to do an operation: given, or to be asked for once the thing is known.

    Attributes
    ----------
    caller : Caller
    operation : Operation
    settled : bool
        Given by what the caller is, or by `over`.
    """

    def __init__(self, caller: Caller, operation: Operation, versions: Versions | None = None) -> None:
        self.caller, self.operation = caller, operation
        self._versions = versions or Versions()
        self._row = MATRIX[operation]
        self.settled = bool(self._row.allowed & caller.standing)
        _by_credential(caller, self._row)
        if not self.settled and not self._depends:
            _refuse(caller)

    @property
    def _depends(self) -> bool:
        """Whether what the caller is to the thing may give leave."""
        return self.caller.person is not None and bool(self._row.allowed & RELATIONS)

    def over(self, session: Session, thing: Thing | None, what: str) -> Thing:
        """Return `thing`, if the caller may do the operation to it.

        Parameters
        ----------
        session : Session
            Of the transaction in which the operation is done.
        thing : Concern or None
            None: there is none of that id.
        what : str
            How the thing is called, for the message.

        Raises
        ------
        RefusedError
            404: it is not there, or the caller may not know that it is. 403: they may know, and not do this.
            412: it is not what the caller's `If-Match` is about.
        """
        if thing is not None:
            standing = self.caller.standing | relations(session, self.caller.person, thing)
            if standing & self._row.allowed:
                self.settled = True
                self._versions.look(session, thing)
                return thing
            seen = self._row.seen_by
            if seen is not None and standing & MATRIX[seen].allowed:
                raise RefusedError(403, f"your account may not do this to the {what}")
        raise RefusedError(404, f"no such {what}, or not yours to see")

    def unchanged(self, session: Session, thing: object) -> None:
        """See that a thing that needs no leave of its own is what the caller's `If-Match` is about; lock it.

        Raises
        ------
        RefusedError
            412: it was changed meanwhile.
        """
        self._versions.look(session, thing)


def _by_credential(caller: Caller, row: Row) -> None:
    if caller.means != "key":
        return
    if not row.by_key:
        raise RefusedError(403, f"not by {KEY_HEADER}: log in")
    if row.scope not in caller.scopes:
        raise RefusedError(403, f"the API key lacks the scope {row.scope}")


def _refuse(caller: Caller) -> NoReturn:
    if caller.person is None:
        raise RefusedError(401, f"log in, or send {KEY_HEADER}")
    raise RefusedError(403, "your account may not do this")


def _caller(request: Request) -> Caller:
    state = request.app.state
    return caller_of(request, state.database, state.settings)


CallerDep = Annotated[Caller, Depends(_caller)]


class May:
    """What `may` depends on: the operation, checked against the matrix before the route runs."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    async def __call__(self, request: Request, caller: CallerDep) -> AsyncIterator[Permit]:
        """Give the permit; afterwards see that a route which had to ask for the thing has asked."""
        permit = Permit(caller, self.operation, versions_of(request.scope))
        yield permit
        if not permit.settled:
            raise RuntimeError(f"a route of {self.operation.name} answered without `permit.over`")


def may(operation: Operation) -> Any:
    """Dependency of a route, which names its operation: ``permit: Annotated[Permit, may(Operation.X)]``."""
    return Depends(May(operation), scope="function")  # its end comes before the answer is sent
