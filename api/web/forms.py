"""What a form sent: read before the permit, and turned into the models that the API's routes take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from api.problems import Problem, RefusedError, problem_of
from reduction.errors import RequestError, UmbraError

Model = TypeVar("Model", bound=BaseModel)
CSRF = "csrf"
MOST_FIELDS = 2000
MOST_FORM_BYTES = 1 << 20
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
KEY = "form"
"""Where a request's scope keeps what was read."""


class FormError(Exception):
    """A form that is not as it has to be.

    Attributes
    ----------
    fields : dict of str
        Name of a field, as in the form, -> a sentence; ``""`` is the form as a whole.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name or 'form'}: {told}" for name, told in fields.items()))
        self.fields = dict(fields)


FORM_ERRORS = (FormError, UmbraError, RefusedError)
"""What a page catches to show the form again, by `Visit.again`."""


@dataclass
class Form:
    """Fields of a form, as they were typed.

    Attributes
    ----------
    fields : dict of list of str
        All values of each name.
    files : dict of list of UploadFile
        Files that were chosen, where the page takes them.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[UploadFile]] = field(default_factory=dict)

    async def close(self) -> None:
        """Close the files."""
        for files in self.files.values():
            for file in files:
                await file.close()

    def text(self, name: str, default: str = "") -> str:
        """The value of a field, without blanks around it; of several the last."""
        values = self.fields.get(name)
        return values[-1].strip() if values else default

    def texts(self, name: str) -> list[str]:
        """All values of a field that are not empty."""
        return [value for value in self.fields.get(name, []) if value.strip()]

    @property
    def typed(self) -> dict[str, str]:
        """What to show again: without what is secret."""
        hidden = ("password", "new", CSRF, "token")
        return {name: values[-1] for name, values in self.fields.items() if name not in hidden}

    def read(self, model: type[Model], empty: Mapping[str, Any] | None = None, **more: Any) -> Model:
        """Return the model of the fields.

        A name with dots is a field of a field (``report.begin``), a number between dots a place in a list,
        and a name that ends in ``[]`` a list of all its values. What was left empty is left out. Names that
        the model does not have are left out where they are the form's own (`csrf`, `next`); others
        are refused.

        Parameters
        ----------
        empty : mapping
            Name -> value of a field that was sent empty, where that means something (``None``: remove it).
        more
            Fields that the form does not have.

        Raises
        ------
        FormError
            A field is not as the model wants it.
        """
        tree: dict[str, Any] = {}
        for name, values in self.fields.items():
            if name in {CSRF, "next", "done"}:
                continue
            if name.endswith("[]"):
                _put(tree, name.removesuffix("[]"), self.texts(name))
            elif values[-1].strip():
                _put(tree, name, values[-1])
            elif empty is not None and name in empty:
                _put(tree, name, empty[name])
        for name, value in more.items():
            _put(tree, name, value)
        try:
            return model.model_validate(_lists(tree))
        except ValidationError as error:
            raise FormError(_told(error)) from error

    def told(self, error: Exception) -> tuple[Problem, dict[str, str]]:
        """Problem of an error, and its sentences by field: ``password: too short`` is about `password`."""
        if isinstance(error, FormError):
            problem = problem_of(RequestError(str(error)))
            return problem, error.fields
        problem = error.problem if isinstance(error, RefusedError) else problem_of(error)
        name, colon, rest = problem.detail.partition(": ")
        if colon and name in self.fields and name != CSRF:
            return problem, {name: rest}
        return problem, {"": problem.detail}


def _put(tree: dict[str, Any], name: str, value: Any) -> None:
    *path, last = name.split(".")
    for part in path:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            raise FormError({name: "is sent twice, in two forms"})
        tree = inner
    tree[last] = value


def _lists(tree: Any) -> Any:
    """Where all names are numbers, a list in their order."""
    if not isinstance(tree, dict):
        return tree
    inner = {name: _lists(value) for name, value in tree.items()}
    if inner and all(name.isdecimal() and len(name) < 5 for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def _told(error: ValidationError) -> dict[str, str]:
    """Sentences by the name of the field; steps into a tagged union are not part of it."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"])
        told = str(one["msg"]).removeprefix("Value error, ")
        found.setdefault(name, "is needed" if one["type"] == "missing" else told)
    return found


async def read_form(request: Request, files: bool, most_files: int = 20) -> Form:
    """Read the body of a POST.

    Raises
    ------
    RequestError
        It is no form, or not in UTF-8.
    RefusedError
        415: it carries files, and the page takes none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        if not files:
            raise RefusedError(415, "this form takes no files")
        return await _multipart(request, most_files)
    if kind not in {URLENCODED, ""}:
        raise RefusedError(415, f"a form is sent as {URLENCODED}")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError as error:
        raise RequestError(f"form: not as a browser sends it ({error})") from error
    form = Form()
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


async def _multipart(request: Request, most_files: int) -> Form:
    form = Form()
    sent = await request.form(max_files=most_files, max_fields=MOST_FIELDS)
    for name, value in sent.multi_items():
        if isinstance(value, str):
            form.fields.setdefault(name, []).append(value)
        elif value.filename:
            form.files.setdefault(name, []).append(value)
        else:  # a field in which nothing was chosen
            await value.close()
    return form


async def form_of(request: Request) -> Form:
    """The form that `PageRoute` has read."""
    found: Form = request.scope.get("state", {}).get(KEY) or Form()
    return found


async def files_of(request: Request) -> Form:
    """As `form_of`, for pages that take files, too: naming it in a route says so."""
    return await form_of(request)


FormDep = Annotated[Form, Depends(form_of)]
FilesDep = Annotated[Form, Depends(files_of)]
