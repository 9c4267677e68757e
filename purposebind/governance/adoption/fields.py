"""The fields that packages have, tagged or not: of pydantic's models, dataclasses, SQLAlchemy's and SQLModel's tables.

What this module keeps:

- A field is told once, in the class that declares it, and not in those that inherit it.
- Nothing is worked out for it that the program would not do itself: mappers stay as configured as they are.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Literal

from pydantic import BaseModel
from typing_extensions import get_type_hints

from purposebind import PurposeModel, PurposeRootModel, SubjectId
from purposebind.describing import field_tags
from purposebind.governance.importing import imported, is_in
from purposebind.governance.lock import LockError
from purposebind.governance.source import tree_of
from purposebind.policy import Policy

__all__ = ["Field", "Kind", "fields_of", "names_of"]

Kind = Literal["model", "sqlmodel", "table", "root", "dataclass"]


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a class.

    Attributes:
        owner: The class that declares it.
        name: Its name.
        kind: What the class is.
        annotation: Its type, without what stands beside it in `Annotated`.
        metadata: What stands there.
        aliases: Other names of it.
        policy: What its tag allows; None where it has none.
        settled: Whether nothing is to be proposed: it says whose data it is, or its values are sealed by themselves.
        key: Whether it is a table's key, which cannot have a tag.
        line: Where it stands in its module; 0 where that is not known.
        heirs: The names of the classes that inherit it.
    """

    owner: Any
    name: str
    kind: Kind
    annotation: Any
    metadata: tuple[Any, ...] = ()
    aliases: tuple[str, ...] = ()
    policy: Policy | None = None
    settled: bool = False
    key: bool = False
    line: int = 0
    heirs: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Its names in the ledger: a read of an object is one of its own class's field."""
        return tuple(dict.fromkeys(f"{name}.{self.name}" for name in (self.owner.__name__, *self.heirs)))

    @property
    def label(self) -> str:
        """Its name in errors and in the ledger."""
        return f"{self.owner.__name__}.{self.name}"

    @property
    def module(self) -> str:
        """The module of its class."""
        return str(self.owner.__module__)


def fields_of(*packages: str) -> list[Field]:
    """Import `packages` and return the fields of their classes, in the order of modules and lines.

    Raises:
        LockError: A module cannot be imported, or a model is not finished.

    Example:
        >>> sorted({field.kind for field in fields_of("purposebind.demo.accounts")})
        ['model']
    """
    modules = imported(*packages)
    lines = {module.__name__: _lines(module) for module in modules}
    found = [*_of_models(packages), *_of_tables(modules), *_of_dataclasses(modules)]
    placed = [
        dataclasses.replace(one, line=lines[one.module].get((one.owner.__qualname__, one.name), 0))
        for one in found
        if one.module in lines and _is_declared(one.owner, lines[one.module])
    ]
    return sorted(placed, key=lambda one: (one.module, one.line, one.label))


def names_of(*packages: str) -> dict[str, list[str]]:
    """Return the names of columns, with their tables', by what errors and the ledger call the attributes for them.

    Example:
        >>> names_of("purposebind.demo.accounts")
        {}
    """
    found: dict[str, list[str]] = {}
    for cls in _mapped(imported(*packages)):
        for key, column in _columns(cls):
            table = getattr(column, "table", None)
            name = getattr(table, "fullname", None)
            if name is not None:
                found.setdefault(f"{cls.__name__}.{key}", []).append(f"{name}.{column.name}")
    return found


def _is_declared(owner: Any, lines: dict[tuple[str, str], int]) -> bool:
    """Whether a class stands in its module, in the text or by its name: a view of a model is made of another."""
    held = vars(sys.modules[owner.__module__]).get(owner.__name__)
    return not lines or (owner.__qualname__, "") in lines or held is owner


def _lines(module: ModuleType) -> dict[tuple[str, str], int]:
    """Where the classes of a module and their fields stand, by the class's qualified name and the field's or none."""
    found: dict[tuple[str, str], int] = {}

    def walk(node: ast.AST, around: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                name = f"{around}{child.name}"
                found[name, ""] = child.lineno
                for line in child.body:
                    target: ast.expr | None = line.target if isinstance(line, ast.AnnAssign) else None
                    if isinstance(line, ast.Assign) and len(line.targets) == 1:
                        target = line.targets[0]
                    if isinstance(target, ast.Name):
                        found[name, target.id] = line.lineno
                walk(child, f"{name}.")
            elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                walk(child, f"{around}{child.name}.<locals>.")
            else:
                walk(child, around)

    tree = tree_of(module)
    if tree is not None:
        walk(tree, "")
    return found


# --- Pydantic --------------------------------------------------------------------------------------------------------


def _of_models(packages: tuple[str, ...]) -> Iterator[Field]:
    for model in _below(BaseModel):
        if not is_in(model.__module__, packages) or _is_settings(model):
            continue
        if model.__pydantic_generic_metadata__["origin"] is not None:
            continue
        if not model.__pydantic_complete__ and not model.model_rebuild(raise_errors=False):
            raise LockError(
                f"{model.__module__}.{model.__qualname__} is not finished: it refers to a class that is not defined. "
                "Import the module that defines it, or call model_rebuild() there."
            )
        tags = field_tags(model)
        keys = _keys(model)
        for name, info in model.__pydantic_fields__.items():
            if _declares(model, name):
                yield Field(
                    model,
                    name,
                    _kind(model),
                    info.annotation,
                    tuple(info.metadata),
                    tuple(one for one in (info.alias, info.validation_alias) if isinstance(one, str)),
                    tags.get(name),
                    any(one is SubjectId or isinstance(one, SubjectId) for one in info.metadata),
                    name in keys,
                    heirs=tuple(getattr(one, "__purpose_name__", one.__name__) for one in _heirs(model, name)),
                )


def _declares(model: Any, name: str) -> bool:
    """Whether a field is the model's own, or a mixin's that is no model."""
    bases = model.__mro__[1:]
    inherited = any(name in getattr(base, "__pydantic_fields__", ()) for base in bases)
    mixed_in = any(name in _own(base) for base in bases if not issubclass(base, BaseModel))
    return name in _own(model) or (mixed_in and not inherited)


def _heirs(model: Any, name: str) -> Iterator[Any]:
    for one in sorted(_below(model), key=lambda cls: (cls.__module__, cls.__qualname__)):
        nearest = next((base for base in one.__mro__ if issubclass(base, BaseModel) and _declares(base, name)), None)
        if nearest is model:
            yield one


def _kind(model: Any) -> Kind:
    if issubclass(model, PurposeRootModel) or model.__pydantic_root_model__:
        return "root"
    return "sqlmodel" if any(base.__module__.startswith("sqlmodel.") for base in model.__mro__) else "model"


def _is_settings(model: Any) -> bool:
    """Whether it is configuration: what the service is given, and nobody's."""
    return any(base.__module__.startswith("pydantic_settings.") for base in model.__mro__)


def _own(cls: Any) -> dict[str, Any]:
    """The annotations of the class itself. What Python 3.14 works out when it is asked stands in the fields."""
    found = vars(cls).get("__annotations__")
    return found if found is not None else getattr(cls, "__annotations__", {})


def _below(cls: Any) -> Iterator[Any]:
    seen: set[Any] = set()
    waiting = [cls]
    while waiting:
        for one in waiting.pop().__subclasses__():
            if one not in seen and one is not PurposeModel:
                seen.add(one)
                yield one
                waiting.append(one)
            elif one is PurposeModel:
                waiting.append(one)


# --- Tables ----------------------------------------------------------------------------------------------------------


def _mapped(modules: Iterable[ModuleType]) -> Iterator[Any]:
    if "sqlalchemy.orm" not in sys.modules:
        return
    for cls in _classes(modules):
        mapper = vars(cls).get("__mapper__")
        if type(mapper).__module__.startswith("sqlalchemy."):
            yield cls


def _columns(cls: Any) -> Iterator[tuple[str, Any]]:
    yield from cls.__mapper__.columns.items()


def _keys(cls: Any) -> frozenset[str]:
    """The attributes that SQLAlchemy itself has to read."""
    if type(vars(cls).get("__mapper__")).__module__.partition(".")[0] != "sqlalchemy":
        return frozenset()
    return frozenset(key for key, column in _columns(cls) if column.primary_key or column.foreign_keys)


def _of_tables(modules: Iterable[ModuleType]) -> Iterator[Field]:
    integration: Any = sys.modules.get("purposebind.integrations.sqlalchemy")
    for cls in _mapped(modules):
        if issubclass(cls, BaseModel):  # SQLModel's: it is among the models
            continue
        keys, own = _keys(cls), _own(cls)
        for key, column in _columns(cls):
            if key not in own and key not in vars(cls):
                continue
            if key not in own and getattr(column, "table", None) is not vars(cls).get("__table__"):
                continue  # a subclass has attributes for the columns of its parent's
            kind = _python_type(column)
            policy = integration.policy_of(column) if integration is not None else None
            settled = bool(getattr(column, "info", {}).get("purposebind_subject"))
            yield Field(cls, key, "table", kind, (), (str(column.name),), policy, settled, key in keys)


def _python_type(column: Any) -> Any:
    try:
        return column.type.python_type
    except Exception:  # a type of the user's, which need not know
        return str


# --- Dataclasses -----------------------------------------------------------------------------------------------------


def _of_dataclasses(modules: Iterable[ModuleType]) -> Iterator[Field]:
    for cls in _classes(modules):
        if not dataclasses.is_dataclass(cls) or "__mapper__" in vars(cls) or "__dataclass_fields__" not in vars(cls):
            continue
        try:
            hints = get_type_hints(cls)
        except Exception:  # it names what is there for type checkers alone: the names of fields tell all the same
            hints = {}
        for field in dataclasses.fields(cls):
            if field.name in _own(cls):
                yield Field(cls, field.name, "dataclass", hints.get(field.name, str))


def _classes(modules: Iterable[ModuleType]) -> Iterator[Any]:
    """The classes that modules declare, those inside of classes too. What stands for another object is not asked."""
    for module in modules:
        waiting = [value for value in vars(module).values() if issubclass(type(value), type)]
        seen: set[Any] = set()
        while waiting:
            cls = waiting.pop(0)
            if cls.__module__ == module.__name__ and cls not in seen:
                seen.add(cls)
                yield cls
                waiting += [value for value in vars(cls).values() if issubclass(type(value), type)]
