"""Making values that a type accepts, a canary for each tagged field.

The JSON schema of the type says what its fields take, and which are tagged: it is the one description that pydantic
keeps of all the ways to declare a field. What it does not say, such as a validator's rules, is found out by trying.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from .canary import SHORTEST, Canary, CanaryError, Candidate
from .candidates import candidates

__all__ = ["Planted", "complete", "given_canaries", "plant"]

_TRIES: Final = 400
_CANNOT: Final = "x-cannot-be-planted"
_TAG: Final = "x-purposes"


class _Schema(GenerateJsonSchema):
    """A schema that says of a field that it cannot be described, instead of failing as a whole."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
        return {_CANNOT: error_info}


@dataclass
class _Leaf:
    """One value that is made: where it stands, and what else it could be."""

    path: tuple[str | int, ...]
    label: str
    tagged: bool
    others: Iterator[Candidate]
    chosen: Candidate


@dataclass(frozen=True)
class Planted:
    """What `plant` made.

    Attributes:
        value: The validated value.
        sent: What was validated, as JSON has it.
        canaries: The canaries in it.
        not_watched: The tagged fields whose values chance would find, and which are not looked for.
    """

    value: Any
    sent: Any
    canaries: list[Canary]
    not_watched: list[str] = field(default_factory=list)


def plant(kind: Any, given: Mapping[str, Any]) -> Planted:
    """Make a value of `kind`.

    Args:
        kind: A model, or whatever else pydantic validates.
        given: Values of fields that are not to be made, by the fields' names or aliases.

    Raises:
        CanaryError: A field cannot be made; the text says which.
    """
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    schema = adapter.json_schema(schema_generator=_Schema)
    name = getattr(kind, "__name__", str(kind))
    making = _Making(schema, adapter.json_schema(by_alias=False, schema_generator=_Schema), name, given)
    tree = making.made(schema, (), name, False, ())
    if making.cannot:
        raise CanaryError(
            f"{', '.join(making.cannot)}: no value can be made up for this. Give it by name: "
            f"plant({name}, {making.cannot[0].rpartition('.')[2]}=...)"
        )
    for _ in range(_TRIES):
        sent = _filled(tree)
        try:
            value = _validated(adapter, sent, bool(given))
        except ValidationError as error:
            problem = error
        else:
            return Planted(value, sent, making.canaries(), making.not_watched())
        making.try_others(problem)
    raise CanaryError(f"No values were found that suit {name}.")


def complete(kind: Any) -> None:
    """Finish a model whose annotations name what is local to the function that plants it.

    Called by what that function calls: pydantic looks for the names in the frame of its caller's caller.
    """
    if isinstance(kind, type) and issubclass(kind, BaseModel) and not kind.__pydantic_complete__:
        kind.model_rebuild(raise_errors=False, _parent_namespace_depth=4)


def _validated(adapter: TypeAdapter[Any], sent: Any, given: bool) -> Any:
    # By alias, as pydantic 2.12.0 forgets `by_name` inside a tagged model; by name for aliases that are paths.
    try:
        return adapter.validate_python(sent, strict=False, by_alias=True, by_name=True)
    except ValidationError:
        if given:
            raise
    # A field that is strict by itself takes a date from JSON, and no text from Python.
    return adapter.validate_json(_to_json(sent), by_alias=True, by_name=True)


def _to_json(sent: Any) -> bytes:
    return TypeAdapter(Any).dump_json(sent)


def _filled(tree: Any) -> Any:
    if isinstance(tree, _Leaf):
        return tree.chosen.value
    if isinstance(tree, dict):
        return {name: _filled(value) for name, value in tree.items()}
    return [_filled(value) for value in tree] if isinstance(tree, list) else tree


class _Making:
    """One run through a schema."""

    def __init__(self, schema: Any, by_name: Any, name: str, given: Mapping[str, Any]) -> None:
        self._schema = schema  # kept, for names are found by the identity of its parts
        self._definitions: dict[str, Any] = schema.get("$defs", {})
        self._name = name
        self._names = _names(schema, by_name)
        self._leaves: list[_Leaf] = []
        self._watched: list[Canary] = []
        self._open: list[str] = []
        self.cannot: list[str] = []
        top = self._definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        properties: dict[str, Any] = top.get("properties", {})
        aliases = {self._names.get((id(top), alias)) or alias: alias for alias in properties}
        unknown = [each for each in given if each not in aliases and each not in aliases.values()]
        if unknown and not top.get("additionalProperties"):
            raise CanaryError(f"{name} has no field {', '.join(unknown)}; it has {', '.join(aliases)}.")
        self._given = {aliases.get(each, each): value for each, value in given.items()}

    def canaries(self) -> list[Canary]:
        chosen = [leaf.chosen.canary for leaf in self._leaves if leaf.tagged]
        return self._watched + [canary for canary in chosen if canary is not None]

    def not_watched(self) -> list[str]:
        return self._open + [leaf.label for leaf in self._leaves if leaf.tagged and leaf.chosen.canary is None]

    def try_others(self, problem: ValidationError) -> None:
        """Have the next candidates stand where `problem` is."""
        moved, stuck = False, []
        for line in problem.errors(include_url=False, include_input=False, include_context=False):
            leaves = [leaf for leaf in self._leaves if line["loc"] and _within(leaf.path, line["loc"])]
            for leaf in leaves:
                other = next(leaf.others, None)
                if other is not None:
                    leaf.chosen, moved = other, True
            if not leaves:
                place = ".".join(str(part) for part in line["loc"])
                stuck.append(f"  {place or 'the whole'}: {line['msg']}")
        if stuck or not moved:
            lines = stuck or [
                f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors(include_url=False)
            ]
            raise CanaryError(
                f"No value was found that {self._name} accepts. Give these by name, plant({self._name}, ...=...):\n"
                + "\n".join(dict.fromkeys(lines))
            )

    def made(self, schema: Any, path: tuple[str | int, ...], label: str, tagged: bool, within: tuple[str, ...]) -> Any:
        """Return what stands for a value of `schema`: leaves, in dicts and lists."""
        tagged = tagged or _TAG in schema
        if "$ref" in schema:
            reference = schema["$ref"].rpartition("/")[2]
            return self.made(self._definitions[reference], path, label, tagged, (*within, reference))
        for choices in (schema.get("anyOf"), schema.get("oneOf"), schema.get("allOf")):
            if choices:
                return self.made(self._choice(choices, within), path, label, tagged, within)
        if _CANNOT in schema:
            self.cannot.append(label)
            return None
        if schema.get("type") == "object":
            return self._object(schema, path, label, tagged, within)
        if schema.get("type") == "array":
            return self._array(schema, path, label, tagged, within)
        tagged = tagged and schema.get("type") != "null"  # where a type that holds itself ends
        others = iter(candidates(schema, label, str(path[-1]) if path else ""))
        if not tagged:
            others = (Candidate(each.value) for each in others)
        first = next(others, None)
        if first is None:
            self.cannot.append(label)
            return None
        leaf = _Leaf(path, label, tagged, others, first)
        self._leaves.append(leaf)
        return leaf

    def _object(self, schema: Any, path: Any, label: str, tagged: bool, within: tuple[str, ...]) -> Any:
        result: dict[str, Any] = {}
        owner = within[-1].rpartition("__")[2] if within else self._name
        for name, its in schema.get("properties", {}).items():
            its_label = f"{owner}.{self._names.get((id(schema), name), name)}"
            if not path and name in self._given:
                self._take(self._given[name], its_label, tagged or self._reaches_tag(its, ()))
                continue
            wanted = name in schema.get("required", ()) or tagged or self._reaches_tag(its, ())
            if wanted and not self._endless(its, within):
                result[name] = self.made(its, (*path, name), its_label, tagged, within)
        values = schema.get("additionalProperties")
        if isinstance(values, dict) and not schema.get("properties") and not self._endless(values, within):
            key = "key" if "propertyNames" not in schema else next(iter(schema["propertyNames"].get("enum", ["key"])))
            result[key] = self.made(values, (*path, key), label, tagged, within)
        return {**result, **(self._given if not path else {})}

    def _array(self, schema: Any, path: Any, label: str, tagged: bool, within: tuple[str, ...]) -> Any:
        first = schema.get("prefixItems", [])
        result = [self.made(its, (*path, n), label, tagged, within) for n, its in enumerate(first)]
        items = schema.get("items")
        if isinstance(items, dict) and not self._endless(items, within):
            count = max(schema.get("minItems", 0), min(1, schema.get("maxItems", 1)))
            result += [self.made(items, (*path, n), label, tagged, within) for n in range(len(result), count)]
        return result

    def _choice(self, choices: list[Any], within: tuple[str, ...]) -> Any:
        filled = [choice for choice in choices if choice.get("type") != "null"]
        ending = [choice for choice in filled if not self._endless(choice, within)]
        describable = [choice for choice in ending if _CANNOT not in choice]
        return next(iter(describable or ending or [choice for choice in choices if choice not in filled] or choices))

    def _endless(self, schema: Any, within: tuple[str, ...]) -> bool:
        return schema.get("$ref", "").rpartition("/")[2] in within

    def _reaches_tag(self, schema: Any, seen: tuple[str, ...]) -> bool:
        if isinstance(schema, list):
            return any(self._reaches_tag(item, seen) for item in schema)
        if not isinstance(schema, dict):
            return False
        if _TAG in schema:
            return True
        reference = schema.get("$ref", "").rpartition("/")[2]
        if reference and reference not in seen:
            return self._reaches_tag(self._definitions[reference], (*seen, reference))
        return any(self._reaches_tag(item, seen) for item in schema.values())

    def _take(self, value: Any, label: str, tagged: bool) -> None:
        """Look for a given value of a tagged field too, where chance would not find it."""
        if not tagged or value is None:
            return
        found = list(given_canaries(value, label))
        self._watched += found
        if not found:
            self._open.append(label)


def _names(schema: Any, by_name: Any) -> dict[tuple[int, str], str]:
    """The fields' names by the schema that they stand in and their aliases: two schemas differ in nothing else."""
    found: dict[tuple[int, str], str] = {}
    others = by_name.get("$defs", {})
    for one, other in [
        (schema, by_name),
        *((its, others.get(key, {})) for key, its in schema.get("$defs", {}).items()),
    ]:
        pairs = zip(one.get("properties", {}), other.get("properties", {}), strict=False)
        found.update({(id(one), alias): name for alias, name in pairs})
    return found


def given_canaries(value: Any, label: str) -> Iterator[Canary]:
    """Yield a canary for each part of `value` by which it could be known again."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from given_canaries(item, label)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from given_canaries(item, label)
    elif isinstance(value, (bytes, str)):
        written = value.decode("latin-1") if isinstance(value, bytes) else value
        if len(written) >= SHORTEST:
            yield Canary(label, written)
    elif (
        not isinstance(value, (bool, float))
        and len(written := str(value)) >= SHORTEST
        and any(map(str.isdigit, written))
    ):
        yield Canary(label, written, "number" if isinstance(value, int) else "text")


def _within(path: tuple[str | int, ...], place: tuple[str | int, ...]) -> bool:
    """Whether an error at `place` may be about the value at `path`: a union puts names of its own in between."""
    rest = iter(place)
    return all(part in rest for part in path) or path[: len(place)] == place
