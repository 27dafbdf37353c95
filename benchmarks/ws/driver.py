"""WebSocket messages as the load of a comparison."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.apps.sockets import SENDER_PATH
from benchmarks.errors import NoMessagesError, WrongAnswerError
from benchmarks.ws.opening import opened
from benchmarks.ws.traffic import Broadcast, Echo, Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.load import Load
    from benchmarks.ws.connection import Connection
    from benchmarks.ws.traffic import Traffic
    from benchmarks.ws.workloads import WsWorkload

#: For a check of everything that goes round in a script, and of what a compressor remembers.
_CHECKED_ROUNDS: Final = 2
_CHECKED_LISTENERS: Final = 2
_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class WsDriver:
    """One workload, on so many connections, of which each has so many messages under way."""

    workload: WsWorkload
    connections: int
    in_flight: int = 1

    @property
    def app(self) -> str:
        """Import string of the application."""
        return self.workload.app

    @property
    def is_tls(self) -> bool:
        """Return that servers need no certificate."""
        return False

    def facts(self) -> dict[str, str]:
        """Return nothing: the client is this program."""
        return {}

    def check(self, port: int, path: str | None) -> None:
        """Have all messages of the script echoed, or one delivered, and compare every byte."""
        del path
        with ExitStack() as stack:
            count = _CHECKED_LISTENERS if self.workload.is_broadcast else 1
            speaking, listening = self._open(stack, port, count)
            for connection in [speaking, *listening]:
                connection.block(_TIMEOUT_SECONDS)
            try:
                self._converse(speaking, listening)
            except OSError as error:
                raise WrongAnswerError(f"No reply: {error!r}.") from error

    def _converse(self, speaking: Connection, listening: list[Connection]) -> None:
        for _ in range(_CHECKED_ROUNDS * len(self.workload.make_script().payloads)):
            speaking.say()
            for connection in [speaking, *listening]:
                connection.wait_for_reply()

    @contextmanager
    def session(self, port: int, path: str | None) -> Iterator[Callable[[float], Load]]:
        """Open all connections, yield what loads them, and close them."""
        del path
        with ExitStack() as stack:
            first, others = self._open(stack, port, self.connections)
            traffic: Traffic = (
                Broadcast(first, len(others), self.in_flight)
                if self.workload.is_broadcast
                else Echo([first, *others], self.in_flight)
            )
            yield partial(_run, Loop([first, *others]), traffic)

    def _open(self, stack: ExitStack, port: int, count: int) -> tuple[Connection, list[Connection]]:
        """Return who speaks, and who else is there.

        Opened first, the sender of a broadcast has nobody to bother with its first message.
        """
        script = self.workload.make_script()
        if self.workload.is_broadcast:
            [sender] = stack.enter_context(opened(1, port, SENDER_PATH, script))
            return sender, stack.enter_context(opened(count, port, "/", script))
        first, *others = stack.enter_context(opened(count, port, "/", script))
        return first, others


def _run(loop: Loop, traffic: Traffic, seconds: float) -> Load:
    load = loop.run(traffic, seconds)
    if not load.requests:
        raise NoMessagesError(f"No message was answered; its errors: {load.errors}.")
    return load
