"""What a comment, a literal and a name are, as each database decides it."""

from __future__ import annotations

import pytest
from sql.relations import catalog

from purposebind.integrations.sql import Catalog, Relation, TaggedColumn, weigh
from purposebind.policy import Policy

CATALOGS = {"postgresql": catalog("postgresql"), "sqlite": catalog("sqlite")}


def read(sql: str, dialect: str) -> bool:
    verdict = weigh(sql, CATALOGS[dialect])
    assert verdict.problem is None, verdict.problem
    return bool(verdict.uses)


NAMES = {
    "postgresql": [
        "PHONE", '"phone"', 'U&"\\0070hone"', 'u&"\\+000070hone"', "U&\"!0070hone\" UESCAPE '!'",
        'account . "phone"', "/* /* x */ y */ phone", "-- x\nphone", "-- x\rphone", "/**/phone/**/",
        "'a' || phone", "E'\\'' || phone", "$$'$$ || phone", "$q$ $$ $q$ || phone", "U&'\\0041' || phone",
        "B'1' || phone", "phone::text", "CAST(phone AS text)", "-phone", "phone COLLATE \"C\"", "1e3 || phone",
        "phone::varchar(10)", "x'1F' || phone", "'a'\n'b' || phone", "ARRAY[phone]", "(ARRAY[phone])[1:2]",
    ],
    "sqlite": [
        "PHONE", '"phone"', "[phone]", "`phone`", "account.'phone'", "'account'.phone", "account . [PHONE]",
        "/* /* */ phone", "-- x\rx\nphone", "'\\' || phone", "x'1F' || phone", "'it''s' || phone", "0x1F || phone",
        "phone COLLATE NOCASE", "phone /* not closed",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "written"), [(d, one) for d, names in NAMES.items() for one in names])
def test_a_name_is_found_however_it_is_written(dialect: str, written: str) -> None:
    """A number would be read under a name in other letters, or behind a literal that ends where nobody thought."""
    sql = "SELECT id FROM account ORDER BY {}" if "not closed" in written else "SELECT {} FROM account"
    assert read(sql.format(written), dialect)


LITERALS = {
    "postgresql": [
        "'phone'", "E'\\' , phone , \\''", "$$ phone $$", "$q$ ' phone $$ $q$", "U&'phone'", "'' -- phone",
        "/* phone */ 'a'", "/* /* */ phone */ 'a'", "'--' || 'phone'", "'''phone'", "N'phone'",
        "'{\"phone\": 1}'::jsonb -> 'phone'", "%(phone)s", ":phone", "%s", "$1", "bio ? 'phone'",
    ],
    "sqlite": ["'phone'", "'\\', 'phone'", "/* /* phone */ 'a'", "'' -- phone", ":phone", "@phone", "?1", "?"],
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "written"), [(d, one) for d, names in LITERALS.items() for one in names])
def test_a_value_is_no_name(dialect: str, written: str) -> None:
    """A statement would be refused for a word in a text, a comment or a parameter."""
    assert not read(f"SELECT {written}\n FROM account", dialect)


UNREADABLE = {
    "postgresql": [
        "SELECT 'x", 'SELECT "x', "SELECT $$x", "SELECT $q$x$$", "SELECT /* /* */ 1", "SELECT U&\"\\00zz\"",
        "SELECT U&\"\\d800\"", "SELECT 1\0", "SELECT U&\"\\+110000\"", "SELECT \\", "SELECT `x`",
    ],
    "sqlite": ["SELECT 'x", 'SELECT "x', "SELECT [x", "SELECT `x", "SELECT 1\0", "SELECT \\"],
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "sql"), [(d, one) for d, texts in UNREADABLE.items() for one in texts])
def test_a_text_that_cannot_be_taken_apart_does_not_pass(dialect: str, sql: str) -> None:
    """The rest of the text would be taken for part of a literal, and never looked at."""
    assert weigh(sql, CATALOGS[dialect]).problem


def test_long_names_are_cut_as_the_server_cuts_them() -> None:
    """A name that PostgreSQL cuts to a tagged one would pass as another."""
    long = "p" * 63
    column = TaggedColumn("t", long, "T.long", Policy([]))
    relation = Relation("t", ("id", long), {long: column})
    assert weigh(f"SELECT {long}xyz FROM t", Catalog("postgresql", [relation])).uses
    assert weigh(f"SELECT {long}xyz FROM t", Catalog("sqlite", [relation])).problem


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_rows_of_parameters_are_folded_and_nothing_else(dialect: str) -> None:
    """A number in the last of a thousand rows would not be looked at, because the rows before it look alike."""
    rows = "(?, ?), " * 50 if dialect == "sqlite" else "($1, $2), " * 50
    mark = "?" if dialect == "sqlite" else "$1"
    assert not read(f"INSERT INTO note (id, body) VALUES {rows}({mark}, {mark})", dialect)
    assert read(f"INSERT INTO note (id, body) VALUES {rows}({mark}, (SELECT phone FROM account))", dialect)
    marks = f"{mark}, " * 50
    assert not read(f"SELECT id FROM account WHERE id IN ({marks}{mark})", dialect)
    assert read(f"SELECT id FROM account WHERE id IN ({marks}phone)", dialect)
    assert read(f"SELECT id FROM account WHERE id IN ({marks}{mark} || phone)", dialect)
