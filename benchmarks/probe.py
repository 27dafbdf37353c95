"""How long one more client waits while wrk keeps a server busy: pipelined requests, timed batch by batch.

wrk cannot tell: it records a latency for each batch, but ranks percentiles among all requests.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from benchmarks.wrk import request_bytes

if TYPE_CHECKING:
    from types import TracebackType

    from benchmarks.workloads import Workload

_PAUSE_SECONDS: Final = 0.005  #: between two batches, so that the probe is no load of its own
_TIMEOUT_SECONDS: Final = 10.0
_END: Final = b"\r\n\r\n"


class BatchProbe:
    """Sends batches while it is entered.

    Attributes:
        seconds: How long each batch took, to the last byte of its last response.
    """

    def __init__(self, workload: Workload, port: int) -> None:
        self._batch = request_bytes(workload, port) * workload.pipeline
        self._size = workload.pipeline
        self._answer = workload.answer
        self._port = port
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.seconds: list[float] = []

    @property
    def requests(self) -> int:
        """Requests that were answered."""
        return len(self.seconds) * self._size

    def percentile_ms(self, percent: float) -> float | None:
        """Return the latency that this share of the batches did not exceed; None when there were none."""
        if not self.seconds:
            return None
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join(_TIMEOUT_SECONDS)

    def _run(self) -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_SECONDS) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._done.is_set():
                start = time.perf_counter()
                sock.sendall(self._batch)
                self._read(sock)
                self.seconds.append(time.perf_counter() - start)
                self._done.wait(_PAUSE_SECONDS)

    def _read(self, sock: socket.socket) -> None:
        """Read as many answers as the batch has requests; each body ends with the known one.

        Raises:
            ConnectionError: The server closed.
        """
        received = b""
        while received.count(self._answer) < self._size:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("closed")
            received += data
