"""The task in which the requests of one connection are answered, one after the other.

A task per request would cost more than all HTTP work together, so an idle runner is kept and woken, at
once and inside the callback that received the request, instead of through the loop's queue (ADR 4).
Nothing leaks from one request to the next: a runner whose context a request has changed, or that was
cancelled, is given up for a new one.

What is in the application's hands is counted here, into cells that the master reads even when the worker was
killed: so each count is written at once.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from srvctl.ipc.scoreboard import Cell
from srvctl.worker.http.cycle import ClientDisconnected
from srvctl.worker.parked import Parked

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context

    from srvctl.ipc.scoreboard import Cells
    from srvctl.worker.durations import Durations
    from srvctl.worker.http.cycle import Application, RequestCycle

# As plain numbers: every request passes here, and looking up a member of an enumeration costs.
_BEGUN: Final = int(Cell.BEGUN)
_FINISHED: Final = int(Cell.FINISHED)
_ERRORS: Final = int(Cell.ERRORS)
_SERVER_ERROR: Final = 500  #: the statuses from here on


class RunnerHost(Protocol):
    """What a runner needs of its connection."""

    def runner_ended(self, runner: Runner) -> None:
        """Learn that this runner answers nothing more."""


class Runner(Parked):
    """Answers requests until its connection, or a request, has spoilt it.

    While idle it is itself what its task waits for.

    Args:
        host: The connection.
        application: The ASGI application.
        loop: The running loop.
        context: What the context of each request starts from.
        cycle: The first request.
        on_return: Is told whenever the application is done with a request.
        cells: Where requests are counted.
        durations: Where it is noted how long they took.
    """

    __slots__ = (
        "_application",
        "_cells",
        "_clean_context",
        "_cycle",
        "_durations",
        "_has_variables",
        "_host",
        "_is_detached",
        "_on_return",
        "task",
    )

    def __init__(
        self,
        host: RunnerHost,
        application: Application,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        cycle: RequestCycle,
        on_return: Callable[[RequestCycle], object] | None,
        cells: Cells,
        durations: Durations,
    ) -> None:
        super().__init__(loop)
        self._host = host
        self._on_return = on_return
        self._cells = cells
        self._durations = durations
        self._application = application
        self._clean_context = context
        self._has_variables = len(context) > 0
        self._context = context.copy()
        self._cycle: RequestCycle | None = cycle
        self._is_detached = False
        self.task = asyncio.Task(self._run(), loop=loop, name="srvctl request", context=self._context)

    def wake(self, cycle: RequestCycle | None) -> None:
        """Answer a request at once, or end. Only from a callback of the loop, never within a task."""
        self._cycle = cycle
        self.resume()

    def detach(self) -> None:
        """Let it finish what it does, and then end."""
        self._is_detached = True
        if self.is_idle:
            self.wake(None)

    def dedicate(self, host: RunnerHost) -> None:
        """Answer no other request, and tell another host about the end."""
        self._is_detached = True
        self._host = host

    async def _run(self) -> None:
        application, on_return, task, cells = self._application, self._on_return, self.task, self._cells
        note = self._durations.note
        cycle: RequestCycle | None = None
        try:
            while (cycle := self._cycle) is not None:
                self._cycle = None
                cells[_BEGUN] += 1
                began = monotonic()
                try:
                    result = await application(cycle.scope, cycle.receive, cycle.send)
                except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - one request
                    self._take_exception(cycle, error)  # must not end the process
                else:
                    if result is not None or not cycle.is_response_complete:
                        cycle.returned(result)
                if on_return is not None:
                    on_return(cycle)
                if cycle.status >= _SERVER_ERROR:
                    cells[_ERRORS] += 1
                cells[_FINISHED] += 1
                note(cycle, monotonic() - began)
                cycle = result = None  # an idle connection keeps nothing of its last request
                if self._is_detached or task.cancelling() or self._is_context_changed():
                    break
                await self
        finally:
            if cycle is not None:  # it was cancelled
                cells[_FINISHED] += 1
                if on_return is not None:
                    on_return(cycle)
            self._host.runner_ended(self)

    def _take_exception(self, cycle: RequestCycle, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError) and self.task.cancelling():
            if not (cycle.is_response_begun or cycle.is_disconnected):  # else: its connection counts it
                self._cells[Cell.CUT] += 1
            cycle.give_up()
            raise error
        if not (cycle.is_disconnected and _comes_from_disconnect(error)):
            breaks_off = cycle.is_response_begun and not (cycle.is_response_complete or cycle.is_told_to_end)
            cycle.failed(error, "Exception in ASGI application")
            if breaks_off and cycle.status < _SERVER_ERROR:  # else: it is counted by its status
                self._cells[Cell.ERRORS] += 1

    def _is_context_changed(self) -> bool:
        """Return whether the last request left a context variable other than it found it.

        By identity: an equal list may be another list, and comparing is the application's code.
        """
        context, clean = self._context, self._clean_context
        if len(context) != len(clean):
            return True
        return self._has_variables and not all(
            variable in clean and clean[variable] is value for variable, value in context.items()
        )


def _comes_from_disconnect(error: BaseException) -> bool:
    """Return whether an exception is, or was raised while handling, ours: the usual end of a stream.

    Starlette raises one of its own in its place.
    """
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:  # an exception can be its own cause
        if isinstance(cause, ClientDisconnected):
            return True
        if isinstance(cause, BaseExceptionGroup):
            return all(_comes_from_disconnect(part) for part in cause.exceptions)
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False
