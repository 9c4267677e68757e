"""A shipper that is killed at a chosen step; `test_shipping_crashes` runs it as a process of its own.

`python shipping_killed.py LEDGER` reads one line after the other: a step and a DSN. For each it forks a child that
ships and kills itself with SIGKILL right before the step, the steps being the lines of Python that shipping runs, its
driver's included. It answers `killed` or `done`. For step 0 nothing is killed, and it answers with the steps worth
trying: where each line is reached for the first time, and the last.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from purposebind.ledger.shipping import ship

_WATCHED = (f"{os.sep}shipping{os.sep}", f"{os.sep}psycopg{os.sep}")


class Steps:
    """Counts the lines that are run, and kills the process at one of them."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0
        self.first: dict[tuple[str, int], int] = {}
        self.latest: dict[tuple[str, int], int] = {}

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in _WATCHED):
            return None
        if event == "line":
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
            place = (frame.f_code.co_filename, frame.f_lineno)
            self.first.setdefault(place, self.count)
            self.latest[place] = self.count
        return self.trace


def _child(ledger: str, dsn: str, last: int, out: int) -> None:
    steps = Steps(last)
    sys.settrace(steps.trace)
    ship(ledger, dsn)
    sys.settrace(None)
    worth = sorted({*steps.first.values(), *steps.latest.values()})
    os.write(out, ("done" if last else " ".join(map(str, worth))).encode())


def main() -> None:
    for line in sys.stdin:
        last, _, dsn = line.strip().partition(" ")
        out, into = os.pipe()
        child = os.fork()
        if not child:
            os.close(out)
            code = 1
            try:
                _child(sys.argv[1], dsn, int(last), into)
                code = 0
            finally:
                os._exit(code)
        os.close(into)
        with os.fdopen(out) as answer:
            said = answer.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            said = "killed"
        sys.stdout.write((said or "failed") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
