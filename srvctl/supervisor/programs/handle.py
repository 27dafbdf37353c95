"""A process beside the workers as the operating system sees it: what it says, how it is signalled, its end.

Must not decide anything. Made by `hands`; a child of the poller's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.settings.program_values import NOTIFY, STARTED, notify_fd
from srvctl.supervisor.events import ProgramExited, ProgramReady
from srvctl.supervisor.programs.readiness import NotifySocket, Outcome, ReadyPipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.output.output import Output
    from srvctl.supervisor.output.printed import Printed
    from srvctl.supervisor.poller import Poller
    from srvctl.supervisor.programs.readiness import Ear

logger = logging.getLogger("srvctl.error")

_SUCCESS: Final = 0  #: as of waitpid(2)


@dataclass(frozen=True, slots=True)
class Ears:
    """What the master hears it by.

    Attributes:
        outcome: Tells whether it could be run.
        ready: Tells that it is ready, where there is a way of its own for that.
    """

    outcome: Outcome
    ready: Ear | None = None

    def __iter__(self) -> Iterator[Ear]:
        yield self.outcome
        if self.ready is not None:
            yield self.ready


class ProgramHandle:
    """The process.

    Args:
        process: Its number.
        pid: Its process id, which is that of its session and its process group as well.
        way: How it says that it is ready, as the settings have it.
        ears: What it is heard by.
        printed: What it prints.
        poller: Waits for it.
        output: Reads what it prints.
        gone: Is called when it is gone.
    """

    def __init__(
        self,
        process: int,
        pid: int,
        way: str,
        ears: Ears,
        printed: Printed | None,
        poller: Poller,
        output: Output,
        gone: Callable[[int], object],
    ) -> None:
        self.process = process
        self.pid: int | None = pid
        self.printed = printed
        self._way = way
        self._ears = ears
        self._poller = poller
        self._output = output
        self._gone = gone
        self._has_said_ready = False
        if isinstance(ears.ready, NotifySocket):
            ears.ready.owner = pid
        ears.outcome.watch(lambda: self._hear(ears.outcome, is_word=way == STARTED))
        if ears.ready is not None:
            ready = ears.ready
            ready.watch(lambda: self._hear(ready, is_word=True))
        poller.adopt(self)

    def _hear(self, ear: Ear, *, is_word: bool) -> Iterator[Event]:
        """Read what it says.

        Args:
            ear: What can be read.
            is_word: Whether that is how it says that it is ready.
        """
        if ear.hear() and is_word and not self._has_said_ready:
            self._has_said_ready = True
            if self.printed is not None:
                self.printed.drain()  # causes before effects
            yield ProgramReady(self.process)

    # -- its end -----------------------------------------------------------------------------------------

    def last_words(self) -> Iterator[Event]:
        """Read why it was not run, and kill what is left of its process group.

        As long as it is a zombie, nobody else can have its number, neither as a process nor as a group.
        """
        self._ears.outcome.hear()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left, or is ours
                os.killpg(self.pid, signal.SIGKILL)
        yield from ()

    def ended(self, cause: str, status: int) -> Iterator[Event]:
        """Return that it ended."""
        self.pid = None
        self._let_go()
        reason = self._ears.outcome.reason
        yield ProgramExited(self.process, reason or cause, is_success=status == _SUCCESS)

    def end(self) -> None:
        """Kill it with its group, and wait until it is gone: the master ends without having stopped it."""
        pid = self.pid
        if pid is not None:
            self._poller.forget(self)
            self.signal(signal.SIGKILL, to_group=True)
            self.pid = None
            os.waitpid(pid, 0)
        self._let_go()

    def _let_go(self) -> None:
        for ear in self._ears:
            ear.close()
        if self.printed is not None:
            self._output.dismiss(self.printed)
        self._gone(self.process)

    # -- what is done to it ------------------------------------------------------------------------------

    def signal(self, number: signal.Signals, *, to_group: bool) -> None:
        """Send a signal; it is not reaped yet, so the numbers are its own."""
        if self.pid is None:
            return
        try:
            if to_group:
                with contextlib.suppress(ProcessLookupError):  # it has no group of its own yet
                    os.killpg(self.pid, number)
                    return
            os.kill(self.pid, number)
        except PermissionError:  # it runs a set-user-ID program, and srvctl is not root
            logger.error("Process [%d] of a program cannot be sent %s: not permitted.", self.pid, number.name)  # noqa: TRY400 - there is no more to say

    def abandon(self) -> None:
        """Close a forked child's copies."""
        for ear in self._ears:
            ear.abandon()

    # -- an upgrade in place -----------------------------------------------------------------------------

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over."""
        own = [ear.fd for ear in self._ears if ear.fd is not None]
        return [*own, *(self.printed.fds() if self.printed is not None else ())]

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        outcome, ready = self._ears.outcome, self._ears.ready
        return {
            "process": self.process,
            "pid": self.pid,
            "ready": self._way,
            "outcome": outcome.fd,
            "reason": outcome.reason,
            "ready_fd": ready.fd if ready is not None else None,
            "printed": self.printed.export() if self.printed is not None else None,
        }

    @classmethod
    def inherit(
        cls, values: Mapping[str, Any], poller: Poller, output: Output, gone: Callable[[int], object]
    ) -> Self:
        """Go on with a process of the program that this process ran before.

        Raises:
            OSError: A descriptor did not come along.
        """
        way, fd = values["ready"], values["ready_fd"]
        ready: Ear | None = None
        if way == NOTIFY:
            ready = NotifySocket(fd, poller)
        elif notify_fd(way) is not None:
            ready = ReadyPipe(fd, poller)
        ears = Ears(Outcome(values["outcome"], poller, values["reason"]), ready)
        printed = output.inherit_child(values["printed"]) if values["printed"] is not None else None
        return cls(values["process"], values["pid"], way, ears, printed, poller, output, gone)
