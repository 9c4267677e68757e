"""`SQLAlchemyConsents`: what data subjects said about purposes, in a table of a database, with its history.

What this module keeps:

- Choices are added, and never changed: the last one counts, and all are there to be shown. Of two choices of one person
  the later is the one that was committed later.
- A withdrawal counts as soon as it is committed. It is committed at once, on a connection of its own, or with the
  caller's transaction; and nothing that was heard before is kept then.
- A database that does not answer in time raises, which denies.
- **R7** Who was asked about stands in no error, and in no log.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from weakref import ref

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    bindparam,
    cast,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, sessionmaker

from purposebind import Purpose
from purposebind.consent import Choice, changed, in_force

from .cataloging import harmless
from .consent_parts import engine_of, hidden, made_table, sqlite_in_time, text_of, text_or_none, unquoted

__all__ = ["SQLAlchemyConsents"]


class SQLAlchemyConsents:
    """A `ConsentStore` in a database: SQLite or PostgreSQL.

    It may use the engine of the service, guarded or not, in any scope: its table holds no tagged column. Each question
    is one statement, whatever the number of people.

    Args:
        engine: An engine that is not async, or a `sessionmaker` with one. Its pool has to give several connections.
        metadata: Where its table belongs, such as ``Base.metadata``, so that migrations and roles know it. Without one
            it is in metadata of its own.
        table: The table's name.
        schema: The table's schema.
        timeout: How long a question may take, once there is a connection. What takes longer is refused. How long it may
            take to get one is the engine's to say: ``pool_timeout=``, and the driver's ``connect_timeout``.

    Raises:
        PolicyError: The engine is of another database, is async, or has one connection that everybody shares.

    Example:
        >>> import tempfile, sqlalchemy
        >>> from purposebind import Purpose, configure
        >>> folder = tempfile.TemporaryDirectory()
        >>> engine = sqlalchemy.create_engine(f"sqlite:///{folder.name}/consents.db")
        >>> consents = SQLAlchemyConsents(engine)
        >>> consents.create_table()
        >>> tastings = Purpose("tastings", "Invite to tastings")
        >>> _ = consents.give(17, tastings, wording="2026-03")
        >>> consents.consenting([17, 18], tastings)
        {17}
        >>> _ = consents.withdraw(17, tastings)
        >>> [(choice.given, choice.wording) for choice in consents.history(17)]
        [(True, '2026-03'), (False, '')]
        >>> engine.dispose()
        >>> folder.cleanup()
    """

    def __init__(
        self,
        engine: Engine | sessionmaker[Any],
        *,
        metadata: MetaData | None = None,
        table: str = "purposebind_consent",
        schema: str | None = None,
        timeout: timedelta = timedelta(seconds=2),
    ) -> None:
        self._engine = hidden(engine_of(engine))
        self._milliseconds = max(1, round(timeout / timedelta(milliseconds=1)))
        self._process = os.getpid()
        self.table = made_table(MetaData() if metadata is None else metadata, table, schema)
        harmless(self.table)

    def create_table(self) -> None:
        """Make the table where it is not there. A service with migrations has them make it: `table` describes it."""
        self.table.create(self._engine, checkfirst=True)

    def give(
        self, subject: Any, purpose: Purpose, *, wording: str, connection: Connection | Session | None = None
    ) -> Choice:
        """Record that a person consents to `purpose` and its descendants.

        Args:
            subject: The value of the `SubjectId` field: an int, a str or a UUID.
            purpose: What for.
            wording: The version of the words that the person was shown, such as ``"2026-03"``.
            connection: The connection or session of a transaction that it is to be part of. Without one it is committed
                at once, whatever becomes of the caller's transaction.
        """
        return self._record(subject, purpose, True, wording, connection)

    def withdraw(
        self, subject: Any, purpose: Purpose, *, wording: str = "", connection: Connection | Session | None = None
    ) -> Choice:
        """Record that a person does not consent to `purpose` and its descendants, any more or at all.

        The arguments are those of `give`.
        """
        return self._record(subject, purpose, False, wording, connection)

    def history(self, subject: Any) -> list[Choice]:
        """Return all that a person said, the oldest first."""
        rows = self.table.c
        query = select(rows.purpose, rows.given, rows.at, rows.wording, rows.id)
        with self._in_time() as connection:
            found = connection.execute(query.where(rows.subject == text_of(subject)).order_by(rows.id)).all()
        return [Choice(purpose, given, _utc(at), wording, number) for purpose, given, at, wording, number in found]

    def consenting(self, subjects: Iterable[Any], purpose: Purpose, /) -> set[Any]:
        """Return those of `subjects` who consent to `purpose` now. Who cannot be in the table does not.

        Raises:
            SQLAlchemyError: The database does not answer, or not in time.
        """
        asked = {text: subject for subject in subjects if (text := text_or_none(subject)) is not None}
        unsettled = _unsettled()
        line = sorted(one.name for one in purpose.ancestors)
        with self._in_time() as connection:
            given = {"subjects": self._listed(asked), "purposes": self._listed(line)}
            said = connection.execute(self._last(), given).all()
        if unsettled:  # one of them may have been committed since: nothing of this is to be kept
            changed()
        return {asked[subject] for subject in _consenting(said, purpose)}

    def _last(self) -> Any:
        """The last choice of each person for each purpose: twice its number, and one more where consent was given."""
        rows = self.table.c
        last = select(rows.subject, rows.purpose, func.max(rows.id * 2 + cast(rows.given, Integer)))
        asked = (rows.subject.in_(self._in("subjects")), rows.purpose.in_(self._in("purposes")))
        return last.where(*asked).group_by(rows.subject, rows.purpose)

    def _in(self, name: str) -> Any:
        """The members of a list that is one parameter: SQLite takes so many, and a text each would be weighed anew."""
        if self._engine.dialect.name == "sqlite":
            each = func.json_each(bindparam(name, type_=String())).table_valued("value")
            return select(each.c.value)
        return select(func.unnest(bindparam(name, type_=ARRAY(String()))))

    def _listed(self, texts: Iterable[str]) -> Any:
        if self._engine.dialect.name == "sqlite":
            return json.dumps(list(texts))
        return list(texts)

    def _record(
        self, subject: Any, purpose: Purpose, given: bool, wording: str, connection: Connection | Session | None
    ) -> Choice:
        if not isinstance(wording, str):
            raise TypeError(
                f"The wording of a choice is the version that was shown, a str, not a {type(wording).__name__}."
            )
        choice, person = Choice(purpose.name, given, datetime.now(timezone.utc), wording), text_of(subject)
        try:
            return self._written(person, choice, connection)
        finally:  # it may be committed, though what came after failed
            changed()

    def _written(self, person: str, choice: Choice, connection: Connection | Session | None) -> Choice:
        if connection is None:
            with self._in_time() as own:
                made = self._add(own, person, choice)
                own.commit()
        else:
            theirs = connection.connection() if isinstance(connection, Session) else connection
            if not isinstance(theirs, Connection):
                raise TypeError(
                    f"connection= takes a Connection or a Session, not {type(connection).__name__}. Of an async "
                    "one: await session.run_sync(lambda session: consents.withdraw(..., connection=session))."
                )
            usual = theirs.engine
            theirs.engine = hidden(usual)
            try:
                with unquoted():
                    made = self._add(theirs, person, choice)
            finally:
                theirs.engine = usual
            _open.add(ref(theirs.get_transaction()))
        return made

    def _add(self, connection: Connection, person: str, choice: Choice) -> Choice:
        if connection.dialect.name == "postgresql":  # numbers are given in the order of the commits, for each person
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(person))))
        values = {"purpose": choice.purpose, "given": choice.given, "at": choice.at, "wording": choice.wording}
        done = connection.execute(insert(self.table).values(subject=person, **values))
        key: Any = done.inserted_primary_key
        return replace(choice, number=key[0])

    @contextlib.contextmanager
    def _in_time(self) -> Generator[Connection]:
        """A connection of our own, on which the database stops what takes too long."""
        if self._process != os.getpid():  # those of the pool are the parent's, who is answered on them
            self._engine.dispose(close=False)
            self._process = os.getpid()
        with unquoted(), self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                with sqlite_in_time(connection, self._milliseconds):
                    yield connection
            else:
                driver: Any = connection.connection.dbapi_connection
                if driver.autocommit:  # where nothing would be local to a transaction
                    connection.execution_options(isolation_level="READ COMMITTED")
                for setting in ("statement_timeout", "lock_timeout"):
                    connection.exec_driver_sql(f"SET LOCAL {setting} = {self._milliseconds}")
                yield connection


_LOCK = 1_347_769_188
"""What the locks of this module are told apart by from others of the same database."""


_open: set[ref[Any]] = set()
"""Transactions of callers that hold choices, whichever store they were given to."""


def _unsettled() -> bool:
    """Whether transactions of callers that hold choices are open. Those that are over are forgotten."""
    for one in list(_open):
        transaction = one()
        if transaction is None or not transaction.is_active:
            _open.discard(one)
    return bool(_open)


def _consenting(said: Iterable[Any], purpose: Purpose) -> Iterator[str]:
    """Yield the people, as texts, whose last choices make a consent."""
    if purpose.parent is None:
        yield from (subject for subject, _, last in said if last % 2)
        return
    people: dict[str, list[tuple[str, int]]] = {}
    for subject, name, last in said:
        people.setdefault(subject, []).append((name, last))
    for subject, choices in people.items():
        if len(choices) == 1:  # nearly all have said one thing
            consents = bool(choices[0][1] % 2)
        else:
            last = {name: Choice(name, bool(one % 2), _EPOCH, number=one // 2) for name, one in choices}
            consents = in_force(last, purpose)
        if consents:
            yield subject


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc)
