"""The garbage collector may run at any moment, and finalises decorated generators that somebody dropped half-way."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import contextvars, gc
from purposebind import Purpose, active_purposes, purpose_scope

purpose = Purpose("collected", "Of no other test")
for number in range(20):  # as frameworks do: with many, a context is a tree, whose nodes the collector counts
    contextvars.ContextVar(f"other_{number}").set(object())

@purpose_scope(purpose)
def steps():
    yield 1
    yield 2

class Holder:
    pass

gc.set_threshold(5, 2, 2)
wrong = 0
for _ in range(20_000):
    holder = Holder()
    holder.steps, holder.itself = steps(), holder
    next(holder.steps)
    del holder
    with purpose_scope(purpose):
        wrong += contextvars.copy_context().run(active_purposes) != {purpose}
    wrong += bool(active_purposes())
print(wrong)
"""


def test_what_is_collected_while_a_scope_is_entered_changes_nothing() -> None:
    """Before Python 3.12 the context would be damaged (python/cpython#148891): from there on each task is refused."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
