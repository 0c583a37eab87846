"""The options about time that every verb shares, defined once."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ingest.clocks import NTP_POLL_S, NTP_TOLERANCE_PPM, Clock
from ingest.corrections import Corrections, Rows
from ingest.ocr.options import vti_options
from ingest.timeoptions import TimeOptions
from reduction.errors import RequestError

Words = dict[str, Any]
"""Values of the options by name, as `time_options` takes them; without those that were not given."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An option: type, flag, what stands for its value, and a line of help."""

    kind: type
    flag: str
    metavar: str
    text: str

    @property
    def annotation(self) -> Any:
        """The same as typer reads it."""
        return Annotated[self.kind | None, typer.Option(self.flag, metavar=self.metavar, help=self.text)]


ARGUMENTS: dict[str, Argument] = {
    "table": Argument(str, "--times", "FILE", "Times of the frames: CSV (utc, frame, exposure_s)."),
    "date": Argument(str, "--date", "DAY", "Day of the first frame, for --times without one."),
    "start_utc": Argument(str, "--start-utc", "T", "UTC of frame 0, ISO-8601."),
    "cadence_s": Argument(float, "--cadence", "S", "Seconds between frames."),
    "meaning": Argument(str, "--time-is", "start|mid|end", "What a stamp names."),
    "vti": Argument(str, "--vti", "auto|off|MODEL", "Read the burnt-in time: iota, kiwi, ..."),
    "vti_date": Argument(str, "--vti-date", "DATE", "UTC date of the first frame, for --vti."),
    "vti_reader": Argument(str, "--vti-reader", "builtin|easyocr", "What reads the line (builtin)."),
    "camera": Argument(str, "--camera", "NAME", "Analogue camera and mode: WAT-910HX-PAL-x8."),
    "acquisition_delay_s": Argument(float, "--acquisition-delay", "S", "Seconds by which stamps are late."),
    "acquisition_sigma_s": Argument(float, "--acquisition-sigma", "S", "Its uncertainty."),
    "clock": Argument(str, "--clock", "gps|ntp|none", "What kept the clock behind the stamps."),
    "clock_offset_s": Argument(float, "--clock-offset", "S", "That clock minus UTC, where measured."),
    "clock_sigma_s": Argument(float, "--clock-sigma", "S", "Its uncertainty."),
    "ntp_delay_s": Argument(float, "--ntp-delay", "S", "Round trip to the NTP server."),
    "ntp_poll_s": Argument(float, "--ntp-poll", "S", "Seconds between NTP polls (64)."),
    "ntp_drift_ppm": Argument(float, "--ntp-drift", "PPM", "Drift between polls (15)."),
    "row_time_s": Argument(float, "--row-time", "S", "Rolling shutter: seconds per sensor row."),
    "row_sigma_s": Argument(float, "--row-sigma", "S", "Its uncertainty."),
    "rows_read": Argument(str, "--rows-read", "down|up", "Direction in which rows are read (down)."),
    "row_binning": Argument(int, "--row-binning", "N", "Sensor rows per recorded row (1)."),
    "stamp_row": Argument(str, "--stamp-row", "first|middle|last", "Row read that stamps are of (first)."),
}


def time_options(words: Words) -> TimeOptions:
    """The options, checked.

    Raises
    ------
    RequestError
        They contradict or lack each other, or a number is out of range.
    """
    table = words.get("table")
    return TimeOptions(
        meaning=words.get("meaning"),
        table=None if table is None else Path(table),
        start_utc=words.get("start_utc"),
        cadence_s=words.get("cadence_s"),
        date=words.get("date"),
        corrections=Corrections(
            camera=words.get("camera"),
            acquisition_delay_s=words.get("acquisition_delay_s"),
            acquisition_sigma_s=words.get("acquisition_sigma_s", 0.0),
            clock=_clock(words),
            rows=_rows(words),
        ),
        vti=vti_options(words.get("vti"), words.get("vti_date"), words.get("vti_reader")),
    )


def _clock(words: Words) -> Clock | None:
    if "clock" not in words:
        _without(
            words,
            "--clock",
            ("clock_offset_s", "clock_sigma_s", "ntp_delay_s", "ntp_poll_s", "ntp_drift_ppm"),
        )
        return None
    return Clock(
        kind=words["clock"],
        offset_s=words.get("clock_offset_s", 0.0),
        sigma_s=words.get("clock_sigma_s"),
        round_trip_s=words.get("ntp_delay_s"),
        poll_s=words.get("ntp_poll_s", NTP_POLL_S),
        drift_ppm=words.get("ntp_drift_ppm", NTP_TOLERANCE_PPM),
    )


def _rows(words: Words) -> Rows | None:
    if "row_time_s" not in words:
        _without(words, "--row-time", ("row_sigma_s", "rows_read", "row_binning", "stamp_row"))
        return None
    direction = words.get("rows_read", "down")
    if direction not in {"down", "up"}:
        raise RequestError(f"--rows-read {direction}: give down or up")
    return Rows(
        sensor_row_s=words["row_time_s"],
        sigma_s=words.get("row_sigma_s", 0.0),
        upwards=direction == "up",
        binning=words.get("row_binning", 1),
        stamp_row=words.get("stamp_row", "first"),
    )


def _without(words: Words, needed: str, companions: tuple[str, ...]) -> None:
    """Refuse companions of an option that is not there."""
    for name in companions:
        if name in words:
            raise RequestError(f"{ARGUMENTS[name].flag} is given without {needed}")


def with_time_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it takes them as its parameter `times`, a `Words`."""
    own = inspect.signature(function)

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        words = {name: kwargs.pop(name, None) for name in ARGUMENTS}
        function(*args, times={k: v for k, v in words.items() if v is not None}, **kwargs)

    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "times":
            parameters.append(parameter)
            continue
        keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
        parameters += [
            inspect.Parameter(name, keyword, default=None, annotation=argument.annotation)
            for name, argument in ARGUMENTS.items()
        ]
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
