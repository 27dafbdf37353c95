"""Connecting to a control socket whose queue is full: a crowd is no reason to give up."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc.control import Reason
from srvctl.ipc.control_client import Connection, NotReachableError
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def crowded(path: Path) -> Iterator[socket.socket]:
    """Have a socket with a full queue."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                one = stack.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                one.connect(str(path))
        yield listener


def test_it_waits_for_its_turn(short_path: Path) -> None:
    path = short_path / "web.sock"
    with crowded(path) as listener:

        def make_room() -> None:
            listener.accept()[0].close()

        turn = threading.Timer(0.2, make_room)
        turn.start()
        try:
            Connection(path, PATIENCE).close()
        finally:
            turn.join()


def test_it_does_not_wait_for_longer_than_it_was_told_to(short_path: Path) -> None:
    path = short_path / "web.sock"
    with crowded(path), pytest.raises(NotReachableError, match="stopped or blocked") as failure:
        Connection(path, 0.05)
    assert failure.value.reason is Reason.UNRESPONSIVE
