"""Has the srvctl that is installed now take over: first a rehearsal in a child, then execve(2) in the master.

The rehearsal is the new program itself. It reads the settings and what it would be left, and leaves an answer
for the one that takes over; until it has ended well, nothing of this master has changed. Must not know what
the state consists of. Called by `effects`, by the poller and, between two events, by `master`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, NoReturn

from srvctl.errors import ExitCode
from srvctl.logs.streams import flush
from srvctl.supervisor import handover
from srvctl.supervisor.events import UpgradeRefused
from srvctl.supervisor.piped import PipedChild
from srvctl.supervisor.spawn import fork_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.handover import Program
    from srvctl.supervisor.poller import Poller
    from srvctl.supervisor.signals import SignalInbox

#: Bytes of what a rehearsal printed that are kept: the end, which names the error.
_MOST_PRINTED: Final = 16 * 1024

REHEARSE: Final = "rehearse"  #: say whether it would work
TAKE_OVER: Final = "take-over"
GO_BACK: Final = "go-back"  #: go on, because the one that took over could not


class Upgrading:
    """At most one attempt at a time.

    Args:
        program: What takes over.
        poller: Watches the rehearsal.
        inbox: Has the signals that came.
        export: Returns the state of everything, as JSON, with ``descriptors``: what must stay open.
        patience: Returns the seconds a rehearsal may take.
    """

    def __init__(
        self,
        program: Program,
        poller: Poller,
        inbox: SignalInbox,
        export: Callable[[], dict[str, Any]],
        patience: Callable[[], float],
    ) -> None:
        self._program = program
        self._poller = poller
        self._inbox = inbox
        self._export = export
        self._patience = patience
        self._rehearsal: _Rehearsal | None = None
        self._answer: int | None = None  #: what a rehearsal that went well left for the one that takes over
        poller.add_clock(self)

    # -- the rehearsal ---------------------------------------------------------------------------------

    def begin(self) -> Event | None:
        """Rehearse; return an event if not even that is possible."""
        self.give_up()
        patience = self._patience()
        try:
            self._rehearse(time.monotonic() + patience, f"{patience:g} s (timeouts.boot)")
        except OSError as error:
            return UpgradeRefused(f"no process to try it in: {error.strerror}")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the state must not end the service
            return UpgradeRefused(f"what there is cannot be handed over: {error!r}", traceback.format_exc())
        return None

    def _rehearse(self, deadline: float, limit: str) -> None:
        """Start the rehearsal.

        Raises:
            OSError: The kernel refuses.
            Exception: The state cannot be written.
        """
        with contextlib.ExitStack() as undo:
            answer = handover.kept()
            undo.callback(os.close, answer)
            state = {**self._export(), "answer": answer}
            state["descriptors"] = [*state["descriptors"], answer]
            left = handover.kept(handover.encode(state))
            reader, writer = os.pipe()
            try:
                undo.callback(os.close, reader)
                pid = fork_child(_nothing, lambda: self._be_rehearsal(writer, left, state))
            finally:
                os.close(writer)
                os.close(left)
            undo.pop_all()
        self._rehearsal = _Rehearsal(pid, reader, self._poller, deadline, limit, self._rehearsed)
        self._answer = answer

    def _be_rehearsal(self, writer: int, left: int, state: Mapping[str, Any]) -> int:
        """Be the child, up to execve(2), which closes all that it is not to have."""
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        _pass_on([left, *state["descriptors"]])
        program = self._program
        try:
            os.execve(program.executable, program.argv, program.environ(REHEARSE, left, os.environ))  # noqa: S606
        except OSError as error:
            os.write(2, f"{program.executable} cannot be run: {error.strerror}".encode(errors="replace"))
        return ExitCode.INTERNAL

    def _rehearsed(self, reason: str, details: str) -> Iterator[Event]:
        self._rehearsal = None
        if not reason and self._answer is not None and not os.fstat(self._answer).st_size:
            reason = "the installed program does not know how to take over"
        if reason:
            self.give_up()
            yield UpgradeRefused(reason, details)

    def give_up(self) -> None:
        """Do without what was begun, if anything was."""
        if self._rehearsal is not None:
            self._rehearsal.give_up()
            self._rehearsal = None
        if self._answer is not None:
            os.close(self._answer)
            self._answer = None

    def abandon(self) -> None:
        """Close a forked child's copies of what belongs to the master."""
        if self._rehearsal is not None:
            self._rehearsal.abandon()
        if self._answer is not None:
            os.close(self._answer)

    def next_deadline(self) -> float | None:
        """Return when the rehearsal has taken too long."""
        return self._rehearsal.deadline if self._rehearsal is not None else None

    def expire(self, now: float) -> None:
        """End a rehearsal that has taken too long."""
        if self._rehearsal is not None:
            self._rehearsal.expire(now)

    # -- the real thing --------------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether a rehearsal went well."""
        return self._answer is not None and self._rehearsal is None

    def make_way(self) -> Event:
        """Become the installed program; return only what kept it from that.

        To be called when nothing is under way: between two events, with no action left to be carried out.
        """
        # From here on signals wait, in the kernel, for the next program: none is lost, and none can kill a
        # program that has no handlers yet. The mask and what is pending outlive execve(2).
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        kept: list[int] = []
        try:
            self._inbox.send_again()
            self._become_the_next(kept, mask)
        except OSError as error:
            refused = UpgradeRefused(f"{self._program.executable} cannot be run: {error.strerror}")
        except Exception as error:  # noqa: BLE001 - as in `begin`
            text = f"what there is cannot be handed over: {error!r}"
            refused = UpgradeRefused(text, traceback.format_exc())
        for fd in kept:
            os.set_inheritable(fd, False)
        self.give_up()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return refused

    def _become_the_next(self, kept: list[int], mask: Iterable[int]) -> NoReturn:
        """Call execve(2).

        Args:
            kept: Is filled with what was made inheritable.
            mask: The signals that the next program is to block.

        Raises:
            OSError: The kernel refuses.
            Exception: The state cannot be written.
        """
        state = {**self._export(), "answer": self._answer, "mask": sorted(mask)}
        state["descriptors"] = [*state["descriptors"], self._answer]
        left = handover.kept(handover.encode(state))
        try:
            kept += state["descriptors"]
            _pass_on([left, *kept])
            flush()
            program = self._program
            os.execve(program.executable, program.argv, program.environ(TAKE_OVER, left, os.environ))  # noqa: S606
        finally:
            os.close(left)


class _Rehearsal(PipedChild):
    """The child that rehearses; what it says is what it printed."""

    def __init__(
        self,
        pid: int,
        pipe: int,
        poller: Poller,
        deadline: float,
        limit: str,
        rehearsed: Callable[[str, str], Iterator[Event]],
    ) -> None:
        super().__init__(pid, pipe, poller, most=_MOST_PRINTED)
        self.deadline: float | None = deadline
        self._limit = limit
        self._rehearsed = rehearsed
        self._is_late = False

    def told(self, cause: str, status: int) -> Iterator[Event]:
        """Tell what came of it."""
        printed = self.said.decode(errors="replace").strip()
        yield from self._rehearsed(self._reason(cause, status, printed), printed)

    def _reason(self, cause: str, status: int, printed: str) -> str:
        if self._is_late:
            return f"the installed srvctl did not say within {self._limit} that it can take over"
        if status == 0:
            return ""
        last = printed.rpartition("\n")[2].strip()
        return f"the installed srvctl cannot take over: {last or cause}"

    def expire(self, now: float) -> None:
        """End it if it has taken too long."""
        if self.deadline is not None and self.deadline <= now:
            self.deadline, self._is_late = None, True
            self.kill()


def _pass_on(descriptors: list[int]) -> None:
    """Have execve(2) leave these open.

    Raises:
        OSError: One is not open.
    """
    for fd in descriptors:
        os.set_inheritable(fd, True)


def _nothing() -> None:
    """Close nothing: execve(2) does."""
