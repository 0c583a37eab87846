"""People are told when reductions, batches and files are ready: once, of many together."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.requirements import require

require("server")

from sqlalchemy import delete, select, update  # noqa: E402 - after the check for the extra

from api.database.tables import EPOCH, new_id, now  # noqa: E402
from api.mail.outbox import tell  # noqa: E402
from api.mail.tables import Message  # noqa: E402
from api.notices.ended import tell_batches, tell_files, tell_reductions  # noqa: E402
from api.notices.owed import is_owed, owe  # noqa: E402
from api.notices.tables import Owed  # noqa: E402
from api.results.tables import Reduction, Result  # noqa: E402
from api.uploads.tables import Upload  # noqa: E402
from cluster.jobs.tables import JobRow  # noqa: E402
from tests.api.access.webhook_requests import told_to, webhook_of  # noqa: E402
from tests.api.campaigns.people import Callers  # noqa: E402
from tests.api.notices.outbox import mails  # noqa: E402
from tests.api.results.things import ABSENT, file_of  # noqa: E402

FIGURES = {
    "verdict": "caution", "headline": "With care: see time.",
    "event": {"status": "positive", "d_utc": "2020-08-08T20:44:27.123", "d_sigma_s": 0.0123,
              "r_utc": "2020-08-08T20:44:31.5", "r_sigma_s": 0.02},
}  # fmt: skip


def step(callers: Callers, of: Any) -> int:
    told: int = of(callers.world.database, callers.client.app.state.settings)
    return told


def recording(callers: Callers, name: str = "a.ser") -> str:
    row = file_of(callers.world.strict["observation"], ABSENT, name=name)
    callers.world.add(row)
    return row.id


def asked(callers: Callers, who: str = "staff", name: str = "a.ser") -> str:
    answer = callers.ask(who, "POST", "/reductions", json={"file": recording(callers, name)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def batch(callers: Callers, lines: int, who: str = "staff") -> tuple[str, list[str]]:
    file = recording(callers)
    answer = callers.ask(
        who, "POST", "/batches", params={"campaign": callers.world.strict["campaign"]},
        content="".join(json.dumps({"file": file}) + "\n" for _ in range(lines)),
        headers={"Content-Type": "application/jsonl"},
    )  # fmt: skip
    assert answer.status_code == 202, answer.text
    identity = answer.json()["id"]
    with callers.world.database.reading() as session:
        rows = select(Reduction.id).where(Reduction.batch == identity).order_by(Reduction.line)
        return identity, list(session.scalars(rows))


def later(callers: Callers) -> None:
    """What is owed has been so for a while."""
    with callers.world.database.writing() as session:
        session.execute(update(Owed).values(created=now() - timedelta(minutes=5)))


def end(callers: Callers, *jobs: str, state: str = "done", ago: float = 100.0, **more: Any) -> None:
    finished = (now() - EPOCH).total_seconds() - ago
    with callers.world.database.writing() as session:
        session.execute(
            update(JobRow).where(JobRow.id.in_(jobs)).values(state=state, finished=finished, **more)
        )


def result_of(callers: Callers, job: str, version: int) -> None:
    with callers.world.database.writing() as session:
        row = session.get_one(Reduction, job)
        result = Result(
            id=new_id(), campaign=row.campaign, observation=row.observation, person=row.person,
            reduction=row.id, version=version, key=ABSENT, edition="1", figures=FIGURES, created=now(),
        )  # fmt: skip
        session.add(result)
        session.flush()
        row.result = result.id


def test_a_reduction(callers: Callers) -> None:
    job = asked(callers)
    assert step(callers, tell_reductions) == 0
    end(callers, job, ago=0)
    assert step(callers, tell_reductions) == 0, "asked for a moment ago"
    later(callers)
    assert step(callers, tell_reductions) == 0, "its version comes in a moment"
    result_of(callers, job, 3)
    assert step(callers, tell_reductions) == 1
    assert step(callers, tell_reductions) == 0
    (mail,) = mails(callers, "staff")
    assert mail.subject == "Umbra: a.ser: reduced"
    assert (
        "a.ser (owner): version 3: positive (quality: caution), D 2020-08-08T20:44:27.123 +- 0.012 s"
        in mail.text
    )
    assert f"/jobs/{job}\n" in mail.text
    (to_owner,) = mails(callers, "owner")
    assert to_owner.subject == "Umbra: your recording of Ixion was reduced"
    assert "version 3" in to_owner.text
    assert not any(mails(callers, who) for who in ("participant", "responsible", "observer"))


def test_one_that_failed(callers: Callers) -> None:
    job = asked(callers)
    end(callers, job, state="failed", failure="data", error="a.ser: frame 7:\npayload of 3 bytes\x07")
    later(callers)
    assert step(callers, tell_reductions) == 1
    (mail,) = mails(callers, "staff")
    assert mail.subject == "Umbra: a.ser: failed"
    assert "failed: a.ser: frame 7: payload of 3 bytes\n" in mail.text
    assert mails(callers, "owner") == []


def test_many_are_one_e_mail(callers: Callers) -> None:
    jobs = [asked(callers, name=f"{n}.ser") for n in range(25)]
    end(callers, *jobs[:24])
    later(callers)
    assert step(callers, tell_reductions) == 0, "one is under way"
    end(callers, jobs[24], state="failed", failure="data", error="bad")
    assert step(callers, tell_reductions) == 25
    (mail,) = mails(callers, "staff")
    assert mail.subject == "Umbra: 25 reductions ended: 24 done, 1 failed"
    assert "... and 5 more" in mail.text
    assert [each.subject for each in mails(callers, "owner")] == [
        "Umbra: 24 of your recordings of Ixion were reduced"
    ]


def test_while_others_run_one_hears_each_hour(callers: Callers) -> None:
    jobs = [asked(callers) for _ in range(3)]
    later(callers)
    end(callers, jobs[0], ago=3000)
    assert step(callers, tell_reductions) == 0
    end(callers, jobs[0], jobs[1], ago=3700)
    assert step(callers, tell_reductions) == 2
    end(callers, jobs[2])
    assert step(callers, tell_reductions) == 1
    assert len(mails(callers, "staff")) == 2


def test_one_that_is_retried_is_told_again(callers: Callers) -> None:
    job = asked(callers)
    end(callers, job, state="failed", failure="data", error="bad")
    later(callers)
    assert step(callers, tell_reductions) == 1
    assert callers.ask("staff", "POST", f"/jobs/{job}:retry").status_code == 200
    later(callers)
    assert step(callers, tell_reductions) == 0
    end(callers, job)
    assert step(callers, tell_reductions) == 1
    assert [mail.subject for mail in mails(callers, "staff")] == [
        "Umbra: a.ser: failed",
        "Umbra: a.ser: reduced",
    ]


def test_a_batch(callers: Callers) -> None:
    hook = webhook_of(callers.world, callers.world.people["staff"].id, "batch.ended")
    identity, jobs = batch(callers, 30)
    later(callers)
    end(callers, *jobs[:20])
    end(callers, *jobs[20:29], state="failed", failure="data", error="bad")
    assert step(callers, tell_batches) == 0
    end(callers, jobs[29], state="cancelled")
    for number, job in enumerate(jobs[:5], 1):
        result_of(callers, job, number)
    assert step(callers, tell_batches) == 1
    assert step(callers, tell_batches) == 0
    (mail,) = mails(callers, "staff")
    assert mail.subject == "Umbra: batch of Ixion ended: 20 done, 9 failed, 1 cancelled"
    assert "your batch of 30 reductions" in mail.text
    assert "  5 positive (quality: caution)\n" in mail.text
    assert "  line 21, a.ser: bad\n" in mail.text
    assert f"/api/v1/batches/{identity}:retry-failed" in mail.text
    (event,) = told_to(callers.world, hook)
    wanted = {"batch": identity, "total": 30, "done": 20, "failed": 9, "cancelled": 1}
    assert wanted.items() <= event.items()
    (to_team,) = mails(callers, "responsible")
    assert "a batch of 30 reductions" in to_team.text
    (to_owner,) = mails(callers, "owner")
    assert to_owner.subject == "Umbra: 20 of your recordings of Ixion were reduced"


def test_a_batch_that_is_retried_ends_again(callers: Callers) -> None:
    identity, jobs = batch(callers, 3, "responsible")
    later(callers)
    end(callers, *jobs[:2])
    end(callers, jobs[2], state="failed", failure="data", error="bad")
    assert step(callers, tell_batches) == 1
    assert callers.ask("staff", "POST", f"/batches/{identity}:retry-failed").json() == {"jobs": 1}
    later(callers)
    assert step(callers, tell_batches) == 0
    end(callers, jobs[2])
    assert step(callers, tell_batches) == 1
    assert [mail.subject for mail in mails(callers, "responsible")] == [
        "Umbra: batch of Ixion ended: 2 done, 1 failed",
        "Umbra: batch of Ixion ended: 3 done",
    ]
    assert callers.ask("staff", "POST", f"/batches/{identity}:retry-failed").json() == {"jobs": 0}
    with callers.world.database.reading() as session:
        assert not is_owed(session, identity), "nothing is begun again"


def test_jobs_that_a_crash_kept_from_the_queue_have_not_ended(callers: Callers) -> None:
    _, jobs = batch(callers, 2)
    later(callers)
    end(callers, jobs[0])
    with callers.world.database.writing() as session:
        session.execute(delete(JobRow).where(JobRow.id == jobs[1]))
    assert step(callers, tell_batches) == 0


def test_who_refused_gets_nothing_and_it_is_not_asked_again(callers: Callers) -> None:
    callers.ask("staff", "PUT", "/account/notices", json={"refused": ["reductions"]})
    job = asked(callers)
    end(callers, job, state="failed", failure="data", error="bad")
    later(callers)
    assert step(callers, tell_reductions) == 1
    assert step(callers, tell_reductions) == 0
    assert mails(callers, "staff") == []


def test_an_interrupted_telling_is_done_again(callers: Callers, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is owed goes in the same transaction as the e-mails come."""
    _, jobs = batch(callers, 2)
    later(callers)
    end(callers, *jobs)

    def broken(*arguments: Any, **values: Any) -> None:
        tell(*arguments, **values)
        raise OSError("the plug was pulled")

    with monkeypatch.context() as patched:
        patched.setattr("api.notices.ended.tell", broken)
        with pytest.raises(OSError, match="pulled"):
            step(callers, tell_batches)
    assert mails(callers, "staff") == []
    assert step(callers, tell_batches) == 1
    assert len(mails(callers, "staff")) == 1


def test_files_that_arrived(callers: Callers) -> None:
    owner, world = callers.world.people["owner"], callers.world
    found = {"inspection": {"input": {"frames": 7184}}, "name": "a.ser"}
    files = [
        file_of(world.strict["observation"], ABSENT, 12345, "a.ser", recordings=[found]),
        file_of(world.strict["observation"], ABSENT, 99, "log.txt", role="additional"),
        file_of(world.strict["observation"], ABSENT, 5, "b.zip", recordings=[found, found]),
    ]
    world.add(*files)
    with world.database.writing() as session:
        for file in files:
            owe(session, "file", file.id, owner.id)
    assert step(callers, tell_files) == 0, "more may come"
    later(callers)
    arriving = Upload(
        id=new_id(), person=owner.id, role="recording", name="c.ser", length=5, received=5,
        observation=world.strict["observation"], details={}, state="whole", problem="", created=now(),
        expires=now(),
    )  # fmt: skip
    world.add(arriving)
    assert step(callers, tell_files) == 0, "one is being looked at"
    with world.database.writing() as session:
        session.execute(delete(Upload).where(Upload.id == arriving.id))
    assert step(callers, tell_files) == 3
    assert step(callers, tell_files) == 0
    (mail,) = mails(callers, "owner")
    assert mail.subject == "Umbra: 3 files arrived"
    assert "  a.ser (owner): recording, 7,184 frames, 12,345 bytes\n" in mail.text
    assert "  log.txt (owner): additional, 99 bytes\n" in mail.text
    assert "  b.zip (owner): 2 recordings, 14,368 frames, 5 bytes\n" in mail.text


def test_a_large_batch_is_three_e_mails(callers: Callers) -> None:
    """One e-mail each to those concerned, not one for each line."""
    _, jobs = batch(callers, 1000)
    later(callers)
    end(callers, *jobs)
    with callers.world.database.reading() as session:
        before = len(session.scalars(select(Message.place)).all())
    assert step(callers, tell_batches) == 1
    with callers.world.database.reading() as session:
        assert len(session.scalars(select(Message.place)).all()) == before + 3
