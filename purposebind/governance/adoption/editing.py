"""Edits of a module's text: tags put on fields, and the bases that make them count. All else stays as it was written.

Needs libcst, of the extra ``governance``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import libcst as cst
from libcst.codemod import CodemodContext
from libcst.codemod.visitors import AddImportsVisitor

from .spelling import Spelling

__all__ = ["TODO", "Edit", "Plan", "Unreadable", "edited", "resolver"]

Unreadable = cst.ParserSyntaxError
"""A text that libcst cannot read."""

TODO = "TODO: what was this collected for?"
"""What stands above a field that nobody has decided on, until somebody has."""
_COMMENT_WIDTH = 110


@dataclass(frozen=True)
class Edit:
    """A tag for a field.

    Attributes:
        tag: The expression, such as ``AllowedFor(SECURITY)``.
        comment: What is written above it.
        mapped: Whether it goes inside of ``Mapped[...]``.
        anew: Whether it takes the place of the tag that is there.
    """

    tag: str
    comment: str
    mapped: bool = False
    anew: bool = False


@dataclass
class Plan:
    """What is changed in a module.

    Attributes:
        edits: The tags, by the qualified name of the class and the field's.
        bases: The base that a class needs, by its qualified name; and the one that it takes the place of, as an object.
        imports: What has to be imported.
        declared: A statement that goes below the imports; empty for none.
        annotated: How `Annotated` is written.
    """

    edits: dict[tuple[str, str], Edit] = field(default_factory=dict[tuple[str, str], Edit])
    bases: dict[str, tuple[str, Any]] = field(default_factory=dict[str, tuple[str, Any]])
    imports: list[Spelling] = field(default_factory=list[Spelling])
    declared: str = ""
    annotated: str = "Annotated"


def edited(source: bytes, plan: Plan, resolve: Callable[[str], Any]) -> tuple[str, str, set[tuple[str, str]]]:
    """Return the text of a module before and after, and the fields of which the place was found.

    Args:
        source: What is in its file.
        plan: What to change.
        resolve: Returns what a dotted name stands for in the module.

    Raises:
        UnicodeDecodeError: It is not written in UTF-8.
        ParserSyntaxError: libcst does not know its syntax.
    """
    before = source.decode("utf-8")
    tree = cst.parse_module(before)
    tagging = _Tagging(plan, resolve)
    tagged = tree.visit(tagging)
    if not tagging.done:
        return before, before, set()
    context = CodemodContext()
    for one in dict.fromkeys(plan.imports):
        if one.name:
            AddImportsVisitor.add_needed_import(context, one.module, one.name, one.alias or None)
        else:
            AddImportsVisitor.add_needed_import(context, one.module)
    tagged = AddImportsVisitor(context).transform_module(tagged)
    if plan.declared:
        tagged = _declared(tagged, plan)
    return before, tagged.code, tagging.done


class _Tagging(cst.CSTTransformer):
    def __init__(self, plan: Plan, resolve: Callable[[str], Any]) -> None:
        super().__init__()
        self.done: set[tuple[str, str]] = set()
        self._plan = plan
        self._resolve = resolve
        self._around: list[str] = []

    def _owner(self) -> str:
        return ".".join(self._around)

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self._around.append(node.name.value)

    def leave_ClassDef(self, original_node: cst.ClassDef, updated_node: cst.ClassDef) -> cst.ClassDef:
        owner = self._owner()
        self._around.pop()
        base = self._plan.bases.get(owner)
        if base is None or not any(one == owner for one, _ in self.done):
            return updated_node
        written, replaces = base
        bases = list(updated_node.bases)
        for place, one in enumerate(bases):
            if not one.star and self._resolve(_dotted(one.value)) is replaces:
                bases[place] = one.with_changes(value=cst.parse_expression(written))
                return updated_node.with_changes(bases=bases)
        if bases:  # the comma keeps the layout of what stood there
            bases[-1] = bases[-1].with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
        bases.append(cst.Arg(cst.parse_expression(written)))
        return updated_node.with_changes(bases=bases)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._around += [node.name.value, "<locals>"]

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        del self._around[-2:]
        return updated_node

    def leave_AnnAssign(self, original_node: cst.AnnAssign, updated_node: cst.AnnAssign) -> cst.AnnAssign:
        place = self._place(original_node)
        edit = self._plan.edits.get(place)
        if edit is None:
            return updated_node
        annotation = self._annotated(updated_node.annotation.annotation, edit)
        if annotation is None:
            return updated_node
        self.done.add(place)
        return updated_node.with_changes(annotation=updated_node.annotation.with_changes(annotation=annotation))

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        comments = [
            self._plan.edits[place].comment
            for one in original_node.body
            if isinstance(one, cst.AnnAssign) and (place := self._place(one)) in self.done
        ]
        if not any(comments):
            return updated_node
        lines = [line for comment in comments for line in textwrap.wrap(comment, _COMMENT_WIDTH)]
        above = [cst.EmptyLine(comment=cst.Comment(f"# {line}")) for line in lines]
        kept = [
            line for line in updated_node.leading_lines if line.comment is None or line.comment.value != f"# {TODO}"
        ]
        return updated_node.with_changes(leading_lines=[*kept, *above])

    def _place(self, node: cst.AnnAssign) -> tuple[str, str]:
        return self._owner(), node.target.value if isinstance(node.target, cst.Name) else ""

    def _annotated(self, annotation: cst.BaseExpression, edit: Edit) -> cst.BaseExpression | None:
        """An annotation with the tag in it; None where there is no place for it."""
        if edit.anew:
            replacing = _Replacing(edit.tag, self._resolve)
            replaced = annotation.visit(replacing)
            return replaced if replacing.done == 1 and isinstance(replaced, cst.BaseExpression) else None
        if edit.mapped:
            return self._inside(annotation, edit)
        if self._is(annotation, "typing.Final", "typing.ClassVar", "dataclasses.InitVar"):
            return None
        return self._tagged(annotation, edit)

    def _tagged(self, annotation: cst.BaseExpression, edit: Edit) -> cst.BaseExpression:
        tag = cst.SubscriptElement(cst.Index(cst.parse_expression(edit.tag)))
        if isinstance(annotation, cst.Subscript) and self._is(annotation, "typing.Annotated"):
            parts = list(annotation.slice)
            if isinstance(parts[-1].comma, cst.Comma):  # of several lines, with a comma at the end
                return annotation.with_changes(slice=[*parts, tag.with_changes(comma=parts[-1].comma)])
            parts[-1] = parts[-1].with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
            return annotation.with_changes(slice=[*parts, tag])
        whole = cst.SubscriptElement(cst.Index(annotation), comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
        return cst.Subscript(cst.parse_expression(self._plan.annotated), [whole, tag])

    def _inside(self, annotation: cst.BaseExpression, edit: Edit) -> cst.BaseExpression | None:
        """``Mapped[str | None]`` with the tag at the part that is not None, where SQLAlchemy looks for it."""
        if not isinstance(annotation, cst.Subscript) or len(annotation.slice) != 1:
            return None
        if not _dotted(annotation.value).endswith("Mapped"):
            return None
        index = annotation.slice[0].slice
        if not isinstance(index, cst.Index):
            return None
        return annotation.with_changes(slice=[cst.SubscriptElement(cst.Index(self._not_none(index.value, edit)))])

    def _not_none(self, inner: cst.BaseExpression, edit: Edit) -> cst.BaseExpression:
        if isinstance(inner, cst.BinaryOperation) and isinstance(inner.operator, cst.BitOr):
            if _dotted(inner.right) == "None":
                return inner.with_changes(left=self._tagged(inner.left, edit))
            if _dotted(inner.left) == "None":
                return inner.with_changes(right=self._tagged(inner.right, edit))
        if isinstance(inner, cst.Subscript) and len(inner.slice) == 1 and self._is(inner, "typing.Optional"):
            index = inner.slice[0].slice
            if isinstance(index, cst.Index):
                return inner.with_changes(slice=[cst.SubscriptElement(cst.Index(self._tagged(index.value, edit)))])
        return self._tagged(inner, edit)

    def _is(self, annotation: cst.BaseExpression, *names: str) -> bool:
        node = annotation.value if isinstance(annotation, cst.Subscript) else annotation
        dotted = _dotted(node)
        found = self._resolve(dotted)
        for name in names:
            module, _, last = name.rpartition(".")
            if (found is not None and found is getattr(__import__(module), last)) or dotted == name:
                return True
        return False


class _Replacing(cst.CSTTransformer):
    """Puts a tag in the place of the one that is there."""

    def __init__(self, tag: str, resolve: Callable[[str], Any]) -> None:
        super().__init__()
        self.done = 0
        self._tag = tag
        self._resolve = resolve

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        from purposebind import AllowedFor

        if self._resolve(_dotted(original_node.func)) is not AllowedFor:
            return updated_node
        self.done += 1
        return cst.parse_expression(self._tag)


def _dotted(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        return f"{_dotted(node.value)}.{node.attr.value}"
    return ""


def _declared(tree: cst.Module, plan: Plan) -> cst.Module:
    """The module with a statement below the imports, and above the first class that is changed."""
    names = {owner.partition(".")[0] for owner, _ in plan.edits}
    body = list(tree.body)
    first = next((place for place, one in enumerate(body) if _declares(one, names)), len(body))
    after = max((place for place, one in enumerate(body[:first]) if _imports(one)), default=-1) + 1
    statement = cst.parse_statement(plan.declared, config=tree.config_for_parsing)
    return tree.with_changes(body=[*body[:after], *_spaced([statement]), *body[after:]])


def _spaced(statements: Sequence[cst.BaseStatement]) -> Iterable[cst.BaseStatement]:
    for one in statements:
        assert isinstance(one, cst.SimpleStatementLine)
        yield one.with_changes(leading_lines=[cst.EmptyLine(indent=False), *one.leading_lines])


def _declares(statement: cst.CSTNode, names: set[str]) -> bool:
    if isinstance(statement, cst.ClassDef):
        return statement.name.value in names
    return not isinstance(statement, cst.FunctionDef) and any(_declares(one, names) for one in statement.children)


def _imports(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and any(
        isinstance(one, (cst.Import, cst.ImportFrom)) for one in statement.body
    )


def resolver(names: Mapping[str, Any]) -> Callable[[str], Any]:
    """Return what looks up dotted names in a namespace."""

    def resolve(dotted: str) -> Any:
        first, *rest = dotted.split(".")
        found = names.get(first)
        for part in rest:
            if isinstance(found, ModuleType):
                found = getattr(found, part, None)
            else:
                found = vars(found).get(part) if isinstance(found, type) else None
        return found

    return resolve
