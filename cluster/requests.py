"""What is asked of a reduction. Nothing heavy is imported here: a campaign has thousands of requests."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from ingest.clocks import ClockKind
from ingest.solve.request import SkyRequest
from ingest.time_arguments import time_options
from ingest.timeoptions import TimeOptions
from reduction.errors import RequestError
from reduction.plan import ReductionPlan, Settings
from reduction.timing import Instant

Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda:\d+)$")]


class Times(Settings):
    """Where times come from, besides the container: the options of the command."""

    meaning: Instant | None = None
    table: str | None = None
    date: str | None = None
    start_utc: str | None = None
    cadence_s: float | None = None
    vti: str | None = None
    vti_date: str | None = None
    vti_reader: Literal["builtin", "easyocr"] | None = None
    camera: str | None = None
    acquisition_delay_s: float | None = None
    acquisition_sigma_s: float | None = None
    clock: ClockKind | None = None
    clock_offset_s: float | None = None
    clock_sigma_s: float | None = None
    ntp_delay_s: float | None = None
    ntp_poll_s: float | None = None
    ntp_drift_ppm: float | None = None
    row_time_s: float | None = None
    row_sigma_s: float | None = None
    rows_read: Literal["down", "up"] | None = None
    row_binning: int | None = None
    stamp_row: Literal["first", "middle", "last"] | None = None

    def options(self) -> TimeOptions:
        """The same for the readers; raises as `ingest.time_arguments.time_options`."""
        return time_options(self.model_dump(exclude_none=True))


class ReductionRequest(Settings):
    """What to reduce, how, and with which calibration frames. Paths are part of no key.

    `calibration`: bias, dark and flat frames beside the recording's own FITS files, or in its archive, are
    used where none are named. `member`: which recording of an archive is meant.
    """

    inputs: tuple[str, ...] = Field(min_length=1)
    member: str | None = None
    plan: ReductionPlan = ReductionPlan()
    times: Times = Times()
    bias: str | None = None
    dark: str | None = None
    flat: str | None = None
    coordinates: str | None = None
    sky: SkyRequest = SkyRequest()
    calibration: bool = True
    device: Device = "auto"


def positions(values: Sequence[str], what: str) -> list[dict[str, float]]:
    """Positions from ``X,Y`` texts.

    Raises
    ------
    RequestError
        A text is not two numbers.
    """
    out: list[dict[str, float]] = []
    for text in values:
        parts = text.split(",")
        try:
            x, y = (float(part) for part in parts)
        except ValueError as error:
            raise RequestError(f"{what} {text!r}: give two numbers, X,Y, in pixels") from error
        out.append({"x": x, "y": y})
    return out
