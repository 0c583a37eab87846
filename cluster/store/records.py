"""What a store writes about what it keeps: JSON records, each with a digest of itself."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cluster.store.names import ATTEMPT, path_of
from reduction.errors import DataError, RequestError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Made = TypeVar("Made", bound="Record")
State = Literal["ok", "missing", "wrong size", "wrong digest", "damaged", "orphan", "foreign"]


@dataclass(frozen=True, slots=True)
class Raw:
    """A file that is kept under the SHA-256 of its content."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What `verify` found of an object.

    Attributes
    ----------
    name : str
        The object's.
    state : str
        ``missing``: a record names it, and it is not there; ``damaged``: a record that cannot be read;
        ``orphan``: nothing names it; ``foreign``: not one of a store's names.
    detail : str
        What was seen, and what was expected.
    """

    name: str
    state: State
    size: int
    detail: str = ""

    @property
    def harmless(self) -> bool:
        """Whether nothing that was published or kept is affected."""
        return self.state in {"ok", "orphan", "foreign"}


@dataclass(frozen=True, slots=True)
class Lost:
    """Objects of an upload that was never committed: the folder, how much, and when it last changed."""

    name: str
    objects: int
    size: int
    changed: datetime


class Record(BaseModel):
    """A record; its JSON ends with a SHA-256 of the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def encoded(self) -> bytes:
        """Its JSON."""
        fields = self.model_dump(mode="json", by_alias=True)
        fields["record_sha256"] = _digest(fields)
        return (json.dumps(fields, indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def decoded(cls: type[Made], data: bytes, where: str) -> Made:
        """Read a record.

        Raises
        ------
        DataError
            It is damaged, or another version's.
        """
        try:
            fields = json.loads(data)
            if not isinstance(fields, dict):
                raise ValueError(f"holds {type(fields).__name__}, no record")
            claimed = fields.pop("record_sha256", None)
            if claimed != _digest(fields):
                raise ValueError(f"says SHA-256 {claimed!s:.64}, has {_digest(fields)}")
            return cls.model_validate_json(json.dumps(fields))
        except (ValueError, RecursionError, ValidationError) as error:
            why = " ".join(str(error).split())[:300]
            raise DataError(f"{where}: damaged, or of another version of Umbra: {why}") from error


def _inside(name: str) -> str:
    """The name of a file in a folder, as `path_of` takes it."""
    try:
        path_of(name)
    except RequestError as error:
        raise ValueError(str(error)) from error
    return name


class File(BaseModel):
    """One file of what is published; `name` has a slash between folders."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Annotated[str, AfterValidator(_inside)]
    size: int = Field(ge=0)
    sha256: Sha256


class Commit(Record):
    """What is published under a key: which files, by whom and when.

    Attributes
    ----------
    attempt : int
        The attempt at the job that was the first to publish.
    folder : str
        Where its files are, beside the commit.
    edition : str
        Umbra's version and those of its stages.
    when : str
        UTC, ISO 8601; the publisher's clock.
    """

    form: Literal["umbra-commit-1"] = Field(default="umbra-commit-1", alias="schema")
    kind: Literal["results", "stacks", "times"]
    key: str = Field(min_length=1)
    attempt: int = Field(ge=0)
    folder: str = Field(pattern=ATTEMPT.pattern)
    files: tuple[File, ...] = Field(min_length=1)
    edition: str
    when: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Void(Record):
    """Where no commit may be made any more: what was uploaded for it may have been collected."""

    form: Literal["umbra-void-1"] = Field(default="umbra-void-1", alias="schema")
    token: str
    when: str


class Version(Record):
    """One of the numbered results of an observation."""

    form: Literal["umbra-version-1"] = Field(default="umbra-version-1", alias="schema")
    campaign: str
    observation: str
    number: int = Field(ge=1)
    key: str = Field(min_length=1)
    when: str


class Mark(Record):
    """What makes a folder or a prefix a store."""

    form: Literal["umbra-store-1"] = Field(default="umbra-store-1", alias="schema")


def now_text() -> str:
    """Now, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(record: "DataclassInstance") -> dict[str, Any]:
    """Fields of a frozen record that is no `Record`, for JSON."""
    return {
        name: str(value) if isinstance(value, datetime) else value for name, value in asdict(record).items()
    }


def _digest(fields: dict[str, Any]) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
