"""The access log of a real server: formats, files, readers that stop reading, what a stop leaves behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from signal import SIGCONT, SIGSTOP
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.outlets import wait_text
from tests.support.server import BASIC, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

MANY = 300
#: Flags with which clients may take their time between two requests.
CALM = ("--timeout-keep-alive", "600", "--timeout-request-head", "600")


def test_json_says_what_a_request_took() -> None:
    """Each line is an object with the request's duration, bytes and headers."""
    with ServerProcess(BASIC, "--access-log-format", "json") as server:
        with server.connect() as client:
            _, port = client.socket.getsockname()
            client.send(b"GET /plain?x=%22 HTTP/1.1\r\nHost: a\r\nUser-Agent: caf\xe9\r\n\r\n")
            answer = client.read_response()
        assert server.stop() == 0
        (line,) = server.stdout.text.splitlines()
    parsed = json.loads(line)
    assert (parsed["client"], parsed["client_port"]) == ("127.0.0.1", port)
    assert (parsed["method"], parsed["path"], parsed["query"]) == ("GET", "/plain", "x=%22")
    assert (parsed["status"], parsed["bytes"]) == (200, len(answer.body))
    assert parsed["user_agent"] == "caf\\xe9"
    assert 0 < parsed["duration"] < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", parsed["time"])


def test_atoms_show_both_sides_of_a_request() -> None:
    """What came in and what went out, the worker included."""
    form = "%m %U%q %s %B %{X-Any}i %{X-Pid}o %p %v"
    with ServerProcess(BASIC, "--access-log-format", form) as server:
        with server.connect() as client:
            client.send(b'GET /plain?x HTTP/1.1\r\nHost: example.com:80\r\nX-Any: "\t"\r\n\r\n')
            answer = client.read_response()
        assert server.stop() == 0
        size, pid = len(answer.body), answer.pid
        assert server.stdout.text == f'GET /plain?x 200 {size} \\"\\t\\" {pid} {pid} example.com\n'


def test_a_format_without_times_has_the_rest() -> None:
    """Header fields and bytes are there, though nobody looked at a clock."""
    with ServerProcess(BASIC, "--access-log-format", "%h %{Host}i %B") as server:
        size = len(server.get().body)
        assert server.stop() == 0
        assert re.fullmatch(rf"127\.0\.0\.1 \S*[^-] {size}\n", server.stdout.text)


def test_requests_that_come_together_have_lines_of_their_own() -> None:
    """Each its target, in the order of the answers."""
    with ServerProcess() as server:
        with server.connect() as client:
            client.send(b"".join(b"GET /plain?%d HTTP/1.1\r\nHost: a\r\n\r\n" % one for one in range(5)))
            for _ in range(5):
                client.read_response()
        assert server.stop() == 0
        assert re.findall(r"\?(\d)", server.stdout.text) == list("01234")


def test_a_format_that_is_none_is_refused() -> None:
    """Before anything starts, with what would be right."""
    with ServerProcess(BASIC, "--access-log-format", "%Z", is_ready=False) as server:
        assert server.wait_exit() == 2
        assert '"%Z" is no atom of the access log' in server.stderr.text


def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    """As any setting."""
    path = tmp_path / "no" / "log"
    with ServerProcess(BASIC, "--access-log-file", str(path), is_ready=False) as server:
        assert server.wait_exit() == 78
        assert f"log.access_file: {path} cannot be opened: No such file" in server.stderr.text


def ask(server: ServerProcess, targets: range) -> None:
    with server.connect() as client:
        for number in targets:
            assert client.get(f"/plain?{number}").status == 200


@pytest.mark.parametrize("where", ["pipe", "file"])
def test_no_line_is_lost_at_a_stop_or_torn(where: str, tmp_path: Path) -> None:
    """Two workers, four clients, and a stop with the last answer: every request is a whole line."""
    path = tmp_path / "access.log"
    flags = ("--access-log-file", str(path)) if where == "file" else ()
    form = ("--access-log-format", "%U%q %{Host}i %s")
    with ServerProcess(BASIC, "--workers", "2", *form, *flags, *CALM) as server:
        clients = [
            threading.Thread(target=ask, args=(server, range(start, start + MANY)))
            for start in range(0, 4 * MANY, MANY)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert server.stop() == 0
        text = path.read_text() if where == "file" else server.stdout.text
    numbers = [int(match[1]) for match in re.finditer(r"^/plain\?(\d+) \S+ 200$", text, re.MULTILINE)]
    assert sorted(numbers) == list(range(4 * MANY))
    assert text.count("\n") == 4 * MANY


def test_nobody_waits_for_who_reads_the_log(tmp_path: Path) -> None:
    """The reader stands still while more comes than a pipe holds; when it goes on, everything is there."""
    fifo, got = tmp_path / "fifo", tmp_path / "got"
    os.mkfifo(fifo)
    with got.open("wb") as out, subprocess.Popen(["cat", str(fifo)], stdout=out) as reader:
        filler = "x" * 900
        with ServerProcess(BASIC, "--access-log-file", str(fifo), *CALM) as server:
            server.get()
            reader.send_signal(SIGSTOP)
            with server.connect() as client:
                for number in range(MANY):
                    assert client.get(f"/plain?{number}{filler}").status == 200
            reader.send_signal(SIGCONT)
            wait_text(
                got, rf"GET /plain\?{MANY - 1}x+ HTTP/1.1\" 200 OK$"
            )  # a stop waits for a reader only briefly
            assert server.stop() == 0
            assert "lost" not in server.stderr.text
        reader.wait()
    numbers = re.findall(r"GET /plain\?(\d+)x+ HTTP/1.1\" 200 OK$", got.read_text(), re.MULTILINE)
    assert numbers == [str(number) for number in range(MANY)]


def test_a_reader_that_leaves_is_said_and_serving_goes_on(tmp_path: Path) -> None:
    """The worker is the same afterwards."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with ServerProcess(BASIC, "--access-log-file", str(fifo)) as server:
        pid = server.get().pid
        os.close(reading)
        server.get()
        server.wait_line("Nobody reads the access log any more")
        assert server.get().pid == pid
        assert server.stop() == 0
        assert len(server.lines("Nobody reads the access log any more")) == 1


def test_what_an_application_attaches_gets_every_request(tmp_path: Path) -> None:
    """The filter that everybody has against health checks works unchanged."""
    code = """
        import logging
        from tests.support.apps.basic import app
        logging.getLogger("uvicorn.access").addFilter(lambda record: record.args[2] != "/health")
    """
    (tmp_path / "filtered.py").write_text(dedent(code))
    with ServerProcess("filtered:app", cwd=tmp_path) as server:
        server.get("/health")
        server.get("/plain")
        server.get("/health")
        assert server.stop() == 0
        assert [line.split('"')[1] for line in server.stdout.text.splitlines()] == ["GET /plain HTTP/1.1"]


@pytest.mark.parametrize("flags", [(), ("--no-log-capture",)])
def test_what_the_application_prints_comes_with_the_lines(flags: tuple[str, ...], tmp_path: Path) -> None:
    """At once, though stdout is a pipe; where it does not go through the master, also in order."""
    code = """
        from tests.support.apps.basic import app as basic
        async def app(scope, receive, send):
            if scope["type"] == "http":
                print("printed")
            await basic(scope, receive, send)
    """
    (tmp_path / "printing.py").write_text(dedent(code))
    with ServerProcess("printing:app", *flags, cwd=tmp_path) as server:
        server.get()
        server.stdout.wait("200 OK")
        server.stdout.wait("^printed$")
        if flags:
            assert server.stdout.text.splitlines()[0] == "printed"
        assert server.stop() == 0
        assert len(server.stdout.all) == 2


def test_requests_have_names() -> None:
    """The client's own, or a new one; the client and the log learn it."""
    flags = ("--request-id", "--access-log-format", "%{X-Request-ID}i", *CALM)
    with ServerProcess(BASIC, *flags) as server:
        with server.connect() as client:
            names = []
            for field in (b"X-Request-ID: mine-1\r\n", b"X-Request-ID: not mine\r\n", b""):
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n")
                names.append(client.read_response().headers["x-request-id"])
        assert server.stop() == 0
        assert server.stdout.text.splitlines() == names
    assert names[0] == "mine-1"
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names[1:])
    assert names[1] != names[2]


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        ("uvicorn", ['"WebSocket /ws?a=1" [accepted]', '"WebSocket /no" 403']),
        ("%r %s", ["GET /ws?a=1 HTTP/1.1 101", "GET /no HTTP/1.1 403"]),
    ],
)
def test_a_websocket_has_uvicorns_line_and_in_other_formats_one_like_any_request(
    form: str, lines: list[str], tmp_path: Path
) -> None:
    code = """
        async def app(scope, receive, send):
            assert scope["type"] == "websocket"
            await receive()
            await send({"type": "websocket.close" if scope["path"] == "/no" else "websocket.accept"})
            await receive()
    """
    (tmp_path / "sockets.py").write_text(dedent(code))
    with ServerProcess("sockets:app", "--access-log-format", form, cwd=tmp_path) as server:
        with connect(f"ws://127.0.0.1:{server.port}/ws?a=1"):
            pass
        with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{server.port}/no"):
            pass
        assert server.stop() == 0
        found = server.stdout.text.splitlines()
    assert [line.partition(" - ")[2] or line for line in found] == lines
