"""What programs read of a running server, under the names that uvicorn gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from srvctl.ipc.scoreboard import Cell

if TYPE_CHECKING:
    import asyncio

    from srvctl.embedding.config import Config
    from srvctl.worker.server import Server as HttpServer
    from srvctl.worker.serving import Serving


class ServerState:
    """What a server is doing; each attribute is as of now, and a copy.

    Nothing is there before the server has started, and nothing again once it has ended, but for the count.
    """

    def __init__(self) -> None:
        self._serving: Serving | None = None

    def watch(self, serving: Serving) -> None:
        """Look at a server from now on."""
        self._serving = serving

    @property
    def _server(self) -> HttpServer | None:
        return self._serving.server if self._serving is not None else None

    @property
    def total_requests(self) -> int:
        """Requests that the application was given so far."""
        return self._server.cells[Cell.BEGUN] if self._server is not None else 0

    @property
    def connections(self) -> set[Any]:
        """The open connections."""
        return set(self._server.connections) if self._server is not None else set()

    @property
    def tasks(self) -> set[asyncio.Task[None]]:
        """The tasks in which the application answers requests."""
        return {runner.task for runner in self._server.busy_runners()} if self._server is not None else set()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields that responses get beside those of the application."""
        fields = self._server.all_general_fields.split(b"\r\n") if self._server is not None else []
        pairs = [field.partition(b": ") for field in fields if field]
        return [(name, value) for name, _, value in pairs]


class LifespanState:
    """The application's lifespan.

    Args:
        config: Nothing is done with it, but uvicorn's takes one.

    Attributes:
        should_exit: Its startup failed.
    """

    def __init__(self, config: Config) -> None:  # noqa: ARG002 - see above
        self._serving: Serving | None = None
        self.should_exit = False

    def watch(self, serving: Serving) -> None:
        """Look at that of a server from now on."""
        self._serving = serving

    @property
    def state(self) -> dict[str, Any]:
        """What the startup has put into ``scope["state"]``."""
        state = self._serving.state if self._serving is not None else None
        return state or {}
