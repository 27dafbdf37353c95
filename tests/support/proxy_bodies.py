"""Very large bodies through a proxy, made and summed up piece by piece so that neither side holds them."""

from __future__ import annotations

import functools
import hashlib
import http.client
import threading
from typing import TYPE_CHECKING, Final, Self

import psutil

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from types import TracebackType

    from tests.support.front_proxy import FrontProxy

HUGE: Final = 1 << 30  #: bytes that are sent
LARGE: Final = 1 << 28  #: bytes that are fetched: their path is as long, and the test shorter
_PIECE: Final = bytes(range(256)) * (1 << 12)  #: 1 MiB, in which a byte that is lost shows


class Memory:
    """The most memory that a process has while this runs; it is looked at a hundred times a second.

    Args:
        pid: The process.

    Attributes:
        growth: By how many bytes its resident memory was larger than at the beginning.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.growth = 0

    def __enter__(self) -> Self:
        self._first = self._process.memory_info().rss
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(PATIENCE)

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self.growth = max(self.growth, self._process.memory_info().rss - self._first)


@functools.cache
def summary(size: int) -> bytes:
    """Return what the application says of so many bytes: how many there are, and their SHA-256."""
    digest = hashlib.sha256()
    for _ in range(size // len(_PIECE)):
        digest.update(_PIECE)
    return b"%d %s" % (size, digest.hexdigest().encode())


def upload(proxy: FrontProxy, path: str) -> bytes:
    """Send a huge body; return what the application says that came."""
    with proxy.connect() as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {HUGE}\r\n\r\n".encode())
        for _ in range(HUGE // len(_PIECE)):
            client.send(_PIECE)
        answer = client.read_response()
    assert answer.status == 200, answer
    return answer.body


def download(proxy: FrontProxy, path: str) -> bytes:
    """Fetch a large body; return its summary."""
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    buffer, size, digest = memoryview(bytearray(len(_PIECE))), 0, hashlib.sha256()
    try:
        client.request("GET", f"{path}?size={LARGE}&length=1")
        answer = client.getresponse()
        assert answer.status == 200, answer
        while count := answer.readinto(buffer):
            digest.update(buffer[:count])
            size += count
    finally:
        client.close()
    return b"%d %s" % (size, digest.hexdigest().encode())
