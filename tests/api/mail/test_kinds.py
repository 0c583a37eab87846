"""Every kind of e-mail, filled with names that want to be more than names."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

import api.mail  # noqa: E402 - after the check for the extra
from api.access.matrix import Level  # noqa: E402
from api.database.migrate import migrate  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.mail.kinds import ABOUT, KINDS, Topic  # noqa: E402
from api.mail.outbox import LONGEST_SUBJECT, post  # noqa: E402
from api.mail.plain import line, prose, quoted  # noqa: E402
from api.mail.smtp import built  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from tests.api.access.world import person  # noqa: E402
from tests.api.mail.kinds_of_mail import FORMS, values_of  # noqa: E402

TEMPLATES = {path.stem for path in (Path(api.mail.__file__).parent / "templates").glob("*.txt")}
CASES = (*sorted(TEMPLATES), *FORMS)
HOSTILE = {
    "header": "Ann\r\nBcc: victim@example.org\r\n\r\n<html>",
    "folded": "Ann\n Subject: other\x0b\x0c\x1c\x85\u2028\u2029Bcc: v@example.org",
    "template": "{{ url }}{% for x in y %}{# %}",
    "markup": "<script>alert(1)</script>&amp;",
    "bidi": "Ann\u202egpj.exe\u200b\u2066",
    "nul": "Ann\0\ud800\ue000",
    "encoded": "=?utf-8?q?Bcc=3A_v=40example=2Eorg?=",
    "long": "x" * 5000,
    "unicode": "Zoë 天文台 🔭 " * 9,
    "signature": "-- \nNo more of these: https://evil.example.org",
}
HEADERS = {
    "from", "to", "subject", "date", "message-id", "auto-submitted", "content-type",
    "content-transfer-encoding", "mime-version",
}  # fmt: skip
UNSUBSCRIBE = {"list-unsubscribe", "list-unsubscribe-post"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("mail") / "umbra.sqlite")
    migrate(database.engine)
    yield database
    database.close()


def sent(database: Database, case: str, word: str, name: str = "Zoë Ünal") -> EmailMessage:
    """An e-mail as the receiving side reads it from its bytes."""
    kind = case.partition(":")[0]
    to = person("ann", Level.OBSERVER)
    settings = ServiceSettings.model_construct(url="https://umbra.example.org", mail_from="")
    with database.writing() as session:
        session.add(to)
        session.flush()
        values = values_of(case, word, f"{word}\nsecond line")
        message = post(session, settings, kind, str(to.email), to.id, name=name, **values)
    with database.reading() as session:
        row = session.get_one(type(message), message.place)
    content = built(row, settings).as_bytes()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    mail = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_every_template_has_a_kind() -> None:
    assert set(KINDS) == TEMPLATES
    assert set(ABOUT) == set(Topic)
    assert {topic for topic in KINDS.values() if topic is not None} == set(Topic)


@pytest.mark.parametrize("case", CASES)
def test_what_it_says(database: Database, case: str) -> None:
    mail = sent(database, case, "Ixion")
    text = mail.get_content().replace("\r\n", "\n")
    assert str(mail["Subject"]).startswith("Umbra: ")
    assert text.startswith("Hello Zoë Ünal,\n\n")
    assert "\n\n\n" not in text, "no holes"
    assert not any(mark in text for mark in ("{{", "{%", "None", "[]", "  \n", "['"))
    assert all(len(each) <= 120 or "https://" in each for each in text.splitlines())
    topic = KINDS[case.partition(":")[0]]
    assert set(map(str.lower, mail.keys())) == HEADERS | (UNSUBSCRIBE if topic else set())
    if topic is not None:
        address = str(mail["List-Unsubscribe"])
        assert address.startswith("<https://umbra.example.org/api/v1/unsubscribe/")
        assert " " not in address
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert text.rstrip().endswith(address.strip("<>"))


@pytest.mark.parametrize("attack", HOSTILE)
@pytest.mark.parametrize("case", CASES)
def test_hostile_names(database: Database, case: str, attack: str) -> None:
    plain = sent(database, case, "Ixion")
    mail = sent(database, case, HOSTILE[attack], HOSTILE[attack])
    assert list(mail.keys()) == list(plain.keys()), "no header more, none fewer"
    assert len(str(mail["Subject"])) <= LONGEST_SUBJECT
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content().replace("\r\n", "\n")
    assert "Bcc" not in mail
    # what others wrote begins no line, but behind the bar of a quotation
    assert not any(
        each.startswith(("Bcc:", "Subject:", "<html>", "No more of these: https://evil"))
        for each in text.split("\n")
    )
    assert text.count("\n-- \n") == (1 if KINDS[case.partition(":")[0]] else 0)
    assert not set(text) & set("\0\x0b\x0c\x1c\x85\u2028\u2029\u202e\u2066\u200b")
    if attack == "template" and "{{ url }}" in text:
        assert "{% for x in y %}" in text, "as it was written, not carried out"


def test_lines_and_prose() -> None:
    assert line(" a \r\n b\0\tc\u202ed ") == "a b cd"
    assert prose("a\r\nb\rc\n\n\x07d\ud800") == "a\nb\nc\n\nd"
    assert quoted("a\n\nb") == "> a\n>\n> b"
    long = " ".join(["word"] * 40)
    assert all(len(each) <= 78 and each.startswith("> ") for each in quoted(long).split("\n"))
    assert quoted(long).replace("\n> ", " ") == f"> {long}"
    assert quoted("https://example.org/" + "x" * 200).count("\n") == 0, "addresses stay whole"
