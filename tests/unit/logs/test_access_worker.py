"""What a worker calls: when lines are written, and when they go through logging instead."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import pytest

from srvctl.logs.access.log import INTERVAL, AccessLog
from srvctl.logs.access.record import WEBSOCKET, AccessRecord
from srvctl.logs.setup import Wanted, configure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORD = AccessRecord("127.0.0.1:5", "GET", b"/p?x=1", "1.1", 200)
LINE = 'INFO:     127.0.0.1:5 - "GET /p?x=1 HTTP/1.1" 200 OK\n'


class Loop:
    """Remembers what is due, and calls it when told."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None], /) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None], /) -> None:
        assert delay == INTERVAL
        self.later.append(callback)

    def turn(self) -> None:
        due, self.soon = self.soon, []
        for callback in due:
            callback()

    def wait(self) -> None:
        due, self.later = self.later, []
        for callback in due:
            callback()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def loop() -> Loop:
    return Loop()


def access_log(
    out: io.StringIO, loop: Loop, level: str = "info", *, access: bool = True, form: str = "uvicorn"
) -> AccessLog:
    with contextlib.redirect_stdout(out):
        configure(Wanted(level=level, use_colors=False, access=access, access_format=form))
    return AccessLog(loop)


class Listener(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


# -- when --------------------------------------------------------------------------------------------------


def test_the_first_line_comes_at_once_and_others_together(out: io.StringIO, loop: Loop) -> None:
    """In the same turn of the loop, then every interval, until one is quiet."""
    access = access_log(out, loop)
    access.log(RECORD)
    assert out.getvalue() == ""
    loop.turn()
    assert out.getvalue() == LINE
    access.log(RECORD)
    access.log(RECORD)
    assert not loop.soon
    assert out.getvalue() == LINE
    loop.wait()
    assert out.getvalue() == LINE * 3
    loop.wait()
    assert not loop.soon
    assert not loop.later, "a quiet worker has no timer"
    access.log(RECORD)
    loop.turn()
    assert out.getvalue() == LINE * 4


def test_a_full_batch_waits_for_nothing(out: io.StringIO, loop: Loop) -> None:
    """However busy the loop is."""
    access = access_log(out, loop)
    count = 65536 // len(LINE) + 1
    for _ in range(count):
        access.log(RECORD)
    assert out.getvalue() == LINE * (count - 1)


def test_the_end_writes_what_is_left(out: io.StringIO, loop: Loop) -> None:
    """Without the loop, which may have ended."""
    access = access_log(out, loop)
    access.log(RECORD)
    access.close()
    assert out.getvalue() == LINE


def test_lines_go_to_a_file(out: io.StringIO, loop: Loop, tmp_path: Path) -> None:
    """And to a new one of that name after a rotation."""
    path = tmp_path / "access.log"
    configure(Wanted(use_colors=True, access_format="%h %s", access_file=str(path)))
    access = AccessLog(loop)
    access.log(RECORD)
    moved = path.rename(tmp_path / "access.log.1")
    access.reopen()
    access.log(RECORD._replace(status=404))
    access.close()
    assert (moved.read_text(), path.read_text()) == ("127.0.0.1 200\n", "127.0.0.1 404\n")
    assert out.getvalue() == ""


# -- what is asked of the worker ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "access", "is_on"), [("info", True, True), ("info", False, False), ("warning", True, False)]
)
def test_a_worker_can_ask_whether_it_is_on(
    out: io.StringIO, loop: Loop, level: str, access: bool, is_on: bool
) -> None:
    """The setting, and the level: requests are information."""
    log = access_log(out, loop, level, access=access)
    assert log.is_on is is_on
    log.log(RECORD)
    log.close()
    assert out.getvalue() == LINE * is_on


@pytest.mark.parametrize(
    ("form", "times", "details"),
    [("uvicorn", False, False), ("%{Referer}i", False, True), ("json", True, True)],
)
def test_a_worker_can_ask_what_it_need_not_find_out(
    out: io.StringIO, loop: Loop, form: str, times: bool, details: bool
) -> None:
    """The line by default shows neither times nor anything else that costs."""
    log = access_log(out, loop, form=form)
    assert (log.needs_times, log.needs_details) == (times, details)


def test_without_our_handler_nothing_is_asked_and_nothing_breaks(out: io.StringIO, loop: Loop) -> None:
    """An application may take all handlers away."""
    configure(Wanted(use_colors=False))
    listener = Listener()
    logging.getLogger("srvctl.access").handlers[:] = [listener]
    access = AccessLog(loop)
    assert not access.needs_details
    access.log(RECORD)
    loop.turn()
    loop.wait()
    access.reopen()
    access.close()
    assert len(listener.records) == 1
    assert out.getvalue() == ""


# -- who else listens --------------------------------------------------------------------------------------


def test_a_handler_beside_ours_gets_uvicorns_arguments(out: io.StringIO, loop: Loop) -> None:
    """At once, in the context of the request; our line is as ever."""
    access = access_log(out, loop)
    listener = Listener()
    logging.getLogger("srvctl.access").addHandler(listener)
    access.log(RECORD._replace(target=b"/\xe9\n"))
    (record,) = listener.records
    assert record.args == ("127.0.0.1:5", "GET", "/\\xe9\\x0a", "1.1", 200)
    assert record.getMessage() == '127.0.0.1:5 - "GET /\\xe9\\x0a HTTP/1.1" 200'
    assert (record.name, record.levelname) == ("srvctl.access", "INFO")
    assert out.getvalue() == LINE.replace("/p?x=1", "/\\xe9\\x0a")


def test_the_line_of_a_websocket_through_logging(out: io.StringIO, loop: Loop) -> None:
    """Its status is a text."""
    access = access_log(out, loop)
    listener = Listener()
    logging.getLogger("srvctl.access").addHandler(listener)
    access.log(RECORD._replace(method=WEBSOCKET, status="[accepted]"))
    assert listener.records[0].getMessage().endswith(" [accepted]")
    assert out.getvalue() == 'INFO:     127.0.0.1:5 - "WebSocket /p?x=1" [accepted]\n'


def test_any_format_survives_logging(out: io.StringIO, loop: Loop) -> None:
    """Our own handler still has the whole record."""
    access = access_log(out, loop, form="%s %B %D")
    logging.getLogger("srvctl.access").addHandler(Listener())
    access.log(RECORD._replace(size=7, duration=0.5))
    assert out.getvalue() == "200 7 500000\n"


@pytest.mark.parametrize("name", ["srvctl.access", "uvicorn.access"])
def test_a_filter_drops_what_it_will(out: io.StringIO, loop: Loop, name: str) -> None:
    """The one against health checks that half the internet has, unchanged."""
    access = access_log(out, loop)
    logging.getLogger(name).addFilter(lambda record: "/health" not in record.getMessage())
    access.log(RECORD._replace(target=b"/health"))
    access.log(RECORD)
    assert out.getvalue() == LINE


def test_who_starts_to_listen_later_is_noticed(out: io.StringIO, loop: Loop) -> None:
    """At the next batch, whose lines come first; and who stops, too."""
    access = access_log(out, loop)
    logger, listener = logging.getLogger("srvctl.access"), Listener()
    access.log(RECORD)
    loop.turn()
    logger.addHandler(listener)
    access.log(RECORD)
    assert listener.records == []
    loop.wait()
    access.log(RECORD)
    assert len(listener.records) == 1
    assert out.getvalue() == LINE * 3
    logger.removeHandler(listener)
    loop.wait()
    access.log(RECORD)
    assert len(listener.records) == 1
    access.close()
    assert out.getvalue() == LINE * 4


def test_propagation_reaches_the_logger_above(out: io.StringIO, loop: Loop) -> None:
    """If the application asks for it."""
    access = access_log(out, loop)
    listener = Listener()
    logging.getLogger("srvctl").addHandler(listener)
    logging.getLogger("srvctl.access").propagate = True
    access.log(RECORD)
    assert len(listener.records) == 1
    assert out.getvalue() == LINE


def test_handlers_of_uvicorns_logger_take_our_place(out: io.StringIO, loop: Loop) -> None:
    """As a configuration made for uvicorn wants it; they see uvicorn's name."""
    access = access_log(out, loop)
    listener, deaf, beside = Listener(), Listener(), Listener()
    deaf.setLevel(logging.ERROR)
    logging.getLogger("uvicorn.access").handlers[:] = [listener, deaf]
    logging.getLogger("srvctl.access").addHandler(beside)
    access.log(RECORD)
    assert [record.name for record in listener.records] == ["uvicorn.access"]
    assert deaf.records == []
    assert len(beside.records) == 1
    assert out.getvalue() == ""


@pytest.mark.parametrize("how", ["disabled", "level"])
def test_uvicorns_log_switched_off_is_ours_switched_off(out: io.StringIO, loop: Loop, how: str) -> None:
    """Applications do so in their code."""
    access = access_log(out, loop)
    logger = logging.getLogger("uvicorn.access")
    if how == "disabled":
        logger.disabled = True
    else:
        logger.setLevel(logging.WARNING)
    access.log(RECORD)
    access.close()
    assert out.getvalue() == ""


def test_uvicorns_logger_alone_changes_nothing(out: io.StringIO, loop: Loop) -> None:
    """To ask for it is not to listen, and its level is the root's."""
    logging.getLogger("uvicorn.access")
    access = access_log(out, loop)
    access.log(RECORD)
    assert out.getvalue() == ""
    loop.turn()
    assert out.getvalue() == LINE


def test_what_an_application_logs_there_itself(out: io.StringIO, loop: Loop) -> None:
    """Any text is a line, and uvicorn's arguments are a request."""
    access_log(out, loop, form="%m %U")
    logger = logging.getLogger("srvctl.access")
    logger.warning("see %s", "here")
    logger.info('%s - "%s %s HTTP/%s" %d', "c:1", "PUT", "/ü?", "1.1", 200)
    logger.info("%s", object)
    assert out.getvalue().splitlines()[:2] == ["WARNING:  see here", "PUT /\\xc3\\xbc"]


def test_a_log_nobody_reads_stops_nobody(out: io.StringIO, loop: Loop) -> None:
    """It is said once, where errors are."""
    with contextlib.redirect_stderr(io.StringIO()) as err:
        access = access_log(out, loop)
    out.close()
    for _ in range(3):
        access.log(RECORD)
        loop.turn()
        loop.wait()
    access.close()
    assert err.getvalue().count("Nobody reads the access log any more") == 1
