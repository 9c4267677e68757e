"""Scopes entered, left in any order, copied, carried and handed over, against a model of R2-R5 in plain code."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from purposebind import (
    AllowedFor,
    Purpose,
    PurposeError,
    PurposeViolation,
    Sealed,
    active_purposes,
    carry,
    purpose_scope,
)
from purposebind.scope import OUTSIDE, _frame

_number = count()
PARTS = ("a", "a.b", "a.b.c", "a.d", "e", "e.f", "g")


# The model: R2-R5, and nothing else. Purposes are their names.


@dataclass(eq=False)
class Block:
    around: Block | None
    active: frozenset[str]
    open: bool = True


def above(one: str, other: str) -> bool:
    return one == other or other.startswith(one + ".")


def enter(active: frozenset[str], purpose: str, handovers: set[tuple[str, str]]) -> frozenset[str]:  # R4
    def leaves(member: str) -> bool:
        return above(member, purpose) or any(above(p, member) and above(q, purpose) for p, q in handovers)

    return frozenset({purpose, *(member for member in active if not leaves(member))})


def active_in(block: Block | None) -> frozenset[str]:  # R5: a block that was left has nothing
    return block.active if block is not None and block.open else frozenset()


def stands_on(block: Block | None) -> frozenset[str]:  # R5: the nearest block that is open
    while block is not None and not block.open:
        block = block.around
    return active_in(block)


def may_read(active: frozenset[str], allowed: str, never: str) -> bool:  # R2, R3
    return bool(active) and all(above(allowed, p) and not above(never, p) for p in active)


# The machine: the same steps on both.

some = st.integers(0, 10_000)
names = st.sampled_from(PARTS)


class Scopes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        _frame.set(OUTSIDE)
        root = f"state_{next(_number)}"  # new purposes each time: handovers are never taken back
        Purpose(root, "Root")
        self.purposes = {part: Purpose(f"{root}.{part}", part) for part in PARTS}
        self.parts = {purpose: part for part, purpose in self.purposes.items()}
        self.handovers: set[tuple[str, str]] = set()
        self.contexts = [contextvars.copy_context()]
        self.heads: list[Block | None] = [None]
        self.scopes: list[tuple[purpose_scope, Block]] = []
        self.generators: list[tuple[Generator[Any, None, None], str]] = []
        self.carried: list[tuple[Callable[[], Any], Block | None]] = []
        self.boxes = [
            (allowed, never, Sealed.of(allowed, AllowedFor(self.purposes[allowed], never=[self.purposes[never]])))
            for allowed, never in (("a", "a.b.c"), ("a.b", "e"), ("e", "e.f"), ("a.d", "g"))
        ]

    def seen(self, active: frozenset[Purpose]) -> frozenset[str]:
        return frozenset(self.parts[purpose] for purpose in active)

    def chain(self, place: int) -> list[Block]:
        block, found = self.heads[place], []
        while block is not None:
            found.append(block)
            block = block.around
        return found

    def close(self, place: int, block: Block) -> None:
        block.open = False
        if self.heads[place] is block:
            self.heads[place] = block.around
        for inner in self.chain(place):
            if inner.around is block:
                inner.around = block.around

    @rule(at=some, entered=st.lists(names, min_size=1, max_size=3))
    def enter(self, at: int, entered: list[str]) -> None:
        place = at % len(self.contexts)
        active = stands_on(self.heads[place])
        for part in entered:
            active = enter(active, part, self.handovers)
        scope = purpose_scope(*(self.purposes[part] for part in entered))
        self.contexts[place].run(scope.__enter__)
        self.heads[place] = Block(self.heads[place], active)
        self.scopes.append((scope, self.heads[place]))

    @precondition(lambda self: self.scopes)
    @rule(at=some, which=some)
    def leave(self, at: int, which: int) -> None:
        """In any order, and from any context."""
        place = at % len(self.contexts)
        scope, block = self.scopes.pop(which % len(self.scopes))
        if block in self.chain(place):
            self.contexts[place].run(scope.__exit__, None, None, None)
            self.close(place, block)
        else:  # in a context that is not in it: an error that says so, and a dead block
            with pytest.raises(PurposeError):
                self.contexts[place].run(scope.__exit__, None, None, None)
            block.open = False

    @precondition(lambda self: self.scopes)
    @rule(at=some)
    def leave_properly(self, at: int) -> None:
        """The innermost block of a context, in that context."""
        place = at % len(self.contexts)
        for index, (_, block) in enumerate(self.scopes):
            if block is self.heads[place]:
                scope, _ = self.scopes.pop(index)
                self.contexts[place].run(scope.__exit__, None, None, None)
                self.close(place, block)
                return

    @precondition(lambda self: len(self.contexts) < 5)
    @rule(at=some)
    def copy(self, at: int) -> None:
        """What create_task, call_soon and to_thread do."""
        place = at % len(self.contexts)
        self.contexts.append(self.contexts[place].copy())
        self.heads.append(self.heads[place])

    @rule(left=names, entered=names)
    def hand_over(self, left: str, entered: str) -> None:
        self.purposes[left].may_hand_over_to(self.purposes[entered], reason="Because")
        self.handovers.add((left, entered))

    @rule(part=names)
    def make_generator(self, part: str) -> None:
        @purpose_scope(self.purposes[part])
        def steps() -> Generator[Any, None, None]:
            while True:
                yield active_purposes()

        self.generators.append((steps(), part))

    @precondition(lambda self: self.generators)
    @rule(at=some, which=some, last=st.booleans())
    def step(self, at: int, which: int, last: bool) -> None:
        """At each step inside whatever drives it then; the invariant sees that nothing stays at the yield."""
        place, index = at % len(self.contexts), which % len(self.generators)
        generator, part = self.generators[index]
        inside = self.contexts[place].run(next, generator)
        assert self.seen(inside) == enter(stands_on(self.heads[place]), part, self.handovers)
        if last:
            self.generators.pop(index)
            self.contexts[place].run(generator.close)

    @rule(at=some)
    def carry(self, at: int) -> None:
        place = at % len(self.contexts)
        self.carried.append((self.contexts[place].run(carry, active_purposes), self.heads[place]))

    @precondition(lambda self: self.carried)
    @rule(at=some, which=some)
    def call_carried(self, at: int, which: int) -> None:
        """Under both, while the block it came from is open."""
        place = at % len(self.contexts)
        function, origin = self.carried[which % len(self.carried)]
        if origin is None:
            expected = active_in(self.heads[place])
        else:
            expected = stands_on(self.heads[place]) | origin.active if origin.open else frozenset()
        assert self.seen(self.contexts[place].run(function)) == expected

    @invariant()
    def agree(self) -> None:
        for context, head in zip(self.contexts, self.heads, strict=False):
            assert self.seen(context.run(active_purposes)) == active_in(head)
            for allowed, never, box in self.boxes:
                try:
                    context.run(box.open)
                except PurposeViolation:
                    assert not may_read(active_in(head), allowed, never)
                else:
                    assert may_read(active_in(head), allowed, never)
        assert active_purposes() == frozenset()

    def teardown(self) -> None:
        for scope, _ in self.scopes:
            error = RuntimeError("the end of the example")
            self.contexts[0].run(scope.__exit__, RuntimeError, error, None)


class TestScopes(Scopes.TestCase):  # type: ignore[name-defined,misc]
    """A sequence of entries, exits, tasks and generators would leave some code running for a purpose that is over."""

    settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
