"""The table of statements: each one's verdict in a disallowed, an allowed and no scope, on both databases.

- **R1** What a statement works out of a tagged column is a use; loading, moving and writing it is none.
- **R2**, **R3** A use needs a scope that the column's tag covers; it is refused before the database gets the statement.
- **R8** A statement that copies a tagged column where its policy would not hold is refused in every scope.
- **R9** One that cannot be weighed is, too.

What reached the database is told by the drivers' own traces, below everything of ours; what it holds, by a handle that
is not guarded, in the same transaction. The lines are in `tests/sql`.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from postgres_server import running
from real_parts import need
from sql.driver_lines import DRIVER
from sql.lines import ANY, Line, Verdict
from sql.models import Account, Base, fill
from sql.orm_free_lines import ORM_FREE
from sql.orm_lines import ORM
from sql.raw_lines import RAW
from sql.raw_road_lines import RAW_ROADS
from sql.road_lines import ROADS
from sql.road_use_lines import ROAD_USES
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from purposebind import NoActivePurpose, PolicyError, PurposeError, Sealed, purpose_scope
from purposebind.integrations.sqlalchemy import guard, policy_of

pytestmark = pytest.mark.filterwarnings("ignore:Query.values:DeprecationWarning")  # deprecated, and there

TEXTS = [*RAW, *RAW_ROADS]
OTHERS = [*ORM, *ORM_FREE, *ROAD_USES, *ROADS, *DRIVER]
LINES = [*OTHERS, *TEXTS]
COUNT = 870

_OURS = re.compile(r"sqlite_temp_master|pragma_table_xinfo|pg_get_viewdef|pg_catalog\.pg_cursors")
"""What the guard itself asks of the database, and what psycopg does, of a cursor that it closes."""
_FRAME = re.compile(r"--|\s*(BEGIN|SAVEPOINT|RELEASE|ROLLBACK|COMMIT|DEALLOCATE)\b", re.IGNORECASE)
_CHANGES = [
    "UPDATE account SET phone = 'q' || (10 - id), email = CASE id WHEN 1 THEN NULL ELSE 'q' END",
    "UPDATE device SET serial = 'q' || (10 - id)",
    "UPDATE audience SET phone = NULL",
    "UPDATE employee SET salary = 0",
    "UPDATE customer SET card = 'q'",
]
_TABLES = [table.name for table in Base.metadata.sorted_tables]


class Database:
    """A guarded engine on a filled database, with what tells what reached it, and what it holds."""

    def __init__(self, engine: Engine) -> None:
        self.attempted: list[str] = []
        event.listen(engine, "before_cursor_execute", self._attempt)  # asked before the guard, for it is there first
        self.engine = guard(engine, Base.metadata)
        with engine.connect() as connection:
            self.base = self.holds(connection)

    def _attempt(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self.attempted.append(statement)

    def close(self) -> None:
        self.engine.dispose()

    def change(self, connection: Connection) -> None:
        """Change every tagged value there is."""
        raise NotImplementedError

    def start(self, connection: Connection) -> None:
        """Note what reaches the database from now on."""
        raise NotImplementedError

    def reached(self, connection: Connection) -> list[str]:
        """Return what reached the database since, without what frames it and what the guard asks."""
        raise NotImplementedError

    def holds(self, connection: Connection) -> Any:
        """Return all that the database holds, seen from inside of the transaction."""
        raise NotImplementedError


class Sqlite(Database):
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{self._folder.name}/accounts.db"
        _filled(url)
        engine = create_engine(url, poolclass=StaticPool)

        # Left to itself, the driver begins no transaction before DDL, so that a rollback would leave it there.
        @event.listens_for(engine, "connect")
        def connected(connection: Any, record: Any) -> None:
            connection.isolation_level = None

        @event.listens_for(engine, "begin")
        def begun(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        super().__init__(engine)

    def start(self, connection: Connection) -> None:
        self._seen: list[str] = []
        self._of(connection).set_trace_callback(self._seen.append)

    def reached(self, connection: Connection) -> list[str]:
        self._of(connection).set_trace_callback(None)
        return _told(self._seen)

    def holds(self, connection: Connection) -> Any:
        made = self._around(connection)
        tables = {name: made.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in _TABLES}
        return tables, made.execute("SELECT name FROM sqlite_master ORDER BY 1").fetchall()

    def close(self) -> None:
        super().close()
        self._folder.cleanup()

    def change(self, connection: Connection) -> None:
        for statement in _CHANGES:
            self._around(connection).execute(statement)

    def _around(self, connection: Connection) -> sqlite3.Cursor:
        return sqlite3.Cursor(self._of(connection))  # a way round the guard: see the drivers' docstring

    def _of(self, connection: Connection) -> Any:
        return connection.connection.dbapi_connection


class Postgresql(Database):
    def __init__(self) -> None:
        need("initdb")
        parts = dict(part.split("=") for part in running().new_database().split())
        url = f"postgresql+psycopg://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
        _filled(url)
        super().__init__(create_engine(url, poolclass=StaticPool))

    def start(self, connection: Connection) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when it is read
        self._of(connection).trace(self._file.fileno())

    def reached(self, connection: Connection) -> list[str]:
        self._of(connection).untrace()
        self._file.seek(0)
        # What the client sends: a query, or a statement to prepare; a prepared one is bound.
        found = re.findall(
            r'^\S+ \S+\tF\t\d+\t(?:Query|Parse)\t (?:"\S*" )?"(.*?)"', self._file.read().decode(), re.M | re.S
        )
        self._file.close()
        return _told(found)

    def holds(self, connection: Connection) -> Any:
        rows = ", ".join(f"(SELECT json_agg(x ORDER BY x.id) FROM {name} x)" for name in _TABLES)
        result = self._of(connection).exec_(f"SELECT {rows}, (SELECT json_agg(relname) FROM pg_class)".encode())
        return [result.get_value(0, column) for column in range(len(_TABLES) + 1)]

    def change(self, connection: Connection) -> None:
        for statement in _CHANGES:
            self._of(connection).exec_(statement.encode())

    def _of(self, connection: Connection) -> Any:
        made: Any = connection.connection.dbapi_connection
        return made.pgconn


def _filled(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        fill(connection)
    engine.dispose()


def _told(statements: list[str]) -> list[str]:
    return [one for one in statements if not _FRAME.match(one) and not _OURS.search(one)]


def _became(error: PurposeError | None) -> str:
    if error is None:
        return "passes"
    if isinstance(error, PolicyError):
        found = [verdict for verdict in (Verdict.COPY, Verdict.REFUSED) if _SAYS[verdict] in str(error)]
        return found[0].value[0] if len(found) == 1 else str(error)
    return type(error).__name__


_SAYS = {Verdict.COPY: "may not be copied into", Verdict.REFUSED: "what it uses cannot be told"}


_MADE: dict[str, Database] = {}


def database(dialect: str) -> Database:
    """Return the one database of a kind, made when it is first asked for."""
    if dialect not in _MADE:
        _MADE[dialect] = Sqlite() if dialect == "sqlite" else Postgresql()
    return _MADE[dialect]


@pytest.fixture(scope="module", autouse=True)
def _disposed() -> Iterator[None]:
    yield
    while _MADE:
        _MADE.popitem()[1].close()


def outcome(line: Line, dialect: str, scope: AbstractContextManager[Any], changed: bool = False) -> tuple[str, Any]:
    """Run a line and take it back. Return what became of it, and what it gave back.

    Args:
        line: The line.
        dialect: Where to run it.
        scope: What to run it in.
        changed: Whether every tagged value is another one.
    """
    at = database(dialect)
    with at.engine.connect() as connection:
        transaction = connection.begin()
        if changed:
            at.change(connection)
        session = Session(bind=connection, autoflush=False)
        at.attempted.clear()
        at.start(connection)
        error: PurposeError | None = None
        given = None
        try:
            with scope:
                given = line.run(session)
        except PurposeError as refusal:
            error = refusal
        finally:
            reached = at.reached(connection)
        _sealed(session)
        if error is not None:
            if "SQL statement" in str(error):
                assert len(reached) <= max(len(at.attempted) - 1, 0), reached
            assert changed or at.holds(connection) == at.base, "a refused statement changed the database"
        session.close()
        if transaction.is_active:  # a flush that fails has taken it back
            transaction.rollback()
    return _became(error), given


def _sealed(session: Session) -> None:
    for entity in session.identity_map.values():
        for attribute in type(entity).__mapper__.column_attrs:  # type: ignore[attr-defined]
            value = vars(entity).get(attribute.key)
            if policy_of(attribute.columns[0]) is not None and value is not None:
                assert type(value) is Sealed, attribute


@pytest.mark.parametrize(
    ("line", "dialect"),
    [pytest.param(line, dialect, id=f"{dialect}: {line.name}") for line in LINES for dialect in line.dialects],
)
def test_a_statement_passes_only_where_its_columns_may_be_used(line: Line, dialect: str) -> None:
    """Otherwise a person's number picks the ads they see, by a statement that nobody thought of as a read."""
    scopes = (purpose_scope(line.disallowed), purpose_scope(line.allowed), nullcontext())
    found = [outcome(line, dialect, scope) for scope in scopes]
    assert tuple(became for became, _ in found) == line.verdict.value
    for became, given in found:
        if became == "passes" and line.rows is not ANY:
            assert given == line.rows


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        pytest.param(line, dialect, id=f"{dialect}: {line.name}")
        for line in LINES
        if line.verdict is Verdict.FREE and line.rows is not ANY
        for dialect in line.dialects
    ],
)
def test_what_uses_nothing_gives_the_same_whatever_the_tagged_values_are(line: Line, dialect: str) -> None:
    """Otherwise it tells something of a person's number, and passes in every scope."""
    assert outcome(line, dialect, nullcontext(), changed=True) == ("passes", line.rows)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_reaches_the_database_is_seen(dialect: str) -> None:
    """A trace that sees nothing would let a refused statement through to a person's data, and this file be green."""
    at = database(dialect)
    with at.engine.connect() as connection:
        with connection.begin() as transaction:
            before = at.holds(connection)
            at.start(connection)
            connection.exec_driver_sql("UPDATE plain SET words = 'other'")
            assert at.reached(connection) == ["UPDATE plain SET words = 'other'"]
            assert at.holds(connection) != before
            transaction.rollback()
        assert at.holds(connection) == before


@pytest.mark.parametrize("text", ["{} /*trace='1'*/", "/* a */ /* b */ {}", "/*x*/\n{}\n/*y*/ "])
def test_a_comment_that_a_tracing_library_adds_changes_nothing(tmp_path: Path, text: str) -> None:
    """A service that is traced could load no person's account, or would leave the guard out to do so."""
    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    _filled(url)
    engine = create_engine(url)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def commented(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return text.format(statement), parameters

    guard(engine, Base.metadata)
    with Session(engine) as session:
        assert [account.handle for account in session.scalars(select(Account).order_by(Account.id))] == ["ada", "bob"]
        with pytest.raises(NoActivePurpose):
            session.scalars(select(Account.phone)).all()
    engine.dispose()


@pytest.mark.parametrize("swapped", ["upper(account.phone)", "account.email /* */", "account.phone, account.phone"])
def test_another_text_than_was_compiled_moves_nothing(tmp_path: Path, swapped: str) -> None:
    """What a listener makes of a statement would bring a person's number back as something else."""
    url = f"sqlite:///{tmp_path / 'accounts.db'}"
    _filled(url)
    engine = create_engine(url)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def changed(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return statement.replace("account.handle", swapped), parameters

    guard(engine, Base.metadata)
    with Session(engine) as session:
        for statement in (select(Account), select(Account.handle)):
            with pytest.raises(NoActivePurpose):
                session.scalars(statement).all()
    engine.dispose()


def test_the_table_is_long() -> None:
    """A table that lost its lines would prove that nobody's data is safe but by a handful of roads."""
    texts = {line.name.partition(": ")[2] for line in TEXTS}
    others = [line.name for line in OTHERS]
    assert len(set(others)) == len(others)
    assert len(texts) + len(others) >= COUNT
    for verdict in Verdict:
        assert sum(line.verdict is verdict for line in LINES) >= 8
