"""What the acts work with: the instance, the load, and waiting for something to be so.

Every wait has a deadline and calls `tick`, by which the command line shows that time passes.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psutil

from srvctl.ipc.control import Command, Done

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.rehearse.instance import Instance
    from srvctl.rehearse.load import Load
    from srvctl.settings.groups import Settings

LOOK: Final = 0.05
#: Seconds that nothing of srvctl's own takes, on a machine that has something else to do.
_SLACK: Final = 15.0


class OtherwiseError(Exception):
    """Something did not happen as it must; the text says what."""


@dataclass(slots=True)
class Outcome:
    """What an act has to tell beside the counts.

    Attributes:
        back: Seconds until all workers were ready again.
        ports: Local ports of the load's connections to a worker that was killed or blocked.
        notes: What a reader wants to know.
        problem: What did not happen as it must.
    """

    back: float | None = None
    ports: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where acts take place.

    Attributes:
        instance: Which is rehearsed.
        load: Asks it for pages all the time.
        settings: The user's.
        port: Of the instance.
        tick: Called while something is waited for.
    """

    instance: Instance
    load: Load
    settings: Settings
    port: int
    tick: Callable[[], None]

    # -- looking ---------------------------------------------------------------------------------------

    def workers(self) -> list[dict[str, Any]]:
        """Return the workers, as the status has them.

        Raises:
            OtherwiseError: The instance has ended.
        """
        if self.instance.exit_code is not None:
            raise OtherwiseError(f"srvctl run ended with code {self.instance.exit_code}")
        found: list[dict[str, Any]] = self.instance.status().get("workers", [])
        return found

    def ready(self) -> dict[int, dict[str, Any]]:
        """Return the workers that are ready, by process id, the lowest slot first."""
        found = [worker for worker in self.workers() if worker["state"] == "ready"]
        return {worker["pid"]: worker for worker in sorted(found, key=lambda worker: worker["slot"])}

    def wait(self, is_so: Callable[[], bool], patience: float, otherwise: str) -> float:
        """Wait until something is so, and return the seconds that it took.

        Raises:
            OtherwiseError: It is not within so many seconds.
        """
        began = time.monotonic()
        while not is_so():
            if time.monotonic() > began + patience:
                raise OtherwiseError(f"{otherwise} within {patience:.0f} s")
            self.rest(LOOK)
        return time.monotonic() - began

    def rest(self, seconds: float) -> None:
        """Let time pass."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.tick()
            time.sleep(min(left, LOOK))

    # -- waiting for workers ---------------------------------------------------------------------------

    def wait_ready(self, count: int, gone: Callable[[int], bool], patience: float) -> float:
        """Wait until so many workers are ready that are none of those that go, and return the seconds.

        Raises:
            OtherwiseError: That does not happen.
        """
        return self.wait(
            lambda: sum(not gone(pid) for pid in self.ready()) >= count,
            patience,
            f"there were no {count} workers ready again",
        )

    def wait_settled(self, count: int, patience: float) -> None:
        """Wait until exactly so many workers are there, and all of them ready.

        Raises:
            OtherwiseError: That does not happen.
        """
        self.wait(
            lambda: [worker["state"] for worker in self.workers()] == ["ready"] * count,
            patience,
            f"the workers were not {count}, all of them ready,",
        )

    def finish(self, command: Command, patience: float, **arguments: Any) -> tuple[Done, float]:
        """Have the master do something, wait for the end, and return it with the seconds it took."""
        asked = self.instance.ask(command, patience, **arguments)
        while asked.done is None:
            self.rest(LOOK)
        return asked.done, asked.seconds

    def adjust(self, values: Mapping[str, Any]) -> None:
        """Have the instance obey other settings, by a reload if they are not in force already.

        Raises:
            OtherwiseError: The reload fails.
        """
        if not self.instance.change(values):
            return
        count = len(self.ready())
        done, _ = self.finish(Command.RELOAD, self.patience(count))
        if not done.ok:
            raise OtherwiseError(f"a reload before the act failed: {done.message}")
        self.wait_settled(count, self.patience(count))

    def patience(self, workers: int) -> float:
        """Return the seconds in which so many workers can be replaced one by one, whatever they do."""
        timeouts = self.settings.timeouts
        one = timeouts.boot + timeouts.graceful_shutdown + timeouts.lifespan_shutdown
        return max(workers, 1) * one + timeouts.drain_delay + self.settings.reload.bake + _SLACK

    def ports_of(self, pid: int) -> set[int]:
        """Return the local ports of the load's connections to a worker; none if nobody tells."""
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            return set()
        return {
            connection.raddr.port
            for connection in connections
            if len(connection.raddr) and connection.laddr.port == self.port
        }


def send(pid: int, number: int) -> None:
    """Send a signal to a worker.

    Raises:
        OtherwiseError: It is gone.
    """
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise OtherwiseError(f"worker {pid} was gone before anything was done to it") from None
