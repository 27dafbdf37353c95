"""What loads are, whoever makes them: wrk for HTTP, a client of our own for WebSockets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class Errors:
    """Failures by kind: wrong answers (of HTTP those of 400 and above), and four of the socket's."""

    connect: int = 0
    read: int = 0
    write: int = 0
    status: int = 0
    timeout: int = 0

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.connect + other.connect,
            self.read + other.read,
            self.write + other.write,
            self.status + other.status,
            self.timeout + other.timeout,
        )

    def __str__(self) -> str:
        return ", ".join(f"{count} {kind}" for kind, count in asdict(self).items() if count) or "none"

    @property
    def total(self) -> int:
        """All of them together."""
        return self.connect + self.read + self.write + self.status + self.timeout


@dataclass(frozen=True, slots=True)
class Load:
    """What one load did: its requests are messages where there are WebSockets.

    Latencies are in milliseconds, None where none were recorded.
    """

    requests: int
    seconds: float
    received_bytes: int
    p50_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    errors: Errors
    p90_ms: float | None = None


class Driver(Protocol):
    """What a comparison puts its servers under."""

    @property
    def app(self) -> str:
        """Import string of the application."""

    @property
    def is_tls(self) -> bool:
        """Whether servers need a certificate."""

    def facts(self) -> dict[str, str]:
        """Return what is worth knowing of the client, by name."""

    def check(self, port: int, path: str | None) -> None:
        """Ask once for something with a known right answer, and raise `BenchmarkError` if it is not given."""

    def session(self, port: int, path: str | None) -> AbstractContextManager[Callable[[float], Load]]:
        """Return what loads a server for some seconds; entering it is not measured.

        Entering, and the load, raise `BenchmarkError` when there are no usable figures.
        """
