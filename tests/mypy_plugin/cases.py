"""Cases in mypy's own style: files of programs, whose lines say in comments what mypy is to report there.

A file ``cases/NAME.test`` holds cases. Each begins with ``[case name]`` and is the module ``name.main``;
``[file x.py]`` begins another module of the same package. ``# E: message  [code]`` at the end of a line is an error
expected there, and ``# N: message`` a note; several are separated the same way. ``[file x.py.2]`` is what the file is
in a second run, and ``[delete x.py.2]`` says that it is gone by then; ``# E23: message`` is expected in the second and
the third run, and not in the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "cases"

_HEADER = re.compile(r"^\[(case|file|delete) ([\w./]+)\]$", re.MULTILINE)
_EXPECTED = re.compile(r"#\s*([EN])(\d*): (.*?)(?=\s*# [EN]\d*: |$)")
_STEP = re.compile(r"\.(\d)$")
_KINDS = {"E": "error", "N": "note"}


@dataclass
class Case:
    """One case.

    Attributes:
        name: Its name, and that of its package.
        steps: The files of each run, by their paths in the package; None for one that is gone.
    """

    name: str
    steps: list[dict[str, str | None]] = field(default_factory=lambda: [{}])

    def write(self, folder: Path, step: int = 0) -> None:
        """Write what changes in a step into the package, which is in `folder`."""
        package = folder / self.name
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        for path, text in self.steps[step].items():
            target = package / path
            if text is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")

    def expected(self, step: int = 0) -> list[str]:
        """Return the lines that mypy is to print in a step, in order."""
        files: dict[str, str | None] = {}
        for changed in self.steps[: step + 1]:
            files.update(changed)
        found: list[tuple[str, int, str]] = []
        for path, text in files.items():
            for number, line in enumerate((text or "").splitlines(), start=1):
                for kind, when, message in _EXPECTED.findall(line):
                    if when and str(step + 1) not in when:
                        continue
                    found.append((f"{self.name}/{path}", number, f"{_KINDS[kind]}: {message}"))
        return [f"{path}:{number}: {message}" for path, number, message in sorted(found)]


def cases(name: str) -> list[Case]:
    """Return the cases of ``cases/NAME.test``."""
    return list(_cases((FOLDER / f"{name}.test").read_text(encoding="utf-8")))


def _cases(text: str) -> Iterator[Case]:
    headers = list(_HEADER.finditer(text))
    case: Case | None = None
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        body = text[header.end() + 1 : following.start() if following else len(text)]
        kind, path = header[1], header[2]
        if kind == "case":
            if case is not None:
                yield case
            case, path = Case(path), "main.py"
        assert case is not None
        numbered = _STEP.search(path)
        step = int(numbered[1]) if numbered else 1
        while len(case.steps) < step:
            case.steps.append({})
        case.steps[step - 1][_STEP.sub("", path)] = None if kind == "delete" else body
    if case is not None:
        yield case
