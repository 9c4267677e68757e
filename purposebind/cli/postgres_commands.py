"""``purposebind postgres``: roles and column grants, written from the tags and held against a database.

Needs the extra ``postgres``. ``ddl`` prints SQL. ``check`` exits with 1 where it found something, and both exit with 2
where there is no answer.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Annotated, Any, Final

import typer

from purposebind import PolicyError, Purpose, PurposeError

from .answers import show
from .ledger_options import AsCsv, AsJson, fail, form_of

__all__ = ["group"]

group = typer.Typer(name="postgres", no_args_is_help=True, rich_markup_mode=None)

_VARIABLE: Final = "PURPOSEBIND_POSTGRES_URL"

_Where = Annotated[
    list[str],
    typer.Argument(
        metavar="MODULE:METADATA...",
        help="Where the tables are: shop.tables:metadata, or shop.models:Base. A module by itself, shop.jobs, is only "
        "looked through for purposes and scopes.",
    ),
]
_Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="'A,B'",
        help="Purposes that are active together. May be given several times. A scope of one "
        "purpose, and scopes that the modules show one inside the other, are found without.",
    ),
]
_Prefix = Annotated[str, typer.Option("--prefix", metavar="NAME", help="What the roles' names begin with.")]
_Schema = Annotated[str, typer.Option("--schema", metavar="NAME", help="The schema of tables that name none.")]


@group.callback()
def _postgres() -> None:
    """Let PostgreSQL refuse too: a role for each set of purposes, with column grants."""


@group.command("ddl")
def _ddl(
    where: _Where,
    sets: _Sets = None,
    prefix: _Prefix = "purposebind",
    schema: _Schema = "public",
    login: Annotated[
        list[str] | None,
        typer.Option("--login", metavar="NAME", help="A login that may take each role. May be given several times."),
    ] = None,
) -> None:
    """Print the SQL that makes the roles and their grants.

    It may be applied again at any time: what the tags no longer allow is revoked. One transaction holds all of it.
    """
    try:
        from purposebind.integrations.postgres import ddl

        metadata, found = _found(where, sets)
        told = ddl(metadata, found, prefix=prefix, schema=schema, logins=login or ())
    except PurposeError as error:
        fail(str(error))
    print(f"BEGIN;\n\n{told}\nCOMMIT;")


@group.command("check")
def _check(
    where: _Where,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar=_VARIABLE,
            show_default=False,
            help="The database, as SQLAlchemy writes it: postgresql+psycopg://user@host/database. A password belongs "
            "into the variable, PGPASSWORD or ~/.pgpass, and not onto the command line.",
        ),
    ] = None,
    sets: _Sets = None,
    prefix: _Prefix = "purposebind",
    schema: _Schema = "public",
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept",
            metavar="NAME",
            help="The subject of a finding that somebody has looked at. May be given several times.",
        ),
    ] = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Find what is not as the tags say, and what goes round the column grants.

    It reads the catalog of the database, and changes nothing.

    Exits with 0 where there is nothing, with 1 where there is something, and with 2 where there is no answer.
    """
    form = form_of(as_json, as_csv)
    if not url:
        fail(f"Which database? Give it with --url, or set {_VARIABLE}.")
    try:
        from purposebind.integrations.postgres import check

        metadata, known = _found(where, sets)
        engine = _engine(url)
        try:
            with engine.connect() as connection:
                found = check(connection, metadata, known, prefix=prefix, schema=schema, accept=accept or ())
        finally:
            engine.dispose()
    except PurposeError as error:
        fail(str(error))
    except Exception as error:
        if not type(error).__module__.startswith("sqlalchemy"):
            raise
        fail(f"The database gives no answer: {_told(error)}")
    columns = ["kind", "subject", "detail", "remedy"]
    show(columns, [vars(one) for one in found], form, nothing="The database is as the tags say.")
    raise typer.Exit(1 if found else 0)


def _engine(url: str) -> Any:
    from sqlalchemy import create_engine
    from sqlalchemy.engine import make_url
    from sqlalchemy.pool import NullPool

    try:
        made = make_url(url)
    except Exception:  # which may quote it, with the password in it
        raise PolicyError(
            "The database gives no answer: --url is no address of one. Write postgresql+psycopg://user@host/database; "
            "in a password, @ : / and % are written as %40 %3A %2F %25."
        ) from None
    if made.get_backend_name() != "postgresql":
        raise PolicyError("--url is of no PostgreSQL database. Write postgresql+psycopg://user@host/database.")
    try:
        return create_engine(made.set(drivername="postgresql+psycopg"), poolclass=NullPool)
    except ModuleNotFoundError:
        raise PurposeError("psycopg is not installed. Install it with: pip install 'purposebind[postgres]'") from None


def _told(error: Exception) -> str:
    original = getattr(error, "orig", None)
    return str(error if original is None else original).strip()  # without the statement


def _found(where: list[str], sets: list[str] | None) -> tuple[list[Any], set[frozenset[Purpose]]]:
    """The metadata, and the sets of purposes, that the command line names."""
    from sqlalchemy import MetaData

    from purposebind.integrations.postgres.activated import sets_in

    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    metadata: list[Any] = []
    modules: list[ModuleType] = []
    for one in where:
        name, _, path = one.partition(":")
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            raise PurposeError(f"There is no module {error.name}.") from None
        modules.append(module)
        value: Any = module
        for part in path.split(".") if path else ():
            value = getattr(value, part, None)
        if path:
            value = getattr(value, "metadata", value)  # a declarative base, or a registry
            if not isinstance(value, MetaData):
                raise PurposeError(f"{one} is no MetaData of SQLAlchemy, and has none.")
            metadata.append(value)
    if not metadata:
        raise PurposeError("Which tables? Name their metadata: MODULE:metadata, or MODULE:Base.")
    given = {frozenset(Purpose.find(part.strip()) for part in one.split(",")) for one in sets or ()}
    return metadata, given.union(*(sets_in(module) for module in modules))
