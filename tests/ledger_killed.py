"""Processes that read, tell what they were given, and are killed: run by tests/test_ledger_kills.py.

``python ledger_killed.py FOLDER SEED ROUNDS`` warms up once, and forks children from there, eight at once. A child
reads tagged fields and writes to a pipe whose value it holds now. Its parent kills it at a moment that the seed
chooses, and goes on recording itself. At the end it prints what it was told, as JSON.

``python ledger_killed.py FOLDER SEED alone`` is one such child in a process of its own: it tells on its standard output
until somebody kills it.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import select
import signal
import struct
import sys
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from random import Random
from typing import Annotated, Any

from purposebind import AllowedFor, Purpose, PurposeModel, SubjectId, carry, configure, purpose_scope
from purposebind.ledger import Key, Ledger
from purposebind.ledger.records import HEADER_BYTES, RECORD_BYTES

PEOPLE = 20
"""How many people a thread reads of; the id is 10000 * the child's number + 100 * the thread's + the person's."""
AT_ONCE = 8
SEGMENT_BYTES = HEADER_BYTES + 300 * RECORD_BYTES
INTERVAL = 0.004
FIELDS = ("Person.phone", "Person.mail")
STEPS = ("posix_fallocate", "fsync", "rename", "open", "close")
"""What a segment is made and closed with: a child may be killed at each."""

HELP = Purpose("help", "Answer a question")
CALL = HELP.child("call", "Call back")

_message = struct.Struct("<IB")


class Person(PurposeModel):
    id: Annotated[int, SubjectId]
    phone: Annotated[str, AllowedFor(HELP)]
    mail: Annotated[str, AllowedFor(HELP)]


def tell(pipe: int, person: Person, field: int) -> None:
    value = person.phone if field == 0 else person.mail
    os.write(pipe, _message.pack(person.id, field))  # in one piece: it is shorter than PIPE_BUF
    del value


def read(pipe: int, number: int, thread: int, scope: Callable[[], AbstractContextManager[object]]) -> None:
    """Read for ever: a few reads in a scope, sometimes in a scope inside it."""
    random = Random(number * 100 + thread)
    people = [Person(id=number * 10_000 + thread * 100 + n, phone="p", mail="m") for n in range(PEOPLE)]
    while True:
        with scope():
            for _ in range(random.randrange(1, 8)):
                tell(pipe, random.choice(people), random.randrange(2))
            if random.random() < 0.3:
                with purpose_scope(CALL):
                    tell(pipe, random.choice(people), random.randrange(2))


def in_threads(pipe: int, number: int) -> None:
    for thread in (1, 2):
        threading.Thread(target=read, args=(pipe, number, thread, lambda: purpose_scope(HELP)), daemon=True).start()
    plainly(pipe, number)


def in_one_scope(pipe: int, number: int) -> None:
    """Three threads that share one entry of a scope."""
    with purpose_scope(HELP):
        for thread in (1, 2):
            shared = contextvars.copy_context().run if thread == 1 else carry(lambda run, *args: run(*args))
            threading.Thread(target=shared, args=(read, pipe, number, thread, nullcontext), daemon=True).start()
        read(pipe, number, 0, nullcontext)


def in_tasks(pipe: int, number: int) -> None:
    async def task(thread: int) -> None:
        with purpose_scope(HELP):
            people = [Person(id=number * 10_000 + thread * 100 + n, phone="p", mail="m") for n in range(PEOPLE)]
            while True:
                for person in people:
                    tell(pipe, person, thread % 2)
                    await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(*(task(thread) for thread in range(4)))

    asyncio.run(main())


def plainly(pipe: int, number: int) -> None:
    read(pipe, number, 0, lambda: purpose_scope(HELP))


def killed_at_a_step(step: str, count: int, *, before: bool) -> None:
    """Have this process killed when `step` is made for the `count`-th time: before it, or right after."""
    real: Callable[..., Any] = getattr(os, step)
    left = [count]

    def stepped(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **options)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, step, stepped)


KINDS: list[Callable[[int, int], None]] = [in_threads, plainly, in_tasks, in_one_scope]


class Child:
    """A child of this process: `told` is what it told so far."""

    def __init__(self, number: int, random: Random) -> None:
        self.told: Counter[tuple[int, int]] = Counter()
        self._rest = b""
        step = random.choice(STEPS) if number % 3 == 0 else None
        some = random.choice((0, random.randrange(100), random.randrange(5000)))
        self._left = 20_000 if step is not None else some  # bytes; where the step is not made, that is enough
        self._spin = random.randrange(20_000)
        self.pipe, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self.pipe)
                if step is not None:
                    killed_at_a_step(step, random.randrange(1, 12), before=random.random() < 0.5)
                KINDS[number % len(KINDS)](told, number)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(9)
        os.close(told)
        if self._left == 0:  # some are killed before they tell anything: while they make their first segment
            for _ in range(self._spin):
                pass
            os.kill(self.pid, signal.SIGKILL)

    def hear(self, random: Random) -> bool:
        """Take what it tells; kill it when that is enough. Returns whether there may be more."""
        data = os.read(self.pipe, random.choice((5, 100, 4000)))
        if not data:
            os.close(self.pipe)
            _, status = os.waitpid(self.pid, 0)
            assert os.WIFSIGNALED(status), f"a child ended by itself: {status}"
            assert not self._rest
            return False
        data = self._rest + data
        whole = len(data) // _message.size * _message.size
        self.told.update(_message.iter_unpack(data[:whole]))
        self._rest = data[whole:]
        if 0 < self._left <= len(data):
            os.kill(self.pid, signal.SIGKILL)
            self._left = 0
        self._left = max(0, self._left - whole)
        return True


def forked(random: Random, rounds: int) -> dict[str, Any]:
    told: Counter[tuple[int, int]] = Counter()
    own: Counter[tuple[int, int]] = Counter()
    mine = [Person(id=n, phone="p", mail="m") for n in range(PEOPLE)]
    number = 0
    for _ in range(rounds):
        with purpose_scope(HELP):
            children = []
            for _ in range(AT_ONCE):
                number += 1
                children.append(Child(number, random))
                person = random.choice(mine)  # the parent goes on recording, in the scope that the child has too
                own[person.id, 0] += bool(person.phone)
        while children:
            ready, _, _ = select.select([child.pipe for child in children], [], [])
            for child in [child for child in children if child.pipe in ready]:
                if not child.hear(random):
                    children.remove(child)
                    told.update(child.told)
    return {"told": [[*key, count] for key, count in told.items()], "own": [[*key, n] for key, n in own.items()]}


def main() -> None:
    folder, seed, how = sys.argv[1:]
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork of a process with threads is what is tested here
    alone = how == "alone"
    ledger = Ledger(folder, key=Key(bytes(32)), segment_bytes=SEGMENT_BYTES, interval=INTERVAL)
    with ledger, configure(ledger=ledger):
        if alone:
            KINDS[int(seed) % len(KINDS)](sys.stdout.fileno(), int(seed))
        outcome = forked(Random(int(seed)), int(how))
    sys.stdout.write(json.dumps(outcome))


if __name__ == "__main__":
    main()
