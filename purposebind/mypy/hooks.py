"""The plugin: what mypy calls, and what it is told.

mypy asks for a hook by name, and the first plugin that has one gets it. So this one takes hooks that pydantic's plugin
leaves free, and says the same before or after it. Whatever goes wrong in here, the user's run goes on: a plugin that
crashes is worse than a read that was not reported.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

from mypy.errorcodes import ErrorCode
from mypy.nodes import Context, Expression, MemberExpr, MypyFile, TypeInfo, Var, WithStmt
from mypy.options import Options
from mypy.patterns import Pattern
from mypy.plugin import (
    AnalyzeTypeContext,
    AttributeContext,
    ClassDefContext,
    FunctionContext,
    Plugin,
    ReportConfigContext,
)
from mypy.types import Instance, TupleType, Type, TypeVarType, get_proper_type

from .annotations import holds_tag
from .build import Build
from .classes import MODEL, WAYS_OUT
from .walking import Position, calls_of, tree_of
from .weighing import Terms, uncovered

__all__ = ["PurposePlugin"]

_R = TypeVar("_R")

_CODES: Final = {
    code.code: code
    for code in (
        ErrorCode("purpose-violation", "Check that tagged fields are read for purposes they allow", "purposebind"),
        ErrorCode("purpose-widening", "Check that a subclass does not widen a tag", "purposebind"),
        ErrorCode("purpose-policy", "Check that a tag stands where it protects something", "purposebind"),
        ErrorCode(
            "purpose-unscoped",
            "Note reads of tagged fields with no scope around them",
            "purposebind",
            default_enabled=False,
        ),
    )
}
_RAISES: Final = "PURPOSEBIND_MYPY_RAISES"
"""Set in our own tests: what goes wrong in the plugin is then raised."""

_PARTS: Final = ("defs", "body", "else_body", "handlers", "finally_body", "bodies", "func", "items", "impl")
"""Where mypy's statements hold other statements."""

_ANNOTATED: Final = ("typing.Annotated", "typing_extensions.Annotated")
_ADAPTER: Final = "pydantic.type_adapter.TypeAdapter"


class PurposePlugin(Plugin):
    """Reports reads for purposes that a tag does not cover, and tags that widen or protect nothing."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._build = Build(options)
        self._as_usual = False

    # --- What there is, and what hangs on what -----------------------------------------------------------------------

    def set_modules(self, modules: dict[str, MypyFile]) -> None:
        """Take the modules of the build; in the daemon, of each update."""
        super().set_modules(modules)
        _safely(lambda: self._build.begin(modules), None)

    def report_config_data(self, ctx: ReportConfigContext) -> Any:
        """Return what mypy keeps beside a module in its cache, and compares before it takes the module from there."""
        return _safely(lambda: self._build.kept(ctx.id, ctx.path, ctx.is_check), None)

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """Take note of a module that was parsed."""
        _safely(lambda: self._build.parsed(file), None)
        return []

    # --- Reads -------------------------------------------------------------------------------------------------------

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Look at reads of attributes that may be tagged."""
        if not _safely(lambda: self._may_be_tagged(fullname), False):
            return None
        return partial(self._attribute, fullname)

    def _may_be_tagged(self, fullname: str) -> bool:
        owner, _, name = fullname.rpartition(".")
        if owner.startswith(("builtins.", "typing.")):
            return False
        if name == "root" or "@" in owner:
            return True
        symbol = self.lookup_fully_qualified(owner)
        info = symbol.node if symbol is not None else None
        if not isinstance(info, TypeInfo):
            return True
        return info.has_base(MODEL) or self._build.mentions(info.module_name, "AllowedFor")

    def _attribute(self, fullname: str, ctx: AttributeContext) -> Type:
        if not ctx.is_lvalue:
            _safely(lambda: self._read(fullname, ctx), None)
        return ctx.default_attr_type

    def _read(self, fullname: str, ctx: AttributeContext) -> None:
        owner, _, name = fullname.rpartition(".")
        info = _class_of(ctx.type)
        if info is None or name not in _names_of(info):
            symbol = None if "@" in owner else self.lookup_fully_qualified(owner)
            node = symbol.node if symbol is not None else None
            if not isinstance(node, TypeInfo):
                return
            info = node
        symbol = info.get(name)
        if symbol is not None and not isinstance(symbol.node, Var):
            return  # a property in the place of a field
        checker: Any = ctx.api
        consulted = self._build.asking()
        tag = self._build.classes.tag(info.mro, name)
        if tag is not None:
            self._weigh(ctx, f"{info.name}.{name}", *tag)
        self._build.depends(checker.tree, checker.module_refs, consulted, checker.tscope.current_target())

    def _weigh(self, ctx: AttributeContext, label: str, terms: Terms, boxed: bool) -> None:
        checker: Any = ctx.api
        source = self._build.sources.get(checker.tree.fullname)
        if source is None:
            return
        tree = tree_of(source)
        at = _position(ctx.context)
        attribute = tree.attributes.get((at, (ctx.context.end_line or 0, ctx.context.end_column or 0)))
        if attribute is None and not isinstance(ctx.context, (MemberExpr, Pattern)):
            return  # a declaration, which mypy compares with that of a base
        if attribute in tree.dropped or (boxed and attribute not in tree.opened):
            return
        place = tree.place(at)
        known = self._build.scopes.at(place, partial(_type_at, checker))
        if known.everything or (known.plain is not None and _may_be(attribute, known.plain)):
            return
        culprits = uncovered(terms, known.active)
        if culprits:
            self._build.contest(source.name, place)
            purposes = " and ".join(f'"{purpose}"' for purpose in culprits)
            message = f'"{label}" is read for {purposes}, and is allowed for {terms}'
            with _unwatched(checker.msg.errors):
                checker.fail(message, ctx.context, code=_CODES["purpose-violation"])
        elif not known.scoped and (terms.allowed or terms.never):
            message = f'"{label}" is read with no scope around it, and is allowed for {terms}'
            with _unwatched(checker.msg.errors):
                checker.msg.note(message, ctx.context, code=_CODES["purpose-unscoped"])

    # --- Declarations ------------------------------------------------------------------------------------------------

    def get_customize_class_mro_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Look at each class, once its bases are known."""
        return self._class

    def _class(self, ctx: ClassDefContext) -> None:
        _safely(lambda: self._declared(ctx), None)

    def _declared(self, ctx: ClassDefContext) -> None:
        info = ctx.cls.info
        module = info.module_name
        if not self._build.is_checked(module):
            return
        consulted = self._build.asking()
        for problem in self._build.classes.problems(info.mro):
            ctx.api.fail(problem.message, _context(problem.node), code=_CODES[problem.code])
        tree: Any = self._build.sources.loaded.get(module)
        if tree is not None:
            self._build.depends(tree, tree.module_refs, consulted, module)

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """Look at tags in a TypedDict, of which mypy tells plugins in no other way."""
        if fullname not in _ANNOTATED:
            return None
        if self._as_usual:
            self._as_usual = False
            return None
        return self._annotated

    def _annotated(self, ctx: AnalyzeTypeContext) -> Type:
        _safely(lambda: self._in_typed_dict(ctx), None)
        self._as_usual = True  # mypy asks again for this very type, and goes on as it would without a hook
        return ctx.api.analyze_type(ctx.type)

    def _in_typed_dict(self, ctx: AnalyzeTypeContext) -> None:
        analyzer: Any = ctx.api
        module: str = analyzer.api.cur_mod_id
        if self._build.is_checked(module) and self._build.mentions(module, "TypedDict"):
            for problem in self._build.classes.typed_dict_problems(module, ctx.context.line):
                analyzer.fail(problem.message, _context(problem.node), code=_CODES[problem.code])

    def get_function_hook(self, fullname: str) -> Callable[[FunctionContext], Type] | None:
        """Look at adapters, which hand out plain values."""
        return self._adapter if fullname == _ADAPTER else None

    def _adapter(self, ctx: FunctionContext) -> Type:
        _safely(lambda: self._adapted(ctx), None)
        return ctx.default_return_type

    def _adapted(self, ctx: FunctionContext) -> None:
        checker: Any = ctx.api
        source = self._build.sources.get(checker.tree.fullname)
        for call, namespace in () if source is None else calls_of(source, "TypeAdapter"):
            if (call.lineno, call.col_offset) != _position(ctx.context) or not call.args:
                continue
            tagged = holds_tag(self._build.names, call.args[0], namespace)
            if (tagged.terms is not None and tagged.terms.whole and not tagged.boxed) or tagged.buried:
                checker.fail(
                    f"A tag in a bare TypeAdapter protects nothing: {WAYS_OUT}",
                    ctx.context,
                    code=_CODES["purpose-policy"],
                )


def _safely(do: Callable[[], _R], otherwise: _R) -> _R:
    try:
        return do()
    except Exception:
        if os.environ.get(_RAISES):
            raise
        return otherwise


@contextmanager
def _unwatched(errors: Any) -> Generator[None, None, None]:
    """Report what mypy, which is trying something out just now, does not take for a sign that it will not do."""
    watchers = getattr(errors, "_watchers", None)
    if not watchers:
        yield
        return
    errors._watchers = []
    try:
        yield
    finally:
        errors._watchers = watchers


def _class_of(type_: Type) -> TypeInfo | None:
    proper = get_proper_type(type_)
    if isinstance(proper, TypeVarType):
        proper = get_proper_type(proper.upper_bound)
    if isinstance(proper, TupleType):
        proper = proper.partial_fallback
    return proper.type if isinstance(proper, Instance) else None


def _names_of(info: TypeInfo) -> set[str]:
    return {name for base in info.mro for name in base.names}


def _may_be(attribute: ast.Attribute | None, name: str) -> bool:
    """Whether an attribute is one of the object called `name`."""
    return attribute is None or (isinstance(attribute.value, ast.Name) and attribute.value.id == name)


def _position(node: Context) -> Position:
    return node.line, node.column


def _context(node: ast.AST) -> Context:
    context = Context(getattr(node, "lineno", -1), getattr(node, "col_offset", -1))
    context.end_line = getattr(node, "end_lineno", None)
    context.end_column = getattr(node, "end_col_offset", None)
    return context


def _with_items(node: Any) -> Iterator[Expression]:
    """Yield the items of the ``with`` statements in a node, which a compiled visitor cannot be asked for."""
    if isinstance(node, (list, tuple)):
        for one in node:
            yield from _with_items(one)
        return
    if isinstance(node, WithStmt):
        yield from node.expr
    for part in _PARTS:
        inside = getattr(node, part, None)
        if inside is not None and not isinstance(inside, (Expression, Type)):
            yield from _with_items(inside)


def _type_at(checker: Any, node: ast.expr) -> str | None:
    """The full name of the class of an item of a ``with`` statement, as far as mypy knows it."""
    for item in _with_items(checker.tree.defs):
        if _position(item) == (node.lineno, node.col_offset):
            try:
                info = _class_of(checker.lookup_type(item))
            except KeyError:
                return None
            return None if info is None else info.fullname
    return None
