"""A Redis server for tests: on a socket in a folder of its own, without a network, and gone with it.

Everything that is sent to it is kept, so that a test can look for what should not be there, whatever becomes of the
keys: a queue is empty once its worker has read it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import gc
import re
import shutil
import subprocess
import tempfile
import threading
import zlib
from pathlib import Path
from types import TracebackType

import redis
from real_parts import need

__all__ = ["RedisServer", "plain"]

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_READY = "ready to accept connections"


class RedisServer:
    """A server for the length of a with block.

    Attributes:
        url: For Celery, as a broker and as a result backend.
    """

    def __init__(self) -> None:
        program = need("redis-server")
        self._folder = Path(tempfile.mkdtemp(prefix="pb-redis-", dir="/tmp"))  # short enough for a socket's path
        self._socket = self._folder / "redis.sock"
        self.url = f"redis+socket://{self._socket}"
        settings = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [program, *settings], cwd=self._folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        said: list[str] = []
        for line in self._process.stdout:
            said.append(line)
            if _READY in line.lower():  # it says so in other words for a socket
                break
        assert said, "redis-server ended without a word"
        assert _READY in said[-1].lower(), "".join(said)
        self._client = redis.Redis(unix_socket_path=str(self._socket), socket_timeout=None)
        self._sent: list[bytes] = []
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        gc.collect()  # results that nobody holds any more unsubscribe here, and would wait for a server that is gone
        self._process.terminate()
        self._process.wait(timeout=30)
        self._listener.join(timeout=30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._monitor.connection.disconnect()
        self._client.close()
        shutil.rmtree(self._folder)

    def names(self) -> set[str]:
        """Return the names of the keys that there are."""
        return {key.decode() for key in self._client.keys("*")}

    def told(self, key: str) -> str:
        """Wait for a word under `key`, and take it."""
        word = self._client.blpop([f"told-{key}"], timeout=60)
        assert word is not None, f"nobody told {key}"
        return str(word[1].decode())

    def stored(self) -> bytes:
        """Return all that is kept now, in plain: queues, messages not acknowledged yet, results, parts of chords."""
        kept = []
        for key in self._client.keys("*"):
            kind = self._client.type(key)
            if kind == b"string":
                kept.append(self._client.get(key))
            elif kind == b"list":
                kept += self._client.lrange(key, 0, -1)
            elif kind == b"hash":
                kept += self._client.hvals(key)
            elif kind == b"zset":
                kept += self._client.zrange(key, 0, -1)
            else:
                kept += self._client.smembers(key)
        return plain(b"\n".join(kept))

    def ever_sent(self) -> bytes:
        """Return all that was ever sent here, in plain: events and what was deleted again too."""
        last = b"%x" % id(self._sent)
        self._client.echo(last)
        while not any(last in line for line in self._sent):
            self._more.wait(30)
            self._more.clear()
        return plain(b"\n".join(self._sent))

    _more = threading.Event()

    def _listen(self) -> None:
        try:
            while True:
                self._sent.append(self._monitor.connection.read_response(disable_decoding=True))
                self._more.set()
        except (redis.ConnectionError, OSError, ValueError):
            self._more.set()


def plain(data: bytes) -> bytes:
    """Return `data`, followed by what stands in it in base64, as the bodies of messages do, compressed or not."""
    found = [data]
    for text in _BASE64.findall(data.replace(b"\\", b"")):
        with contextlib.suppress(binascii.Error):
            found.append(base64.b64decode(text))
            with contextlib.suppress(zlib.error):
                found.append(zlib.decompress(found[-1]))
    return b"\n".join(found)
