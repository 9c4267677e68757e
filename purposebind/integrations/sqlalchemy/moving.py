"""Which columns of a compiled statement are the loading of an entity, so that they come back sealed.

What this module keeps:

- **R1** A column of an entity stays sealed on its way; a column that was asked for by itself comes back plain, and is a
  use. Which is which is known while a statement is compiled, and nowhere later.
- **R8** What a box says beyond its column's tag is written by the statement that writes the value, into the same row,
  or the statement is not run. So is what `collected_for` says of a plain value.

Of what is read nothing is decided here: the analyser is told which places come back sealed, and whether what stands
there is the bare column is for it to say, of the final text.
"""

from __future__ import annotations

import re
from copy import copy
from typing import Any, Final

from sqlalchemy import ARRAY, Alias, FromClause
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ColumnElement, Label, Null
from sqlalchemy.util import memoized_property

from purposebind import Sealed
from purposebind.holding import collected_here, deadline
from purposebind.policy import Policy

from .collected_type import CollectedFor, names_of, purposes_in
from .sealed_type import Kept, SealedType, policy_of, unsaid

__all__ = ["Moved", "comes_sealed", "moved_by", "telling_compiler"]

_known: dict[type[SQLCompiler], type[SQLCompiler]] = {}


def telling_compiler(compiler: type[SQLCompiler]) -> type[SQLCompiler]:
    """Return `compiler`, of a dialect, so that what it compiles tells the places that come back sealed."""
    if issubclass(compiler, _Telling):
        return compiler
    if compiler not in _known:
        _known[compiler] = type(compiler.__name__, (_Telling, compiler), {})
    return _known[compiler]


_NUMBER: Final = re.compile(r"(_m\d+)?")

_COMMENTS: Final = re.compile(r"\A(\s*/\*((?!\*/|/\*).)*\*/)+\s*|(\s*/\*((?!\*/|/\*).)*\*/)+\s*\Z", re.DOTALL)
"""Comments before and after a statement, which libraries that trace put there."""

Moved = tuple[tuple[int, Policy], ...]
"""Places of a result, counted from 0, that come back sealed, each with the policy that it is sealed under."""


def moved_by(context: Any, statement: str) -> tuple[Moved, bool]:
    """Return what is known of a statement that is about to be executed.

    That is, which places of its result come back sealed, and whether its inner queries select entities, and no tagged
    column by itself.

    Args:
        context: Its execution context.
        statement: Its final text. A column's default is executed in the context of its INSERT, and is no part of it.
    """
    compiled = getattr(context, "compiled", None)
    if compiled is None or not isinstance(compiled, _Telling):
        return (), False
    whole = getattr(context, "statement", "")  # a default is asked for before there is one
    bare = statement if statement == whole else _COMMENTS.sub("", statement)
    many = context.execute_style.name == "INSERTMANYVALUES" and bare[:6] == whole[:6] == "INSERT"
    if bare != whole and not many:
        return (), False
    return compiled.purposebind_moved, compiled.purposebind_composed


def comes_sealed(result: Any, getter: Any) -> bool:
    """Whether a column of a result comes sealed.

    Args:
        result: The result.
        getter: What takes the column out of a row, as the result made it.
    """
    compiled = getattr(getattr(result, "context", None), "compiled", None)
    if not isinstance(compiled, _Telling) or not compiled._ordered_columns:
        return False
    try:
        return isinstance(compiled._result_columns[getter(_PLACES)].type, SealedType)
    except Exception:  # no getter of one place
        return False


class _Places:
    """A row in which each place holds its number."""

    def __getitem__(self, place: int) -> int:
        return place


_PLACES = _Places()


class _Telling(SQLCompiler):
    """The part of a compiler that notes what a result holds."""

    _purposebind_moved: Moved | None = None
    _writes: bool = False
    """Whether it writes, itself or in a part: what it makes of a value may then be kept."""
    _inner: tuple[SealedType, ...] = ()
    """What is written by parts of it, whose parameters are not looked at."""
    purposebind_composed: bool = True
    """Whether no text stands in it, and its inner queries select entities, and no tagged column by itself."""

    def visit_select(self, select_stmt: Any, *args: Any, **kwargs: Any) -> str:
        if self.stack and any(_by_itself(one) for one in select_stmt._raw_columns):
            self.purposebind_composed = False
        written: str = super().visit_select(select_stmt, *args, **kwargs)  # type: ignore[no-untyped-call]
        return written

    def visit_insert(self, insert_stmt: Any, *args: Any, **kwargs: Any) -> str:
        self._writing(insert_stmt)
        written: str = super().visit_insert(insert_stmt, *args, **kwargs)  # type: ignore[no-untyped-call]
        return written

    def visit_update(self, update_stmt: Any, *args: Any, **kwargs: Any) -> str:
        self._writing(update_stmt)
        written: str = super().visit_update(update_stmt, *args, **kwargs)
        return written

    def _writing(self, statement: Any) -> None:
        self._writes = True
        if self.stack:
            self._inner += tuple(c.type for c in statement.table.c if isinstance(c.type, SealedType))[:1]

    def visit_textclause(self, *args: Any, **kwargs: Any) -> str:
        self.purposebind_composed = False
        written: str = super().visit_textclause(*args, **kwargs)  # type: ignore[no-untyped-call]
        return written

    def _add_to_result_map(self, keyname: str, name: str, objects: tuple[Any, ...], type_: Any) -> None:
        if isinstance(type_, SealedType) and self._is_raw(objects):
            type_ = type_.impl_instance
        elif isinstance(type_, ARRAY) and isinstance(type_.item_type, SealedType):  # array_agg: never bare, so a use
            type_ = copy(type_)
            type_.item_type = type_.item_type.impl_instance
        super()._add_to_result_map(keyname, name, objects, type_)

    @memoized_property
    def _bind_processors(self) -> Any:
        """A box that is not written into its column but taken into a statement is read there."""
        found, written = dict(super()._bind_processors), self._written()
        for bind, name in self.bind_names.items():
            kind = bind.type
            if isinstance(kind, SealedType) and not bind._is_crud and (bind.key, kind.policy) not in written:
                found[name] = kind.asking(found[name], writing=self._writes)
        return found

    def construct_params(self, *args: Any, **kwargs: Any) -> Any:
        given = super().construct_params(*args, **kwargs)
        unseen = [*self._tagged_expressions, *((kind, "") for kind in self._inner)]
        collected = collected_here() if self._tagged_binds or unseen else None
        for kind, beside in unseen:
            value = given.get(beside)
            said = None if value is None else purposes_in(names_of(value))
            problem = None if collected is None else unsaid(kind, collected, said)
            if problem is not None:
                del given, value
                raise problem
        for name, (kind, companion, time, person) in self._tagged_binds.items():
            value, problem = given.get(name), None
            said = None if given.get(companion) is None else purposes_in(names_of(given[companion]))
            if type(value) is Sealed:
                whose = given.get(person)
                whose = whose.box if type(whose) is Kept else whose
                problem = kind.unkept(value, said, deadline(given.get(time), kind.policy), whose)
                del whose
                given[name] = Kept(value)
            elif value is not None and collected is not None:
                problem = unsaid(kind, collected, said)
            if problem is not None:
                del given, value  # a traceback shows the locals of this function (R7)
                raise problem
        return given

    @memoized_property
    def _tagged_binds(self) -> dict[str, tuple[SealedType, str, str, str]]:
        """The parameters that are set as a tagged column's value, with those that say more of the same row.

        Of several rows in one statement, each has its own number at the end of its parameters' names.
        """
        if not getattr(self.statement, "is_dml", False):
            return {}
        written, names = self._written(), {name: bind for bind, name in self.bind_names.items()}
        found: dict[str, tuple[SealedType, str, str, str]] = {}
        for name, bind in names.items():
            kind = bind.type
            if not isinstance(kind, SealedType) or not (bind._is_crud or (bind.key, kind.policy) in written):
                continue
            row, companion, time, person = kind.row, "", "", ""
            number = name[len(row.column) :]
            if row.column and name.startswith(row.column) and _NUMBER.fullmatch(number):
                beside = names.get(f"{row.companion}{number}")
                if beside is not None and isinstance(beside.type, CollectedFor) and beside.type.column:
                    companion = f"{row.companion}{number}"
                time, person = f"{row.collected_at}{number}", f"{row.subject}{number}"
            found[name] = (kind, companion, time, person)
        return found

    @memoized_property
    def _tagged_expressions(self) -> list[tuple[SealedType, str]]:
        """The tagged columns that are set to an expression, each with the name of the parameter that says what for.

        What it is made of is not known here: in a `collected_for` block, the row has to say what the block does.
        """
        statement: Any = self.statement
        if not getattr(statement, "is_dml", False):
            return []
        state: Any = self.compile_state
        several = getattr(state, "_multi_parameters", None)
        given = list(several or [getattr(state, "_dict_parameters", None) or {}])
        looked_at = len(given)  # there a parameter that is a column's value is looked at by itself
        selected = getattr(statement, "select", None)
        if selected is not None:
            given.append(dict(zip(statement._select_names or (), selected.selected_columns, strict=False)))
        given.append(dict(getattr(getattr(statement, "_post_values_clause", None), "update_values_to_set", None) or ()))
        columns = statement.table.c
        found: list[tuple[SealedType, str]] = []
        for place, row in enumerate(given):
            named = {key if isinstance(key, str) else getattr(key, "key", ""): value for key, value in row.items()}
            for key, value in named.items():
                kind = getattr(columns.get(key), "type", None)
                whole = place < looked_at and isinstance(value, BindParameter)
                known = whole and (value.type._isnull or isinstance(value.type, SealedType))
                known = known or isinstance(value, Null) or _is_excluded(value)
                if isinstance(kind, SealedType) and isinstance(value, ClauseElement) and not known:
                    companion = kind.row.companion or ""
                    usual = f"{companion}_m{place}" if several else companion
                    found.append((kind, self._parameter(named.get(companion), usual if place < looked_at else "")))
        return found

    def _parameter(self, said: Any, usual: str) -> str:
        """The name of the parameter that is a companion's value, or nothing where it is something else.

        Args:
            said: What the companion is set to.
            usual: The name of one that is given its column's.
        """
        said = said.element if isinstance(said, Label) else said
        plain = not isinstance(said, ClauseElement)
        if usual and plain:
            return usual
        for bind, name in self.bind_names.items():
            if plain:
                same = bind.value is said and isinstance(bind.type, CollectedFor)
            else:  # a copy, too, that was given its column's type
                same = bind._identifying_key == getattr(said, "_identifying_key", None)
            if same:
                return name
        return usual if isinstance(said, BindParameter) else ""

    def _written(self) -> set[tuple[str, Policy | None]]:
        """The parameters that are set as a column's value as they are, each with the policy of its column."""
        state: Any = self.compile_state
        given: dict[Any, Any] = getattr(state, "_dict_parameters", None) or {}
        columns = {key: state.dml_table.c.get(key) if isinstance(key, str) else key for key in given}
        return {(one.key, policy_of(columns[key])) for key, one in given.items() if isinstance(one, BindParameter)}

    @property
    def purposebind_moved(self) -> Moved:
        """The places of the result that come back sealed."""
        moved = self._purposebind_moved
        if moved is None:
            kinds = enumerate(entry.type for entry in self._result_columns)
            sealed = [(place, kind.certain) for place, kind in kinds if isinstance(kind, SealedType)]
            moved = self._purposebind_moved = tuple(sealed) if self._ordered_columns else ()
        return moved

    def _is_raw(self, objects: tuple[Any, ...]) -> bool:
        """Whether a column of the result was asked for by itself."""
        state: Any = self.compile_state
        entities = _entities(state)
        if entities is not None:
            columns = [column for entity in entities for column in _raw_columns(entity)]
            if getattr(self.statement, "is_insert", False):
                raw = {hash(column) for column in columns}  # in bulk it is written anew, of columns that are only equal
                return any(hash(one) in raw for one in objects if isinstance(one, ColumnElement))
            raw = {id(column) for column in columns}
            return any(id(one) in raw for one in objects)
        statement: Any = getattr(state, "statement", None)
        if statement is None:
            statement = self.statement
        if getattr(statement, "is_dml", False):
            return bool(statement._returning)  # what a flush asks for goes into its entities
        return True


def _is_excluded(value: Any) -> bool:
    """Whether it is of what an upsert calls the row that it did not insert, whose values are looked at there."""
    return isinstance(getattr(value, "table", None), Alias) and value.table.name == "excluded"


def _by_itself(selected: Any) -> bool:
    """Whether what a query selects is a tagged column, or a table that has one, and no entity."""
    if isinstance(selected, FromClause):
        return "parententity" not in selected._annotations and any(isinstance(c.type, SealedType) for c in selected.c)
    return isinstance(getattr(selected, "type", None), SealedType)


def _entities(state: Any) -> list[Any] | None:
    """The entities of a statement of the ORM, or None."""
    if state is None:
        return None
    entities = getattr(state, "_entities", None)
    if entities is None and getattr(state, "from_statement_ctx", None) is not None:  # RETURNING of an ORM statement
        entities = state.from_statement_ctx._entities
    return entities


def _raw_columns(entity: Any) -> list[Any]:
    if hasattr(entity, "_fetch_column"):
        return [entity._fetch_column, entity.column]
    if hasattr(entity, "_entities"):  # a bundle
        return [column for one in entity._entities for column in _raw_columns(one)]
    return []
