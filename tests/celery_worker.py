"""A real Celery worker for tests: `python -m celery worker` on the app in `celery_app`, waited for until ready."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

import purposebind

__all__ = ["Worker"]


class Worker:
    """A worker for the length of a with block.

    Attributes:
        lines: What it has logged so far.
    """

    def __init__(self, url: str, keys: list[bytes], *options: str) -> None:
        tests = Path(__file__).parent
        path = [str(tests), str(Path(purposebind.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(part for part in path if part),
            "PURPOSEBIND_TEST_BROKER": url,
            "PURPOSEBIND_TEST_KEYS": b",".join(keys).decode(),
            "C_FORCE_ROOT": "true",  # Celery refuses to unpickle as root, which a container's user often is
        }
        command = ["-m", "celery", "-A", "celery_app", "worker", "-l", "DEBUG", "-E", *options]
        self._process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Worker:
        assert self._ready.wait(60), "the worker never became ready:\n" + self.log()
        assert self._process.poll() is None, "the worker ended:\n" + self.log()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._reader.join(timeout=60)

    def log(self) -> str:
        return "".join(self.lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as said:
            for line in said:
                self.lines.append(line)
                if " ready." in line:
                    self._ready.set()
        self._ready.set()  # or it never will be
