"""Tags where annotations hold them: mypy drops them from types, so that they are read from the source again.

What this module keeps: **R9**, as far as a tag's place in an annotation goes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Final

from .names import Defined, Library, Names, Outside, Value
from .namespaces import Namespace
from .reading import terms
from .weighing import Terms

__all__ = ["Tagged", "class_fields", "holds_tag"]

_THROUGH: Final = frozenset(("Optional", "Union", "Final", "Required", "NotRequired", "ReadOnly"))
"""What may stand around a tag, so that it is the field's all the same."""

_TYPING: Final = frozenset(("typing", "typing_extensions", "t"))
_CONTAINERS: Final = ("builtins.", "collections.", "typing.", "typing_extensions.")


@dataclass
class Tagged:
    """The tag of one field.

    Attributes:
        node: The field's statement.
        terms: What the tags say, joined.
        boxed: Whether the values are `Sealed`, so that the field hands out a box.
        buried: Whether a tag stands inside a container, where the field would stay open.
        class_variable: Whether it is a ClassVar.
        mapped: Whether it is a column of SQLAlchemy's.
    """

    node: ast.AST
    terms: Terms | None = None
    boxed: bool = False
    buried: bool = False
    class_variable: bool = False
    mapped: bool = False


def class_fields(names: Names, node: ast.ClassDef, namespace: Namespace, only: str | None = None) -> dict[str, Tagged]:
    """Return the fields of a class body that carry a tag, by name.

    Args:
        names: What follows names.
        node: The class.
        namespace: Where it is defined.
        only: The one field to look at, or None for all.
    """
    inside = namespace.inner(node)
    found: dict[str, Tagged] = {}
    for statement in _statements(node.body):
        if isinstance(statement.target, ast.Name) and only in (None, statement.target.id):
            tagged = _Look(names, Tagged(statement)).at(statement.annotation, inside)
            if tagged.terms is not None or tagged.buried:
                found[statement.target.id] = tagged
    for base in node.bases if only in (None, "root") else ():  # the root of a root model
        if isinstance(base, ast.Subscript) and names.entity(base.value, namespace) == Library("PurposeRootModel"):
            tagged = _Look(names, Tagged(base)).at(base.slice, namespace)
            if tagged.terms is not None or tagged.buried:
                found.setdefault("root", tagged)
    return found


def holds_tag(names: Names, node: ast.expr, namespace: Namespace) -> Tagged:
    """Return the tag in an annotation that is no field's."""
    return _Look(names, Tagged(node)).at(node, namespace)


def _statements(body: list[ast.stmt]) -> Iterator[ast.AnnAssign]:
    for statement in body:
        if isinstance(statement, ast.AnnAssign):
            yield statement
        elif isinstance(statement, (ast.If, ast.Try)):
            yield from _statements([*statement.body, *statement.orelse])


class _Look:
    """The search for tags in one annotation."""

    def __init__(self, names: Names, tagged: Tagged) -> None:
        self._names = names
        self._tagged = tagged
        self._found: list[Terms] = []
        self._seen: set[int] = set()

    def at(self, node: ast.expr, namespace: Namespace) -> Tagged:
        self._look(node, namespace, buried=False)
        if self._found:
            self._tagged.terms = reduce(Terms.join, self._found)
        return self._tagged

    def _look(self, node: ast.expr, namespace: Namespace, buried: bool) -> None:
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            written = _parsed(node.value)
            if written is not None:
                self._look(written, namespace, buried)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            self._look(node.left, namespace, buried)
            self._look(node.right, namespace, buried)
        elif isinstance(node, ast.Subscript):
            self._subscript(node, namespace, buried)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            self._named(node, namespace, buried)

    def _named(self, node: ast.expr, namespace: Namespace, buried: bool) -> None:
        found = self._names.entity(node, namespace)
        if found == Library("Sealed"):
            self._tagged.boxed = True
        elif isinstance(found, Value):
            value = found.node
            if isinstance(value, ast.Call):
                made_by = self._names.called(value, found.namespace)
                is_new = isinstance(made_by, Outside) and made_by.name.rpartition(".")[2] in (
                    "NewType",
                    "TypeAliasType",
                )
                if is_new and len(value.args) > 1:
                    self._look(value.args[1], found.namespace, buried)
            else:
                self._look(value, found.namespace, buried)

    def _subscript(self, node: ast.Subscript, namespace: Namespace, buried: bool) -> None:
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        found = self._names.entity(node.value, namespace)
        word = _typing_word(found)
        if word == "Annotated":
            self._look(items[0], namespace, buried)
            if not self._tagged.boxed or not buried:  # of boxes in a container the tag is theirs
                self._metadata(items[1:], namespace, buried)
        elif word in _THROUGH or word == "ClassVar" or _is_mapped(found):
            self._tagged.class_variable |= word == "ClassVar"
            self._tagged.mapped |= _is_mapped(found)
            for item in items:
                self._look(item, namespace, buried)
        elif word == "Literal":
            return
        elif found == Library("Sealed"):
            self._tagged.boxed = True
        elif isinstance(found, Value):  # an alias with a parameter
            self._look(found.node, found.namespace, buried)
        elif isinstance(found, Outside) and found.name.startswith(_CONTAINERS):
            for item in items:
                self._look(item, namespace, True)

    def _metadata(self, items: list[ast.expr], namespace: Namespace, buried: bool) -> None:
        for item in items:
            said = terms(self._names, item, namespace)
            if said is None:
                continue
            if not buried:
                self._found.append(said)
            elif said.whole or said.allowed:  # a tag for sure
                self._tagged.buried = True


def _typing_word(found: object) -> str:
    if isinstance(found, Outside):
        module, _, word = found.name.rpartition(".")
        return word if module in _TYPING else ""
    return ""


def _is_mapped(found: object) -> bool:
    if isinstance(found, Outside):
        return found.name.startswith("sqlalchemy.") and found.name.endswith("Mapped")
    if isinstance(found, Defined):
        return found.node.name.endswith("Mapped") and found.namespace.source.name.startswith("sqlalchemy")
    return False


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
