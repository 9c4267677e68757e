"""A server's socket that breaks off at a chosen word: what a network does at the worst moment."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["Proxy"]


class Proxy:
    """Passes everything on between clients and a PostgreSQL socket, until a client says `word`.

    Args:
        server: The folder of the server's socket.
        word: What is waited for.
        deliver: Whether the server still gets the word, and only its answer is lost.
    """

    def __init__(self, server: Path, word: bytes, *, deliver: bool) -> None:
        self._server = str(server / ".s.PGSQL.5432")
        self._word = word
        self._deliver = deliver
        self._folder = tempfile.TemporaryDirectory(prefix="pb-cut-", dir="/tmp")
        self.host = self._folder.name
        self.cut = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.host}/.s.PGSQL.5432")
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        self._folder.cleanup()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                stopped = threading.Event()
                for target, one, other in ((self._to_server, client, server), (self._to_client, server, client)):
                    thread = threading.Thread(target=target, args=(one, other, stopped))
                    self._threads.append(thread)
                    thread.start()

    def _to_server(self, client: socket.socket, server: socket.socket, stopped: threading.Event) -> None:
        with contextlib.suppress(OSError), client:
            while data := client.recv(1 << 16):
                if self._word in data:
                    self.cut += 1
                    stopped.set()  # the server's answer is not passed on any more
                    if self._deliver:
                        server.sendall(data)
                        server.shutdown(socket.SHUT_WR)
                        return
                    break
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _to_client(self, server: socket.socket, client: socket.socket, stopped: threading.Event) -> None:
        with contextlib.suppress(OSError), server:
            while data := server.recv(1 << 16):
                if not stopped.is_set():
                    client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
