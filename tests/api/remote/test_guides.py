"""The guides name actions and options that there are, and every one of them."""

import re
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.remote.cli import ACTIONS, remote  # noqa: E402 - after the check for the extra

DOCS = Path(__file__).parents[3] / "docs"
GUIDES = ("observers.md", "researchers.md", "service.md")
COMMAND = re.compile(r"^umbra remote (\w+)(.*)$", re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    found = []
    for name in GUIDES:
        text = (DOCS / name).read_text(encoding="utf-8")
        found += [(match[1], match[2].partition(" #")[0]) for match in COMMAND.finditer(text)]
    return found


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_is_as_the_guides_say(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert remote([action, "--help"]) == 0
    told = capsys.readouterr().out
    said = [rest for name, rest in commands() if name == action]
    for rest in said:
        for option in re.findall(r" (--[a-z-]+)", rest):
            assert option in told, (action, option)
    texts = "".join((DOCS / name).read_text(encoding="utf-8") for name in GUIDES)
    assert said or f"`{action}" in texts


def test_no_other_action_is_named() -> None:
    assert {name for name, _ in commands()} <= set(ACTIONS)
    assert len(commands()) > 15
