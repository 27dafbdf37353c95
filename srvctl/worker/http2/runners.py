"""The tasks in which the requests of one HTTP/2 connection are answered, many at a time.

A new one for each request would cost more than the request (ADR 4), so idle ones are kept, a few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srvctl.worker.http.cycle import RequestCycle
    from srvctl.worker.http.runner import Runner, RunnerHost
    from srvctl.worker.server import Server

_MOST_IDLE: Final = 8


class Runners:
    """Those of one connection.

    Args:
        host: The connection.
        server: Makes them.
    """

    __slots__ = ("_all", "_free", "_host", "_server")

    def __init__(self, host: RunnerHost, server: Server) -> None:
        self._host = host
        self._server = server
        self._all: dict[Runner, None] = {}
        self._free: list[Runner] = []  #: whose responses have ended; their applications may go on

    @property
    def all(self) -> Iterable[Runner]:
        """Those that are there."""
        return [*self._all]

    @property
    def busy(self) -> int:
        """How many are at work, or may be: of those whose requests were cancelled nobody else knows."""
        return len(self._all) - len(self._free)

    def idle(self) -> Runner | None:
        """Return one to be woken with a request, if there is any."""
        while self._free:
            runner = self._free.pop()
            if runner.is_idle:
                return runner
            runner.detach()
        return None

    def new(self, cycle: RequestCycle) -> Runner:
        """Return a new one, which begins with a request in the next turn of the loop."""
        runner = self._server.make_runner(self._host, cycle)
        self._all[runner] = None
        return runner

    def hand_over(self, runner: Runner) -> None:
        """Know no more of one that works for somebody else from now on."""
        self._all.pop(runner, None)

    def release(self, runner: Runner) -> None:
        """Learn that the response of a runner has ended."""
        if len(self._free) < _MOST_IDLE:
            self._free.append(runner)
        else:
            runner.detach()

    def forget(self, runner: Runner) -> bool:
        """Know one no more that has ended; return whether it was one of these."""
        if runner in self._free:
            self._free.remove(runner)
        return self._all.pop(runner, self) is None

    def part(self) -> None:
        """Leave all alone with what their applications still do."""
        runners, self._all, self._free = self._all, {}, []
        del self._host
        for runner in runners:
            self._server.adopt(runner)
            runner.detach()
