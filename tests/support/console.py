"""The console without a master: its own process's parts in a thread, and one who plays the master."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar

from srvctl.console.app import App
from srvctl.console.live import Live
from srvctl.console.main import SERVED
from srvctl.console.upstream import Upstream
from srvctl.console.watching import Watching
from srvctl.ipc.control import MAX_REQUEST, Command, Done, Lines, Progress, decode_request, encode_reply
from srvctl.ipc.scoreboard import BOUNDS, BUCKETS
from srvctl.settings.groups import ConsoleSettings
from srvctl.worker.serving import Serving
from tests.support.client import Connection
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from srvctl.ipc.control import Reply, Request
    from tests.support.client import Response

T = TypeVar("T")
TOKEN = "0123456789abcdef"


def worker(slot: int, **values: Any) -> dict[str, Any]:
    """What the master tells of one worker."""
    told = {
        "slot": slot,
        "pid": 0,
        "generation": 3,
        "state": "ready",
        "uptime": 60.0 + slot,
        "cpu": 0.25,
        "cpu_seconds": 1.5,
        "rss": 50_000_000,
        "loop_lag": 0.001,
        "loop_lag_max": 0.02,
        "in_flight": 2,
        "connections": 5,
        "websockets": 1,
        "waiting": 0,
        "requests": 100,
        "errors": 1,
        "cut": 0,
        "answered": {"2": [0] * (BUCKETS - 1) + [97]},
        "seconds": {"2": 0.5},
        "leaves_because": "",
    }
    return told | values


def totals(**values: Any) -> dict[str, Any]:
    """What the master tells of one slot."""
    rows = {"2": [10, 20, 60, *[0] * (BUCKETS - 4), 1], "5": [0] * 3 + [2] + [0] * (BUCKETS - 4)}
    told = {
        "requests": 100,
        "errors": 2,
        "cut": 1,
        "cpu_seconds": 3.5,
        "answered": rows,
        "seconds": {"2": 61.5, "5": 0.002},
        "restarts": 1,
    }
    return told | values


def metrics(slots: int = 2, **values: Any) -> dict[str, Any]:
    """What the master answers to ``metrics``."""
    told = {
        "at": 1_700_000_000.0,
        "programs": [
            {"name": "queue", "index": 0, "pid": 900, "state": "running", "uptime": 5.0, "restarts": 4}
        ],
        "name": "web",
        "version": "0.1.0",
        "pid": 1,
        "uptime": 120.5,
        "state": "running",
        "generation": 3,
        "target": slots,
        "scale": {
            "follows_load": True,
            "min": 1,
            "max": 4,
            "why": "",
            "held": "workers.max",
            "utilization": 0.9,
            "changes": {"up utilization": 2, "down in_flight": 1},
        },
        "binds": ["http://127.0.0.1:8000"],
        "bounds": list(BOUNDS),
        "workers": [worker(slot) for slot in range(slots)],
        "slots": {str(slot): totals() for slot in range(slots)},
        "connections_skew": 0.25,
        "restarts": {"crash": 1, "oom": 0, "reload": 2},
        "reloads": {"succeeded": 1, "failed": 2},
        "reload": {"state": "idle", "generation": None, "error": ""},
        "log": {"lost": 7},
    }
    return told | values


class Player:
    """Plays the master, in a thread: takes connections off the wire, and answers each request.

    Attributes:
        asked: What was asked, in order.
        figures: What it answers to ``metrics``; None for nothing until it is something.
        ends: What other commands end with.
        told: What is told before their end.
        goes_on: Set to let the commands of `waits` end.
        waits: Commands that end only then.
    """

    def __init__(self, wire: socket.socket) -> None:
        self.goes_on = threading.Event()
        self.reset()
        self._wire = wire
        self._threads = [threading.Thread(target=self._take)]
        self._threads[0].start()

    def reset(self) -> None:
        """Begin anew; what waits goes on waiting."""
        self.asked: list[Request] = []
        self.figures: dict[str, Any] | None = metrics()
        self.ends: dict[Command, Done] = {}
        self.told: dict[Command, list[dict[str, Any]]] = {}
        self.waits: set[Command] = set()

    def _take(self) -> None:
        while True:
            said, fds, _, _ = socket.recv_fds(self._wire, 1, 1)
            if not said:
                return
            thread = threading.Thread(target=self._serve, args=[socket.socket(fileno=fds[0])])
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        lines = Lines(MAX_REQUEST)
        with sock, contextlib.suppress(OSError):
            while data := sock.recv(65536):
                for line in lines.feed(data):
                    request = decode_request(line)
                    self.asked.append(request)
                    for reply in self._replies(request):
                        sock.sendall(encode_reply(reply))

    def _replies(self, request: Request) -> Iterable[Reply]:
        command = request.command
        if command is Command.METRICS:
            while self.figures is None and not self.goes_on.wait(0.02):
                pass  # as one that is stopped: it answers when it goes on
            yield Done(ok=True, data=self.figures or {})
            return
        for item in self.told.get(command, ()):
            yield Progress(item.get("text", ""), item)
        if command in self.waits or request.args.get("follow"):
            self.goes_on.wait()  # or whoever follows would ask again, amid another test
        yield self.ends.get(command, Done(ok=True, message=f"{command} is done"))

    def of(self, command: Command) -> list[dict[str, Any]]:
        """The arguments a command was asked with, each time."""
        return [dict(request.args) for request in self.asked if request.command is command]

    def end(self) -> None:
        """End; to be called once the console has closed its connections."""
        self.goes_on.set()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()


class ConsoleAlone:
    """The console in a thread, and a player.

    Args:
        settings: Of the console.
        token: Who has it may act.
        patience: Seconds for what the master answers at once.
    """

    def __init__(self, token: str | None = None, *, patience: float = PATIENCE, **settings: Any) -> None:
        self._settings = ConsoleSettings(**settings)
        self._token = token
        self._patience = patience
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))

    def __enter__(self) -> Self:
        self._own, other = socket.socketpair()
        self._other = other
        self.master = Player(other)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    async def _live(self) -> None:
        upstream = Upstream(self._own)
        watching = Watching(upstream, size_of=lambda pid: pid * 1000)
        live = Live(upstream, watching)
        serving = Serving(
            App(self._settings, self._token, upstream, watching, live, patience=self._patience), SERVED
        )
        serving.listen([self._listener])
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await serving.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        self._listener.close()
        self._own.close()
        self.master.end()
        self._other.close()

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(("127.0.0.1", self.port))

    def ask(
        self, path: str, *fields: str, method: str = "GET", body: str | None = None, host: str = "localhost"
    ) -> Response:
        """Send one request on a connection of its own."""
        with self.connect() as connection:
            lines = [f"{method} {path} HTTP/1.1", *([f"Host: {host}"] if host else []), *fields]
            if body is not None:
                lines.append(f"Content-Length: {len(body)}")
            connection.send("\r\n".join([*lines, "", body or ""]).encode())
            return connection.read_response()


def events_of(chunks: Iterable[bytes]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read server-sent events."""
    text = ""
    for chunk in chunks:
        text += chunk.decode()
        *complete, text = text.split("\n\n")
        for event in complete:
            values = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
            if values:
                yield values["event"], json.loads(values["data"])


def wait_for(look: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """Look until there is something."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        if time.monotonic() > deadline:
            raise NeverHappened("what was looked for")
        time.sleep(0.01)
    return found
