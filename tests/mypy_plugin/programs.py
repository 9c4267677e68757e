"""Makes programs of scopes and reads at random, which can be checked and run."""

from __future__ import annotations

from random import Random

_HEAD = """\
from typing import Annotated, Optional

from purposebind import AllowedFor, Purpose, PurposeModel, PurposeViolation, purpose_scope
from purposebind.break_glass import break_glass

denied: set[int] = set()

"""


class Program:
    """One program.

    Attributes:
        text: Its source. Running its functions fills ``denied`` with the numbers of the lines whose read was refused.
        reads: The numbers of the lines that read.
    """

    def __init__(self, seed: int, functions: int) -> None:
        self._random = Random(seed)
        self._prefix = f"mypyp{seed}"
        self._lines = _HEAD.splitlines()
        self.reads: set[int] = set()
        self._purposes = self._declare_purposes()
        self._fields = self._declare_models()
        for number in range(functions):
            self._function(number)
        self._lines += ["", f"functions = [{', '.join(f'function{number}' for number in range(functions))}]", ""]
        self.text = "\n".join(self._lines)

    def _declare_purposes(self) -> list[str]:
        roots, all_ = ["A", "B", "C", "D"], []
        for root in roots:
            self._lines.append(f'{root} = Purpose("{self._prefix}_{root.lower()}", "A root")')
            all_.append(root)
            for child in "xy":
                name = f"{root}_{child.upper()}"
                self._lines.append(f'{name} = {root}.child("{child}", "A child")')
                all_.append(name)
        self._lines.append('A_X_DEEP = A_X.child("deep", "A grandchild")')
        all_.append("A_X_DEEP")
        for _ in range(self._random.randint(0, 4)):
            one, other = self._random.sample(all_, 2)
            self._lines.append(f'{one}.may_hand_over_to({other}, reason="It must")')
        self._lines += ["", "", "class Kept:"]
        self._lines += [f"    {name.lower()} = {name}" for name in all_]
        return [*all_, *(f"Kept.{name.lower()}" for name in all_)]

    def _some(self, most: int) -> list[str]:
        return self._random.sample(self._purposes, self._random.randint(1, most))

    def _declare_models(self) -> list[str]:
        self._lines += ["", "", "class Base(PurposeModel):"]
        fields = [f"field{number}" for number in range(6)]
        for field in fields:
            allowed = [name for name in self._purposes if name.isupper() and self._random.random() < 0.3] or ["A"]
            tag = f"AllowedFor({', '.join(allowed)})"
            annotation = self._random.choice(
                [f"Annotated[str, {tag}]", f"Optional[Annotated[str, {tag}]]", f'"Annotated[str, 1, {tag}, {tag}]"']
            )
            self._lines.append(f"    {field}: {annotation}")
        self._lines += ["", "", "class Person(Base):", "    field0: str", "", ""]
        values = ", ".join(f'{field}=""' for field in fields)
        self._lines += [f"people = [Base({values}), Person({values})]", ""]
        return fields

    def _function(self, number: int) -> None:
        decorators = [f"@purpose_scope({', '.join(self._some(2))})" for _ in range(self._random.randint(0, 2))]
        self._lines += ["", *decorators, f"def function{number}() -> None:", "    for person in people:"]
        self._block(2, 0, scoped=bool(decorators))
        self._lines.append("        pass")

    def _block(self, indent: int, deep: int, scoped: bool) -> None:
        pad = "    " * indent
        for _ in range(self._random.randint(1, 2)):
            if scoped:
                self._read(pad)
            if deep < 3 and self._random.random() < 0.7:
                items = [f"purpose_scope({', '.join(self._some(2))})" for _ in range(self._random.randint(1, 2))]
                if self._random.random() < 0.1:
                    items.insert(0, 'break_glass("INC-1", by="night")')
                self._lines.append(f"{pad}with {', '.join(items)}:")
                self._block(indent + 1, deep + 1, scoped=True)
        if scoped:
            self._read(pad)

    def _read(self, pad: str) -> None:
        field = self._random.choice(self._fields)
        line = len(self._lines) + 2
        self.reads.add(line)
        read = self._random.choice(
            [f"person.{field}", f"[one.{field} for one in [person]]", f"any(one.{field} for one in [person])"]
        )
        self._lines += [
            f"{pad}try:",
            f"{pad}    print({read})",
            f"{pad}except PurposeViolation:",
            f"{pad}    denied.add({line})",
        ]
