"""The console as the master sees it: a child with listening sockets of its own, which asks for what it shows.

Owns the sockets, the child, and the wire over which the child has the master take connections. Must not know
what is shown there: that takes an event loop and libraries, so the child alone loads it (`srvctl.console`).
Nothing the child does delays the master: what it sends is taken a little at a time, and when it ends there is
another one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.errors import BindError
from srvctl.settings.binds import SystemdBind, TcpBind, UnixBind, parse_bind
from srvctl.supervisor.backoff import Backoff
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.listeners import Listener, Listeners
from srvctl.supervisor.tcp import open_tcp
from srvctl.supervisor.unix import open_unix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from srvctl.supervisor.events import Event
    from srvctl.supervisor.output.output import Output
    from srvctl.supervisor.output.printed import Pipes, Printed
    from srvctl.supervisor.poller import Poller

    Start = Callable[[socket.socket, Pipes | None], int]

logger = logging.getLogger("srvctl.error")

_BACKLOG: Final = 128
#: Connections of the console at a time, and those taken in one turn of the master's loop.
_MOST: Final = 32
_MOST_AT_ONCE: Final = 8


def open_console(
    address: str | None, others: Sequence[Listener], inherited: Inherited | None = None
) -> Listeners:
    """Open what the console listens on; nothing without an address.

    Args:
        address: ``console.bind``.
        others: What the instance listens on already.
        inherited: What may be taken over instead of being opened; None for nothing.

    Raises:
        BindError: It cannot be opened; says why and what to do, in one line.
    """
    if address is None:
        return Listeners(())
    bind = parse_bind(address)
    inherited = inherited or Inherited.nothing()
    try:
        if isinstance(bind, SystemdBind):
            return Listeners(inherited.take_over(bind, _BACKLOG))
        if isinstance(bind, UnixBind):
            return Listeners([open_unix(bind, _BACKLOG, inherited.stored)])
        if isinstance(bind, TcpBind):
            return Listeners(*open_tcp(bind, _BACKLOG, others, inherited.stored))
    except BindError as error:
        raise BindError(f"console.bind: {error}".replace("--bind", "--console")) from error
    raise TypeError(f"checks of the settings let {bind} pass")


def is_public(listener: Listener) -> bool:
    """Return whether other machines can reach a listener."""
    if listener.socket.family == socket.AF_UNIX:
        return False
    host: str = listener.socket.getsockname()[0]
    return host != "::1" and not host.startswith("127.")


class Console:
    """The child; a child and a clock of the poller's.

    Args:
        poller: Reads the wire, and waits for the child.
        output: Reads what it prints.
        listeners: What it listens on.
        start: Forks it; is given its end of the wire, and what it prints into; returns its process id.
        adopt: Takes a connection that it has made.
    """

    def __init__(
        self,
        poller: Poller,
        output: Output,
        listeners: Listeners,
        start: Start,
        adopt: Callable[[socket.socket], object],
    ) -> None:
        self.pid: int | None = None
        self.listeners = listeners
        self._poller = poller
        self._output = output
        self._start = start
        self._adopt = adopt
        self._wire: socket.socket | None = None
        self._printed: Printed | None = None
        self._given: list[socket.socket] = []
        self._backoff = Backoff()
        self._failures = 0
        self._began = 0.0
        self._is_former = False
        self._due: float | None = None
        poller.add_clock(self)

    def begin(self) -> None:
        """Start the child, or another one; if that fails, try again later."""
        self._due = None
        try:
            self._fork()
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        self._began = time.monotonic()
        self._poller.adopt(self)
        logger.info("Started console process [%d]", self.pid)

    def _fork(self) -> None:
        """Fork the child, with a wire to it, and pipes that it prints into.

        Raises:
            OSError: The kernel refuses.
        """
        with contextlib.ExitStack() as undo:
            own, other = socket.socketpair()
            undo.callback(own.close)
            own.setblocking(False)
            with other:
                pipes = self._output.make_pipes()
                if pipes is not None:
                    undo.callback(pipes.close)
                self._wire = own  # before the fork, so that the child closes its copy
                undo.callback(setattr, self, "_wire", None)
                self.pid = self._start(other, pipes)
            undo.pop_all()
        self._poller.watch(own, self._take)
        if pipes is not None:
            pipes.close_writing()
            self._printed = self._output.hear(pipes.reading, pid=self.pid)

    def close(self) -> None:
        """End the child, which has nothing to finish, and listen no more."""
        self._due = None
        self._hang_up()
        if self.pid is not None:
            self._poller.forget(self)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None
        self._let_go()
        self.listeners.close()

    def abandon(self, *, is_console: bool) -> None:
        """Close, in a forked child, its copies of descriptors.

        Args:
            is_console: The child is the console, and listens.
        """
        if self._wire is not None:
            self._wire.close()
        if not is_console:
            self.listeners.close(unlink=False)

    # -- an upgrade in place -------------------------------------------------------------------------------

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over."""
        return [listener.socket.fileno() for listener in self.listeners]

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        return {"pid": self.pid, "listeners": [listener.export() for listener in self.listeners]}

    @classmethod
    def inherit(
        cls,
        state: Mapping[str, Any],
        poller: Poller,
        output: Output,
        start: Start,
        adopt: Callable[[socket.socket], object],
    ) -> Self:
        """Go on with the sockets of the program that this process ran before, and with a new child.

        The old one is ended once the poller waits: until then its program may be gone back to.

        Raises:
            OSError: A socket did not come along.
        """
        console = cls(poller, output, Listeners([*map(Listener.inherit, state["listeners"])]), start, adopt)
        console._due = time.monotonic()
        if state["pid"] is not None:
            console.pid, console._is_former = state["pid"], True
            poller.adopt(console)
        return console

    # -- for the poller ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when another one is to be started."""
        return self._due

    def expire(self, now: float) -> None:
        """Start another one, if it is time."""
        if self._due is None or self._due > now:
            return
        if self.pid is None:
            self.begin()
        else:  # that of another program, whose end is told like any
            self._due = None
            os.kill(self.pid, signal.SIGKILL)

    def last_words(self) -> Iterator[Event]:
        """Say nothing."""
        yield from ()

    def ended(self, cause: str, status: int) -> Iterator[Event]:  # noqa: ARG002 - as `poller.Child.ended`
        """Have another one."""
        self.pid = None
        self._hang_up()
        self._let_go()
        if self._is_former:
            self._is_former = False
            self._due = time.monotonic()
        else:
            if time.monotonic() - self._began >= self._backoff.stable_after:
                self._failures = 0
            self._fail(cause)
        yield from ()

    # -- steps ---------------------------------------------------------------------------------------------

    def _fail(self, reason: str) -> None:
        self._failures += 1
        pause = self._backoff.delay(self._failures, random.random())  # noqa: S311 - not for secrets
        when = f"in {pause:.1f} s" if pause else "at once"
        logger.warning(
            "The console process ended or did not start (%s); another one starts %s.", reason, when
        )
        self._due = time.monotonic() + pause

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._poller.unwatch(self._wire)
            self._wire.close()
            self._wire = None

    def _let_go(self) -> None:
        """Read what the child has printed last."""
        if self._printed is not None:
            self._output.dismiss(self._printed)
            self._printed = None

    def _take(self, _mask: int) -> Iterator[Event]:
        """Take connections that the console has made; the rest waits for the next turn."""
        for _ in range(_MOST_AT_ONCE):
            if self._wire is None:
                break
            try:
                said, fds, _, _ = socket.recv_fds(self._wire, 1, 1)
            except BlockingIOError:
                break
            except OSError:
                said, fds = b"", []
            for fd in fds:
                self._receive(fd)
            if not said:
                self._hang_up()
        yield from ()

    def _receive(self, fd: int) -> None:
        """Take a connection, if the console does not have too many."""
        os.set_inheritable(fd, False)  # not for the next program of an upgrade; recv_fds() leaves it open
        self._given = [sock for sock in self._given if sock.fileno() >= 0]
        try:
            sock = socket.socket(fileno=fd)
        except OSError:
            os.close(fd)
            return
        if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM or len(self._given) >= _MOST:
            sock.close()
            return
        self._given.append(sock)
        self._adopt(sock)
