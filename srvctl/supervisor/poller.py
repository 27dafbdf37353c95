"""The one wait of the master: signals, dead children and worker channels come out as events.

Knows processes and sockets, decides nothing. Called by `master`; `effects` tells it about new workers.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srvctl.ipc.channel import ChannelError, Decoder, Draining, Failed, Ready
from srvctl.supervisor.events import (
    BootFailed,
    ChannelBroken,
    TimePassed,
    WorkerDraining,
    WorkerExited,
    WorkerReady,
)
from srvctl.supervisor.signals import MEANINGS, SignalInbox

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from srvctl.ipc.channel import Message
    from srvctl.supervisor.events import Event


@dataclass(slots=True)
class WorkerHandle:
    """A worker process as the operating system sees it."""

    worker: int
    pid: int
    channel: socket.socket | None
    decoder: Decoder = field(default_factory=Decoder)


class Poller:
    """Waits for whatever happens next."""

    def __init__(self, inbox: SignalInbox) -> None:
        self._inbox = inbox
        self._selector = selectors.DefaultSelector()
        self._selector.register(inbox, selectors.EVENT_READ)
        self._handles: dict[int, WorkerHandle] = {}

    def add(self, handle: WorkerHandle) -> None:
        """Watch a new worker."""
        self._handles[handle.worker] = handle
        if handle.channel is not None:
            self._selector.register(handle.channel, selectors.EVENT_READ, handle)

    def handle_of(self, worker: int) -> WorkerHandle:
        """Return a worker that is not reaped yet.

        Raises:
            KeyError: There is no such worker.
        """
        return self._handles[worker]

    def wait(self, deadline: float | None) -> Iterator[Event]:
        """Wait until something happens or the deadline (monotonic seconds) comes, and yield it."""
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        sources = [key.data for key, _ in self._selector.select(timeout)]
        # What is asked of the master comes first: a SIGTERM to the whole process group must not look like
        # workers that leave on their own. What a worker said comes before the news of its death.
        signals = self._inbox.take_nowait()
        for number in signals:
            if number in MEANINGS:
                yield MEANINGS[number]
        for handle in sources:
            if handle is not None:
                yield from self._read(handle)
        if signals:  # any of them: SIGCHLDs merge, and one can be lost in a full inbox
            yield from self._reap()
        yield TimePassed()

    def _reap(self) -> Iterator[Event]:
        """Collect every dead child; as pid 1 that includes orphans nobody started.

        A child is only peeked at first and stays a zombie while its last words are handled, so that its
        pid cannot yet belong to another process if the fleet answers them with a signal.
        """
        by_pid = {handle.pid: handle for handle in self._handles.values()}
        with contextlib.suppress(ChildProcessError):
            while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                handle = by_pid.get(dead.si_pid)
                if handle is not None:
                    yield from self._read(handle)
                    self._forget_channel(handle)
                _, status = os.waitpid(dead.si_pid, 0)
                if handle is not None:
                    del self._handles[handle.worker]
                    yield WorkerExited(handle.worker, cause_of_end(status))

    def _read(self, handle: WorkerHandle) -> Iterator[Event]:
        """Take what the worker wrote; end of file only ends the channel, the kernel reports the death."""
        while handle.channel is not None:
            try:
                data = handle.channel.recv(65536)
            except BlockingIOError:
                return
            except ConnectionError:  # it died before it read what we sent
                data = b""
            try:
                messages = handle.decoder.feed(data)
            except ChannelError as error:
                self._forget_channel(handle)
                yield ChannelBroken(handle.worker, str(error))
                return
            if not data:
                self._forget_channel(handle)
            for message in messages:
                yield from _event_of(handle.worker, message)

    def _forget_channel(self, handle: WorkerHandle) -> None:
        if handle.channel is not None:
            self._selector.unregister(handle.channel)
            handle.channel.close()
            handle.channel = None

    def close(self) -> None:
        """Close everything that is watched; a forked worker calls this on its copy."""
        for handle in self._handles.values():
            if handle.channel is not None:
                handle.channel.close()
        self._selector.close()
        self._inbox.close()


def _event_of(worker: int, message: Message) -> Iterator[Event]:
    match message:
        case Ready():
            yield WorkerReady(worker)
        case Failed(message=text, details=details):
            yield BootFailed(worker, text, details)
        case Draining():
            yield WorkerDraining(worker)
        case _:
            yield ChannelBroken(worker, f"{type(message).__name__} is not for the master")


def cause_of_end(status: int) -> str:
    """Say a wait status in words."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"
