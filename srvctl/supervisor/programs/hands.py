"""Starts processes beside the workers, signals them, and tells what becomes of them. Called by `effects`.

Must not decide anything: which is to run, and when, `supervision` says.
"""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from srvctl.settings.program_values import NOTIFY, notify_fd
from srvctl.supervisor.events import ProgramForked, ProgramRefused
from srvctl.supervisor.output.entry import MASTER
from srvctl.supervisor.output.printed import make_pipes
from srvctl.supervisor.programs import child
from srvctl.supervisor.programs.given import CannotRunError, given, label_of
from srvctl.supervisor.programs.handle import Ears, ProgramHandle
from srvctl.supervisor.programs.readiness import NotifySocket, Outcome, ReadyPipe
from srvctl.supervisor.spawn import fork_child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srvctl.settings.groups import ProgramSettings
    from srvctl.supervisor.actions import SignalProgram, StartProgram
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.generations import Generations
    from srvctl.supervisor.listeners import Listener
    from srvctl.supervisor.output.output import Output
    from srvctl.supervisor.poller import Poller
    from srvctl.supervisor.programs.given import Given
    from srvctl.supervisor.programs.readiness import Ear


class ProgramHands:
    """The hands.

    Args:
        poller: Waits for the processes.
        generations: Has the settings of programs, and the sockets that are passed to them.
        output: Reads what they print.
        leave_master: Closes, in a child, what belongs to the master.
    """

    def __init__(
        self,
        poller: Poller,
        generations: Callable[[], Generations],
        output: Output,
        leave_master: Callable[[], None],
    ) -> None:
        self._poller = poller
        self._generations = generations
        self._output = output
        self._leave_master = leave_master
        self._handles: dict[int, ProgramHandle] = {}

    def start(self, action: StartProgram) -> Event:
        """Start a process; return what is known at once.

        That its program runs comes later as `ProgramReady`, where it is ready as soon as it runs; that it
        could not be run comes as `ProgramExited`, with the reason as its cause.
        """
        accepted = self._generations().accepted
        for program in accepted.settings.program:
            if program.name == action.name:
                passed = accepted.passed.get(program.name, ())
                try:
                    pid = self._start(action, program, passed)
                except CannotRunError as error:
                    return ProgramRefused(action.process, str(error))
                except OSError as error:
                    return ProgramRefused(action.process, f"no process for it: {error.strerror or error}")
                return ProgramForked(action.process, pid)
        return ProgramRefused(action.process, "the settings do not name it any more")

    def signal(self, action: SignalProgram) -> None:
        """Send a signal; nothing where the process is gone."""
        handle = self._handles.get(action.process)
        if handle is not None:
            handle.signal(signal.Signals[f"SIG{action.signal}"], to_group=action.to_group)

    def close(self) -> None:
        """Kill what is left and wait until it is gone; nothing is, unless the master ends in a hurry."""
        for handle in list(self._handles.values()):
            handle.end()

    def abandon(self) -> None:
        """Close a forked child's copies of what belongs to the master."""
        for handle in self._handles.values():
            handle.abandon()

    # -- steps -------------------------------------------------------------------------------------------

    def _start(self, action: StartProgram, program: ProgramSettings, passed: Sequence[Listener]) -> int:
        """Return the process id.

        Raises:
            CannotRunError: It cannot be done as the settings say.
            OSError: The kernel refuses.
        """
        with ExitStack() as undo, ExitStack() as ours:  # the second closes, in any case, what the child has
            outcome, tells = _pipe(ours)
            ears = Ears(Outcome(outcome, self._poller), ready=None)
            undo.callback(ears.outcome.close)
            ready, address, pipe = self._ready_way(program.ready, ours)
            if ready is not None:
                undo.callback(ready.close)
            pipes = make_pipes()
            for fd in pipes.reading:
                undo.callback(os.close, fd)
            for fd in pipes.writing:
                ours.callback(os.close, fd)
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            ours.callback(os.close, null)
            what = given(
                program,
                action.index,
                os.environ,
                passed=[(listener.bind, listener.socket.fileno()) for listener in passed],
                streams=(null, *pipes.writing),
                notify=address,
                ready_pipe=pipe,
            )
            pid = self._fork(what, tells)
            undo.pop_all()
        printed = self._output.hear(pipes.reading, MASTER, pid, label_of(program, action.index))
        self._handles[action.process] = ProgramHandle(
            action.process,
            pid,
            program.ready,
            Ears(ears.outcome, ready),
            printed,
            self._poller,
            self._output,
            self._forget,
        )
        return pid

    def _ready_way(self, way: str, ours: ExitStack) -> tuple[Ear | None, str, int | None]:
        """Return what the master hears by, what NOTIFY_SOCKET is to say, and the child's end of a pipe.

        Raises:
            CannotRunError: It is not to be had here.
            OSError: The kernel refuses.
        """
        if way == NOTIFY:
            notify = NotifySocket.fresh(self._poller)
            return notify, notify.address, None
        if notify_fd(way) is not None:
            reader, writer = _pipe(ours)
            return ReadyPipe(reader, self._poller), "", writer
        return None, "", None

    def _fork(self, what: Given, tells: int) -> int:
        """Return the process id.

        Raises:
            OSError: The kernel refuses another process.
        """
        master = os.getpid()
        return fork_child(partial(child.leave, self._leave_master), lambda: child.live(what, tells, master))

    def _forget(self, process: int) -> None:
        self._handles.pop(process, None)

    # -- an upgrade in place -----------------------------------------------------------------------------

    def export(self) -> list[dict[str, Any]]:
        """Return what `inherit` needs, as JSON."""
        return [handle.export() for handle in self._handles.values()]

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over."""
        return [fd for handle in self._handles.values() for fd in handle.fds()]

    def inherit(self, values: Sequence[Mapping[str, Any]]) -> None:
        """Go on with the processes of the program that this process ran before.

        Raises:
            OSError: A descriptor did not come along.
        """
        for one in values:
            handle = ProgramHandle.inherit(one, self._poller, self._output, self._forget)
            self._handles[handle.process] = handle


def _pipe(ours: ExitStack) -> tuple[int, int]:
    """Return a pipe, whose writing end is closed with the stack; no program inherits it.

    Raises:
        OSError: There is no room for a descriptor.
    """
    reader, writer = os.pipe()
    ours.callback(os.close, writer)
    return reader, writer
