"""What the service's database must do, wherever it is. A subclass gives the fixture `url`."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from api.audit.tables import Entry
from api.campaigns.tables import Prediction
from api.database.migrate import heads, migrate
from api.database.schema import metadata
from api.database.tables import new_id, now
from api.database.transactions import Database
from api.people.tables import LoginSession, Person
from cluster.jobs.database import Database as QueueDatabase
from reduction.errors import ResourceError


def person(email: str | None = None) -> Person:
    return Person(
        id=new_id(), email=email, email_key=email, name="Ann", affiliation="", level="observer", created=now()
    )


class DatabaseContract:
    @pytest.fixture
    def database(self, url: str) -> Iterator[Database]:
        database = Database(url)
        migrate(database.engine)
        yield database
        database.close()

    def test_migrations_make_what_the_models_say(self, database: Database) -> None:
        def ours(_thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
            return kind != "table" or name in metadata().tables

        with database.engine.connect() as connection:
            options = {"compare_type": True, "compare_server_default": True, "include_object": ours}
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, metadata()) == []
        assert len(heads()) == 1

    def test_migrating_again_does_nothing(self, database: Database) -> None:
        with database.writing() as session:
            session.add(person())
        migrate(database.engine)
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Person)) == 1

    def test_services_that_start_at_once(self, url: str) -> None:
        failed: list[BaseException] = []

        def start() -> None:
            database = Database(url)
            try:
                migrate(database.engine)
            except BaseException as error:  # noqa: BLE001 - told by the assertion
                failed.append(error)
            database.close()

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []

    def test_a_step_that_fails_leaves_nothing(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        database = Database(url)
        monkeypatch.setattr("alembic.op.create_index", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            migrate(database.engine)
        assert inspect(database.engine).get_table_names() == []
        database.close()

    def test_a_later_version_is_left_alone(self, database: Database) -> None:
        with database.writing() as session:
            session.execute(text("UPDATE umbra_service SET version_num = '9999_future'"))
        with pytest.raises(ResourceError, match="later version"):
            migrate(database.engine)

    def test_the_queue_lives_in_the_same_database(self, database: Database, url: str) -> None:
        queue = QueueDatabase(url)
        names = set(inspect(database.engine).get_table_names())
        assert {"job", "attempt", "person", "audit"} <= names
        queue.close()
        migrate(database.engine)

    def test_an_error_undoes_all(self, database: Database) -> None:
        def fail() -> None:
            with database.writing() as session:
                session.add(person())
                session.flush()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(Person)) == 0

    def test_what_is_unique_and_what_is_referred_to(self, database: Database) -> None:
        with database.writing() as session:
            session.add_all([person("ann@example.org"), person(None), person(None)])
        with pytest.raises(IntegrityError), database.writing() as session:
            session.add(person("ann@example.org"))
        lost = LoginSession(
            id=new_id(), digest="0" * 64, person=new_id(), agent="", created=now(), seen=now(), expires=now()
        )
        with pytest.raises(IntegrityError), database.writing() as session:
            session.add(lost)

    def test_instants_are_exact_and_have_a_zone(self, database: Database) -> None:
        east = datetime(2020, 8, 8, 23, 44, 27, 123457, tzinfo=timezone(timedelta(hours=3)))
        early = datetime(1879, 1, 2, 3, 4, 5, 999999, tzinfo=UTC)
        for at in (east, early):
            row = Prediction(
                id=new_id(), occ_id=at.isoformat(), source="", object_name="", object_key="",
                at=at, elements={"a": [1, None, 0.1]}, created=now(), changed=now(),
            )  # fmt: skip
            with database.writing() as session:
                session.add(row)
            with database.reading() as session:
                found = session.get(Prediction, row.id)
                assert found is not None
                assert found.at == at
                assert found.at.utcoffset() == timedelta(0)
                assert found.elements == {"a": [1, None, 0.1]}
        with pytest.raises(StatementError), database.reading() as session:
            session.scalar(select(Prediction).where(Prediction.at == datetime(2020, 1, 1)))

    def test_the_audit_log_is_only_added_to(self, database: Database) -> None:
        for number in range(3):
            with database.writing() as session:
                session.add(Entry(at=now(), means="command", action=f"a{number}", details={"n": number}))
        for attack in (
            "UPDATE audit SET action = 'nothing'",
            "DELETE FROM audit",
            "DELETE FROM audit WHERE place = 1",
        ):
            refused = pytest.raises((ResourceError, IntegrityError), match="only added to")
            with refused, database.writing() as session:
                session.execute(text(attack))
        with database.reading() as session:
            kept = list(session.scalars(select(Entry).order_by(Entry.place)))
        assert [entry.action for entry in kept] == ["a0", "a1", "a2"]
        assert [entry.details for entry in kept] == [{"n": 0}, {"n": 1}, {"n": 2}]

    def test_counting_up_loses_nothing(self, database: Database) -> None:
        """Read, then write, from many threads: nobody is refused, and nothing is overwritten."""
        ann = person()
        ann.affiliation = "0"
        with database.writing() as session:
            session.add(ann)

        def count() -> None:
            for _ in range(10):
                with database.writing() as session:
                    row = session.scalars(select(Person).where(Person.id == ann.id).with_for_update()).one()
                    session.execute(update(Person).values(affiliation=str(int(row.affiliation) + 1)))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.reading() as session:
            assert session.scalars(select(Person.affiliation)).one() == "40"

    def test_the_password_of_the_database_is_not_told(self) -> None:
        database = Database("postgresql://umbra:hidden@127.0.0.1:1/none")
        with pytest.raises(ResourceError) as told:
            migrate(database.engine)
        assert "hidden" not in str(told.value)
