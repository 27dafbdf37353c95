"""The lines of the log, byte for byte, and who writes them where."""

from __future__ import annotations

import io
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from srvctl.logs.announcing import announce
from srvctl.logs.setup import LEVELS, TRACE, Wanted, configure


class Terminal(io.StringIO):
    """A stream that looks like a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Output:
    out: io.StringIO
    err: io.StringIO


class SetUp(Protocol):
    """Configures the loggers of a process with these streams."""

    def __call__(
        self,
        level: str = "info",
        *,
        use_colors: bool | None = False,
        access: bool = True,
        out: io.StringIO | None = None,
        err: io.StringIO | None = None,
    ) -> Output: ...


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> SetUp:
    """The streams are replaced when the test calls this: before it runs, pytest puts its own there."""

    def set_up(
        level: str = "info",
        *,
        use_colors: bool | None = False,
        access: bool = True,
        out: io.StringIO | None = None,
        err: io.StringIO | None = None,
    ) -> Output:
        output = Output(out or io.StringIO(), err or io.StringIO())
        monkeypatch.setattr(sys, "stdout", output.out)
        monkeypatch.setattr(sys, "stderr", output.err)
        configure(Wanted(level=level, use_colors=use_colors, access=access))
        return output

    return set_up


def log_access(status: int = 200, client: str = "127.0.0.1:5", path: str = "/p?x=1") -> None:
    """Log a request as a worker does."""
    logging.getLogger("srvctl.access").info('%s - "%s %s HTTP/%s" %d', client, "GET", path, "1.1", status)


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (TRACE, "TRACE:    x\n"),
        (logging.DEBUG, "DEBUG:    x\n"),
        (logging.INFO, "INFO:     x\n"),
        (logging.WARNING, "WARNING:  x\n"),
        (logging.ERROR, "ERROR:    x\n"),
        (logging.CRITICAL, "CRITICAL: x\n"),
        (25, "Level 25: x\n"),
    ],
)
def test_the_text_starts_in_one_column(set_up: SetUp, level: int, line: str) -> None:
    """As wide as the longest level."""
    output = set_up("trace")
    logging.getLogger("srvctl").log(level, "x")
    assert output.err.getvalue() == line


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (TRACE, "\x1b[34mTRACE\x1b[0m:    x\n"),
        (logging.DEBUG, "\x1b[36mDEBUG\x1b[0m:    x\n"),
        (logging.INFO, "\x1b[32mINFO\x1b[0m:     x\n"),
        (logging.WARNING, "\x1b[33mWARNING\x1b[0m:  x\n"),
        (logging.ERROR, "\x1b[31mERROR\x1b[0m:    x\n"),
        (logging.CRITICAL, "\x1b[91mCRITICAL\x1b[0m: x\n"),
    ],
)
def test_a_coloured_level_takes_no_more_room(set_up: SetUp, level: int, line: str) -> None:
    """The column counts what is seen."""
    output = set_up("trace", use_colors=True)
    logging.getLogger("srvctl").log(level, "x")
    assert output.err.getvalue() == line


def test_texts_take_their_arguments(set_up: SetUp) -> None:
    """As everywhere in logging."""
    output = set_up()
    logging.getLogger("srvctl.error").info("Started worker process [%d]", 4711)
    assert output.err.getvalue() == "INFO:     Started worker process [4711]\n"


def test_a_traceback_follows_its_line(set_up: SetUp) -> None:
    """Unchanged and not indented."""
    output = set_up()
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("srvctl.error").exception("Exception in ASGI application")
    first, second, *_, last = output.err.getvalue().splitlines()
    assert first == "ERROR:    Exception in ASGI application"
    assert second == "Traceback (most recent call last):"
    assert last == "ValueError: no"


# -- the access log ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, "200 OK"),
        (101, "101 Switching Protocols"),
        (304, "304 Not Modified"),
        (404, "404 Not Found"),
        (418, "418 I'm a Teapot"),
        (500, "500 Internal Server Error"),
        (299, "299 "),
        (999, "999 "),
    ],
)
def test_a_request_is_a_line(set_up: SetUp, status: int, text: str) -> None:
    """Client, request line, status and its phrase, where it has one."""
    output = set_up()
    log_access(status)
    assert output.out.getvalue() == f'INFO:     127.0.0.1:5 - "GET /p?x=1 HTTP/1.1" {text}\n'
    assert output.err.getvalue() == ""


def test_a_request_through_a_unix_socket_has_no_client(set_up: SetUp) -> None:
    """There is no address to show; the line keeps its shape."""
    output = set_up()
    log_access(client="")
    assert output.out.getvalue() == 'INFO:      - "GET /p?x=1 HTTP/1.1" 200 OK\n'


def test_a_percent_sign_in_a_path_is_only_that(set_up: SetUp) -> None:
    """What clients send is never a format."""
    output = set_up()
    log_access(path="/%s%20%(levelprefix)s")
    assert output.out.getvalue() == 'INFO:     127.0.0.1:5 - "GET /%s%20%(levelprefix)s HTTP/1.1" 200 OK\n'


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (200, "\x1b[32m200 OK\x1b[0m"),
        (302, "\x1b[33m302 Found\x1b[0m"),
        (404, "\x1b[31m404 Not Found\x1b[0m"),
        (503, "\x1b[91m503 Service Unavailable\x1b[0m"),
        (100, "\x1b[97m100 Continue\x1b[0m"),
        (700, "700 "),
    ],
)
def test_a_coloured_request(set_up: SetUp, status: int, text: str) -> None:
    """The request line is bold, and the status has the colour of its class."""
    output = set_up(use_colors=True)
    log_access(status)
    line = f'\x1b[32mINFO\x1b[0m:     127.0.0.1:5 - "\x1b[1mGET /p?x=1 HTTP/1.1\x1b[0m" {text}\n'
    assert output.out.getvalue() == line


def test_access_can_be_switched_off(set_up: SetUp) -> None:
    """Requests are not logged; everything else is. A worker asks the logger before it formats anything."""
    output = set_up(access=False)
    log_access()
    logging.getLogger("srvctl").info("x")
    assert logging.getLogger("srvctl.access").disabled
    assert output.out.getvalue() == ""
    assert output.err.getvalue() == "INFO:     x\n"


def test_access_can_be_switched_on_again(set_up: SetUp) -> None:
    """The last word counts."""
    set_up(access=False)
    output = set_up()
    log_access()
    assert output.out.getvalue().count("\n") == 1


# -- colours, levels, handlers -----------------------------------------------------------------------------


def test_colours_go_to_terminals_alone(set_up: SetUp) -> None:
    """Unless it is said, each stream decides for itself."""
    output = set_up(use_colors=None, err=Terminal())
    logging.getLogger("srvctl").info("x")
    log_access()
    assert output.err.getvalue().startswith("\x1b[32mINFO")
    assert output.out.getvalue().startswith("INFO")


@pytest.mark.parametrize(
    ("use_colors", "stream", "start"), [(True, io.StringIO, "\x1b[32mINFO"), (False, Terminal, "INFO")]
)
def test_colours_can_be_said(set_up: SetUp, use_colors: bool, stream: type[io.StringIO], start: str) -> None:
    """What is said counts more than what the stream is."""
    output = set_up(use_colors=use_colors, out=stream(), err=stream())
    logging.getLogger("srvctl").info("x")
    log_access()
    assert output.err.getvalue().startswith(start)
    assert output.out.getvalue().startswith(start)


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_shows_itself_and_what_is_above(set_up: SetUp, level: str) -> None:
    """For every name of a level, of the lines of all levels."""
    output = set_up(level)
    for name, number in LEVELS.items():
        logging.getLogger("srvctl.error").log(number, name)
    shown = [line.split()[1] for line in output.err.getvalue().splitlines()]
    assert shown == [name for name, number in LEVELS.items() if number >= LEVELS[level]]


@pytest.mark.parametrize(("level", "lines"), [("debug", 1), ("info", 1), ("warning", 0)])
def test_the_level_holds_for_requests_too(set_up: SetUp, level: str, lines: int) -> None:
    """A request is a piece of information."""
    output = set_up(level)
    log_access()
    assert output.out.getvalue().count("\n") == lines


def test_no_line_reaches_the_root_logger(set_up: SetUp, caplog: pytest.LogCaptureFixture) -> None:
    """An application that configures the root logger gets no line twice."""
    output = set_up()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("srvctl").info("x")
        logging.getLogger("srvctl.error").info("x")
        log_access()
    assert caplog.records == []
    assert output.err.getvalue() == "INFO:     x\n" * 2
    assert output.out.getvalue().count("\n") == 1


def test_setting_up_twice_does_not_double_the_lines(set_up: SetUp) -> None:
    """The handlers are replaced."""
    set_up("error", use_colors=True, access=False)
    output = set_up()
    logging.getLogger("srvctl").info("x")
    assert output.err.getvalue() == "INFO:     x\n"


def test_trace_has_a_name(set_up: SetUp) -> None:
    """Below DEBUG, for what only a developer of srvctl wants to see."""
    output = set_up("trace")
    assert logging.getLevelName(TRACE) == "TRACE"
    assert TRACE < logging.DEBUG
    assert output.err.getvalue() == ""


def test_setting_up_again_closes_what_was_opened_before(tmp_path: Path) -> None:
    """A master does so at every reload, for years."""
    files = [tmp_path / name for name in ("first", "second")]
    for file in files * 3:
        configure(Wanted(access_file=str(file)))
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert [link.readlink() for link in links if link.readlink() in files] == [files[1]]
    configure(Wanted())


def test_the_address_stands_out_on_a_terminal(set_up: SetUp) -> None:
    plain = set_up().err
    announce(logging.getLogger("srvctl.error"), "http://127.0.0.1:80")
    assert plain.getvalue() == "INFO:     Srvctl running on http://127.0.0.1:80 (Press CTRL+C to quit)\n"
    colored = set_up(use_colors=True).err
    announce(logging.getLogger("srvctl.error"), "http://127.0.0.1:80")
    assert "running on \x1b[1mhttp://127.0.0.1:80\x1b[0m (Press" in colored.getvalue()
