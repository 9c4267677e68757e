"""Processes that are forked while they record: run by tests/test_ledger_forks.py, one function of it at a time.

``python ledger_forked.py FOLDER FUNCTION``. What each function does is said there.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import warnings
from typing import Annotated

warnings.simplefilter("ignore", DeprecationWarning)  # a fork of a process with threads is what is tested here


def early() -> None:
    """A hook of another library's that was there before the ledger, and reads in the child first of all."""
    if EARLY:
        EARLY.pop()
        assert EARLY_PERSON.phone == "p"


EARLY: list[int] = []
os.register_at_fork(after_in_child=early)

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, configure, purpose_scope  # noqa: E402
from purposebind.ledger import Key, Ledger  # noqa: E402

HELP = Purpose("help", "Answer a question")
CALL = HELP.child("call", "Call back")


class Person(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(HELP)]


EARLY_PERSON = Person(id=777, phone="p")


def ledger_in(folder: str) -> Ledger:
    return Ledger(folder, key=Key(bytes(32)), segment_bytes=1 << 16, interval=3600)


def read(first: int, count: int) -> None:
    for number in range(first, first + count):
        assert Person(id=number, phone="p").phone == "p"


def wait_for(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    assert status == 0, status


def both_go_on() -> None:
    """Reads 0..9, forks; then parent and child read in turns, of 100..149 and 200..249."""
    turn, other = os.pipe(), os.pipe()
    with purpose_scope(HELP):
        read(0, 10)
        pid = os.fork()
        first, mine, theirs = (100, turn, other) if pid else (200, other, turn)
        for step in range(50):
            if pid or step:
                assert pid == 0 or step == 0 or os.read(mine[0], 1)
            if pid == 0:
                assert os.read(mine[0], 1)
            read(first + step, 1)
            os.write(theirs[1], b".")
    if pid:
        wait_for(pid)


def nested() -> None:
    """Reads 1 in a scope, forks; the child reads 2 in it, 3 in one inside it, and leaves both; the parent then 4."""
    with purpose_scope(HELP):
        read(1, 1)
        pid = os.fork()
        if pid == 0:
            read(2, 1)
            with purpose_scope(CALL):
                read(3, 1)
        else:
            wait_for(pid)
            read(4, 1)


def while_others_record() -> None:
    """Three threads read of 1000.., 2000.. and 3000.. while this one forks 20 times; child n reads of 100 * n.."""
    ready, over = threading.Barrier(4), threading.Event()
    counts = dict.fromkeys(range(1, 4), 0)

    def work(thread: int) -> None:
        ready.wait()
        while not over.is_set():
            with purpose_scope(HELP):
                read(thread * 1000 + counts[thread] % 500, 1)
            counts[thread] += 1

    threads = [threading.Thread(target=work, args=(thread,)) for thread in counts]
    for thread in threads:
        thread.start()
    ready.wait()
    for child in range(1, 9):
        pid = os.fork()
        if pid == 0:
            with purpose_scope(HELP):
                read(child * 100, 100)
            LEDGER.close()
            os._exit(0)
        wait_for(pid)
    over.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(" ".join(map(str, counts.values())))


def early_hook() -> None:
    """A hook that comes before the ledger's reads of 777 in the child; then the parent reads 1..20, the child 21."""
    with purpose_scope(HELP):
        read(0, 1)
        EARLY_PERSON.phone
        EARLY.append(1)
        pid = os.fork()
        if pid == 0:
            read(21, 1)
        else:
            EARLY.clear()
            read(1, 20)
            wait_for(pid)


def from_a_signal_handler() -> None:
    """Forks in a signal handler that comes while a segment is being made; the child reads 2, then both go on with 1."""
    import signal

    from purposebind.ledger import segment

    real, pids = segment._allocate, []

    def fork(*_: object) -> None:
        pids.append(os.fork())
        if pids == [0]:
            with purpose_scope(CALL):
                read(2, 1)

    def allocate(descriptor: int, size: int) -> None:
        real(descriptor, size)
        if not pids:
            signal.raise_signal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR1, fork)
    segment._allocate = allocate
    with purpose_scope(HELP):
        for number in range(10_000, 12_000):
            if pids:
                break
            read(number, 1)
        read(1, 1)
    if pids != [0]:
        wait_for(pids[0])


def pooled(first: int) -> int:
    with purpose_scope(HELP):
        read(first, 10)
    return os.getpid()


def in_a_child(folder: str, first: int) -> None:
    """What a worker that inherits nothing does: it turns on the ledger itself."""
    with ledger_in(folder) as ledger, configure(ledger=ledger):
        pooled(first)


def workers(how: str) -> None:
    """Four workers of multiprocessing read of 100.., 200.., 300.. and 400.., and the parent of 0..9."""
    context = multiprocessing.get_context(how)
    with purpose_scope(HELP):
        read(0, 5)
        target, args = (pooled, ()) if how == "fork" else (in_a_child, (FOLDER,))
        started = [context.Process(target=target, args=(*args, number * 100)) for number in range(1, 5)]
        for one in started:
            one.start()
        read(5, 5)
        for one in started:
            one.join()
            assert one.exitcode == 0


def fork() -> None:
    workers("fork")


def spawn() -> None:
    workers("spawn")


def forkserver() -> None:
    workers("forkserver")


if __name__ == "__main__":
    FOLDER, function = sys.argv[1:]
    with ledger_in(FOLDER) as LEDGER, configure(ledger=LEDGER):
        globals()[function]()
