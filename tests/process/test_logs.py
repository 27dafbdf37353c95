"""What is written where: the access log on stdout, everything else on stderr, in uvicorn's shape."""

from __future__ import annotations

import os
import re
import signal
from textwrap import dedent
from typing import TYPE_CHECKING

from tests.support.apps.written import write_app
from tests.support.client import Connection
from tests.support.server import BASIC, ServerProcess
from tests.support.server_waits import Gate, wait_gone

if TYPE_CHECKING:
    from pathlib import Path


def test_each_response_is_a_line_on_stdout() -> None:
    """Client, request line as sent, status and its phrase, exactly as uvicorn writes them."""
    with ServerProcess() as server:
        with server.connect() as client:
            host, port = client.socket.getsockname()
            client.get("/plain")
            client.get("/caf%C3%A9%20au%20lait?q=a%26b&c=d")
            client.send(b"HEAD / HTTP/1.0\r\n\r\n")
            client.read_until_end()
        assert server.stop() == 0
        assert server.stdout.text.splitlines() == [
            f'INFO:     {host}:{port} - "GET /plain HTTP/1.1" 200 OK',
            f'INFO:     {host}:{port} - "GET /caf%C3%A9%20au%20lait?q=a%26b&c=d HTTP/1.1" 200 OK',
            f'INFO:     {host}:{port} - "HEAD / HTTP/1.0" 200 OK',
        ]
        assert "GET" not in server.stderr.text


def test_the_access_log_can_be_switched_off() -> None:
    """--no-access-log leaves stdout empty."""
    with ServerProcess(BASIC, "--no-access-log") as server:
        server.get()
        assert server.stop() == 0
        assert server.stdout.text == ""


def test_a_quiet_level_silences_both_streams(tmp_path: Path) -> None:
    """--log-level error writes nothing of a service that has no errors, its address included."""
    path = tmp_path / "s"
    with Gate() as gate:
        write_app(tmp_path, "quiet", before=f"gate({gate.port})")
        flags = ("--log-level", "error")
        with ServerProcess(
            "site_app:app", *flags, bind=f"unix:{path}", cwd=tmp_path, is_ready=False
        ) as server:
            gate.wait_visitor().let_pass()
            with Connection(str(path)) as client:  # the socket is open before the first worker is
                assert client.get().text == "quiet"
            assert server.stop() == 0
            assert server.stderr.text == ""
            assert server.stdout.text == ""


def test_debug_and_trace_show_what_the_master_decides() -> None:
    """Events and actions are lines of DEBUG; the service works as at any level."""
    for level in ("debug", "trace"):
        with ServerProcess(BASIC, "--log-level", level) as server:
            assert server.get().status == 200
            server.wait_line(r"^DEBUG: +WorkerReady\(worker=1\) -> ")
            assert server.stop() == 0


def test_colours_are_for_terminals_or_who_asks() -> None:
    """A pipe gets none unless --use-colors says so."""
    with ServerProcess(BASIC, "--use-colors") as server:
        server.get()
        assert server.stop() == 0
        assert "\x1b[32mINFO\x1b[0m:     Started master process" in server.stderr.text
        assert '\x1b[1mGET / HTTP/1.1\x1b[0m" \x1b[32m200 OK\x1b[0m' in server.stdout.text
    with ServerProcess() as server:
        server.get()
        assert server.stop() == 0
        assert "\x1b" not in server.stderr.text + server.stdout.text


def test_an_application_that_configures_logging_gets_no_line_twice(tmp_path: Path) -> None:
    """Our loggers do not propagate to the root logger, which is the application's; its own lines appear."""
    code = """
        import logging
        from tests.support.apps.basic import app
        logging.basicConfig(level="INFO", format="root %(message)s")
        logging.getLogger("shop").info("open")
    """
    (tmp_path / "chatty.py").write_text(dedent(code))
    with ServerProcess("chatty:app", cwd=tmp_path) as server:
        server.get()
        assert server.stop() == 0
        assert [line.text for line in server.lines("^root")] == ["root open"]
        assert len(server.stdout.all) == 1
        assert len(server.lines("Started worker process")) == 1


def test_an_exception_in_the_application_is_500_and_a_traceback(tmp_path: Path) -> None:
    """The client learns nothing but the status, the log everything; the worker goes on."""
    code = """
        from tests.support.apps.basic import app as basic
        async def app(scope, receive, send):
            if scope.get("path") == "/boom":
                raise ValueError("a secret")
            await basic(scope, receive, send)
    """
    file = tmp_path / "faulty.py"
    file.write_text(dedent(code))
    with ServerProcess("faulty:app", cwd=tmp_path) as server:
        with server.connect() as client:
            answer = client.get("/boom")
            assert (answer.status, answer.text) == (500, "Internal Server Error")
            assert client.get().status == 200
        server.wait_line("^ERROR: +Exception in ASGI application$")
        server.wait_line(re.escape(f'  File "{file}", line 5, in app'))
        server.wait_line("^ValueError: a secret$")
        assert '"GET /boom HTTP/1.1" 500 Internal Server Error' in server.stdout.wait("boom")[0].text


def test_a_reader_that_leaves_takes_nobody_along() -> None:
    """With the reader of the log gone (a pipe to head), requests are answered and workers replaced."""
    reading, writing = os.pipe()
    with ServerProcess(log=writing, is_ready=False, bind="127.0.0.1:0") as server:
        os.close(writing)
        with os.fdopen(reading) as log:
            match = re.search(r":(\d+) \(Press", next(line for line in log if "running on" in line))
        assert match is not None
        server.port = int(match[1])
        old = server.get().pid
        os.kill(old, signal.SIGKILL)
        wait_gone(old)
        assert server.wait_workers(1) != [old]
        assert server.stop() == 0
