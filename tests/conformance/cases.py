"""Bytes, and what has to come back: how the tables are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.conformance.wire import CLOSED, OPEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wire import Answer

HEAD_SIZE = 16 * 1024
FIELDS = 50


@dataclass(frozen=True)
class Case:
    """Bytes, and what has to come back.

    Attributes:
        name: What is tested.
        clause: What demands it.
        sent: The bytes.
        expected: The statuses of the responses.
        end: What becomes of the connection.
        check: Takes the responses.
        xfail: Why it is known to fail.
    """

    name: str
    clause: str
    sent: bytes
    expected: tuple[int, ...] = (200,)
    end: str = OPEN
    check: Callable[..., object] | None = None
    xfail: str = ""


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: h", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(*fields: str, body: bytes = b"", path: str = "/echo", version: str = "1.1") -> bytes:
    return get(path, *fields, method="POST", version=version, body=body)


def chunks(body: bytes, *fields: str) -> bytes:
    return post("Transfer-Encoding: chunked", *fields, body=body)


def has(name: str, *values: str) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        assert answer.all(name) == list(values)

    return check


def body_is(content: bytes) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        assert answer.body == content

    return check


def echoes(**wanted: object) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        seen = answer.json
        assert {name: seen[name] for name in wanted} == wanted

    return check


def both(*checks: Callable[[Answer], None]) -> Callable[[Answer], None]:
    def check(answer: Answer) -> None:
        for one in checks:
            one(answer)

    return check


def refused(name: str, clause: str, sent: bytes, status: int = 400, xfail: str = "") -> Case:
    """A request that is answered with an error and the end of the connection."""
    return Case(name, clause, sent, (status,), CLOSED, has("connection", "close"), xfail)


def parameters(cases: list[Case]) -> pytest.MarkDecorator:
    def describe(case: Case) -> Any:
        marks = [pytest.mark.xfail(reason=case.xfail)] if case.xfail else []
        return pytest.param(case, id=case.name, marks=marks)

    return pytest.mark.parametrize("case", [describe(case) for case in cases])


def method_of(request: bytes) -> str:
    return request.split(b" ", 1)[0].decode("latin-1")
