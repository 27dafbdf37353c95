"""The trace of ASGI messages: `srvctl.worker.trace`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from srvctl.logs.setup import TRACE
from srvctl.worker.trace import is_wanted, traced


def run(application: Any) -> list[dict[str, Any]]:
    """Call an application with one request; return what it sent."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"secret", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application({"type": "http", "path": "/"}, receive, send))
    return sent


async def echo(_scope: Any, receive: Any, send: Any) -> None:
    await send(await receive())


async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
    raise ValueError("no")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    caplog.set_level(TRACE, logger="srvctl.asgi")
    monkeypatch.setattr(logging.getLogger("srvctl"), "propagate", True)
    return caplog


def test_each_message_is_logged_without_its_body(lines: pytest.LogCaptureFixture) -> None:
    """Scope, messages in both directions and the end; a body by its size only."""
    assert is_wanted()
    (message,) = run(traced(echo))
    assert message["body"] == b"secret"
    text = [record.getMessage() for record in lines.records]
    assert text == [
        "http [1] Started scope={'type': 'http', 'path': '/'}",
        "http [1] Receive {'type': 'http.request', 'body': '<6 bytes>', 'more_body': False}",
        "http [1] Send {'type': 'http.request', 'body': '<6 bytes>', 'more_body': False}",
        "http [1] Completed",
    ]


def test_an_exception_is_logged_and_passed_on(lines: pytest.LogCaptureFixture) -> None:
    """The trace changes nothing for the server."""
    with pytest.raises(ValueError, match="no"):
        run(traced(broken))
    assert lines.records[-1].getMessage() == "http [1] Raised ValueError('no')"


def test_nobody_wants_it_by_default() -> None:
    """A worker pays for the trace only at level trace."""
    logging.getLogger("srvctl.asgi").setLevel(logging.NOTSET)
    assert not is_wanted()
