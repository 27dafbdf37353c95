"""An `Admin` with a loop around it, in a thread: what a master is to those who command it."""

from __future__ import annotations

import os
import selectors
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from srvctl.settings.instance import Instance
from srvctl.supervisor.admin import Admin
from srvctl.supervisor.control_socket import open_control_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from srvctl.supervisor.events import Event


class Selector:
    """The part of the poller that an admin needs."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()

    def watch(self, sock: socket.socket, handler: Callable[[int], Iterable[Event]], mask: int) -> None:
        self.selector.register(sock, mask, handler)

    def change(self, sock: socket.socket, mask: int) -> None:
        self.selector.modify(sock, mask, self.selector.get_key(sock).data)

    def unwatch(self, sock: socket.socket) -> None:
        self.selector.unregister(sock)

    def turn(self, timeout: float | None = 0) -> list[Event]:
        """Wait once, and return what was asked."""
        ready = self.selector.select(timeout)
        return [event for key, mask in ready if callable(key.data) for event in key.data(mask)]


def opened(
    directory: Path,
    name: str = "web",
    config: str = "",
    *,
    is_named: bool = True,
    clock: Callable[[], float] = time.monotonic,
    group: str | None = None,
    **more: Any,
) -> Admin:
    """An admin with its socket in this directory, and a `Selector` of its own."""
    environ = {"RUNTIME_DIRECTORY": str(directory)}
    control, reason = open_control_socket(
        Instance(name, is_named, config), "auto", environ, os.geteuid(), group
    )
    assert control is not None, reason
    return Admin(control, {"config": config, "app": "shop:app"}, Selector(), clock, **more)


@contextmanager
def running(admin: Admin, obey: Callable[[Admin, Event], Any]) -> Iterator[list[Event]]:
    """Run the loop in a thread, with ``obey`` in the place of the fleet; yield what was asked so far."""
    poller = admin._poller
    assert isinstance(poller, Selector)
    asked: list[Event] = []
    reader, writer = os.pipe()
    poller.selector.register(reader, selectors.EVENT_READ)

    def loop() -> None:
        while True:
            deadline = admin.next_deadline()
            ready = poller.selector.select(
                None if deadline is None else max(0.0, deadline - time.monotonic())
            )
            for key, mask in ready:
                if key.fd == reader:
                    return
                for event in key.data(mask):
                    asked.append(event)
                    obey(admin, event)
            admin.expire(time.monotonic())

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield asked
    finally:
        os.write(writer, b"x")
        thread.join()
        admin.close()
        poller.selector.close()
        os.close(reader)
        os.close(writer)
