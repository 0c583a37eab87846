"""The verb `umbra remote`: a service from afar, on its public API alone."""

import importlib
import sys

from reduction.command import run_verb
from reduction.errors import ResourceError

ACTIONS: dict[str, tuple[str, str]] = {
    "register": ("login_commands:register", "ask for an account; an e-mail with a code comes"),
    "activate": ("login_commands:activate", "finish a registration with that code, and log in"),
    "login": ("login_commands:login", "keep a key for a service, or make one by e-mail and password"),
    "logout": ("login_commands:logout", "forget it"),
    "campaigns": ("campaign_commands:campaigns", "list campaigns, or tell one"),
    "site": ("campaign_commands:site", "list one's sites, or add one"),
    "equipment": ("campaign_commands:equipment", "list one's equipment, or add a piece"),
    "join": ("campaign_commands:join", "take part in a campaign with a station"),
    "report": ("campaign_commands:report", "report what was seen"),
    "upload": ("upload_command:upload", "send files; goes on after a break"),
    "submit": ("job_commands:submit", "ask for a reduction, or for all of a manifest"),
    "watch": ("job_commands:watch", "show what becomes of a job or batch"),
    "fit": ("fit_command:fit", "lay a campaign's chords into the sky plane and fit the limb"),
    "fetch": ("fetch_command:fetch", "get results, limb fits, event data"),
}


def remote(arguments: list[str]) -> int:
    """Run `umbra remote ACTION ...`; returns the exit code.

    2 the request is wrong, refused or not allowed; 3 a file or a reduction is bad, or did not arrive as it
    was sent; 4 the service cannot be reached or trusted, or the disk is full; 130 interrupted.
    """
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_usage())
        return 0
    action, rest = arguments[0], arguments[1:]
    if action not in ACTIONS:
        sys.stderr.write(f"umbra remote: no such action: {action!r}\n\n{_usage()}")
        return 2
    module, name = ACTIONS[action][0].split(":")
    try:
        function = getattr(importlib.import_module(f"api.remote.{module}"), name)
    except ImportError as error:
        if error.name is not None and error.name.startswith("api"):
            raise
        needs = f"umbra remote needs {error.name}; pip install 'umbra-occultation[server]'"
        sys.stderr.write(needs + "\n")
        return ResourceError.exit_code
    return run_verb(f"remote {action}", function, rest)


def _usage() -> str:
    lines = ["usage: umbra remote ACTION [OPTIONS]", ""]
    lines += [f"  {action:<10}{text}" for action, (_, text) in ACTIONS.items()]
    return "\n".join([*lines, "", "umbra remote ACTION --help tells an action's options.", ""])
