"""The table of workloads: which application, which request, which answer is right. A new one is one entry.

Knows no server and runs nothing; ``wrk.py`` turns an entry into load, ``check.py`` into one checked request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.apps.bare import BODY_100K, HELLO

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Role:
    """One server in a comparison that is about what servers can do, and not among all of them.

    Attributes:
        name: What the table calls it.
        server: The server's name.
        path: What it is asked for, if not for the workload's path.
        is_logging: Its access log is on.
        beside: The role whose CPU its own is compared with below the table.
    """

    name: str
    server: str
    path: str | None = None
    is_logging: bool = False
    beside: str | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of request and its right answer.

    Attributes:
        name: What ``--app`` calls it.
        about: One line for ``--list``.
        app: Import string of the ASGI application.
        answer: The exact body of a right answer, which also has status 200.
        path: Path of the request.
        method: Method of the request.
        body_size: Bytes of the request's body, all ``x``; 0 for no body.
        headers: Request headers beside ``Host`` and ``Content-Length``.
        pipeline: Requests sent in one write before their answers are awaited; over HTTP/2, streams at once.
        connections: Open at once, unless told otherwise.
        is_tls: It is spoken over TLS.
        is_http2: It is spoken over HTTP/2, without TLS, as the first thing (RFC 9113 section 3.3).
        is_unique: Every request has a header field whose value was never there before.
        roles: Who takes part, if not all servers alike.
        baseline: The contestant all others are compared with.
    """

    name: str
    about: str
    app: str
    answer: bytes
    path: str = "/"
    method: str = "GET"
    body_size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    pipeline: int = 1
    connections: int = 64
    is_tls: bool = False
    is_http2: bool = False
    is_unique: bool = False
    roles: tuple[Role, ...] = ()
    baseline: str = "uvicorn"

    @property
    def is_hello(self) -> bool:
        """Whether a server that says hello to everything gives the right answer."""
        return self.answer == HELLO and not self.roles and not self.is_tls and not self.is_http2


_FILE = bytes(range(256)) * 31_250  #: what apps/files.py serves, which makes its file when it is imported
_TWENTY_HEADERS = {f"X-Benchmark-{number:02}": f"value-of-header-{number:02}" for number in range(1, 21)}

_ALL = (
    Workload(
        "hello",
        about="plain text of 13 bytes from a bare ASGI application",
        app="benchmarks.apps:hello",
        answer=HELLO,
    ),
    Workload(
        "json",
        about="a FastAPI endpoint that answers with JSON",
        app="benchmarks.apps.fastapi_json:app",
        answer=b'{"message":"Hello, world!","numbers":[1,2,3]}',
    ),
    Workload(
        "post10k",
        about="a 10 KiB body sent by POST and echoed",
        app="benchmarks.apps:echo",
        answer=b"x" * 10_240,
        method="POST",
        body_size=10_240,
    ),
    Workload(
        "body100k",
        about="an answer of 100 KiB",
        app="benchmarks.apps:body100k",
        answer=BODY_100K,
    ),
    Workload(
        "headers20",
        about="hello, with 20 more request headers",
        app="benchmarks.apps:hello",
        answer=HELLO,
        headers=_TWENTY_HEADERS,
    ),
    Workload(
        "pipeline16",
        about="hello, with 16 requests in each write",
        app="benchmarks.apps:hello",
        answer=HELLO,
        pipeline=16,
    ),
    Workload(
        "unique",
        about="hello, where no two requests are alike",
        app="benchmarks.apps:hello",
        answer=HELLO,
        is_unique=True,
    ),
    Workload(
        "connections1000",
        about="hello, on 1,000 connections",
        app="benchmarks.apps:hello",
        answer=HELLO,
        connections=1000,
    ),
    Workload(
        "tls",
        about="hello over TLS, on connections that are kept alive",
        app="benchmarks.apps:hello",
        answer=HELLO,
        is_tls=True,
    ),
    Workload(
        "http2",
        about="hello over HTTP/2 without TLS, one stream at a time on each connection",
        app="benchmarks.apps:hello",
        answer=HELLO,
        is_http2=True,
    ),
    Workload(
        "http2-streams",
        about="hello over HTTP/2 without TLS, 16 streams at once on each connection",
        app="benchmarks.apps:hello",
        answer=HELLO,
        pipeline=16,
        connections=8,
        is_http2=True,
    ),
    Workload(
        "file8m",
        about="a file of 8 MB: sent by the server, or streamed by the application",
        app="benchmarks.apps.files:files",
        answer=_FILE,
        path="/stream",
        connections=8,
        roles=(
            Role("srvctl stream", "srvctl", "/stream"),
            Role("srvctl pathsend", "srvctl", "/pathsend", beside="srvctl stream"),
            Role("srvctl zerocopysend", "srvctl", "/zerocopysend", beside="srvctl stream"),
            Role("granian pathsend", "granian", "/pathsend", beside="srvctl pathsend"),
            Role("uvicorn stream", "uvicorn", "/stream", beside="srvctl stream"),
        ),
        baseline="srvctl stream",
    ),
    Workload(
        "access",
        about="hello, with the access log off and on",
        app="benchmarks.apps:hello",
        answer=HELLO,
        roles=(
            Role("uvicorn", "uvicorn"),
            Role("uvicorn log", "uvicorn", is_logging=True, beside="uvicorn"),
            Role("srvctl", "srvctl"),
            Role("srvctl log", "srvctl", is_logging=True, beside="srvctl"),
        ),
    ),
)

WORKLOADS: Mapping[str, Workload] = MappingProxyType({workload.name: workload for workload in _ALL})
