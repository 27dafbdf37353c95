"""What a cluster does with pods, on one machine: real servers, probed and ended as a kubelet does it.

The way of new connections is that of kube-proxy: one of the endpoints is chosen, and the connection stays
where it is. Nobody tells the endpoints in time: the kubelet sends SIGTERM at once when a pod is deleted, and
that the pod is to have no new connections reaches the nodes when it does
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination-flow).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import count
from signal import SIGTERM
from typing import TYPE_CHECKING, Self

from tests.support.client import Connection
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import FACTOR, PATIENCE, NeverHappened

if TYPE_CHECKING:
    from types import TracebackType

    from tests.support.client import Address, Response

PERIOD = 0.1  #: seconds between two probes; a kubelet has whole seconds


class Pod(ServerProcess):
    """A pod: srvctl with a console, probed from outside.

    Args:
        flags: As for `ServerProcess`, without the target.
    """

    def __init__(self, *flags: str) -> None:
        super().__init__(BASIC, "--console", "127.0.0.1:0", *flags)
        self.deleted = 0.0  #: when it was sent SIGTERM

    @property
    def address(self) -> tuple[str, int]:
        """Where clients reach it."""
        return "127.0.0.1", self.port

    def probe(self, path: str) -> Response | None:
        """Ask the console as a kubelet does; None if nobody answers."""
        match = self.wait_line(r"The console is at http://127\.0\.0\.1:(\d+)")
        try:
            with Connection(("127.0.0.1", int(match[1]))) as connection:
                return connection.get(path)
        except OSError:
            return None

    def wait_probe(self, path: str, status: int) -> float:
        """Probe until this is the answer; return the moment of it (monotonic seconds)."""
        deadline = time.monotonic() + PATIENCE
        while (answer := self.probe(path)) is None or answer.status != status:
            if time.monotonic() > deadline:
                raise NeverHappened(f"{path} is never answered {status}, but {answer}")
            threading.Event().wait(PERIOD)
        return time.monotonic()

    def delete(self) -> None:
        """Send SIGTERM, which is the first thing that happens."""
        self.deleted = time.monotonic()
        self.signal(SIGTERM)


class Endpoints:
    """Whom new connections are given to, one by one. Leaving the context waits for what is under way."""

    def __init__(self) -> None:
        self._pods: list[Pod] = []
        self._changed = threading.Condition()
        self._turn = count()
        self._threads: list[threading.Thread] = []
        self._crash: BaseException | None = None
        #: Connections that were given to a pod after it had been sent SIGTERM, by the pod.
        self.late: Counter[Pod] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for thread in self._threads:
            thread.join()
        if kind is None and self._crash is not None:
            raise self._crash

    def add(self, pod: Pod) -> None:
        """Have connections given to a pod, once its readiness probe succeeds."""
        pod.wait_probe("/readyz", 200)
        with self._changed:
            self._pods.append(pod)

    def drop(self, pod: Pod) -> None:
        """Have no more connections given to a pod."""
        with self._changed:
            self._pods.remove(pod)

    def drop_late(self, pod: Pod, lag: float, connections: int) -> None:
        """Do that, but after so many seconds, and so many connections to the pod that is being deleted."""

        def later() -> None:
            try:
                threading.Event().wait(lag * FACTOR)
                self.wait_late(pod, connections)
            except BaseException as error:  # shown in the thread of the test
                self._crash = error
            finally:
                self.drop(pod)

        thread = threading.Thread(target=later)
        self._threads.append(thread)
        thread.start()

    def wait_late(self, pod: Pod, connections: int) -> None:
        """Wait until so many connections were given to a pod after SIGTERM."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.late[pod] >= connections, PATIENCE):
                raise NeverHappened(f"only {self.late[pod]} connections to the pod that is being deleted")

    def connect(self, _service: Address) -> Connection:
        """Connect to one of the pods, as a client of the Service."""
        with self._changed:
            pod = self._pods[next(self._turn) % len(self._pods)]
            is_late = bool(pod.deleted)
        connection = Connection(pod.address)
        if is_late:
            with self._changed:
                self.late[pod] += 1
                self._changed.notify_all()
        return connection
