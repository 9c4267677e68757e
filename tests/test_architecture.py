"""The shape of the package: which module may see which, which names are public, and where the rules are kept.

The modules are read, not imported (except in the tests that are about what an import does), so that a broken import is
reported as what it is. They are found where the package is installed, so that the tests hold for the built wheel too.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import purposebind

PACKAGE_NAME = "purposebind"

# The core, lowest first: a module may import those before it and none after it.
CORE = [
    "errors",
    "sites",
    "identifiers",
    "purpose",
    "policy",
    "consent",
    "config",
    "tags",
    "callables",
    "frames",
    "scope",
    "pending",
    "recording",
    "expiring",
    "answers",
    "conditions",
    "entering",
    "collection",
    "enforcement",
    "requirement",
    "redaction",
    "subjects",
    "joining",
    "sealed",
    "narrowing",
    "annotations",
    "walk",
    "retaining",
    "guards",
    "inheriting",
    "sealing",
    "recovering",
    "cleaning",
    "boundary",
    "roads",
    "schema",
    "declaration",
    "entry",
    "collecting",
    "describing",
    "views",
    "model",
    "root_model",
    "break_glass",
    "receiving",
    "moving",
    "scrubbing",
    "using",
    "holding",
    "entities",
]

# What stands on the public names, and is no part of the core.
EDGES = ["cli", "demo", "governance", "integrations", "ledger", "mypy", "testing"]

# Modules of the core that are made for edges, ours and anybody's. Their names are in the reference.
FOR_EDGES = {
    "break_glass",
    "consent",
    "describing",
    "entities",
    "errors",
    "holding",
    "identifiers",
    "moving",
    "policy",
    "purpose",
    "receiving",
    "redaction",
    "scrubbing",
    "sites",
    "using",
}

# Test support has to look inside: it turns off redaction and resets what the core remembers.
MAY_SEE_PRIVATE = {"testing"}

THIRD_PARTY = {"pydantic", "pydantic_core", "typing_extensions"}

FIXED_NAMES = {
    "AllowedFor",
    "NoActivePurpose",
    "PolicyError",
    "Purpose",
    "PurposeError",
    "PurposeModel",
    "PurposeViolation",
    "Sealed",
    "SubjectId",
    "active_purposes",
    "carry",
    "configure",
    "purpose_scope",
    "requires_purpose",
}

# Public names beside the fixed ones. Adding one is a decision: it is covered by the stability policy from then on.
ADDED_NAMES = {"CollectedAt", "PurposeRootModel", "collected_for"}

LONGEST_FILE = 350


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE_NAME)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


PACKAGE = _package()
TESTS = Path(__file__).parent


class Module(NamedTuple):
    """A module of the package: `parts` is its dotted name after the package's own, empty for the package itself."""

    path: Path
    parts: tuple[str, ...]

    @property
    def top(self) -> str:
        return self.parts[0] if self.parts else ""

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


class Import(NamedTuple):
    """An import statement: the absolute name of the module, the names taken from it, and where it stands."""

    module: str
    names: tuple[str, ...]
    line: int


def _modules() -> list[Module]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found.append(Module(path, parts[:-1] if parts[-1] == "__init__" else parts))
    return found


MODULES = _modules()
CORE_MODULES = [m for m in MODULES if m.top in CORE]
EDGE_MODULES = [m for m in MODULES if m.top in EDGES]


def _name(module: Module) -> str:
    return ".".join(module.parts) or PACKAGE_NAME


def _each(modules: list[Module]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("module", modules, ids=map(_name, modules))


# --- Reading a module ------------------------------------------------------------------------------------------------


def _is_for_typing(node: ast.AST) -> bool:
    """Whether this is `if TYPE_CHECKING:`, under which an import names a type and binds nothing when the code runs."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _walk_running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below `node` that runs, those in functions included: a late import has a direction too."""
    for child in ast.iter_child_nodes(node):
        if _is_for_typing(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield other
                yield from _walk_running(other)
            continue
        yield child
        yield from _walk_running(child)


def _base_of_relative(module: Module, level: int) -> tuple[str, ...]:
    package = module.parts if module.is_package else module.parts[:-1]
    return package[: len(package) - (level - 1)] if level > 1 else package


def _imports(module: Module) -> Iterator[Import]:
    for node in _walk_running(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), node.lineno)
        elif isinstance(node, ast.ImportFrom):
            parts: tuple[str, ...] = (node.module,) if node.module else ()
            if node.level:
                parts = (PACKAGE_NAME, *_base_of_relative(module, node.level), *parts)
            yield Import(".".join(parts), tuple(alias.name for alias in node.names), node.lineno)


def _parts_imported(imported: Import) -> list[str]:
    """The modules and subpackages right below the package that the import reaches; "" for the package itself."""
    root, _, rest = imported.module.partition(".")
    if root != PACKAGE_NAME:
        return []
    if rest:
        return [rest.partition(".")[0]]
    parts = {m.top for m in MODULES}
    return [name if name in parts else "" for name in imported.names] or [""]


def _bound_names(statements: Iterable[ast.stmt], *, relative_imports: bool) -> Iterator[str]:
    """The names that the statements of a module's top level define."""
    for node in statements:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name
        elif isinstance(node, ast.Assign) and not _makes_type_variable(node.value):
            for target in node.targets:
                yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.ImportFrom) and relative_imports and node.level:
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, (ast.If, ast.Try)) and not _is_for_typing(node):
            yield from _bound_names([*node.body, *node.orelse], relative_imports=relative_imports)


def _makes_type_variable(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in {"ParamSpec", "TypeVar", "TypeVarTuple"}
    )


def _public_names(module: Module) -> set[str]:
    bound = _bound_names(module.tree.body, relative_imports=module.is_package)
    return {name for name in bound if not name.startswith("_")}


def _typed(module: Module) -> dict[str, str]:
    """The names that a module imports under ``if TYPE_CHECKING:``, from which module beside it."""
    blocks = [node for node in module.tree.body if isinstance(node, ast.If) and _is_for_typing(node)]
    statements = [each for block in blocks for each in block.body if isinstance(each, ast.ImportFrom)]
    return {alias.name: each.module or "" for each in statements for alias in each.names}


def _declared_all(module: Module) -> list[str] | None:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names = ast.literal_eval(node.value)
            assert all(isinstance(name, str) for name in names)
            return list(names)
    return None


def _rules_named(path: Path) -> set[int]:
    """The rules that the file names one by one: "R1-R12" in passing names none."""
    text = path.read_text(encoding="utf-8")
    return {int(number) for number in re.findall(r"(?<![\w-])R(\d{1,2})(?![\w-])", text)}


# --- Import direction ------------------------------------------------------------------------------------------------


def test_every_module_has_a_place() -> None:
    """A module without a place would be held to no direction, and the layers would dissolve unnoticed."""
    unknown = {m.top for m in MODULES} - {"", *CORE, *EDGES}
    assert not unknown, f"give {sorted(unknown)} a place in CORE or EDGES"


def test_every_place_in_the_core_is_taken() -> None:
    """A renamed module would leave its old place behind, and the list would no longer describe the package."""
    assert set(CORE) <= {m.top for m in MODULES}


@_each(CORE_MODULES)
def test_core_imports_go_one_way(module: Module) -> None:
    """A cycle, or a policy that asks which scope is open, could not be understood or tested by itself."""
    below = CORE[: CORE.index(module.top)]
    for imported in _imports(module):
        for part in _parts_imported(imported):
            assert part in below, (
                f"{module.path.name}:{imported.line}: {part or PACKAGE_NAME} is not below {module.top}"
            )


@_each([m for m in MODULES if not m.parts])
def test_the_package_itself_imports_the_core_alone(module: Module) -> None:
    """`import purposebind` would otherwise need an extra, or pay for one."""
    for imported in _imports(module):
        assert set(_parts_imported(imported)) <= set(CORE), f"{module.path.name}:{imported.line}"
    assert set(_typed(module).values()) <= set(CORE)


@_each(EDGE_MODULES)
def test_edges_see_public_names_only(module: Module) -> None:
    """What ships beside the core would break on a change inside it, and users could not write the like themselves."""
    for imported in _imports(module):
        if imported.module == PACKAGE_NAME:
            private = set(imported.names) - FIXED_NAMES - ADDED_NAMES - set(EDGES)
        else:
            private = set(_parts_imported(imported)) - set(EDGES) - FOR_EDGES
        if module.top in MAY_SEE_PRIVATE:
            private -= set(CORE)
        assert not private, f"{_name(module)}:{imported.line} imports {sorted(private)} from inside the core"


# --- What the core needs ---------------------------------------------------------------------------------------------


@_each([m for m in MODULES if m.top in {"", *CORE}])
def test_core_names_no_other_library(module: Module) -> None:
    """A library used by the core is one more thing to install, and one more way round the checks."""
    for imported in _imports(module):
        root = imported.module.partition(".")[0]
        allowed = root == PACKAGE_NAME or root in THIRD_PARTY or root in sys.stdlib_module_names
        assert allowed, f"{_name(module)}:{imported.line} imports {root}"


# The last two are pydantic's own.
INSTALLED_WITH_THE_CORE = {*THIRD_PARTY, "annotated_types", "typing_inspection"}

BLOCKED_IMPORT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed and not name.startswith("_sysconfigdata"):
            raise ImportError(f"blocked: {name}")

allowed = {"purposebind", *sys.stdlib_module_names, *sys.argv[1:]}
sys.meta_path.insert(0, Blocked())
import purposebind
for name in purposebind.__all__:
    getattr(purposebind, name)
print(*{name.split(".")[1] for name in sys.modules if name.startswith("purposebind.")})
"""


def test_core_imports_with_all_else_blocked() -> None:
    """`pip install purposebind` without extras would give a package that does not import."""
    command = [sys.executable, "-c", BLOCKED_IMPORT, *INSTALLED_WITH_THE_CORE]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= set(CORE), "importing the package loads more than the core"


# --- Public names ----------------------------------------------------------------------------------------------------


@_each([m for m in MODULES if m.parts])
def test_all_is_the_public_names(module: Module) -> None:
    """A name in one place and not in the other is public for some readers and private for others."""
    declared, names = _declared_all(module), _public_names(module)
    if any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in module.tree.body):
        names |= set(_typed(module))  # imported when they are asked for
    assert sorted(declared or []) == sorted(names)


def test_the_public_names_are_the_promised_ones() -> None:
    """A promised name that is gone breaks users; one that slipped in has to be supported from then on."""
    (package,) = (m for m in MODULES if not m.parts)
    declared = _declared_all(package)
    assert declared is not None
    assert len(declared) == len(set(declared))
    assert set(declared) == FIXED_NAMES | ADDED_NAMES
    assert _public_names(package) | set(_typed(package)) == FIXED_NAMES | ADDED_NAMES


def test_a_public_name_is_what_type_checkers_take_it_for() -> None:
    """The package imports its names late: a checker would be told of another one than the program gets."""
    (package,) = (m for m in MODULES if not m.parts)
    assert _typed(package) == purposebind._HOMES
    for name, home in purposebind._HOMES.items():
        assert getattr(purposebind, name) is getattr(import_module(f"purposebind.{home}"), name)
        assert name in dir(purposebind)
    with pytest.raises(AttributeError, match="module 'purposebind' has no attribute 'purpose_scopes'"):
        _ = purposebind.purpose_scopes


# --- Files -----------------------------------------------------------------------------------------------------------


@_each(MODULES)
def test_a_file_fits_one_sitting(module: Module) -> None:
    """A longer file holds more than one idea, and its reader has to find out where each ends."""
    lines = len(module.path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE


def test_the_package_is_typed() -> None:
    """Without the marker a type checker ignores the annotations, and `account.phone` is `Any`."""
    assert (PACKAGE / "py.typed").is_file()


@pytest.mark.parametrize("rule", range(1, 13), ids="R{}".format)
def test_each_rule_is_named_where_it_is_kept_and_where_it_is_proved(rule: int) -> None:
    """A rule that no code and no test names cannot be traced, and is lost at the next rewrite."""
    kept = [m.path.name for m in MODULES if m.top in CORE and rule in _rules_named(m.path)]
    assert kept, f"no module of the core names R{rule}"
    proofs = [p for p in TESTS.rglob("test_*.py") if p != Path(__file__) and rule in _rules_named(p)]
    assert proofs, f"no test names R{rule}"
