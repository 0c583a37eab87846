"""How to run a reduction again: the plan as a file and the command."""

import json
import shlex
from typing import Any

from reduction.plan import ReductionPlan
from reduction.result import ReductionResult


def plan_toml(plan: ReductionPlan) -> str:
    """Return the plan as the text of a TOML file; what it leaves to be chosen is left out."""
    settings = plan.model_dump(mode="json", exclude_none=True)
    return "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items())


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items() if v is not None) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)  # numbers, strings and booleans are written alike


def command(result: ReductionResult) -> str:
    """Return the command that repeats the reduction from the plan's file."""
    options = [f"--{kind} {kind.upper()}" for kind in sorted(result.provenance.calibration)]
    words = ["umbra reduce", shlex.quote(result.source.name), "--plan plan.toml", *options, "--out again"]
    return " ".join(words)
