"""The page as what it is: a way from the shop before to the shop after, in steps that can be taken.

Its ``diff`` blocks are applied in order. They have no line numbers: what a hunk removes or keeps has to stand in the
file exactly once. Its ``console`` blocks are held against what the commands print.
"""

from __future__ import annotations

import difflib
import re
import shutil
from collections import Counter
from pathlib import Path

__all__ = ["AFTER", "BEFORE", "PAGE", "apply", "blocks", "built", "changed_lines", "files"]

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "how-to" / "adopt-in-an-existing-service.md"
BEFORE, AFTER = HERE / "before", HERE / "after"

_HEADING = re.compile(r"^## (\d)\. ", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str, step: int) -> list[str]:
    """Return the blocks in `language` that stand under the heading of `step`."""
    parts = _HEADING.split(PAGE.read_text(encoding="utf-8"))
    section = dict(zip(parts[1::2], parts[2::2], strict=True))[str(step)]
    return [body for found, body in _BLOCK.findall(section) if found == language]


def built(step: int, tree: Path) -> Path:
    """Return `tree`, made to be the shop as it is when the page has been followed as far as `step`."""
    shutil.copytree(BEFORE, tree, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for number in range(1, step + 1):
        for block in blocks("diff", number):
            apply(block, tree)
    return tree


def changed_lines() -> Counter[str]:
    """Return how many lines the adoption adds ("+") and removes ("-"), as `git diff --numstat` counts."""
    before, after = files(BEFORE), files(AFTER)
    count: Counter[str] = Counter()
    for name in after:
        lines = difflib.unified_diff(before.get(name, "").splitlines(), after[name].splitlines(), lineterm="", n=0)
        count.update(line[0] for line in list(lines)[2:] if line[0] in "+-")
    return count


def apply(diff: str, tree: Path) -> None:
    """Change the files in `tree` as `diff` says."""
    for old_name, name, changes in re.findall(r"^--- (.+)\n\+\+\+ (.+)\n((?:(?!--- ).*\n)+)", diff, re.MULTILINE):
        file = tree / name
        text = file.read_text(encoding="utf-8") if old_name != "/dev/null" else ""
        for hunk in re.split(r"^@@\n", changes, flags=re.MULTILINE)[1:]:
            lines = [line or " " for line in hunk.splitlines()]
            old = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
            new = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
            if not text:
                text = new
                continue
            assert text.count(old) == 1, f"{name} has this {text.count(old)} times:\n{old}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")


def files(tree: Path) -> dict[str, str]:
    """Return the text of each file of the shop."""
    return {
        path.relative_to(tree).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((tree / "shop").glob("*.py"))
    }
