"""What a load is made of: how much is asked, and the clients that ask. ``generator.py`` moves them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.lifecycle.answers import AnswerReader

if TYPE_CHECKING:
    import socket

    from benchmarks.lifecycle.accounts import Request


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What is asked, and how often.

    Attributes:
        port: Of 127.0.0.1.
        rate: Requests a second.
        kept: Clients that keep their connection.
        fresh: Clients that open a connection for each request.
        path: What is asked for; ``?id=`` and more is added.
        query: More of the query.
        late_after: Seconds after which an answer is late.
        patience: Seconds after which a request is given up.
        grace: Seconds that answers have once the load has ended.
    """

    port: int
    rate: float
    kept: int = 48
    fresh: int = 16
    path: str = "/work"
    query: str = "ms=2"
    late_after: float = 1.0
    patience: float = 30.0
    grace: float = 5.0


class Client:
    """One client: no connection, or one with at most one request under way."""

    __slots__ = ("is_connecting", "is_kept", "reader", "request", "sock", "uses", "worker")

    def __init__(self, *, is_kept: bool) -> None:
        self.is_kept = is_kept
        self.is_connecting = False
        self.sock: socket.socket | None = None
        self.request: Request | None = None
        self.reader = AnswerReader()
        self.uses = 0  # answers on this connection
        self.worker = 0  # who gave the last of them

    def __repr__(self) -> str:
        return f"<Client kept={self.is_kept} uses={self.uses} request={self.request}>"
