"""Connections that stay open, who has them, and what the workers' own table says of it."""

from __future__ import annotations

import contextlib
import statistics
import struct
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from srvctl.ipc.shares import ROWS, SIZE
from tests.support.client import Connection
from tests.support.server_waits import NeverHappened

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.server import ServerProcess

MARK: Final = 0.08
TRIES: Final = 12  #: that a machine busy with other things has to let all workers run in time
PAUSE: Final = 0.5  #: seconds between two of them: a worker that does not run now may do so then
_FIRST: Final = 16  #: cell of the first row


class Clients:
    """Such connections.

    Args:
        server: Where to.
        context: For TLS.

    Attributes:
        owners: How many each worker has.
        port: Where the next ones go to, if not to the server's first address.
    """

    def __init__(self, server: ServerProcess, *, context: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._context = context
        self._stack = contextlib.ExitStack()
        self.owners: Counter[int] = Counter()
        self.port: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def one_by_one(self, number: int, before: bytes = b"") -> None:
        """Open so many, each when the one before was answered."""
        for _ in range(number):
            client = self._open()
            client.send(before)
            self._shake_hands(client)
            self.owners[client.get().pid] += 1

    def at_once(self, number: int) -> None:
        """Open so many, and only then ask."""
        self.ask(self.queue(number))

    def queue(self, number: int) -> list[Connection]:
        """Open so many, which the kernel does by itself."""
        return [self._open() for _ in range(number)]

    def ask(self, queued: list[Connection]) -> None:
        """See who has accepted these."""
        for client in queued:
            self._shake_hands(client)
            client.send_get()
        self.owners.update(client.read_response().pid for client in queued)

    def _open(self) -> Connection:
        is_v6 = self._server.url.startswith("http://[::1]")
        if is_v6 or self.port is not None:
            client = Connection(("::1" if is_v6 else "127.0.0.1", self.port or self._server.port))
        else:
            client = self._server.connect()
        return self._stack.enter_context(client)

    def _shake_hands(self, client: Connection) -> None:
        if self._context is not None:
            client.socket = self._context.wrap_socket(client.socket, server_hostname="localhost")

    def even_out(self, number: int, workers: int = 4) -> None:
        """Open so many, one by one, and as many more as it takes until these workers have the same.

        A machine that is busy with other things keeps some of them from running in time; later connections
        even that out.
        """
        self.try_until(lambda: self.skew(workers) <= MARK, lambda: self.one_by_one(number))

    def try_until(self, is_so: Callable[[], bool], attempt: Callable[[], None]) -> None:
        """Do something, and again with pauses, until something is so."""
        for number in range(TRIES):
            if number:
                time.sleep(PAUSE)
            attempt()
            if is_so():
                return
        raise AssertionError(f"not even: {self.owners}")

    def skew(self, number: int) -> float:
        """Return the coefficient of variation over so many workers."""
        counts = [*self.owners.values(), *[0] * (number - len(self.owners))]
        return statistics.pstdev(counts) / statistics.fmean(counts)


def table_of(pid: int) -> Path:
    """Return the file of the table that a process has open."""
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if "srvctl-shares" in str(file.readlink()):
                return file
    raise NeverHappened(f"{pid} has no table of connections")


def rows_of(pid: int) -> list[tuple[int, int]]:
    """Return the rows in use of its table: the group, and one more than the connections."""
    with table_of(pid).open("rb") as file:
        cells = struct.unpack(f"{SIZE // 4}I", file.read(SIZE))
    opened, _, groups = (cells[_FIRST + ROWS * column : _FIRST + ROWS * (column + 1)] for column in range(3))
    return [(group, count) for group, count in zip(groups, opened, strict=True) if group]
