"""Our formatters against uvicorn's own: the same arguments, the same lines."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

import pytest
import uvicorn.logging

import srvctl.logging
from srvctl.logs.formatters import ACCESS_FORMAT

KINDS = ["DefaultFormatter", "AccessFormatter", "ColourizedFormatter"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def request(status: object) -> logging.LogRecord:
    args = ("1.2.3.4:5", "GET", "/a?b", "1.1", status)
    return logging.LogRecord(
        "uvicorn.access", logging.INFO, __file__, 1, '%s - "%s %s HTTP/%s" %d', args, None
    )


def both(kind: str, *args: Any, **named: Any) -> tuple[logging.Formatter, logging.Formatter]:
    return getattr(srvctl.logging, kind)(*args, **named), getattr(uvicorn.logging, kind)(*args, **named)


def test_the_names_are_uvicorns() -> None:
    """Whoever imports them changes one word."""
    assert srvctl.logging.TRACE_LOG_LEVEL == uvicorn.logging.TRACE_LOG_LEVEL
    assert set(srvctl.logging.__all__) == {*KINDS, "TRACE_LOG_LEVEL"}


@pytest.mark.parametrize("use_colors", [True, False])
@pytest.mark.parametrize("level", [5, 10, 20, 25, 30, 40, 50])
@pytest.mark.parametrize("kind", ["DefaultFormatter", "ColourizedFormatter"])
def test_lines(kind: str, level: int, use_colors: bool) -> None:
    """Of every level, and of one that has no colour."""
    ours, theirs = both(kind, "%(levelprefix)s %(message)s", None, "%", use_colors)
    record = logging.LogRecord("a", level, __file__, 1, "is %d", (7,), None)
    record.__dict__["color_message"] = "is \x1b[1m%d\x1b[0m"
    expected = theirs.format(record)
    assert ours.format(record) == expected
    assert "levelprefix" not in record.__dict__, "what others show of the record is not ours to change"


@pytest.mark.parametrize("use_colors", [True, False])
@pytest.mark.parametrize("status", [100, 101, 200, 204, 299, 302, 404, 418, 500, 599, 700])
def test_requests(status: int, use_colors: bool) -> None:
    """Of every class, with a phrase and without."""
    ours, theirs = both("AccessFormatter", ACCESS_FORMAT, use_colors=use_colors)
    assert ours.format(request(status)) == theirs.format(request(status))


def test_other_styles() -> None:
    """As logging has them."""
    ours, theirs = both("AccessFormatter", "{client_addr} {request_line} {status_code}", style="{")
    assert ours.format(request(200)) == theirs.format(request(200))
    ours, theirs = both("DefaultFormatter", "$levelprefix $asctime", "%Y", "$")
    record = logging.LogRecord("a", logging.INFO, __file__, 1, "x", None, None)
    assert ours.format(record) == theirs.format(record)


def test_what_is_no_request_is_shown_all_the_same() -> None:
    """uvicorn's raises, and the line is lost."""
    ours = srvctl.logging.AccessFormatter(ACCESS_FORMAT, use_colors=False)
    record = logging.LogRecord("a", logging.WARNING, __file__, 1, "see %s", ("here",), None)
    assert ours.format(record) == 'WARNING:  - - "see here" '


def test_a_websocket() -> None:
    """Its status is a text."""
    args = ("1.2.3.4:5", "WebSocket", "/ws", "1.1", "[accepted]")
    record = logging.LogRecord("a", logging.INFO, __file__, 1, '%s - "%s %s HTTP/%s" %s', args, None)
    ours = srvctl.logging.AccessFormatter(ACCESS_FORMAT, use_colors=False)
    assert ours.format(record) == 'INFO:     1.2.3.4:5 - "WebSocket /ws" [accepted]'


@pytest.mark.parametrize(("kind", "stream"), list(zip(KINDS, ["stderr", "stdout", "stdout"], strict=True)))
def test_colours_are_for_terminals(kind: str, stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each asks the stream it is for; one that is closed is none."""
    make = getattr(srvctl.logging, kind)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.StringIO())
    assert not make().use_colors
    monkeypatch.setattr(sys, stream, Terminal())
    assert make().use_colors
    assert not make(use_colors=False).use_colors
    monkeypatch.setattr(sys, stream, None)
    assert not make().use_colors


def test_a_subclass_may_choose_other_colours() -> None:
    """Through the names that uvicorn's has for it."""

    class Mine(srvctl.logging.AccessFormatter):
        level_name_colors = {logging.INFO: lambda name: f"<{name}>"}  # noqa: RUF012 - as uvicorn's
        status_code_colours = {2: lambda code: f"<{code}>"}  # noqa: RUF012 - as uvicorn's

    assert (
        Mine("%(levelprefix)s%(status_code)s", use_colors=True).format(request(200)) == "<INFO>:    <200 OK>"
    )
