"""Brings workers and molds into being: forks them, or has a mold fork them.

Knows processes and descriptors, decides nothing. Called by `effects`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from srvctl.ipc.channel import ChannelError, ForkAsked, encode
from srvctl.ipc.descriptors import send_line
from srvctl.supervisor.children import Board, Lines, MoldHandle, WorkerHandle
from srvctl.supervisor.events import Forked, MoldForked, MoldRefused, SpawnFailed
from srvctl.supervisor.spawn import fork_child
from srvctl.supervisor.vitals import new_board

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.ipc.channel import Apology
    from srvctl.supervisor.actions import MakeMold, Spawn
    from srvctl.supervisor.children import Staff
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.generations import Generation, Generations
    from srvctl.supervisor.output.printed import Pipes, Printed
    from srvctl.supervisor.poller import Poller


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker is given of its own.

    Attributes:
        worker: Its number.
        slot: The place it serves.
        channel: Its end of the channel.
        board: Descriptor of its board.
        apology: What it shows, as a stand-in for the application.
        prints: Descriptors of what is to be its stdout and its stderr; None leaves it those it has.
    """

    worker: int
    slot: int
    channel: socket.socket
    board: int
    apology: Apology | None = None
    prints: tuple[int, int] | None = None


class FirstMold(NamedTuple):
    """A mold that was begun before there was a fleet.

    Attributes:
        pid: Its process.
        channel: The master's end of the channel.
        prints: The master's ends of the pipes it prints into; None where there are none.
    """

    pid: int
    channel: socket.socket
    prints: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Lives:
    """What children do, each returning an exit code; the composition root knows.

    Attributes:
        worker: Serve, after importing the application.
        mold: Import the application and fork workers; is given its end of the channel, and what is to be its
            stdout and its stderr.
        first_mold: Returns a mold that was begun before there was a fleet, once.
        leave_master: Close what belongs to the master alone.
        spare: Makes a process that is at hand do what ``worker`` says, and returns its id; None if none is.
    """

    worker: Callable[[Generation, Place], int]
    mold: Callable[[Generation, socket.socket, tuple[int, int] | None], int]
    first_mold: Callable[[], FirstMold | None]
    leave_master: Callable[[], None]
    spare: Callable[[Generation, Place], int | None]


class Births:
    """Makes children.

    Args:
        poller: Watches them.
        staff: Keeps them.
        generations: What they are given.
        lives: What they do.
    """

    def __init__(self, poller: Poller, staff: Staff, generations: Generations, lives: Lives) -> None:
        self._poller = poller
        self._staff = staff
        self._generations = generations
        self._lives = lives

    def spawn(self, action: Spawn) -> Event | None:
        """Fork a worker, or ask its mold to; its `Forked` comes later then."""
        with contextlib.ExitStack() as undo:
            try:
                ours, theirs = socket.socketpair()
                undo.callback(ours.close)
                with theirs:
                    ours.setblocking(False)
                    board = Board(*new_board())
                    undo.callback(board.close)
                    pipes = self._pipes_for(action)
                    if pipes is not None:
                        undo.callback(pipes.close)
                    pid = self._fork_worker(action, ours, theirs, board, pipes)
            except (OSError, ChannelError) as error:
                return SpawnFailed(action.worker, str(error))
            undo.pop_all()
        self._staff.workers[action.worker] = WorkerHandle(
            action.worker,
            action.generation,
            pid,
            Lines(ours, self._poller),
            board,
            self._staff,
            self._poller,
            self._hear(pipes, action.slot, pid or 0),
        )
        return Forked(action.worker, pid) if pid is not None else None

    def _pipes_for(self, action: Spawn) -> Pipes | None:
        """Return what a worker is to print into; None if it is to have what its mold or the master has.

        Raises:
            OSError: There is no room for a descriptor.
        """
        if action.from_mold:
            mold = self._staff.molds.get(action.generation)
            if mold is not None and not mold.passes_pipes:
                return None
        return self._staff.output.make_pipes()

    def _hear(self, pipes: Pipes | None, slot: int, pid: int) -> Printed | None:
        """Read what a child prints, which has its ends of the pipes by now."""
        if pipes is None:
            return None
        pipes.close_writing()
        return self._staff.output.hear(pipes.reading, slot, pid)

    def _fork_worker(
        self, action: Spawn, ours: socket.socket, theirs: socket.socket, board: Board, pipes: Pipes | None
    ) -> int | None:
        """Return the pid, where it is known at once.

        Raises:
            OSError: The kernel refuses.
            ChannelError: The mold does not read.
        """
        prints = pipes.writing if pipes is not None else None
        if action.from_mold:
            mold = self._staff.molds.get(action.generation)
            if mold is None or mold.channel is None:
                raise BrokenPipeError("the process that it was to be forked from is gone")
            line = encode(ForkAsked(action.worker, action.slot))
            send_line(mold.channel, line, [theirs.fileno(), board.fd, *(prints or ())])
            return None
        generation = self._generations.of(action.generation)
        place = Place(action.worker, action.slot, theirs, board.fd, action.apology, prints)
        spare = self._lives.spare(generation, place)
        if spare is not None:
            return spare
        leave = self._leave(ours, pipes)
        return fork_child(leave, lambda: self._lives.worker(generation, place))

    def _leave(self, ours: socket.socket, pipes: Pipes | None) -> Callable[[], None]:
        """Return what closes, in a child, the master's ends of its own, and all else of the master."""

        def leave_master() -> None:
            ours.close()
            for fd in pipes.reading if pipes is not None else ():
                os.close(fd)
            self._lives.leave_master()

        return leave_master

    def make_mold(self, action: MakeMold) -> Event:
        """Fork a mold, unless there is one already."""
        generation = self._generations.of(action.generation)
        try:
            mold = self._lives.first_mold() or self._fork_mold(generation)
        except OSError as error:
            return MoldRefused(action.generation, str(error))
        mold.channel.setblocking(False)
        lines = Lines(mold.channel, self._poller)
        printed = self._staff.output.hear(mold.prints, pid=mold.pid)
        handle = MoldHandle(action.generation, mold.pid, lines, self._staff, self._poller, printed)
        self._staff.molds[action.generation] = handle
        return MoldForked(action.generation, mold.pid)

    def _fork_mold(self, generation: Generation) -> FirstMold:
        with contextlib.ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            with theirs:
                pipes = self._staff.output.make_pipes()
                if pipes is not None:
                    undo.callback(pipes.close)
                prints = pipes.writing if pipes is not None else None
                leave = self._leave(ours, pipes)
                pid = fork_child(leave, lambda: self._lives.mold(generation, theirs, prints))
            undo.pop_all()
        if pipes is None:
            return FirstMold(pid, ours)
        pipes.close_writing()
        return FirstMold(pid, ours, pipes.reading)
