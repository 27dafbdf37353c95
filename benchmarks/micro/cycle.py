"""What the ASGI conversation of one request costs: ``python -m benchmarks.micro.cycle``.

A cycle is made, and told by an application without a body of its own what to answer; its connection does
nothing.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from benchmarks.micro.measure import Stage, main
from benchmarks.micro.requests import HELLO
from srvctl.settings.groups import HttpSettings, LimitSettings
from srvctl.worker.general_fields import GeneralFields
from srvctl.worker.http.cycle import RequestCycle
from srvctl.worker.http.raw_head import parse_head

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Sequence

    from srvctl.worker.http.file_body import FileBody


class _Host:
    """A connection that swallows everything at the least cost there is: `len` is written in C."""

    can_write: asyncio.Future[None] | None = None
    write: Any = staticmethod(len)
    writelines: Any = staticmethod(len)

    async def send_file(self, body: FileBody) -> None:
        """Send nothing."""

    def body_taken(self) -> None:
        """Learn that the body was taken."""

    def response_ended(self, cycle: RequestCycle) -> None:
        """Learn that the response is complete."""

    def response_broken(self, cycle: RequestCycle) -> None:
        """Learn that the response is broken."""


class _Server:
    """What a cycle needs of its server, with the fields srvctl adds by default."""

    is_draining = False

    def __init__(self) -> None:
        fields = GeneralFields(HttpSettings())
        self.all_general_fields = fields.all
        self.general_fields = fields.beside

    def report(self, error: BaseException | None, text: str) -> None:
        """Log nothing."""

    def debug(self, info: object) -> None:
        """Log nothing."""


def _finish(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine that never waits."""
    with suppress(StopIteration):
        coroutine.send(None)


def _stage(name: str, *messages: dict[str, Any], receives: bool = False) -> Stage:
    async def converse(cycle: RequestCycle) -> None:
        if receives:
            await cycle.receive()
        for message in messages:
            await cycle.send(message)

    def make() -> Callable[[int], object]:
        head, host, server = parse_head(HELLO, LimitSettings()), _Host(), _Server()
        scope: dict[str, Any] = {}

        def run(operations: int) -> None:
            for _ in range(operations):
                _finish(converse(RequestCycle(host, server, head, scope)))

        return run

    return Stage(name, make)


def _start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": headers}


def _body(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


_TYPE: Final = (b"content-type", b"text/plain")
_LENGTH: Final = (b"content-length", b"13")
_HELLO: Final = _body(b"Hello, world!")


def _stages() -> Sequence[Stage]:
    pieces = [_body(b"x" * 100, more=True) for _ in range(10)]
    many = [(b"x-field-%d" % number, b"value %d" % number) for number in range(10)]
    return (
        _stage("nothing sent"),
        _stage("hello", _start(_TYPE, _LENGTH), _HELLO),
        _stage("hello, received first", _start(_TYPE, _LENGTH), _HELLO, receives=True),
        _stage("hello, 12 fields", _start(_TYPE, _LENGTH, *many), _HELLO),
        _stage("hello without length", _start(_TYPE), _HELLO),
        _stage("10 chunks", _start(_TYPE), *pieces, _body(b"")),
    )


STAGES: Final = _stages()

if __name__ == "__main__":
    sys.exit(main("benchmarks.micro.cycle", STAGES))
