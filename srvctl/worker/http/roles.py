"""What a request needs of its connection and of its server, and what it raises when the client is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from srvctl.worker.http.file_body import FileBody


class ClientDisconnected(OSError):  # noqa: N818 - the name Starlette and uvicorn use
    """Raised by ``send()`` after the client went away (ASGI HTTP spec 2.4)."""


class CycleHost(Protocol):
    """What a cycle needs of its connection."""

    can_write: asyncio.Future[None] | None  #: what to wait for before more is sent, or None

    @property
    def write(self) -> Callable[[bytes], None]:
        """Sends bytes."""

    @property
    def writelines(self) -> Callable[[Iterable[bytes]], None]:
        """Sends pieces without joining them."""

    async def send_file(self, body: FileBody) -> None:
        """Send a file; nothing else may be sent meanwhile.

        Raises:
            OSError: The client left, or the file ended too soon.
        """

    def body_taken(self) -> None:
        """Learn that the application took what was received of the body."""

    def response_ended(self, cycle: Any) -> None:
        """Learn that the response is complete."""

    def response_broken(self, cycle: Any) -> None:
        """Learn that the response can never be completed: the connection must not be used again."""


class CycleServer(Protocol):
    """What a cycle needs of its server."""

    is_draining: bool  #: responses are the last on their connections
    all_general_fields: bytes  #: the fields that the server adds to most responses

    def general_fields(self, says: int) -> bytes:
        """Return those of them that go beside the application's own fields, which say this (flags)."""

    def report(self, error: BaseException | None, text: str) -> None:
        """Log a fault of the application."""

    def debug(self, info: object) -> None:
        """Log what the application wants to be seen."""
