"""What values were collected for, when, and on whose consent, on PostgreSQL: with both drivers, and under roles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from collected_tables import CODES, KEPT, LOGIN, OFFERS, Base, Letter, Person, Premium, Reader
from postgres_tables import Database, made
from real_parts import need
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, load_only

from purposebind import (
    PolicyError,
    Purpose,
    PurposeViolation,
    collected_for,
    configure,
    purpose_scope,
)
from purposebind.integrations.postgres import assume_roles
from purposebind.integrations.sqlalchemy import SQLAlchemyConsents, guard

need("initdb")

NOW = datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with made(Base.metadata) as database:
        yield database


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """With roles, which one connection takes in turn."""
    engine = database.engine(database.login, pool_size=1, max_overflow=0)
    guard(engine, Base.metadata)
    assume_roles(engine, Base.metadata, prefix=database.prefix)
    yield engine
    engine.dispose()
    database.run("TRUNCATE person, premium, card, letter, reader")


def reads(entity: Any, name: str, purpose: Purpose) -> bool:
    with purpose_scope(purpose):
        try:
            getattr(entity, name)
        except PurposeViolation:
            return False
    return True


def test_the_server_gives_no_role_what_it_would_have_to_ask_for(database: Database) -> None:
    """A grant knows no rows: a role that could select the column would have it for whatever it was collected for, for
    ever, and without consent. What needs no condition, it may."""
    login, offers = database.role(LOGIN), database.role(OFFERS)
    assert database.rows("SELECT other FROM person", login) == []
    assert database.rows("SELECT mail FROM reader", login) == []
    for role, sql in (
        (login, "SELECT phone FROM person"),
        (login, "SELECT fax FROM premium"),
        (login, "SELECT address FROM letter"),
        (offers, "SELECT mail FROM reader"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.rows(sql, role)
    assert database.rows("SELECT phone_collected_for FROM person", login) == []


def test_entities_are_written_and_loaded_under_roles(engine: Engine, database: Database) -> None:
    """The loader may have it, sealed; so all works as without roles, in any scope and in none."""
    with Session(engine) as session:
        with collected_for(CODES):
            session.add(Premium(id=1, phone="+1", fax="+2"))
        session.add(Person(id=2, phone="+3"))
        session.add_all(
            [Letter(id=1, address="x", collected_at=NOW), Letter(id=2, address="y", collected_at=NOW - KEPT)]
        )
        session.commit()
        ada = session.get_one(Person, 1)
        for name in ("phone", "fax"):
            assert [reads(ada, name, one) for one in (CODES, LOGIN, OFFERS)] == [True, False, False]
        with purpose_scope(OFFERS):
            ada.phone = "+4"
            session.commit()
        with purpose_scope(CODES):
            bob = session.scalars(select(Person).options(load_only(Person.phone)).where(Person.id == 2)).one()
        assert [reads(one, "phone", OFFERS) for one in (ada, bob)] == [True, True]
        assert [reads(one, "address", LOGIN) for one in session.scalars(select(Letter).order_by(Letter.id))] == [
            True,
            False,
        ]
    assert database.rows("SELECT phone_collected_for FROM person ORDER BY id") == [(None,), (None,)]
    assert database.rows("SELECT fax_collected_for FROM premium") == [("cdb_login.codes",)]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_async_sessions_keep_it(database: Database, engine: Engine, driver: str) -> None:
    """The companion is written and read in the same statements, whoever carries them to the server."""

    async def run() -> None:
        made = guard(database.async_engine(driver), Base.metadata)
        assume_roles(made, Base.metadata, prefix=database.prefix)
        async with AsyncSession(made, expire_on_commit=False) as session:
            with collected_for(CODES):
                session.add_all([Person(id=number, phone=f"+{number}") for number in range(1, 6)])
            session.add(Letter(id=1, address="x", collected_at=NOW - KEPT + timedelta(hours=1)))
            await session.commit()
            session.expunge_all()
            people = list(await session.scalars(select(Person).order_by(Person.id)))
            assert not any(reads(one, "phone", LOGIN) for one in people)
            assert all(reads(one, "phone", CODES) for one in people)
            assert reads(await session.get_one(Letter, 1), "address", LOGIN)
            with collected_for(OFFERS):
                people[0].phone = "+9"
            people[1].phone = "+8"
            await session.commit()
            await session.refresh(people[0], ["phone"])
            assert [reads(one, "phone", LOGIN) for one in people[:3]] == [False, True, False]
        await made.dispose()

    asyncio.run(run())


def test_statements_do_not_part_a_value_and_its_word(database: Database, engine: Engine) -> None:
    """PostgreSQL's own ways to write: an upsert, UPDATE ... FROM, MERGE, a view that can be written to."""
    bare = guard(database.engine(), Base.metadata)  # the server lets no role without the column name what is excluded
    with Session(bare) as session:
        with collected_for(CODES):
            session.add(Person(id=1, phone="+1"))
        session.commit()
        ada = session.get_one(Person, 1)
        assert reads(ada, "phone", CODES)
        box = vars(ada)["phone"]
        row = {"id": 1, "kind": "person", "phone": box, "phone_collected_for": ["cdb_login.codes"]}
        written = upsert(Person).values(row)
        taken = {"phone": written.excluded.phone, "phone_collected_for": written.excluded.phone_collected_for}
        session.execute(written.on_conflict_do_update(index_elements=["id"], set_=taken))
        session.commit()
        refused = (
            written.on_conflict_do_update(index_elements=["id"], set_={"phone": written.excluded.phone}),
            written.on_conflict_do_update(index_elements=["id"], set_={"phone": box}),
            written.on_conflict_do_update(index_elements=["id"], set_={"phone_collected_for": None}),
            text("UPDATE person p SET phone_collected_for = NULL FROM card c WHERE c.person_id = p.id"),
            text("UPDATE person SET (handle, phone_collected_for) = ('x', NULL)"),
            text(
                "MERGE INTO person p USING card c ON c.person_id = p.id "
                "WHEN MATCHED THEN UPDATE SET phone_collected_for = NULL"
            ),
            text("WITH a AS (UPDATE person SET phone_collected_for = NULL RETURNING id) SELECT id FROM a"),
            text("ALTER TABLE person ALTER COLUMN phone_collected_for TYPE text USING NULL"),
            update(Person).values(other=Person.phone),
            insert(Person).from_select(["id", "kind", "phone"], select(Person.id + 1, Person.kind, Person.phone)),
        )
        for statement in refused:
            with purpose_scope(CODES), pytest.raises((PolicyError, PurposeViolation)):
                session.execute(statement)
            session.rollback()


def test_a_view_that_can_be_written_to_is_no_way_round(database: Database, engine: Engine) -> None:
    """PostgreSQL writes through simple views, where the word has no companion."""
    database.run("CREATE VIEW shown AS SELECT id, phone_collected_for AS said, phone FROM person")
    made = guard(database.engine(), Base.metadata)
    try:
        with made.connect() as connection, pytest.raises(PolicyError, match="a view of rows that say"):
            connection.execute(text("UPDATE shown SET said = NULL"))
        with made.connect() as connection, purpose_scope(CODES), pytest.raises(PurposeViolation):
            connection.execute(text("SELECT phone FROM shown"))
    finally:
        made.dispose()
        database.run("DROP VIEW shown")


def test_a_consent_store_under_roles_is_in_the_metadata(database: Database) -> None:
    """Its table has no tag, so that every role may read it and add to it."""
    owner = database.engine()
    consents = SQLAlchemyConsents(owner, metadata=Base.metadata, table="said")
    consents.create_table()
    database.apply()
    engine = guard(database.engine(database.login), Base.metadata)
    assume_roles(engine, Base.metadata, prefix=database.prefix)
    try:
        ours = SQLAlchemyConsents(engine, metadata=Base.metadata, table="said")
        configure(consent=ours)
        with Session(engine) as session:
            session.add_all([Reader(id=1, mail="a@x.example"), Reader(id=2, mail="b@x.example")])
            session.commit()
            with purpose_scope(OFFERS):
                ours.give(1, OFFERS, wording="2026-03")
            people = session.scalars(select(Reader).order_by(Reader.id)).all()
            assert [reads(one, "mail", OFFERS) for one in people] == [True, False]
            with purpose_scope(LOGIN):
                ours.withdraw(1, OFFERS)
                assert session.scalar(select(func.count(Reader.mail))) == 2, "for this purpose no consent is needed"
            assert [reads(one, "mail", OFFERS) for one in people] == [False, False]
            with purpose_scope(OFFERS), pytest.raises(PurposeViolation, match="can ask no data subject"):
                session.scalar(select(func.count(Reader.mail)))
    finally:
        engine.dispose()
        owner.dispose()
        Base.metadata.remove(consents.table)
