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
        pipeline: Requests sent in one write before their answers are awaited.
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
)

WORKLOADS: Mapping[str, Workload] = MappingProxyType({workload.name: workload for workload in _ALL})
