"""Consents in a database: what was said last counts, in every process, and what cannot be asked denies."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import hypothesis
import pytest
from consent_reader import OFFERS, Customer
from hypothesis import strategies as st
from postgres_server import running
from real_parts import need
from sqlalchemy import Connection, MetaData, create_engine, event, insert, select, text, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from test_sqlalchemy_drivers import url_of

from purposebind import (
    AllowedFor,
    PolicyError,
    Purpose,
    PurposeModel,
    PurposeViolation,
    Sealed,
    SubjectId,
    configure,
    purpose_scope,
)
from purposebind.consent import Choice, InMemoryConsents
from purposebind.errors import Reason
from purposebind.integrations.sqlalchemy import SQLAlchemyConsents, guard, to_model

WEEKLY = OFFERS.child("weekly", "Once a week")
LOCAL = WEEKLY.child("local", "Of what is near")
CARE = Purpose("csql_care", "Answer questions")
HOUR = timedelta(hours=1)


class Base(DeclarativeBase):
    metadata = MetaData()


class Stored(Base):
    __tablename__ = "stored"

    id: Mapped[Annotated[int, SubjectId]] = mapped_column(primary_key=True)
    phone: Mapped[Annotated[str, AllowedFor(CARE, with_consent=[OFFERS])]]


TAG = AllowedFor(CARE, with_consent=[OFFERS])


class Own(Base):
    """Several of one person's."""

    __tablename__ = "own"

    id: Mapped[int] = mapped_column(primary_key=True)
    person: Mapped[Annotated[int, SubjectId]]
    phone: Mapped[Annotated[str | None, AllowedFor(CARE, with_consent=[OFFERS])]]


class Patient(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(CARE, with_consent=[OFFERS])]


def url(database: str, tmp_path: Path) -> str:
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/consents.db"
    need("initdb")
    return url_of(running().new_database(), "psycopg")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Guarded, as a service's is."""
    engine = guard(create_engine(url(request.param, tmp_path)), Base.metadata)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def consents(engine: Engine) -> SQLAlchemyConsents:
    made = SQLAlchemyConsents(engine, timeout=timedelta(milliseconds=300))
    made.create_table()
    return made


def reads(record: Any, purpose: Purpose = OFFERS) -> bool:
    with purpose_scope(purpose):
        try:
            record.phone
        except PurposeViolation as refused:
            if refused.reason is not Reason.NO_CONSENT:
                raise
            return False
    return True


# --- What was said ---------------------------------------------------------------------------------------------------


def test_the_history_is_kept(consents: SQLAlchemyConsents) -> None:
    """Article 7(1): who gave it has to be shown, and when, and for which words."""
    before = datetime.now(timezone.utc)
    given = consents.give(17, OFFERS, wording="2026-03")
    taken = consents.withdraw(17, WEEKLY)
    again = consents.give(17, WEEKLY, wording="2026-05")
    assert consents.history(17) == [given, taken, again]
    assert [(one.purpose, one.given, one.wording) for one in consents.history(17)] == [
        ("csql_offers", True, "2026-03"),
        ("csql_offers.weekly", False, ""),
        ("csql_offers.weekly", True, "2026-05"),
    ]
    assert before <= given.at <= taken.at <= datetime.now(timezone.utc)
    assert all(one.at.tzinfo is not None for one in consents.history(17))
    assert given.number < taken.number < again.number
    assert consents.history(18) == []


def test_it_answers_as_the_one_in_memory(consents: SQLAlchemyConsents) -> None:
    """One meaning of consent: what every sequence of three choices comes to is the same in both stores."""
    memory = InMemoryConsents()
    steps = [(purpose, given) for purpose in (OFFERS, WEEKLY) for given in (True, False)]
    sequences = [(a, b, c) for a in steps for b in steps for c in steps]
    for person, sequence in enumerate(sequences):
        for purpose, given in sequence:
            for store in (consents, memory):
                if given:
                    store.give(person, purpose, wording="1")
                else:
                    store.withdraw(person, purpose)
    people = range(len(sequences) + 5)
    for purpose in (OFFERS, WEEKLY, CARE):
        assert consents.consenting(people, purpose) == memory.consenting(people, purpose)
    assert consents.consenting([], OFFERS) == set()


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(
    history=st.lists(
        st.tuples(st.sampled_from([1, "1", 2, "ada"]), st.sampled_from([OFFERS, WEEKLY, LOCAL, CARE]), st.booleans()),
        max_size=12,
    )
)
def test_any_history_means_the_same_in_both_stores(history: list[tuple[Any, Purpose, bool]]) -> None:
    """The question is one of SQL, and its meaning that of `consent.in_force`."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/consents.db")
        stores = SQLAlchemyConsents(engine), InMemoryConsents()
        stores[0].create_table()
        for person, purpose, given in history:
            for store in stores:
                (store.give(person, purpose, wording="1") if given else store.withdraw(person, purpose))  # type: ignore[attr-defined]
        for purpose in (OFFERS, WEEKLY, LOCAL, CARE):
            found, meant = (store.consenting([1, "1", 2, "ada", "nobody"], purpose) for store in stores)  # type: ignore[attr-defined]
            assert found == meant
        engine.dispose()


def test_people_are_told_apart_by_their_type(consents: SQLAlchemyConsents) -> None:
    """17 and "17" are two people, and a key of another kind is nobody's."""
    one = uuid.uuid4()
    for subject in (17, "x'; DROP TABLE purposebind_consent --", "ü😀", one, -1, ""):
        consents.give(subject, OFFERS, wording="1")
    asked: list[Any] = [17, "17", "int:17", one, str(one), "ü😀", "x'; DROP TABLE purposebind_consent --", -1, ""]
    found = consents.consenting([*asked, True, 1.5, None, (17,), "a\0b", "\ud800"], OFFERS)
    assert found == {17, one, "ü😀", "x'; DROP TABLE purposebind_consent --", -1, ""}
    for strange in (True, None, 1.5, (1,), "a\0b", "\ud800"):
        with pytest.raises(TypeError, match="SubjectId"):
            consents.give(strange, OFFERS, wording="1")


def test_very_many_are_asked_about_in_one_statement(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """A loop over 100,000 people; SQLite takes no statement with as many parameters."""
    rows = [(f"int:{number}", "csql_offers", number % 2 == 0) for number in range(100_000)]
    bare = create_engine(engine.url)
    with bare.begin() as connection:
        made: Any = connection.connection.cursor()
        mark = "%s" if engine.dialect.name == "postgresql" else "?"
        made.executemany(
            "INSERT INTO purposebind_consent (subject, purpose, given, at, wording) "
            f"VALUES ({mark}, {mark}, {mark}, '2026-03-01 12:00:00', '')",
            rows,
        )
        made.close()
    bare.dispose()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda c, k, statement, *_: asked.append(statement))
    patient = SQLAlchemyConsents(engine, timeout=timedelta(seconds=60))
    assert patient.consenting(range(100_000), OFFERS) == set(range(0, 100_000, 2))
    assert len([one for one in asked if "purposebind_consent" in one]) == 1


def test_it_is_asked_in_any_scope_on_a_guarded_engine(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """The guard knows the table, though it is in no metadata that the guard was given."""
    configure(consent=consents, consent_max_age=timedelta())
    consents.give(1, OFFERS, wording="1")
    with Session(engine) as session:
        session.add_all([Stored(id=1, phone="+1"), Stored(id=2, phone="+2")])
        session.commit()
        one, two = session.get_one(Stored, 1), session.get_one(Stored, 2)
        assert [reads(one), reads(two)] == [True, False]
        assert [reads(one, CARE), reads(two, CARE)] == [True, True]
        with purpose_scope(CARE):
            consents.withdraw(1, OFFERS)
            assert consents.history(1)
        assert not reads(one)


class Name(str, Enum):
    ADA = "ada"


def test_a_person_has_one_text(consents: SQLAlchemyConsents) -> None:
    """What Python writes for a member of an enum, or for a number of thousands of digits, is no person's."""
    consents.give(Name.ADA, OFFERS, wording="1")
    huge = 10**5000
    assert consents.consenting(["ada", "Name.ADA", huge, -huge], OFFERS) == {"ada"}
    with pytest.raises(TypeError, match="not a int"):
        consents.give(huge, OFFERS, wording="1")
    with pytest.raises(TypeError, match="The wording"):
        consents.give(1, OFFERS, wording=None)  # type: ignore[arg-type]
    assert consents.history(1) == []


# --- Whose consent ---------------------------------------------------------------------------------------------------


def test_nobody_consents_for_somebody_else(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """R8: my number in your row would be read with your consent, once it is loaded from there."""
    configure(consent=consents, consent_max_age=timedelta())
    consents.give(2, OFFERS, wording="1")
    with Session(engine) as session:
        session.add_all([Stored(id=1, phone="+1"), Stored(id=2, phone="+2")])
        session.commit()
        one, two = session.get_one(Stored, 1), session.get_one(Stored, 2)
        assert [reads(one), reads(two)] == [False, True]
        mine, theirs = vars(one)["phone"], vars(two)["phone"]
        with purpose_scope(CARE):
            both = Sealed.join(lambda a, b: f"{a}{b}", mine, theirs)
        for box in (mine, both):
            two.phone = box
            assert not reads(two)
            with pytest.raises(PolicyError, match="somebody else") as refused:
                session.flush()
            assert "+1" not in str(refused.value)
            session.rollback()
            session.add(Stored(id=3, phone=box))
            with pytest.raises(PolicyError, match="somebody else"):
                session.flush()
            session.rollback()
            for statement in (
                insert(Stored).values(id=3, phone=box),
                insert(Stored).values([{"id": 2, "phone": theirs}, {"id": 3, "phone": box}]),
                update(Stored).where(Stored.id == 2).values(phone=box),
            ):
                with pytest.raises(PolicyError, match="consent of the person") as refused:
                    session.execute(statement)
                assert "+1" not in str(refused.value)
                session.rollback()
            with pytest.raises(PolicyError):
                session.bulk_save_objects([Stored(id=3, phone=box)])
            session.rollback()


def test_what_is_the_same_persons_goes_where_she_is(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """Between her rows, through a model, by a bulk statement that says whose it is, and from nobody to a new row."""
    configure(consent=consents, consent_max_age=timedelta())
    consents.give(11, OFFERS, wording="1")
    with Session(engine) as session:
        session.add_all([Stored(id=11, phone="+1"), Own(person=11), Stored(phone=Sealed.of("+3", TAG))])
        session.commit()
        one, own = session.get_one(Stored, 11), session.scalars(select(Own)).one()
        assert reads(one)
        own.phone = vars(to_model(one, Patient))["phone"]
        session.commit()
        assert reads(own)
        session.execute(insert(Own), [{"person": 11, "phone": vars(own)["phone"]}])
        session.execute(update(Own).values(person=11, phone=vars(own)["phone"]))
        merged = session.merge(Own(id=own.id, person=11, phone=vars(own)["phone"]))
        session.commit()
        session.expire_all()
        assert [reads(one) for one in session.scalars(select(Own))] == [True, True]
        assert merged is own
        assert not reads(session.scalars(select(Stored).where(Stored.id != 11)).one())


# --- When a choice counts --------------------------------------------------------------------------------------------


def test_a_withdrawal_counts_from_the_next_read_on(consents: SQLAlchemyConsents) -> None:
    """In this process, however long answers may be kept."""
    configure(consent=consents, consent_max_age=HOUR)
    consents.give(1, OFFERS, wording="1")
    with purpose_scope(OFFERS, subjects=[1]):
        patient = Patient(id=1, phone="+1")
        assert patient.phone == "+1"
        consents.withdraw(1, OFFERS)
        with pytest.raises(PurposeViolation):
            patient.phone
        consents.give(1, OFFERS, wording="2")
        assert patient.phone == "+1"


def test_a_choice_may_be_part_of_the_callers_transaction(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """It counts once that is committed, at once; and never where it is rolled back."""
    configure(consent=consents, consent_max_age=HOUR)
    patient = Patient(id=1, phone="+1")
    consents.give(1, OFFERS, wording="1")
    assert reads(patient)
    with Session(engine) as session:
        consents.withdraw(1, OFFERS, connection=session)
        assert reads(patient), "it is not committed"
        session.rollback()
        assert reads(patient)
        consents.withdraw(1, OFFERS, connection=session)
        assert reads(patient)
        session.commit()
        assert not reads(patient)
    with engine.connect() as connection:
        consents.give(1, OFFERS, wording="2", connection=connection)
        assert not reads(patient)
        connection.commit()
        assert reads(patient)
        with connection.begin_nested() as savepoint:
            consents.withdraw(1, OFFERS, connection=connection)
            savepoint.rollback()
        connection.commit()
        assert reads(patient)
    assert len(consents.history(1)) == 3


def test_a_choice_is_not_the_callers_to_roll_back(tmp_path: Path) -> None:
    """Whoever withdraws has withdrawn, though the request that told of it failed."""
    engine = create_engine(url("postgresql", tmp_path))
    consents = SQLAlchemyConsents(sessionmaker(engine))
    consents.create_table()
    consents.give(1, OFFERS, wording="1")
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE other (id int)"))
        consents.withdraw(1, OFFERS)
        connection.rollback()
    assert consents.consenting([1], OFFERS) == set()
    engine.dispose()


def test_one_store_knows_of_the_others_transaction(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """Two parts of a service, with a store each: what the one holds uncommitted, the other keeps no answer to."""
    other = SQLAlchemyConsents(engine)
    configure(consent=other, consent_max_age=HOUR)
    consents.give(1, OFFERS, wording="1")
    patient = Patient(id=1, phone="+1")
    with purpose_scope(OFFERS, subjects=[1]), engine.connect() as connection:
        assert patient.phone == "+1"
        consents.withdraw(1, OFFERS, connection=connection)
        assert patient.phone == "+1"
        connection.commit()
        with pytest.raises(PurposeViolation):
            patient.phone


def test_a_forgotten_transaction_is_let_go(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """A connection that nobody has any more goes back to its pool, and answers are kept again."""
    connection = engine.connect()
    consents.withdraw(1, OFFERS, connection=connection)
    gone = weakref.ref(connection)
    del connection
    gc.collect()
    assert gone() is None
    consents.give(1, OFFERS, wording="1")  # nobody holds the table
    asked: list[Any] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given))
    configure(consent=consents, consent_max_age=HOUR)
    patient = Patient(id=1, phone="+1")
    with purpose_scope(OFFERS):
        assert patient.phone == "+1"
        before = len(asked)
        assert patient.phone == "+1"
    assert len(asked) == before > 0


def test_what_is_committed_counts_though_what_follows_fails(
    engine: Engine, consents: SQLAlchemyConsents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network goes after the commit: the process that withdrew may not go on as if it had not."""
    configure(consent=consents, consent_max_age=HOUR)
    consents.give(1, OFFERS, wording="1")
    patient, commit = Patient(id=1, phone="+1"), Connection.commit

    def cut(connection: Connection) -> None:
        commit(connection)
        raise OSError("cut off")

    with purpose_scope(OFFERS, subjects=[1]):
        assert patient.phone == "+1"
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "commit", cut)
            with pytest.raises(OSError, match="cut off"):
                consents.withdraw(1, OFFERS)
        with pytest.raises(PurposeViolation):
            patient.phone


def test_a_child_process_asks_on_connections_of_its_own(
    engine: Engine, consents: SQLAlchemyConsents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On those of the parent two would ask at once, and take each other's answers."""
    consents.give(1, OFFERS, wording="1")
    pool = engine.pool
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        monkeypatch.setattr("os.getpid", lambda: -1)
        assert consents.consenting([1], OFFERS) == {1}
        assert engine.pool is not pool
        assert connection.execute(text("SELECT 1")).scalar_one() == 1, "the parent's is left alone"
        own = engine.pool
        assert consents.consenting([1], OFFERS) == {1}
        assert engine.pool is own
    pool.dispose()  # the parent's part


def test_numbers_are_in_the_order_of_the_commits(tmp_path: Path) -> None:
    """PostgreSQL gives numbers when they are asked for. A withdrawal that is committed last must not be an earlier word
    than a consent that came in between: that one waits for it."""
    engine = create_engine(url("postgresql", tmp_path))
    consents = SQLAlchemyConsents(engine, timeout=timedelta(milliseconds=200))
    consents.create_table()
    with engine.begin() as connection:
        consents.withdraw(1, OFFERS, connection=connection)
        with pytest.raises(OperationalError):
            consents.give(1, OFFERS, wording="1")
        consents.give(2, OFFERS, wording="1")
    assert consents.give(1, OFFERS, wording="1").number > consents.history(1)[0].number
    assert consents.consenting([1, 2], OFFERS) == {1, 2}
    engine.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_withdrawal_in_another_process_counts_within_the_bound(database: str, tmp_path: Path) -> None:
    """One process reads in a loop, under a prefetch; this one withdraws.

    Both look at the same clock of the machine. What is claimed is that no read that began later than the configured age
    after the withdrawal was committed went through: how fast either process is does not matter. It would hold if the
    reader had been refused at once, too; that it had read before is told by its first line.
    """
    where, age = url(database, tmp_path), 2.0
    engine = create_engine(where)
    consents = SQLAlchemyConsents(engine)
    consents.create_table()
    for number in range(1, 101):
        consents.give(number, OFFERS, wording="1")
    command = [sys.executable, str(Path(__file__).parent / "consent_reader.py"), where, str(age)]
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as reader:
        assert reader.stdout is not None
        assert json.loads(reader.stdout.readline()) == {"reading": True}
        consents.withdraw(1, OFFERS)
        committed = time.monotonic()
        told = json.loads(reader.stdout.readline())
    assert told["refused"] == "NO_CONSENT"
    assert told["passed"] <= committed + age
    assert told["others"] == 99, "it was refused for her alone"
    assert "+1" not in told["text"]
    engine.dispose()


# --- What cannot be asked --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Somebody else holds the table, and does not let go."""
    bare = create_engine(engine.url)
    with bare.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            connection.exec_driver_sql("LOCK TABLE purposebind_consent IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()
    bare.dispose()


def test_a_store_that_does_not_answer_denies(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """A migration holds the table: who cannot be asked is taken not to consent, and all else goes on."""
    configure(consent=consents, consent_max_age=timedelta())
    consents.give(1, OFFERS, wording="1")
    patient = Patient(id=1, phone="+46 70 1")
    assert reads(patient)
    with locked(engine):
        with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="the consent store failed") as refused:
            patient.phone
        assert refused.value.reason is Reason.NO_CONSENT
        assert "+46" not in str(refused.value)
        assert reads(patient, CARE)
        with pytest.raises(OperationalError):
            consents.withdraw(1, OFFERS)
    assert reads(patient)


def test_a_connection_is_given_back_as_it_was(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """The limits are the store's own: a report on the same connection may take its time."""
    question = "PRAGMA busy_timeout" if engine.dialect.name == "sqlite" else "SHOW statement_timeout"

    def limit() -> Any:
        with engine.connect() as connection:
            return connection.exec_driver_sql(question).scalar_one()

    before = limit()
    consents.give(1, OFFERS, wording="1")
    assert consents.consenting([1], OFFERS) == {1}
    with locked(engine), pytest.raises(OperationalError):
        consents.consenting([1], OFFERS)
    assert limit() == before
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            long = (
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT max(i) FROM n"
            )
            assert connection.execute(text(long)).scalar_one() == 300_000


def test_what_works_for_too_long_is_stopped(tmp_path: Path) -> None:
    """SQLite: a question that holds no lock, and does not end."""
    engine = create_engine(url("sqlite", tmp_path))
    consents = SQLAlchemyConsents(engine, timeout=timedelta(milliseconds=1))
    consents.create_table()
    with pytest.raises(OperationalError, match="interrupted"):
        consents.consenting(range(1_000_000), OFFERS)
    engine.dispose()


def test_no_error_names_a_person(tmp_path: Path) -> None:
    """R7: SQLAlchemy shows the parameters of a statement that failed, and these are people."""
    engine = create_engine(url("sqlite", tmp_path))
    consents = SQLAlchemyConsents(engine)
    for ask in (
        lambda: consents.give(8675309, OFFERS, wording="1"),
        lambda: consents.withdraw(8675309, OFFERS),
        lambda: consents.history(8675309),
        lambda: consents.consenting([8675309], OFFERS),
    ):
        with pytest.raises(StatementError) as failed:
            ask()
        assert "8675309" not in f"{failed.value} {vars(failed.value)}"
    with Session(engine) as session, pytest.raises(StatementError) as failed:
        consents.give(8675309, OFFERS, wording="1", connection=session)
    assert "8675309" not in str(failed.value)
    engine.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_no_log_names_a_person(database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """R7: with ``echo="debug"``, SQLAlchemy logs parameters and rows. Here they are who consents to what."""
    engine = create_engine(url(database, tmp_path), echo="debug")
    consents = SQLAlchemyConsents(engine)
    consents.create_table()
    with caplog.at_level(logging.DEBUG, "sqlalchemy"):
        consents.give(8675309, OFFERS, wording="1")
        assert consents.consenting([8675309], OFFERS) == {8675309}
        assert len(consents.history(8675309)) == 1
        with engine.begin() as connection:
            consents.withdraw(8675309, OFFERS, connection=connection)
            assert connection.engine is engine
            connection.execute(text("SELECT :shown"), {"shown": "shown"})
        with Session(engine) as session:
            consents.give(8675309, OFFERS, wording="2", connection=session)
            session.commit()
    assert "INSERT INTO purposebind_consent" in caplog.text
    assert "8675309" not in caplog.text
    assert "'shown'" in caplog.text, "what is the service's own stays as it was"
    engine.dispose()


def test_no_server_quotes_the_row(tmp_path: Path) -> None:
    """R7: PostgreSQL's DETAIL says which row a constraint refused. A service may have put one on the table."""
    engine = create_engine(url("postgresql", tmp_path))
    consents = SQLAlchemyConsents(engine)
    consents.create_table()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE purposebind_consent ADD CONSTRAINT early CHECK (wording <> 'draft')"))
    number = 8675000 + 309
    for connect in (lambda: contextlib.nullcontext(), engine.begin):
        with pytest.raises(StatementError, match="early") as failed, connect() as connection:
            consents.give(number, OFFERS, wording="draft", connection=connection)
        one: Any = failed.value
        told = [*traceback.format_exception(one), repr(vars(one)), repr(one.orig.diag.message_detail)]
        assert str(number) not in "".join(told)
    engine.dispose()


def test_threads_ask_at_once(engine: Engine, consents: SQLAlchemyConsents) -> None:
    """Each on a connection of its own, while choices are made."""
    configure(consent=consents, consent_max_age=timedelta())
    for number in range(4):
        consents.give(number, OFFERS, wording="1")
    failed: list[BaseException] = []

    def read(number: int) -> None:
        try:
            for _ in range(10):
                assert reads(Patient(id=number, phone="+1"))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


# --- Engines ---------------------------------------------------------------------------------------------------------


def test_an_engine_that_would_not_do_is_refused(tmp_path: Path) -> None:
    """R9: on a connection that everybody shares, a question would end the caller's transaction."""
    shared = create_engine("sqlite://")
    with pytest.raises(PolicyError, match="one that everybody shares"):
        SQLAlchemyConsents(shared)
    shared.dispose()
    with pytest.raises(PolicyError, match="async engine"):
        SQLAlchemyConsents(create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db"))  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="not NoneType"):
        SQLAlchemyConsents(sessionmaker())


def test_its_table_may_be_the_services(tmp_path: Path) -> None:
    """Migrations find it in the metadata; made twice, it is the same."""
    metadata = MetaData()
    engine = create_engine(url("sqlite", tmp_path))
    one, two = (SQLAlchemyConsents(engine, metadata=metadata, table="said") for _ in range(2))
    assert one.table is two.table is metadata.tables["said"]
    metadata.create_all(engine)
    given: Choice = one.give(1, OFFERS, wording="1")
    assert two.history(1) == [given]
    assert isinstance(Customer(id=1, phone="+1"), Customer)
    engine.dispose()
