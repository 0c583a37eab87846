"""The options about a light curve's file that `umbra lightcurve` and `umbra events` share, defined once."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ingest.curves.settled import CurveOptions
from ingest.time_arguments import Argument

Words = dict[str, Any]
"""Values of the options by name, without those that were not given."""

ARGUMENTS: dict[str, Argument] = {
    "column": Argument(str, "--column", "NAME", "The target's flux: name of a column, its end, or number."),
    "reference": Argument(str, "--reference", "NAME", "Divide by this star's flux (none: do not divide)."),
    "tref": Argument(str, "--tref", "UTC", "What seconds count from, ISO-8601."),
    "date": Argument(str, "--date", "DAY", "UTC date of the first sample, of times of day."),
    "exposure_s": Argument(float, "--exposure", "S", "Exposure of a sample, instead of the file's."),
    "meaning": Argument(str, "--time-is", "start|mid|end", "Which instant of an exposure a time names."),
}


def curve_options(words: Words) -> CurveOptions:
    """The options, checked.

    Raises
    ------
    RequestError
        A value is out of its range.
    """
    return CurveOptions(**words)


def with_curve_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it takes them as its parameter `curve`, a `Words`."""
    own = inspect.signature(function)

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        words = {name: kwargs.pop(name, None) for name in ARGUMENTS}
        function(*args, curve={k: v for k, v in words.items() if v is not None}, **kwargs)

    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name != "curve":
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(name, keyword, default=None, annotation=argument.annotation)
            for name, argument in ARGUMENTS.items()
        ]
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
