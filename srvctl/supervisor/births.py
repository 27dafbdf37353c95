"""Brings workers and molds into being: forks them, or has a mold fork them.

Knows processes and descriptors, decides nothing. Called by `effects`.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """

    worker: int
    slot: int
    channel: socket.socket
    board: int
    apology: Apology | None = None


@dataclass(frozen=True, slots=True)
class Lives:
    """What children do, each returning an exit code; the composition root knows.

    Attributes:
        worker: Serve, after importing the application.
        mold: Import the application and fork workers; is given its end of the channel.
        first_mold: Returns process id and channel of a mold that was begun before there was a fleet, once.
        leave_master: Close what belongs to the master alone.
        spare: Makes a process that is at hand do what ``worker`` says, and returns its id; None if none is.
    """

    worker: Callable[[Generation, Place], int]
    mold: Callable[[Generation, socket.socket], int]
    first_mold: Callable[[], tuple[int, socket.socket] | None]
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
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            return SpawnFailed(action.worker, str(error))
        with theirs:
            try:
                board = Board(*new_board())
            except OSError as error:
                ours.close()
                return SpawnFailed(action.worker, str(error))
            ours.setblocking(False)
            try:
                pid = self._fork_worker(action, ours, theirs, board)
            except (OSError, ChannelError) as error:
                ours.close()
                board.close()
                return SpawnFailed(action.worker, str(error))
        self._staff.workers[action.worker] = WorkerHandle(
            action.worker,
            action.generation,
            pid,
            Lines(ours, self._poller),
            board,
            self._staff,
            self._poller,
        )
        return Forked(action.worker, pid) if pid is not None else None

    def _fork_worker(
        self, action: Spawn, ours: socket.socket, theirs: socket.socket, board: Board
    ) -> int | None:
        """Return the pid, where it is known at once.

        Raises:
            OSError: The kernel refuses.
            ChannelError: The mold does not read.
        """
        if action.from_mold:
            mold = self._staff.molds.get(action.generation)
            if mold is None or mold.channel is None:
                raise BrokenPipeError("the process that it was to be forked from is gone")
            line = encode(ForkAsked(action.worker, action.slot))
            send_line(mold.channel, line, [theirs.fileno(), board.fd])
            return None
        generation = self._generations.of(action.generation)
        place = Place(action.worker, action.slot, theirs, board.fd, action.apology)
        spare = self._lives.spare(generation, place)
        if spare is not None:
            return spare

        def leave_master() -> None:
            ours.close()
            self._lives.leave_master()

        return fork_child(leave_master, lambda: self._lives.worker(generation, place))

    def make_mold(self, action: MakeMold) -> Event:
        """Fork a mold, unless there is one already."""
        generation = self._generations.of(action.generation)
        try:
            pid, ours = self._lives.first_mold() or self._fork_mold(generation)
        except OSError as error:
            return MoldRefused(action.generation, str(error))
        ours.setblocking(False)
        handle = MoldHandle(action.generation, pid, Lines(ours, self._poller), self._staff, self._poller)
        self._staff.molds[action.generation] = handle
        return MoldForked(action.generation, pid)

    def _fork_mold(self, generation: Generation) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair()

        def leave_master() -> None:
            ours.close()
            self._lives.leave_master()

        with theirs:
            try:
                return fork_child(leave_master, lambda: self._lives.mold(generation, theirs)), ours
            except OSError:
                ours.close()
                raise
