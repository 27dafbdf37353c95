"""The same request over HTTP/1.1 and over HTTP/2: an application is told the same, and the client as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.cases import get as get_http1
from tests.conformance.http2_served import connect
from tests.conformance.served import ROUTES
from tests.conformance.wire import Wire
from tests.support.http2_frames import Code

if TYPE_CHECKING:
    from tests.conformance.wire import Answer as Answer1
    from tests.support.http2_answer import Answer as Answer2
    from tests.support.server import ServerProcess


#: They need a client that leaves, or say something else each time.
_APART = {"/watch", "/for-ever", "/notes", "/state", "/after-end", "/context"}
#: Of one connection, or of the version.
_OWN = {"connection", "transfer-encoding", "date", "keep-alive"}
CUT_OFF = {"/short-stream", "/long-stream", "/raises-in-stream", "/returns-in-stream"}


def fields_of(answer: Answer1 | Answer2) -> list[tuple[str, str]]:
    """What is said of the content; which version says it in which case is no difference."""
    return sorted((name.lower(), value) for name, value in answer.fields if name.lower() not in _OWN)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", sorted(set(ROUTES) - _APART - CUT_OFF - {"/echo"}))
def test_the_same_response(served: ServerProcess, path: str, method: str) -> None:
    """RFC 9110 sections 6 and 8: semantics do not depend on the version."""
    with Wire(served) as wire, connect(served) as client:
        wire.send(get_http1(path, method=method))
        first = wire.answer(method)
        second = client.ask(path, method=method)
        assert second.has_ended, second
        assert (second.status, second.body) == (first.status, first.body)
        lengths = [field for field in fields_of(first) if field[0] == "content-length"]
        assert [field for field in fields_of(second) if field[0] != "content-length"] == [
            field for field in fields_of(first) if field[0] != "content-length"
        ]
        if lengths and first.body and first.status == 200:
            assert [field for field in fields_of(second) if field[0] == "content-length"] == lengths
        client.check_serves()


@pytest.mark.parametrize("path", sorted(CUT_OFF))
def test_a_response_that_cannot_be_completed(served: ServerProcess, path: str) -> None:
    """Section 8.1: it is broken off, and the connection goes on (rules 5, 6, 10 and 11)."""
    with connect(served) as client:
        answer = client.answer(client.send_request(path))
        assert (answer.status, answer.reset) == (200, Code.INTERNAL_ERROR)
        assert not answer.has_ended
        assert len(answer.body) <= 4
        assert answer.body != b"abc"
        client.check_serves()


#: Requests by target, fields and body.
REQUESTS: list[tuple[str, str, tuple[tuple[str, str], ...], bytes]] = [
    ("GET", "/echo", (), b""),
    ("GET", "/a%2Fb%C3%A4%ff?c=%20d?", (), b""),
    ("GET", "//a//b", (), b""),
    ("GET", "/echo?", (), b""),
    ("GET", "/echo", (("x-b", "1"), ("x_a", "2"), ("x-b", ""), ("x-b", "\xe4")), b""),
    ("GET", "/echo", (("cookie", "a=1; b=2"),), b""),
    ("GET", "/echo", (("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")), b""),
    ("GET", "/echo", (("te", "trailers"),), b""),
    ("POST", "/echo", (("content-length", "3"),), b"abc"),
    ("PUT", "/echo", (("content-length", "0"),), b""),
    ("OPTIONS", "/echo", (("expect", "100-continue"),), b""),
    ("PROPFIND", "/echo", (("depth", "1"),), b""),
    ("OPTIONS", "*", (), b""),
    ("DELETE", "/echo", (("accept", "*/*"), ("user-agent", "x"), ("content-type", "text/plain")), b""),
]


def without_own(scope: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is of the connection, and the field that HTTP/2 has no use for."""
    seen = {name: value for name, value in scope.items() if name not in {"http_version", "client"}}
    seen["client"] = scope["client"][0]
    seen["headers"] = sorted(field for field in scope["headers"] if field != ["connection", "te"])
    return seen


@pytest.mark.parametrize(("method", "target", "fields", "body"), REQUESTS)
def test_the_same_scope(
    served: ServerProcess, method: str, target: str, fields: tuple[tuple[str, str], ...], body: bytes
) -> None:
    """ASGI: HTTP connection scope."""
    with Wire(served) as wire, connect(served) as client:
        own = ("Connection: te",) if ("te", "trailers") in fields else ()
        lines = [f"{name}: {value}" for name, value in fields]
        wire.send(get_http1(target, *lines, *own, method=method, body=body))
        first = wire.answer(method).json
        second = client.ask(target, *fields, method=method, body=body).json
        assert without_own(second) == without_own(first)
        assert (first["http_version"], second["http_version"]) == ("1.1", "2")
