"""Classes: the tags of their fields, those they inherit, and what is wrong with a declaration.

What this module keeps:

- **R8** A field that is redeclared keeps the inherited tag; one that widens it is reported.
- **R9** A tag is reported where it protects nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .annotations import Tagged, class_fields
from .names import Defined, Names, Outside
from .namespaces import Namespace
from .reading import contradiction
from .walking import calls_of, tree_of
from .weighing import Terms

__all__ = ["MODEL", "WAYS_OUT", "Classes", "Problem"]

MODEL: Final = "purposebind.model.PurposeModel"
_PLAIN_MODEL: Final = "pydantic.main.BaseModel"
_TYPED_DICT: Final = "a TypedDict"
_DEEP: Final = 20
WAYS_OUT: Final = "inherit from PurposeModel and tag the field, or use Sealed"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a declaration.

    Attributes:
        code: The error's code.
        message: What is wrong.
        node: Where.
    """

    code: str
    message: str
    node: ast.AST


class Classes:
    """Finds the source of classes that mypy knows."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def tag(self, mro: Sequence[Any], field: str) -> tuple[Terms, bool] | None:
        """Return what the tags of a field say, those inherited too (R8).

        Args:
            mro: The class and its bases, as mypy knows them.
            field: The field's name.

        Returns:
            None where it has no tag that protects it; else what they say, and whether its values are boxes.
        """
        found: Terms | None = None
        boxed: bool | None = None
        for tagged in self._declared(mro, field):
            if tagged.terms is None or tagged.class_variable:
                continue
            if not (tagged.boxed or tagged.mapped or _is_model(mro[0])):
                continue
            found = tagged.terms if found is None else found.join(tagged.terms)
            boxed = tagged.boxed if boxed is None else boxed
        return None if found is None else (found, bool(boxed))

    def problems(self, mro: Sequence[Any]) -> Iterator[Problem]:
        """Yield what is wrong with the class that `mro` begins with."""
        place = self.find(mro[0])
        if place is not None:
            yield from self._wrong(mro, *place)

    def typed_dict_problems(self, module: str, line: int) -> Iterator[Problem]:
        """Yield what is wrong with the TypedDict whose body has `line` in it, if one has."""
        source = self._names.sources.get(module)
        for node, namespace in () if source is None else tree_of(source).classes:
            within = node.lineno <= line <= (node.end_lineno or 0)
            if within and self._kind((), node, namespace) == _TYPED_DICT:
                yield from self._wrong((), node, namespace)

    def _wrong(self, mro: Sequence[Any], node: ast.ClassDef, namespace: Namespace) -> Iterator[Problem]:
        what = self._kind(mro, node, namespace)
        for name, tagged in class_fields(self._names, node, namespace).items():
            label = f"{node.name}.{name}"
            protected = what == "" and any(map(_is_model, mro))
            if tagged.buried:
                yield Problem(
                    "purpose-policy",
                    f'The tag on "{label}" is inside a container, and would leave the field open: tag the whole '
                    "field, or seal the parts",
                    tagged.node,
                )
            elif tagged.terms is None or _is_unsure(tagged.terms):
                continue
            elif tagged.class_variable or (protected and name.startswith("_")):
                if protected and not tagged.boxed:
                    kind = "ClassVar" if tagged.class_variable else "private attribute"
                    yield Problem("purpose-policy", f'"{label}" is a {kind}: a tag on it protects nothing', tagged.node)
            elif what and not tagged.boxed and not tagged.mapped:
                yield Problem(
                    "purpose-policy",
                    f'A tag on "{label}", a field of {what}, protects nothing: {WAYS_OUT}',
                    tagged.node,
                )
            elif protected:
                yield from self._widening(mro, name, tagged, label)
        for call, where in calls_of(namespace.source, "AllowedFor"):
            wrong = contradiction(self._names, call, where) if _inside(call, node) else None
            if wrong:
                yield Problem("purpose-policy", wrong, call)

    def _widening(self, mro: Sequence[Any], name: str, tagged: Tagged, label: str) -> Iterator[Problem]:
        inherited = self.tag(mro[1:], name)
        if inherited is None or tagged.terms is None or not inherited[0].whole or not tagged.terms.whole:
            return
        wider = tagged.terms.widens(inherited[0])
        if wider:
            added = ", ".join(f"+{purpose}" for purpose in wider)
            yield Problem(
                "purpose-widening", f'"{label}" widens the tag it inherits: {added} (was {inherited[0]})', tagged.node
            )

    def _kind(self, mro: Sequence[Any], node: ast.ClassDef, namespace: Namespace) -> str:
        """What a class is on whose fields a tag protects nothing, in words; empty for one where it does, or may."""
        if any(map(_is_model, mro)):
            return ""
        if any(info.fullname == _PLAIN_MODEL for info in mro):
            return "a plain BaseModel"
        if self._is_typed_dict(node, namespace):
            return _TYPED_DICT
        for decorator in node.decorator_list:
            named = decorator.func if isinstance(decorator, ast.Call) else decorator
            found = self._names.entity(named, namespace)
            name = found.name if isinstance(found, Outside) else ""
            if isinstance(found, Defined):
                name = f"{found.namespace.source.name}.{found.node.name}"
            if name in ("dataclasses.dataclass", "pydantic.dataclasses.dataclass"):
                return "a dataclass"
        return ""

    def _is_typed_dict(self, node: ast.ClassDef, namespace: Namespace, deep: int = 0) -> bool:
        for base in node.bases:
            found = self._names.entity(base.value if isinstance(base, ast.Subscript) else base, namespace)
            if isinstance(found, Outside) and found.name in ("typing.TypedDict", "typing_extensions.TypedDict"):
                return True
            if not isinstance(found, Defined) or not isinstance(found.node, ast.ClassDef) or deep > _DEEP:
                continue
            if self._is_typed_dict(found.node, found.namespace, deep + 1):
                return True
        return False

    def _declared(self, mro: Sequence[Any], field: str) -> Iterator[Tagged]:
        for info in mro:
            place = self.find(info)
            tagged = None if place is None else class_fields(self._names, *place, only=field).get(field)
            if tagged is not None:
                yield tagged

    def find(self, info: Any) -> tuple[ast.ClassDef, Namespace] | None:
        """Return the class in the source, and the namespace that it stands in; None where it is not found for sure."""
        source = self._names.sources.get(info.module_name)
        if source is None or not source.may_declare:
            return None
        *outer, name = info.fullname[len(info.module_name) + 1 :].split(".")
        name, _, number = name.partition("@")
        found = [one for one in tree_of(source).classes if one[0].name == name]
        line = int(number) if number.isdigit() else info.defn.line
        if len(found) > 1:
            exact = [one for one in found if one[0].lineno == line]
            found = exact or [one for one in found if one[1].path == outer]
        return found[0] if len(found) == 1 else None


def _is_model(info: Any) -> bool:
    return any(base.fullname == MODEL for base in info.mro)


def _is_unsure(terms: Terms) -> bool:
    return not (terms.whole or terms.allowed or terms.never)


def _inside(call: ast.Call, node: ast.ClassDef) -> bool:
    return node.lineno <= call.lineno <= (node.end_lineno or node.lineno)
