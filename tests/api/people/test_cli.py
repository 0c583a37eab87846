"""`umbra user` and `umbra mail`, as they are typed."""

import io
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.database.transactions import Database  # noqa: E402 - after the check for the extra
from api.mail.cli import mail  # noqa: E402
from api.mail.outbox import tell  # noqa: E402
from api.people import accounts  # noqa: E402
from api.people.cli import user  # noqa: E402
from api.people.passwords import matches  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402

PASSWORD = "a good long sentence"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UMBRA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_the_first_superuser(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, PASSWORD + "\n")
    assert user(["add", "--superuser", "ann@example.org", "--name", "Ann Ünal"]) == 0
    assert capsys.readouterr().out == "ann@example.org: superuser\n"
    database = Database(home / "umbra.sqlite")
    with database.reading() as session:
        person = accounts.found(session, "ANN@example.org")
    database.close()
    assert person is not None
    assert (person.level, person.name) == ("superuser", "Ann Ünal")
    assert matches(PASSWORD, person.password)[0]
    assert user(["list"]) == 0
    assert capsys.readouterr().out.startswith("ann@example.org\tsuperuser\tAnn Ünal\t20")


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["add", "ann"], "e-mail"),
        (["add", "ann@example.org", "--superuser", "--staff"], "give one"),
        (["add", "ann@example.org", "--name", "a\nb"], "cannot be seen"),
        (["level", "nobody@example.org", "staff"], "no such account"),
        (["password", "nobody@example.org"], "no such account"),
        (["nothing"], "no such action"),
        (["add", "ann@example.org", "secret"], "unexpected"),
    ):
        typed(monkeypatch, PASSWORD + "\n")
        assert user(arguments) == 2, arguments
        assert told in capsys.readouterr().err, arguments
    for weak in ("", "short", "ann@example.org"):
        typed(monkeypatch, weak + "\n")
        assert user(["add", "ann@example.org"]) == 2
        assert "password:" in capsys.readouterr().err
    for _ in range(2):
        typed(monkeypatch, PASSWORD + "\n")
        code = user(["add", "ann@example.org"])
    assert code == 2
    assert "has an account" in capsys.readouterr().err
    assert user([]) == 0
    assert "usage: umbra user" in capsys.readouterr().out


def test_levels_passwords_and_mail(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, PASSWORD + "\n")
    user(["add", "ann@example.org"])
    assert user(["level", "ann@example.org", "staff"]) == 0
    typed(monkeypatch, "another good sentence\n")
    assert user(["password", "ann@example.org"]) == 0
    assert user(["suspend", "ann@example.org"]) == 0
    assert user(["suspend", "ann@example.org", "--end"]) == 0
    capsys.readouterr()
    assert mail(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[4] for line in lines] == [
        "Umbra: you are staff now",
        "Umbra: your password was changed",
        "Umbra: your account was suspended",
        "Umbra: your account works again",
    ]
    assert mail(["show", "1"]) == 0
    assert "you were observer, you are staff now" in capsys.readouterr().out
    assert mail(["show", "99"]) == 2
    assert mail(["retry", "1"]) == 0
    assert mail(["send"]) == 4
    assert "UMBRA_SMTP_HOST" in capsys.readouterr().err
    database = Database(home / "umbra.sqlite")
    settings = ServiceSettings(data=home, home=home)
    with database.writing() as session:
        person = accounts.found(session, "ann@example.org")
        assert person is not None
        token = accounts._token(session, person, "reset", person.created)
        tell(session, settings, "reset", person, token=token, hours=2)
    database.close()
    assert mail(["show", "5"]) == 0
    assert token in capsys.readouterr().out
