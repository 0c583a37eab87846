"""What is asked of the service: a reduction of an uploaded recording, alone or as a line of a manifest."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from cluster.requests import Device, ReductionRequest, Times
from ingest.solve.request import SkyRequest
from reduction.plan import ReductionPlan, Settings

FileId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$", examples=["5e0f2c7a9b1d4e6f8a0b1c2d3e4f5a6b"])]
SIDE_FILES = ("bias", "dark", "flat", "coordinates")
LONGEST_TEXT = 4000
MOST_PRIORITY = 10


class SkyAsk(Settings):
    """The target by its place on the sky: name or coordinates; epoch in years, parallax in mas."""

    target: str | None = None
    epoch: Annotated[float, Field(ge=1800, le=2200)] | None = None
    pm: str | None = None
    parallax: Annotated[float, Field(ge=-1000, le=1000)] | None = None


class ReductionAsk(Settings):
    """How a recording is to be reduced.

    `file` is the recording; `bias`, `dark`, `flat`, `coordinates` and `times.table` are other files of the
    same observation. `member` tells which recording of an archive is meant; without `calibration` the
    calibration frames of an archive are left out. `device`: a GPU or the CPU, or what the worker has. What is
    not given is chosen from the recording.
    """

    file: FileId
    member: Annotated[str, Field(max_length=250)] | None = None
    plan: ReductionPlan = ReductionPlan()
    times: Times = Times()
    sky: SkyAsk = SkyAsk()
    bias: FileId | None = None
    dark: FileId | None = None
    flat: FileId | None = None
    coordinates: FileId | None = None
    calibration: bool = True
    device: Device = "auto"

    @model_validator(mode="before")
    @classmethod
    def _shown(cls, value: Any) -> Any:
        check_text(value)
        return value

    @field_validator("times")
    @classmethod
    def _table(cls, times: Times) -> Times:
        if times.table is not None and (len(times.table) != 32 or set(times.table) - set("0123456789abcdef")):
            raise ValueError("table: give the id of a file of the observation")
        times.options()
        return times

    @property
    def files(self) -> dict[str, str]:
        """Ids of all files, by what they are to the reduction."""
        named = {name: getattr(self, name) for name in SIDE_FILES} | {"times": self.times.table}
        return {"input": self.file} | {name: file for name, file in named.items() if file is not None}

    @property
    def kept(self) -> dict[str, Any]:
        """What was said, for the database; `ReductionAsk` of it is the same."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"priority", "dry_run"})

    def request(self, digests: Mapping[str, str]) -> ReductionRequest:
        """The reduction of files of the store.

        Parameters
        ----------
        digests : mapping
            SHA-256 of each of `files`.
        """
        raw = {name: f"raw:{digest}" for name, digest in digests.items()}
        times = self.times.model_copy(update={"table": raw["times"]}) if "times" in raw else self.times
        return ReductionRequest(
            inputs=(raw["input"],),
            member=self.member,
            plan=self.plan,
            times=times,
            bias=raw.get("bias"),
            dark=raw.get("dark"),
            flat=raw.get("flat"),
            coordinates=raw.get("coordinates"),
            sky=SkyRequest(**self.sky.model_dump(exclude_unset=True)),
            calibration=self.calibration,
            device=self.device,
        )


class ReductionBody(ReductionAsk):
    """A reduction, and how it is queued: `dry_run` tells what it would be and does nothing."""

    priority: Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)] = 0
    dry_run: bool = False


def check_text(value: Any, depth: int = 0) -> None:
    """Refuse text that no database keeps or nobody can read: control characters, halves of surrogates."""
    if depth > 12:
        raise ValueError("is nested too deeply")
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise ValueError("has text that is too long, or characters that cannot be seen")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            check_text(name, depth + 1)
            check_text(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_text(inner, depth + 1)
