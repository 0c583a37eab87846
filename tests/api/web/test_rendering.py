"""How values are written, and the policy."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.requirements import require

require("server")

from hypothesis import given  # noqa: E402 - after the check for the extra
from hypothesis import strategies as st  # noqa: E402
from jinja2 import UndefinedError  # noqa: E402
from pydantic import SecretStr, ValidationError  # noqa: E402

from api.campaigns.campaign_views import State as CampaignState  # noqa: E402
from api.fits.views import State as FitState  # noqa: E402
from api.nodes.known import UploadNode  # noqa: E402
from api.observations.views import FileState, Status  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from api.uploads.upload_routes import State as UploadState  # noqa: E402
from api.web import rendering  # noqa: E402
from api.web.serving import Assets  # noqa: E402
from cluster.jobs.job import State as JobState  # noqa: E402

AT = datetime(2026, 11, 22, 23, 59, 59, 999_600, UTC)


def test_instants() -> None:
    assert rendering.utc(AT) == "2026-11-23 00:00:00 UTC"
    assert rendering.utc(AT, 3) == "2026-11-23 00:00:00.000 UTC"
    assert rendering.utc(AT, 4) == "2026-11-22 23:59:59.9996 UTC"
    assert rendering.utc(AT.astimezone(timezone(timedelta(hours=3))), 6) == "2026-11-22 23:59:59.999600 UTC"
    assert rendering.utc("2026-11-22T01:02:03.123456789Z") == "2026-11-22 01:02:03.123456789 UTC"
    assert rendering.utc(None) == rendering.NOTHING
    assert rendering.day(AT) == "2026-11-22"


@pytest.mark.parametrize(
    ("sigma", "told"),
    [
        (0.05, "2026-03-11 20:19:12.671 UTC"),
        (3.2, "2026-03-11 20:19:12.7 UTC"),
        (40.0, "2026-03-11 20:19:13 UTC"),
        (5e-8, "2026-03-11 20:19:12.671476400 UTC"),
        (None, "2026-03-11 20:19:12.671 UTC"),
    ],
)
def test_a_moment_has_the_digits_of_its_uncertainty(sigma: float | None, told: str) -> None:
    assert rendering.moment("2026-03-11T20:19:12.671476400Z", sigma) == told
    assert rendering.moment(None, sigma) == "–"


@given(st.datetimes(datetime(1850, 1, 1), datetime(2200, 1, 1)), st.integers(0, 6))
def test_instants_are_rounded_once(at: datetime, digits: int) -> None:
    """Against decimal arithmetic."""
    seconds = Decimal(at.second) + Decimal(at.microsecond) / 1_000_000
    rounded = seconds.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    whole = at.replace(second=0, microsecond=0) + timedelta(seconds=int(rounded))
    part = f"{rounded % 1:.{digits}f}"[1:] if digits else ""
    assert rendering.utc(at.replace(tzinfo=UTC), digits) == f"{whole:%Y-%m-%d %H:%M:%S}{part} UTC"


@pytest.mark.parametrize(
    ("value", "sigma", "told"),
    [
        (12.3456, 0.0213, "12.346 ± 0.021 s"),
        (-0.5, 0.1, "−0.50 ± 0.10 s"),
        (1234.5, 120.0, "1234 ± 120 s"),
        (1.0, None, "1.0000 s (± unknown)"),
        (1.0, float("inf"), "1.0000 s (± unknown)"),
        (float("nan"), 0.1, "–"),
        (None, None, "–"),
    ],
)
def test_a_value_and_its_uncertainty_are_together(
    value: float | None, sigma: float | None, told: str
) -> None:
    assert rendering.pm(value, sigma, "s") == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (5 << 40, "5.5 TB"),
    ],
)
def test_sizes(value: int, told: str) -> None:
    assert rendering.size(value) == told


def test_places_and_spans() -> None:
    assert rendering.place(-36.5, 30.25, 2) == "36.50° S, 30.25° E"
    assert rendering.place(None, 1.0) == "–"
    assert [rendering.duration(s) for s in (0.25, 100, 3725)] == ["0.2 s", "1 min 40 s", "1 h 02 min"]
    assert rendering.number(1234567) == "1\u202f234\u202f567"
    assert rendering.number(-1.25, 2) == "−1.25"


def test_a_state_has_a_sign_and_a_word() -> None:
    for kind, sign, word in rendering.STATES.values():
        assert kind
        assert sign
        assert word
    assert rendering.status_of("no_such_state") == ("none", "•", "no such state")


@pytest.mark.parametrize(
    "kind",
    [Status, FileState, JobState, UploadState, FitState, CampaignState],
    ids=["observation", "file", "job", "upload", "fit", "campaign"],
)
def test_every_state_of_the_service_has_its_word(kind: Any) -> None:
    assert set(get_args(kind)) <= set(rendering.STATES)


@pytest.mark.parametrize(
    ("agent", "told"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("python-httpx/0.28.1", "python-httpx/0.28.1"),
        ("", "unknown"),
    ],
)
def test_browsers(agent: str, told: str) -> None:
    assert rendering.browser(agent) == told


def _settings(tmp_path: Path, tiles: str = "") -> ServiceSettings:
    return ServiceSettings(data=tmp_path, home=tmp_path, map_tiles=tiles)


def test_the_policy_lets_in_the_tiles_alone(tmp_path: Path) -> None:
    assert "img-src 'self' data:;" in rendering.policy(_settings(tmp_path))
    tiles = "https://{s}.tile.example.org/{z}/{x}/{y}.png"
    assert "img-src 'self' data: https://*.tile.example.org;" in rendering.policy(_settings(tmp_path, tiles))


def test_the_policy_lets_pages_reach_the_nodes_alone(tmp_path: Path) -> None:
    assert "connect-src 'self';" in rendering.policy(_settings(tmp_path))
    nodes = (
        UploadNode(name="a", url="https://a.example.org"),
        UploadNode(name="b", url="http://localhost:81"),
    )
    settings = ServiceSettings(
        data=tmp_path, home=tmp_path, upload_nodes=nodes, node_secret=SecretStr("s" * 32)
    )
    assert "connect-src 'self' https://a.example.org http://localhost:81;" in rendering.policy(settings)


@pytest.mark.parametrize(
    "tiles",
    ["https://a.example/{z}.png", "javascript:{z}{x}{y}", "https://a;script-src *//{z}/{x}/{y}", "{z}{x}{y}"],
)
def test_tiles_of_elsewhere(tmp_path: Path, tiles: str) -> None:
    with pytest.raises(ValidationError):
        _settings(tmp_path, tiles)


def test_what_is_missing_is_an_error_and_all_is_escaped(tmp_path: Path) -> None:
    environment = rendering.make_environment(Assets(), _settings(tmp_path))
    with pytest.raises(UndefinedError):
        environment.from_string("{{ nobody }}").render()
    assert environment.from_string("{{ a }}").render(a="<b>'\"&") == "&lt;b&gt;&#39;&#34;&amp;"
