"""The mold: imports the application once and forks workers on command, so the next one takes milliseconds.

It runs no event loop and starts no thread; it reads commands from the master and waits in between. A worker
is forked twice: the process in between exits at once, and the kernel gives the worker to the master, which is
the subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)). So a worker is the master's child like any other, and the
mold may die without it noticing. Knows no settings: the composition root tells it how to import and to serve.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import logging
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from srvctl.errors import AppError, ExitCode
from srvctl.ipc import forking
from srvctl.ipc.channel import ChannelError, Failed, ForkAsked, ForkFailed, Hello, MoldReady, decode
from srvctl.ipc.descriptors import LineReader
from srvctl.logs.streams import flush, put_in_place
from srvctl.worker.fork_safety import Snapshot, sentence, wait_objections
from srvctl.worker.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.ipc.descriptors import Line
    from srvctl.worker.http.cycle import Application

logger = logging.getLogger("srvctl.error")

_DESCRIPTORS: Final = (2, 4)  #: channel and board of a worker, perhaps what is to be its stdout and stderr
_UNSEEN: Final = "may have started anything (/proc is not mounted, so nobody can tell)"


class BecomeWorker(Protocol):
    """Serves, in a process that was just forked."""

    def __call__(
        self, worker: int, slot: int, channel: socket.socket, board: int, application: Application
    ) -> int:
        """Serve, and return the exit code.

        Args:
            worker: Its number.
            slot: The place it is for.
            channel: Its connection to the master, on which it has said `Hello`; blocking.
            board: Descriptor of its board.
            application: What was imported.
        """


def _nothing(_slot: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Duties:
    """What a mold does, as the composition root knows it.

    Attributes:
        target: What the application is called in sentences.
        import_app: Imports it, and does what else is done once for all workers.
        become_worker: The life of a worker.
        before_fork: Called before each fork with the slot it is for.
        is_forced: Fork even if the import has left something behind that no fork should carry along.
    """

    target: str
    import_app: Callable[[], Application]
    become_worker: BecomeWorker
    before_fork: Callable[[int], None] = _nothing
    is_forced: bool = False


def prepare() -> None:
    """Import what every worker needs, whatever the application is and the settings are."""
    import srvctl.logs.setup  # noqa: PLC0415
    import srvctl.settings.groups  # noqa: PLC0415
    import srvctl.worker.molding  # noqa: F401, PLC0415 - with it all that a worker consists of; it imports us

    with contextlib.suppress(ImportError):
        import uvloop  # noqa: F401, PLC0415 - not every platform has it


def live(channel: socket.socket, duties: Duties, master_pid: int) -> int:
    """Import the application, then fork workers until the master closes the channel; return the exit code.

    The process must be the master's child already, with signals of its own (`srvctl.ipc.forking`).

    Args:
        channel: The connection to the master: blocking, and nobody else's.
        duties: What to do.
        master_pid: The parent, and the adopter of the workers.
    """
    prepare()
    reader = LineReader(channel)
    try:
        application, objection = _import(duties)
    except AppError as error:
        say(channel, Failed(str(error), error.details))
        return ExitCode.NEVER_UP
    gc.freeze()  # or each worker's collections would write to, and so copy, every page of what was imported
    say(channel, MoldReady(objection))
    return _Mold(channel, reader, duties, application, master_pid).run()


def _import(duties: Duties) -> tuple[Application, str]:
    """Import the application, and say why workers should not be forked from it."""
    try:
        before = Snapshot.take()
    except OSError:
        before = None
    application = duties.import_app()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever a module wants, it is not what ends a mold
    gc.collect()  # what nobody can reach any more, such as a socket, is closed by that
    found = wait_objections(before) if before is not None else [_UNSEEN]
    text = sentence(duties.target, found, is_decisive=not duties.is_forced)
    if text and duties.is_forced:
        logger.warning("%s", text)
        text = ""
    return application, text


class _Mold:
    """Obeys the master, once the application is imported."""

    def __init__(
        self,
        channel: socket.socket,
        reader: LineReader,
        duties: Duties,
        application: Application,
        master_pid: int,
    ) -> None:
        self._channel = channel
        self._reader = reader
        self._duties = duties
        self._application = application
        self._master_pid = master_pid

    def run(self) -> int:
        """Fork what is asked for, until nobody can ask any more."""
        try:
            while (line := self._reader.wait_line()) is not None:
                try:
                    self._obey(line)
                finally:
                    line.close()
        except ConnectionError:  # the master went without reading what we said
            pass
        except ChannelError as error:
            logger.error("The master is not understood: %s", error)  # noqa: TRY400 - the text says it all
            return ExitCode.INTERNAL
        return ExitCode.OK

    def _obey(self, line: Line) -> None:
        asked = decode(line.text)
        if not isinstance(asked, ForkAsked):
            raise ChannelError(f"{type(asked).__name__} is not for a mold")
        reason = self._fork(asked, line)
        if reason:
            say(self._channel, ForkFailed(asked.worker, reason))

    def _fork(self, asked: ForkAsked, line: Line) -> str:
        """Fork a worker; return why there is none."""
        if len(line.descriptors) not in _DESCRIPTORS:  # recvmsg(2) drops those for which there is no room
            return os.strerror(errno.EMFILE)
        try:
            self._duties.before_fork(asked.slot)
        except AppError as error:
            return f"{error}\n{error.details}".rstrip()
        flush()  # or the worker would write the same buffer again
        with forking.signals_blocked() as mask:
            try:
                between = forking.fork()
            except OSError as error:
                return os.strerror(error.errno or errno.EAGAIN)
            if between == 0:
                self._fork_again(asked, line, mask)
            _, status = os.waitpid(between, 0)
        code = os.waitstatus_to_exitcode(status)
        return os.strerror(code) if code > 0 else f"killed by signal {-code}" if code < 0 else ""

    def _fork_again(self, asked: ForkAsked, line: Line, mask: set[int | signal.Signals]) -> NoReturn:
        """Be the process in between: leave the worker to the master, or the reason why there is none."""
        own_pid = os.getpid()
        try:
            worker = forking.fork()
        except OSError as error:
            os._exit(error.errno or errno.EAGAIN)
        if worker != 0:
            os._exit(0)
        forking.run_and_exit(lambda: self._be_worker(asked, line, mask, own_pid))

    def _be_worker(self, asked: ForkAsked, line: Line, mask: set[int | signal.Signals], between: int) -> int:
        self._channel.close()
        self._reader.close()  # the descriptors of the workers that are to be forked next
        forking.wait_adopted(between, self._master_pid)
        forking.die_with(self._master_pid)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        descriptor, board, *prints = line.descriptors
        if prints:
            put_in_place(*prints)
        channel = socket.socket(fileno=descriptor)
        say(channel, Hello(os.getpid()))
        return self._duties.become_worker(asked.worker, asked.slot, channel, board, self._application)
