"""A server whose supervision is looked at: its ledger, its status over time, each of its workers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self

from srvctl.ipc.control import Command, Request
from srvctl.ipc.control_client import Connection as ControlConnection
from srvctl.supervisor.ledger import read_deaths
from tests.support.commands import srvctl
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from srvctl.ipc.deaths import Death
    from tests.support.client import Connection

AILING = "tests.support.apps.ailing:app"
BURN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"


class Supervised(ServerProcess):
    """Such a server.

    Args:
        target: The application.
        flags: Further flags.
        prefix: A command that is to become srvctl, with what follows as its arguments.
        options: See `ServerProcess`.
    """

    def __init__(self, target: str = AILING, *flags: str, prefix: Sequence[str] = (), **options: Any) -> None:
        super().__init__(target, *flags, **options)
        self._command = [*prefix, *self._command]

    # -- its commands ----------------------------------------------------------------------------------

    @property
    def control_socket(self) -> Path:
        """Where its commands reach it."""
        [path] = self._directories.runtime.glob("*.sock")
        return path

    def command(self, name: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run one of srvctl's commands on it, as an operator would."""
        return srvctl(name, *argv, "--control-socket", str(self.control_socket))

    def status(self) -> dict[str, Any]:
        """Return what it says of itself."""
        with ControlConnection(self.control_socket, PATIENCE) as connection:
            return dict(connection.ask(Request(Command.STATUS)).data)

    # -- its ledger ------------------------------------------------------------------------------------

    @property
    def ledger(self) -> Path:
        """Its file."""
        [path] = self._directories.state.glob("*.ledger")
        return path

    def death(self, pid: int) -> Death:
        """Wait until a worker's death is in the ledger, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := [death for death in read_deaths(self.ledger) if death.pid == pid]):
            if time.monotonic() > deadline:
                raise NeverHappened(f"no death of {pid} in the ledger")
            time.sleep(0.02)
        [death] = found
        return death

    # -- its workers -----------------------------------------------------------------------------------

    def most_at_once(self) -> int:
        """Return how many workers there were at most, of those that were not told to end yet.

        By the order of the log: the master hears a new worker begin before it tells the old one to end.
        """
        steps = (
            1 if "Started" in line.text else -1 for line in self.lines("Started worker process|Shutting down")
        )
        return max(accumulate(steps))

    @contextlib.contextmanager
    def one_each(self, count: int) -> Iterator[dict[int, Connection]]:
        """Have an open connection to each of so many workers, by pid."""
        deadline = time.monotonic() + PATIENCE
        with contextlib.ExitStack() as stack:
            found: dict[int, Connection] = {}
            while len(found) < count:
                if time.monotonic() > deadline:
                    raise NeverHappened(f"only {sorted(found)} answer")
                client = stack.enter_context(self.connect())
                if found.setdefault(client.get().pid, client) is not client:
                    client.socket.close()
            yield found


class StatusLog:
    """What a server says of its workers, again and again."""

    def __init__(self, server: Supervised) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._crash: BaseException | None = None
        self.serving: list[int] = []  #: workers that are ready, at each look
        #: Workers that are ready or soon will be. A new one may be there before anybody has looked.
        self.held: list[int] = []

    def _ask(self) -> None:
        try:
            while not self._stop.wait(0.02):
                states = [worker["state"] for worker in self._server.status()["workers"]]
                self.serving.append(states.count("ready"))
                self.held.append(sum(states.count(state) for state in ("forking", "booting", "ready")))
        except BaseException as error:  # shown in the thread of the test
            self._crash = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._crash is not None:
            raise self._crash


@contextlib.contextmanager
def burners(count: int, cpu: int) -> Iterator[None]:
    """Have so many processes take all they can get of one CPU."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", BURN, str(cpu)], stdout=subprocess.PIPE)
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield


def any_cpu() -> int:
    """Return a CPU that may be used."""
    return max(os.sched_getaffinity(0))


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        if time.monotonic() > deadline:
            raise NeverHappened(what)
        time.sleep(0.02)
