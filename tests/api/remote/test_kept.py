"""Keys are kept where nobody else reads them."""

from pathlib import Path

import pytest

from api.remote.kept import Login, UploadNote, chosen, config_file, forget, keep, kept_logins
from reduction.errors import DataError, RequestError

ONE = Login(url="https://one.example.org", key="umbra_1", email="me@example.org")
OTHER = Login(url="https://other.example.org", key="umbra_2")


@pytest.fixture(autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("UMBRA_REMOTE_KEY", raising=False)


def test_the_last_login_counts() -> None:
    with pytest.raises(RequestError, match="not logged in"):
        chosen(None)
    keep(ONE)
    keep(OTHER)
    assert chosen(None) == OTHER
    assert chosen(ONE.url) == ONE
    forget(OTHER.url)
    assert chosen(None) == ONE
    with pytest.raises(RequestError, match=r"kept: https://one\.example\.org"):
        chosen(OTHER.url)


def test_nobody_else_reads_it() -> None:
    keep(ONE)
    assert config_file().stat().st_mode & 0o777 == 0o600
    assert config_file().parent.stat().st_mode & 0o777 == 0o700
    config_file().chmod(0o640)
    with pytest.raises(RequestError, match="others may read it"):
        kept_logins()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"current": 1}', '{"current": "", "logins": {"a": {}}}'])
def test_a_damaged_file(text: str) -> None:
    keep(ONE)
    config_file().write_text(text)
    with pytest.raises(DataError, match="damaged"):
        kept_logins()


def test_a_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(ONE)
    monkeypatch.setenv("UMBRA_REMOTE_URL", OTHER.url)
    monkeypatch.setenv("UMBRA_REMOTE_KEY", OTHER.key)
    assert chosen(None) == OTHER
    assert chosen(ONE.url) == ONE


def test_an_upload_under_way() -> None:
    note = UploadNote(ONE.url, "o", "recording", "0" * 64)
    assert note.read() is None
    note.write("abc")
    assert UploadNote(ONE.url, "o", "recording", "0" * 64).read() == "abc"
    assert UploadNote(ONE.url, "o", "recording", "1" * 64).read() is None
    note.path.write_text("{")
    assert note.read() is None
    note.drop()
    assert not note.path.exists()
