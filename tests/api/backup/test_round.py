"""There and back: every row, every file, between both kinds of database."""

import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require

require("server")

from alembic.runtime.migration import MigrationContext  # noqa: E402 - after the check for the extra
from alembic.script import ScriptDirectory  # noqa: E402
from sqlalchemy import delete, select, update  # noqa: E402

from api.backup import saving  # noqa: E402
from api.backup.checking import check  # noqa: E402
from api.backup.cli import backup, restore  # noqa: E402
from api.backup.destination import object_name, open_destination  # noqa: E402
from api.backup.dumping import VERSIONS  # noqa: E402
from api.backup.home import removing, scratch  # noqa: E402
from api.backup.restoring import restore as restored  # noqa: E402
from api.backup.saving import save  # noqa: E402
from api.campaigns.tables import Prediction  # noqa: E402
from api.database.migrate import migrate, scripts  # noqa: E402
from api.database.tables import new_id, now  # noqa: E402
from api.database.transactions import Database  # noqa: E402
from api.figures.tables import LimbFigure  # noqa: E402
from api.observations.tables import WITHDRAWN, ObservationFile  # noqa: E402
from api.people.cli import user  # noqa: E402
from api.settings import ServiceSettings  # noqa: E402
from api.store import FolderStore  # noqa: E402
from api.uploads.keeping import Keeping  # noqa: E402
from api.uploads.parts import part_of  # noqa: E402
from api.uploads.tables import ARRIVING, REFUSED, STORED, Discarded, Upload  # noqa: E402
from cluster.store import open_store  # noqa: E402
from reduction.errors import ResourceError  # noqa: E402
from tests import postgres  # noqa: E402
from tests.api.backup.filled import fill  # noqa: E402
from tests.api.backup.service import ARRIVED, Rested, files, rested, rows, said, settings_of  # noqa: E402

ADJUSTED = {"login_session", "audit", "job_transition", "upload", "webhook_followed"}


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def placed(backend: str, home: Path, closing: ExitStack) -> ServiceSettings:
    if backend == "sqlite":
        return settings_of(home)
    require("postgres")
    return settings_of(home, database=closing.enter_context(postgres.fresh()))


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
def test_there_and_back(source: str, target: str, tmp_path: Path, closing: ExitStack) -> None:
    service = rested(placed(source, tmp_path / "home", closing), tmp_path / "made")
    destination = open_destination(str(tmp_path / "backups"), make=True)
    saved = save(service.settings, destination)
    assert saved.lacking == 0, saved.manifest.problems
    there = placed(target, tmp_path / "new", closing)
    restored(there, destination, saved.manifest.id)

    before, after = rows(service.settings, tmp_path / "a"), rows(there, tmp_path / "b")
    assert before.keys() == after.keys()
    assert all(len(some) >= 1 for some in before.values())
    for name in before.keys() - ADJUSTED:
        assert after[name] == before[name], name
    assert after["login_session"] == []
    assert {row["era"] for row in after["job_transition"]} == {0}
    # era and place of the filled tables grow together: the last of who follows was told of all
    assert {(row["era"], row["place"]) for row in after["webhook_followed"]} == {
        (0, row["place"]) for row in before["job_transition"]
    }
    assert [row for row in after["audit"] if row["thing"] != saved.manifest.id] == before["audit"]
    assert said(there) == [saved.manifest.id]

    old, new = files(Path(service.settings.kept)), files(Path(there.kept))
    assert new == old
    assert all(finding.state == "ok" for finding in open_store(there.kept, make=False).verify(deep=True))
    part = there.home / "uploads" / f"{service.upload}.part"
    assert part.read_bytes() == (service.settings.home / "uploads" / part.name).read_bytes()[:9000]
    jobs = files(there.home / "jobs")
    assert jobs == {
        name: data for name, data in files(service.settings.home / "jobs").items() if "half" not in name
    }
    assert f"{service.job}/result-1/lightcurve.csv" in jobs


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_a_backup_of_an_earlier_version(
    backend: str, tmp_path: Path, closing: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows come into the tables of that version, and go through the migrations since."""
    steps = [step.revision for step in ScriptDirectory.from_config(scripts()).walk_revisions()]
    earlier = steps[1]
    old = settings_of(tmp_path / "home")
    database = Database(old.where)
    migrate(database.engine, earlier)
    with database.engine.begin() as connection:
        fill(connection)
        connection.execute(update(ObservationFile).values(state=WITHDRAWN))
        connection.execute(update(LimbFigure).values(removed=now()))
        connection.execute(update(Prediction).values(elements={}))
    database.close()
    open_store(old.kept)
    destination = open_destination(str(tmp_path / "backups"), make=True)
    with pytest.raises(ResourceError, match=f"form {earlier}, this version needs {steps[0]}"):
        save(old, destination)
    with monkeypatch.context() as patched:
        patched.setattr("api.backup.saving.heads", lambda: [earlier])
        saved = save(old, destination)
    new = placed(backend, tmp_path / "new", closing)
    restored(new, destination, saved.manifest.id)
    before, after = rows(old, tmp_path / "a"), rows(new, tmp_path / "b")
    assert 20 < len(before) <= len(after)
    for name in before.keys() - ADJUSTED:
        same = [{key: row[key] for key in before[name][0]} for row in after[name]]
        assert same == before[name], name
    database = Database(new.where)
    migrate(database.engine)
    with database.engine.connect() as connection:
        options = {"version_table": VERSIONS}
        found = MigrationContext.configure(connection, opts=options).get_current_revision()
    assert found == steps[0]
    database.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Rested:
    """A service that is only read."""
    folder = tmp_path_factory.mktemp("kept")
    return rested(settings_of(folder / "home"), folder / "made")


def test_what_is_there_is_not_copied_again_and_old_ones_go(kept: Rested, tmp_path: Path) -> None:
    destination = open_destination(str(tmp_path / "backups"), make=True)
    first = save(kept.settings, destination)
    assert first.copied > 20
    second = save(kept.settings, destination, keep=2)
    assert (second.copied, second.removed) == (0, 0)
    assert second.manifest.lists == first.manifest.lists
    third = save(kept.settings, destination, keep=1)
    assert (third.copied, third.removed) == (0, 2)
    assert destination.ids() == [third.manifest.id]
    stray = "ab" * 32
    destination.objects.put(object_name(stray), b"of a run that was killed")
    assert save(kept.settings, destination, keep=1).removed == 1
    assert stray not in dict(destination.held())
    [looked] = check(destination, destination.ids(), tmp_path, deep=True)
    assert looked.count == 0


def test_what_is_written_is_nobody_elses(
    kept: Rested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, kept.settings.home, backup, str(tmp_path / "backups"))
    run(monkeypatch, tmp_path / "new", restore, str(tmp_path / "backups"))
    written = [*(tmp_path / "backups").rglob("*"), *(tmp_path / "new").rglob("*")]
    assert len(written) > 50
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in written if path.is_file()} == {"0o600"}
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in written if path.is_dir()} == {"0o700"}


def test_damage_is_told_and_mended(
    kept: Rested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "backups")
    destination = open_destination(place, make=True)
    identity = save(kept.settings, destination).manifest.id
    path = tmp_path / "backups" / object_name(kept.raw)
    path.write_bytes(path.read_bytes()[::-1])
    assert run(monkeypatch, kept.settings.home, backup, "verify", place) == 0
    assert run(monkeypatch, kept.settings.home, backup, "verify", place, "--deep") == 3
    told = capsys.readouterr()
    assert f"{identity}\t1 faults\n  store/raw/{kept.raw[:2]}/{kept.raw}" in told.out
    assert "1 of 1 backups are damaged" in told.err
    assert run(monkeypatch, tmp_path / "new", restore, place) == 3
    assert "is damaged: 10000 bytes" in capsys.readouterr().err
    assert run(monkeypatch, kept.settings.home, backup, place, "--verify") == 0
    assert run(monkeypatch, kept.settings.home, backup, "verify", place, "--deep") == 0
    assert run(monkeypatch, tmp_path / "new", restore, place, "--at", identity) == 0
    assert (tmp_path / "new" / "store" / "raw" / kept.raw[:2] / kept.raw).read_bytes() == ARRIVED


def test_what_the_store_has_lost_stays_in_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = rested(settings_of(tmp_path / "home"), tmp_path / "made")
    place = str(tmp_path / "backups")
    run(monkeypatch, tmp_path / "home", backup, place)
    lost = Path(service.settings.kept) / "raw" / service.raw[:2] / service.raw
    lost.unlink()
    [curve] = (Path(service.settings.kept) / "results").rglob("lightcurve.csv")
    curve.write_text("1,3\n")
    assert run(monkeypatch, tmp_path / "home", backup, place, "--keep", "1") == 3
    assert "missing in the store; this backup has it" in capsys.readouterr().err
    assert run(monkeypatch, tmp_path / "new", restore, place) == 0
    assert (tmp_path / "new" / "store" / "raw" / service.raw[:2] / service.raw).read_bytes() == ARRIVED
    [curve] = (tmp_path / "new" / "store" / "results").rglob("lightcurve.csv")
    assert curve.read_text() == "1,2\n"


def test_a_restore_takes_nothing_that_is_there(
    kept: Rested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "backups")
    run(monkeypatch, kept.settings.home, backup, place)
    before = files(kept.settings.home)
    assert run(monkeypatch, kept.settings.home, restore, place) == 2
    assert "tables; restore into an empty database" in capsys.readouterr().err
    assert {name: data for name, data in files(kept.settings.home).items() if name in before} == before

    other = tmp_path / "store"
    open_store(other)
    assert run(monkeypatch, tmp_path / "a", restore, place, store=str(other)) == 2
    assert "restore into an empty store" in capsys.readouterr().err
    (tmp_path / "b" / "uploads").mkdir(parents=True)
    (tmp_path / "b" / "uploads" / "x.part").touch()
    assert run(monkeypatch, tmp_path / "b", restore, place) == 2
    assert "restore into an empty home" in capsys.readouterr().err


def test_half_a_restore_is_no_service(
    kept: Rested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "backups")
    run(monkeypatch, kept.settings.home, backup, place)
    first = open_destination(place, make=False).ids()[0]
    run(monkeypatch, kept.settings.home, backup, place)
    with monkeypatch.context() as patched:
        patched.setattr("api.backup.restoring.rebuild", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(monkeypatch, tmp_path / "new", restore, place)
    with pytest.raises(ResourceError, match=r"restore of .* is not finished"):
        FolderStore(tmp_path / "new")
    assert run(monkeypatch, tmp_path / "new", user, "list") == 4
    assert run(monkeypatch, tmp_path / "new", restore, place, "--at", first) == 2
    assert "not finished; finish it" in capsys.readouterr().err
    assert run(monkeypatch, tmp_path / "new", restore, place) == 0
    assert run(monkeypatch, tmp_path / "new", restore, place) == 2
    FolderStore(tmp_path / "new").close()


def test_what_is_taken_back_stays_until_a_backup_has_ended(tmp_path: Path) -> None:
    """The snapshot refers to bytes that nobody refers to any more when they are copied."""
    service = rested(settings_of(tmp_path / "home"), tmp_path / "made")
    database = Database(service.settings.where)
    store = open_store(service.settings.kept)
    with database.writing() as session:
        session.execute(delete(Discarded))
        session.add(Discarded(sha256=service.raw, since=now() - timedelta(days=1)))
        for row in (*session.scalars(select(ObservationFile)), *session.scalars(select(LimbFigure))):
            row.sha256 = "0" * 64
    keeping = Keeping(database, store, service.settings.home / "uploads", service.settings)
    with scratch(service.settings.home):
        keeping.collect()
        assert store.has_raw(service.raw)
    with removing(service.settings.home) as allowed:
        assert allowed
    keeping.collect()
    assert not store.has_raw(service.raw)
    database.close()


def test_what_was_taken_back_since_the_snapshot_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = rested(settings_of(tmp_path / "home"), tmp_path / "made")
    database = Database(service.settings.where)
    snapshot = saving._snapshot

    def then(*arguments: Any) -> Any:
        found = snapshot(*arguments)
        with database.writing() as session:
            session.execute(update(ObservationFile).values(state=WITHDRAWN))
            session.execute(update(LimbFigure).values(removed=now()))
        open_store(service.settings.kept).drop_raw(service.raw)
        return found

    monkeypatch.setattr(saving, "_snapshot", then)
    saved = save(service.settings, open_destination(str(tmp_path / "backups"), make=True))
    assert saved.lacking == 0, saved.manifest.problems
    database.close()


def test_uploads_that_end_between_snapshot_and_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of one is gone by then; what the database says of it by then holds."""
    service = rested(settings_of(tmp_path / "home"), tmp_path / "made")
    database = Database(service.settings.where)
    with database.writing() as session:
        first = session.get_one(Upload, service.upload)
        columns = {column.key: getattr(first, column.key) for column in Upload.__table__.columns}
        others = {state: new_id() for state in ("ended", REFUSED, ARRIVING)}
        session.add_all(Upload(**{**columns, "id": identity}) for identity in others.values())
    snapshot = saving._snapshot

    def then(*arguments: Any) -> Any:
        found = snapshot(*arguments)
        part_of(service.settings.home / "uploads", service.upload).unlink()
        with database.writing() as session:
            stored = session.get_one(Upload, service.upload)
            stored.state, stored.sha256 = STORED, service.raw
            session.delete(session.get_one(Upload, others["ended"]))
            refused = session.get_one(Upload, others[REFUSED])
            refused.state, refused.problem = REFUSED, "not what was promised"
        return found

    monkeypatch.setattr(saving, "_snapshot", then)
    destination = open_destination(str(tmp_path / "backups"), make=True)
    saved = save(service.settings, destination)
    database.close()
    told = f"upload {others[ARRIVING]}: its 9000 bytes are not on the disk of the service"
    assert told in saved.manifest.problems
    assert saved.lacking == 1
    there = settings_of(tmp_path / "new")
    restored(there, destination, saved.manifest.id)
    assert part_of(there.home / "uploads", service.upload).read_bytes() == ARRIVED[:9000]
    database = Database(there.where)
    with database.reading() as session:
        assert session.get_one(Upload, service.upload).state == ARRIVING
        assert session.get(Upload, others["ended"]) is None
        refused = session.get_one(Upload, others[REFUSED])
        assert (refused.state, refused.problem) == (REFUSED, "not what was promised")
    database.close()


def test_uploads_wait_as_long_as_before(kept: Rested, tmp_path: Path) -> None:
    """A backup of last month has uploads that must not be thrown away at the first start."""
    destination = open_destination(str(tmp_path / "backups"), make=True)
    manifest = save(kept.settings, destination).manifest
    old = (manifest.instant - timedelta(days=30)).isoformat()
    destination.remove(manifest.id)
    destination.publish(manifest.model_copy(update={"taken": old}))
    there = settings_of(tmp_path / "new")
    restored(there, destination, manifest.id)
    database = Database(there.where)
    with database.reading() as session:
        upload = session.get_one(Upload, kept.upload)
        assert timedelta(days=29) < upload.expires - now() < timedelta(days=31)
    database.close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "no service has used this database"),
        (("list", "nowhere"), "there are no backups"),
        (("verify", "nowhere"), "there are no backups"),
        (("https://example.org",), "is no store"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store(tmp_path / "home" / "store")
    assert run(monkeypatch, tmp_path / "home", backup, *arguments) == 2
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_places_that_are_refused(
    kept: Rested, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (kept.settings.home / "store" / "backups", kept.settings.home):
        assert run(monkeypatch, kept.settings.home, backup, str(place)) == 2
        told = capsys.readouterr().err
        assert "overlaps the store" in told or "holds something" in told
    destination = open_destination(str(tmp_path / "backups"), make=True)
    with destination.alone("another home"):
        assert run(monkeypatch, kept.settings.home, backup, str(tmp_path / "backups")) == 4
        assert "another service has written there" in capsys.readouterr().err
    with scratch(kept.settings.home):
        assert run(monkeypatch, kept.settings.home, backup, str(tmp_path / "backups")) == 4
        assert "another backup or restore is under way" in capsys.readouterr().err
    assert run(monkeypatch, kept.settings.home, backup, str(tmp_path / "backups")) == 0
    assert run(monkeypatch, kept.settings.home, backup, "list", str(tmp_path / "backups")) == 0
    assert "sound" in capsys.readouterr().out


def run(
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    verb: Callable[[list[str]], int],
    *arguments: str,
    store: str = "",
) -> int:
    """A verb with an environment that names the service."""
    with monkeypatch.context() as patched:
        patched.setenv("UMBRA_HOME", str(home))
        patched.setenv("UMBRA_STORE", store)
        patched.delenv("UMBRA_DATABASE", raising=False)
        return verb(list(arguments))
