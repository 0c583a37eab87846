"""What deploy/ starts exists: verbs and options of `umbra`, variables, users, volumes."""

import configparser
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from umbra import VERBS

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def commands() -> list[tuple[str, list[str]]]:
    """Every command line that begins with `umbra`, and where it stands."""
    found = []
    for unit in UNITS:
        for line in unit.read_text().splitlines():
            if line.startswith("ExecStart=") and "/umbra " in line:
                found.append((unit.name, shlex.split(line)[1:]))
    for name, service in compose()["services"].items():
        words = service.get("command", [])
        if words[:1] == ["umbra"]:
            found.append((name, words[1:]))
        elif words[:2] == ["sh", "-c"]:
            found.append((name, shlex.split(words[2])[1:]))
    return found


def test_all_commands_are_seen() -> None:
    assert {where for where, _ in commands()} == {
        "umbra-api.service",
        "umbra-backup.service",
        "umbra-store-collect.service",
        "store-check",
        "api",
    }


@pytest.mark.parametrize(
    ("where", "words"), commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_verbs_and_options_exist(where: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The verb's own help names each option that is used."""
    assert words[0] in VERBS, where
    verb, rest = words[0], words[1:]
    module, function = VERBS[verb][0].split(":")
    command = getattr(importlib.import_module(module), function)
    inner = [rest[0]] if rest and not rest[0].startswith("-") else []
    assert command([*inner, "--help"]) == 0
    told = capsys.readouterr().out
    for word in rest:
        if word.startswith("--"):
            assert word in told, (where, word)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units_name_only_variables_that_the_environment_sets(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the parser's documented way to keep case
    parser.read(unit)
    assert {"Unit", "Service"} <= set(parser)
    assert parser["Service"]["User"] == "umbra"
    known = set(re.findall(r"^(\w+)=", (DEPLOY / "systemd" / "umbra.env").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)\}", unit.read_text())) <= known


def test_compose_fits_together() -> None:
    content = compose()
    services, volumes, networks = content["services"], content["volumes"], content["networks"]
    for name, service in services.items():
        assert set(service.get("networks", [])) <= set(networks), name
        assert {mount.split(":")[0] for mount in service.get("volumes", [])} <= set(volumes), name
        assert set(service.get("depends_on", {})) <= set(services), name
    variables = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    stated = set(re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE))
    assert variables == stated


def test_nothing_but_the_service_is_reached_from_outside_and_that_from_here_alone() -> None:
    content = compose()
    assert content["networks"]["inside"] == {"internal": True}
    for name, service in content["services"].items():
        if name != "api":
            assert "ports" not in service, name
            assert service["networks"] == ["inside"], name
    assert content["services"]["api"]["ports"] == ["127.0.0.1:8000:8000"]


def test_ray_has_a_token_and_one_thread_for_each_worker() -> None:
    environment = compose()["services"]["worker"]["environment"]
    assert environment["RAY_AUTH_MODE"] == "token"
    assert ":?" in environment["RAY_AUTH_TOKEN"]
    image = (DEPLOY / "Dockerfile").read_text()
    units = (DEPLOY / "systemd" / "umbra.env").read_text()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        assert f"{name}=1" in image
        assert f"{name}=1" in units
    assert "RAY_AUTH_MODE=token" in units


def test_no_secret_is_written_down() -> None:
    for path in (DEPLOY / "env.example", DEPLOY / "systemd" / "umbra.env"):
        for line in path.read_text().splitlines():
            if re.match(r"\w*(PASSWORD|SECRET_KEY|SECRET_ACCESS_KEY|AUTH_TOKEN)=", line):
                assert line.endswith("="), line
