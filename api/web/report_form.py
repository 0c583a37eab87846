"""The report form of an observation: what it shows, and what it says."""

from datetime import UTC, datetime
from typing import Any

from api.observations.views import ObservationChange, ObservationView
from api.web.forms import Form, FormError
from api.web.typed import corrected, lines, moment, renamed

SETUP = ("site", "telescope", "camera", "recorder", "filter")
TIMES = ("report.begin", "report.end", "report.disappearance.utc", "report.reappearance.utc")
NUMBERS = (
    "report.disappearance.sigma_s",
    "report.reappearance.sigma_s",
    "report.exposure_s",
    "report.clouds_percent",
    "report.temperature_c",
    "report.limiting_mag",
)
WORDS = ("report.timing", "report.transparency", "report.seeing", "report.wind")
COMMENTS = "report.comments"
SEEN = "seen"
"""Digest of the observation as it was when the form was shown."""
NAMES = (*SETUP, "station", "status", "role", "consent", *TIMES, *NUMBERS, *WORDS, COMMENTS)
STATUSES = (
    ("planned", "Planned"),
    ("positive", "Positive: the star vanished"),
    ("negative", "Negative: watched, nothing happened"),
    ("overcast", "Overcast"),
    ("technical_failure", "Technical failure"),
    ("unknown", "Unknown: recorded, not sure"),
)
TIMINGS = (
    ("", "not stated"),
    ("gps", "GPS"),
    ("ntp", "network time (NTP)"),
    ("radio", "radio time signal"),
    ("phone", "telephone"),
    ("visual", "by eye and stopwatch"),
    ("other", "other"),
)


def values_of(view: ObservationView) -> dict[str, str]:
    """What the form shows, by the names of its fields."""
    found: dict[str, str] = {
        name: getattr(view, name) or "" for name in (*SETUP, "station", "status", "role")
    }
    report = view.report.model_dump(exclude={"comments"})
    for name in (*TIMES, *NUMBERS, *WORDS):
        value: Any = report
        for part in name.split(".")[1:]:
            value = None if value is None else value[part]
        found[name] = text_of(value)
    found[COMMENTS] = "\n".join(view.report.comments)
    return found


def text_of(value: Any) -> str:
    """A value as it is typed: times in UTC, to as many digits as they have."""
    if isinstance(value, datetime):
        text = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return text.rstrip("0").removesuffix(".")
    if isinstance(value, float):
        return f"{value:.12g}"
    return "" if value is None else str(value)


def read(form: Form, view: ObservationView, near: datetime) -> ObservationChange:
    """What the form says, and only what it changes of site and equipment: what is retired stays as it is.

    Parameters
    ----------
    near : datetime
        The event: times without a date are of the day that is nearest.

    Raises
    ------
    FormError
        A field is not as it has to be.
    """
    changed: dict[str, list[str] | None] = {SEEN: None, COMMENTS: None}
    changed[f"{COMMENTS}[]"] = lines(form.text(COMMENTS))
    changed["consent"] = ["true" if form.text("consent") == "true" else "false"]
    wrong: dict[str, str] = {}
    for name in TIMES:
        if form.text(name):
            try:
                changed[name] = [moment(form.text(name), near).isoformat()]
            except ValueError as error:
                wrong[name] = str(error)
    for name in SETUP:
        if form.text(name) == (getattr(view, name) or ""):
            changed[name] = None
    if wrong:
        raise FormError(wrong)
    empty = {**dict.fromkeys(SETUP[1:]), "role": ""}
    try:
        return corrected(form, NUMBERS, **changed).read(ObservationChange, empty)
    except FormError as error:
        raise renamed(error, NAMES) from error
