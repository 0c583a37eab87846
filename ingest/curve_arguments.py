"""The options about a light curve's file that `umbra lightcurve` and `umbra events` share, defined once."""

import functools
import inspect
from collections.abc import Callable, Mapping
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


def with_arguments(function: Callable[..., None], **groups: Mapping[str, Argument]) -> Callable[..., None]:
    """Give a command groups of options; it takes each group as a parameter of that name, a `Words`."""
    own = inspect.signature(function)

    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> None:
        for group, arguments in groups.items():
            words = {name: kwargs.pop(name, None) for name in arguments}
            kwargs[group] = {name: value for name, value in words.items() if value is not None}
        function(*args, **kwargs)

    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name not in groups:
            parameters.append(parameter)
            continue
        parameters += [
            inspect.Parameter(name, keyword, default=None, annotation=argument.annotation)
            for name, argument in groups[parameter.name].items()
        ]
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
