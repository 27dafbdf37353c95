"""The master's ends of its children: of each worker, and of each mold. What they say comes out as events.

Must not decide anything. Registered with `poller`, made by `effects`, used by it to speak to them.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

from srvctl.ipc import channel, scoreboard
from srvctl.ipc.channel import ChannelError, Decoder
from srvctl.supervisor import events
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    Forked,
    MoldExited,
    MoldFailed,
    Probed,
    SpawnFailed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from srvctl.ipc.channel import Message
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.output.output import Output
    from srvctl.supervisor.output.printed import Printed
    from srvctl.supervisor.poller import Poller

_CHUNK = 65536


class Lines:
    """Reads messages from a channel that the poller watches.

    Args:
        sock: The master's end, non-blocking; None if it is closed already.
        poller: Is told to forget it when it ends.
        rest: What was read of it before and is no whole message yet.
    """

    def __init__(self, sock: socket.socket | None, poller: Poller, rest: bytes = b"") -> None:
        self.socket = sock
        self._poller = poller
        self._decoder = Decoder(rest)

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        fd = self.socket.fileno() if self.socket is not None else None
        return {"channel": fd, "rest": self._decoder.rest.decode("latin-1")}

    @classmethod
    def inherit(cls, values: Mapping[str, Any], poller: Poller) -> Self:
        """Go on with the channel of the program that this process ran before."""
        fd = values["channel"]
        sock = socket.socket(fileno=fd) if fd is not None else None
        if sock is not None:
            sock.setblocking(False)
            sock.set_inheritable(False)
        return cls(sock, poller, values["rest"].encode("latin-1"))

    def read(self) -> Iterator[Message]:
        """Yield what came. At its end, or when it breaks, the channel is closed.

        Raises:
            ChannelError: What came is not a message.
        """
        while self.socket is not None:
            try:
                data = self.socket.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:  # it died before it read what we sent
                data = b""
            try:
                messages = self._decoder.feed(data)
            except ChannelError:
                self.close()
                raise
            if not data:
                self.close()
            yield from messages

    def close(self) -> None:
        """Hear nothing more."""
        if self.socket is not None:
            self._poller.unwatch(self.socket)
            self.socket.close()
            self.socket = None


class Board:
    """The shared memory into which a worker writes; owned by the master until the worker's death is told."""

    def __init__(self, fd: int, memory: mmap.mmap) -> None:
        self.fd = fd
        self._memory = memory

    @classmethod
    def inherit(cls, fd: int) -> Self:
        """Go on with a board of the program that this process ran before.

        Raises:
            OSError: It is not there.
            ValueError: It is none.
        """
        os.set_inheritable(fd, False)
        return cls(fd, mmap.mmap(fd, scoreboard.SIZE))

    def read(self, *, with_durations: bool = False) -> scoreboard.Reading | None:
        """Return what it says; None if that makes no sense."""
        return scoreboard.read(self._memory, time.monotonic(), with_durations=with_durations)

    def close(self) -> None:
        """Forget what it says."""
        with contextlib.suppress(BufferError):  # somebody still looks at it: the memory goes with the last
            self._memory.close()
        os.close(self.fd)


class Staff:
    """All workers and molds that are not gone.

    Args:
        output: What they print goes there.

    Attributes:
        workers: By their number; also one that is reaped, until its death is told.
        molds: By their generation.
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.workers: dict[int, WorkerHandle] = {}
        self.molds: dict[int, MoldHandle] = {}

    def refuse(self, worker: int, reason: str) -> None:
        """Remember why a worker cannot be forked; the end of its channel tells that it was not."""
        if worker in self.workers:
            self.workers[worker].refusal = reason

    def dismiss(self, worker: int) -> None:
        """Let go of a worker, and of all it left behind."""
        handle = self.workers.pop(worker, None)
        if handle is not None:
            handle.close()

    def reopen_logs(self) -> None:
        """Have the workers go on with the file that has the access log's name now."""
        for worker in self.workers.values():
            worker.reopen_logs()

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON; between two events, when no death is still to be told."""
        return {
            "workers": [worker.export() for worker in self.workers.values()],
            "molds": [mold.export() for mold in self.molds.values()],
        }

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over."""
        handles: list[WorkerHandle | MoldHandle] = [*self.workers.values(), *self.molds.values()]
        channels = [handle.channel.fileno() for handle in handles if handle.channel is not None]
        printed = [fd for handle in handles if handle.printed is not None for fd in handle.printed.fds()]
        return [*channels, *(worker.board.fd for worker in self.workers.values()), *printed]

    def inherit(self, values: Mapping[str, Any], poller: Poller) -> None:
        """Go on with the children of the program that this process ran before.

        Raises:
            OSError: A descriptor did not come along.
        """
        for worker in values["workers"]:
            self.workers[worker["worker"]] = WorkerHandle(
                worker["worker"],
                worker["generation"],
                worker["pid"],
                Lines.inherit(worker, poller),
                Board.inherit(worker["board"]),
                self,
                poller,
                self._printed_by(worker),
                understands_reopen="printed" in worker,
            )
            self.refuse(worker["worker"], worker["refusal"])
        for mold in values["molds"]:
            self.molds[mold["generation"]] = MoldHandle(
                mold["generation"],
                mold["pid"],
                Lines.inherit(mold, poller),
                self,
                poller,
                self._printed_by(mold),
                passes_pipes="printed" in mold,
            )

    def _printed_by(self, child: Mapping[str, Any]) -> Printed | None:
        """Go on with what a child prints; None where it does so by itself, as all of former versions.

        Raises:
            OSError: A descriptor did not come along.
        """
        values = child.get("printed")
        return self.output.inherit_child(values) if values is not None else None

    def abandon(self) -> None:
        """Close a forked child's copies of every channel.

        Without telling the poller: it shares the master's epoll instance, which would forget the channel.
        """
        handles: list[WorkerHandle | MoldHandle] = [*self.workers.values(), *self.molds.values()]
        for handle in handles:
            if handle.channel is not None:
                handle.channel.close()


class _Handle(ABC):
    """What workers and molds have in common.

    Args:
        pid: Its process id; None as long as only the process that forks it knows that.
        lines: The master's end of its channel.
        staff: All of them.
        poller: Watches the channel and waits for the process.
        printed: What it prints, where the master reads that.
    """

    def __init__(
        self, pid: int | None, lines: Lines, staff: Staff, poller: Poller, printed: Printed | None
    ) -> None:
        self.pid = pid
        self.printed = printed
        self._lines = lines
        self._staff = staff
        self._poller = poller
        self._is_heard_out = False
        if lines.socket is not None:
            poller.watch(lines.socket, lambda _mask: self.last_words())
        poller.adopt(self)

    @property
    def channel(self) -> socket.socket | None:
        """The master's end of the channel; None when the child closed its own, or broke it."""
        return self._lines.socket

    @property
    def last_lines(self) -> list[str]:
        """The end of what it wrote to stderr."""
        return self.printed.last_lines if self.printed is not None else []

    @abstractmethod
    def last_words(self) -> Iterator[Event]:
        """Return what it says."""

    @abstractmethod
    def ended(self, cause: str, status: int) -> Iterator[Event]:
        """Return that it ended; as `poller.Child.ended`."""

    def close(self) -> None:
        """Let go of everything."""
        self._lines.close()
        self._hear_out()

    def _messages(self) -> Iterator[Message]:
        """Yield what it says, each when all is read that it has printed before: causes before effects.

        Raises:
            ChannelError: What came is not a message.
        """
        for message in self._lines.read():
            if isinstance(message, channel.Hello) and self.printed is not None:
                self.printed.pid = message.pid
            self._read_printed()
            yield message

    def _read_printed(self) -> None:
        if self.printed is not None:
            self.printed.drain()

    def _hear_out(self) -> None:
        """Read what it has left behind; what it has started may print on."""
        if self.printed is not None and not self._is_heard_out:
            self._is_heard_out = True
            self._staff.output.dismiss(self.printed)


class WorkerHandle(_Handle):
    """A worker as the operating system sees it.

    Args:
        worker: Its number.
        generation: What it serves.
        pid: Its process id; None if a mold forks it.
        lines: The master's end of its channel.
        board: Its board.
        staff: Is told when there never was such a process.
        poller: Watches the channel and waits for the process.
        printed: What it prints, where the master reads that.
        understands_reopen: It can be sent `ReopenAsked`; workers of former versions would end.
    """

    def __init__(
        self,
        worker: int,
        generation: int,
        pid: int | None,
        lines: Lines,
        board: Board,
        staff: Staff,
        poller: Poller,
        printed: Printed | None = None,
        *,
        understands_reopen: bool = True,
    ) -> None:
        self.worker = worker
        self.generation = generation
        self.board = board
        self.refusal = "the process that it was to be forked from ended"
        self._understands_reopen = understands_reopen
        super().__init__(pid, lines, staff, poller, printed)

    def reopen_logs(self) -> None:
        """Have it go on with the file that has the access log's name now."""
        if self.channel is not None and self._understands_reopen:
            with contextlib.suppress(OSError):  # it does not read, or is gone
                self.channel.send(channel.encode(channel.ReopenAsked()))

    def export(self) -> dict[str, Any]:
        """Return what `Staff.inherit` needs, as JSON."""
        return {
            "worker": self.worker,
            "generation": self.generation,
            "pid": self.pid,
            "board": self.board.fd,
            "refusal": self.refusal,
            **self._lines.export(),
            **_export_of(self.printed, is_known=self._understands_reopen),
        }

    def last_words(self) -> Iterator[Event]:
        """Return what it says."""
        try:
            for message in self._messages():
                yield from self._event_of(message)
        except ChannelError as error:
            if self.pid is not None:
                yield ChannelBroken(self.worker, str(error))
        if self.channel is None and self.pid is None:  # it ended before it had said that it exists
            self._poller.forget(self)
            self._staff.dismiss(self.worker)
            yield SpawnFailed(self.worker, self.refusal)

    def ended(self, cause: str, status: int) -> Iterator[Event]:  # noqa: ARG002 - of the protocol
        """Return that it ended, and what it leaves behind."""
        self._lines.close()
        self._hear_out()
        reading = self.board.read()
        served, cut = (reading.finished, reading.cut + reading.in_flight) if reading else (0, 0)
        yield WorkerExited(self.worker, cause, served, cut)

    def close(self) -> None:
        """Let go of everything."""
        super().close()
        self.board.close()

    def _event_of(self, message: Message) -> Iterator[Event]:
        match message:
            case channel.Hello(pid=pid):
                if self.pid is None:
                    self.pid = pid
                    yield Forked(self.worker, pid)
            case channel.Ready():
                yield WorkerReady(self.worker)
            case channel.Failed(message=text, details=details):
                yield BootFailed(self.worker, text, details)
            case channel.Draining():
                yield WorkerDraining(self.worker)
            case channel.Probed(probe=probe, status=status, details=details):
                yield Probed(self.worker, probe, status, details)
            case _:
                yield ChannelBroken(self.worker, f"{type(message).__name__} is not for the master")


class MoldHandle(_Handle):
    """A mold as the operating system sees it.

    Args:
        generation: Whose workers it forks.
        pid: Its process id.
        lines: The master's end of its channel.
        staff: Is told when it could not fork a worker.
        poller: Watches the channel and waits for the process.
        printed: What it prints, where the master reads that.
        passes_pipes: It can be sent what workers are to print into; molds of former versions would not fork.
    """

    def __init__(
        self,
        generation: int,
        pid: int,
        lines: Lines,
        staff: Staff,
        poller: Poller,
        printed: Printed | None = None,
        *,
        passes_pipes: bool = True,
    ) -> None:
        self.generation = generation
        self.passes_pipes = passes_pipes
        super().__init__(pid, lines, staff, poller, printed)

    def export(self) -> dict[str, Any]:
        """Return what `Staff.inherit` needs, as JSON."""
        return {
            "generation": self.generation,
            "pid": self.pid,
            **self._lines.export(),
            **_export_of(self.printed, is_known=self.passes_pipes),
        }

    def last_words(self) -> Iterator[Event]:
        """Return what it says."""
        try:
            for message in self._messages():
                match message:
                    case channel.MoldReady(objection=objection):
                        yield events.MoldReady(self.generation, objection)
                    case channel.Failed(message=text, details=details):
                        yield MoldFailed(self.generation, text, details)
                    case channel.ForkFailed(worker=worker, reason=reason):
                        self._staff.refuse(worker, reason)
                    case _:
                        raise ChannelError(f"{type(message).__name__} is not for the master")  # noqa: TRY301
        except ChannelError as error:
            self._lines.close()
            text = f"The process that workers are forked from broke its channel ({error})."
            yield MoldFailed(self.generation, text)

    def ended(self, cause: str, status: int) -> Iterator[Event]:  # noqa: ARG002 - of the protocol
        """Return that it ended."""
        self._lines.close()
        self._hear_out()
        self._staff.molds.pop(self.generation, None)
        yield MoldExited(self.generation, cause)


def _export_of(printed: Printed | None, *, is_known: bool) -> dict[str, Any]:
    """Return what an export says of what a child prints; nothing for one of a version that knew of none."""
    return {"printed": printed.export() if printed is not None else None} if is_known else {}
