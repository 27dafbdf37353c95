"""ASGI 2 and WSGI applications, loops and environments of the user's, in real workers."""

from __future__ import annotations

import hashlib
import signal
import socket
from textwrap import dedent
from typing import TYPE_CHECKING

import psutil
import pytest
from websockets.sync.client import connect

from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SITE = "tests.support.apps.wsgi_site:app"
MIB = 1024 * 1024
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture(scope="module")
def site() -> Iterator[ServerProcess]:
    with ServerProcess(SITE, "--wsgi-threads", "2") as server:
        yield server


def memory(server: ServerProcess) -> int:
    (worker,) = server.workers()
    return int(psutil.Process(worker).memory_info().rss)


class TestWsgi:
    def test_it_is_found_out_and_preloaded(self, site: ServerProcess) -> None:
        """Its threads begin in the workers, so nothing keeps a mold from importing it."""
        assert site.get().text == "hello"
        assert len(site.molds()) == 1
        assert len(site.lines("looks like a WSGI application")) == 1
        assert not site.lines("WARNING|ERROR.*lifespan")

    def test_a_large_upload_is_not_held_in_memory(self, site: ServerProcess) -> None:
        """While the application does not read, the client cannot send; every byte arrives in the end."""
        block, count = b"0123456789abcdef" * 65536, 64
        site.get()
        before = memory(site)
        with Gate() as gate, site.connect() as client:
            client.send(
                f"POST /digest?gate={gate.port} HTTP/1.1\r\nHost: test\r\n"
                f"Content-Length: {count * len(block)}\r\n\r\n".encode()
            )
            visitor = gate.wait_visitor()
            sent = self._send_until_full(client.socket, block * 32)
            assert sent < 24 * MIB, "the server takes no more than its buffers hold"
            assert memory(site) - before < 16 * MIB
            visitor.let_pass()
            data = memoryview(block * 32)[sent:]
            client.socket.sendall(data)
            for _ in range(count - 32):
                client.send(block)
            answer = client.read_response().text
            assert memory(site) - before < 16 * MIB
        expected = hashlib.sha256()
        for _ in range(count):
            expected.update(block)
        assert answer == f"{count * len(block)} {expected.hexdigest()}"

    @staticmethod
    def _send_until_full(sock: socket.socket, data: bytes) -> int:
        """Send until the other side has taken nothing for half a second; return how much went."""
        view, sent = memoryview(data), 0
        sock.settimeout(0.5)
        try:
            while sent < len(data):
                sent += sock.send(view[sent : sent + 65536])
        except TimeoutError:
            pass
        finally:
            sock.settimeout(PATIENCE)
        return sent

    def test_a_slow_client_gets_every_byte(self, site: ServerProcess) -> None:
        """And the application waits for it, instead of the server holding what it has made."""
        count, size = 512, 65536
        before = memory(site)
        with site.connect() as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.send_get(f"/pieces?count={count}&size={size}")
            assert self._made_until_full(site) * size < 12 * MIB
            assert memory(site) - before < 12 * MIB
            body = client.read_response().body
        assert len(body) == count * size
        for number in range(count):
            assert body[number * size : number * size + 8] == number.to_bytes(8, "big")
        site.wait_line(f"the iterator was closed at piece {count - 1}")

    @staticmethod
    def _made_until_full(site: ServerProcess) -> int:
        """Ask, on the second thread, how many pieces were made, until there have been no more for a while."""
        made, same = -1, 0
        with site.connect() as client:
            while same < 50:
                last, made = made, int(client.get("/made").text)
                same = same + 1 if made == last else 0
        return made

    def test_a_client_that_leaves_ends_the_iterator(self, site: ServerProcess) -> None:
        """More of them than there are threads, which are free again."""
        mark = site.mark()
        for _ in range(4):
            with site.connect() as client:
                client.send_get("/pieces?count=1000000&size=65536")
                client.read_exactly(65536)
        site.wait_line("the iterator was closed at piece", count=4, since=mark)
        assert site.get().text == "hello"
        assert not site.stderr.matches("ERROR|Traceback", mark)

    def test_an_exception_is_an_answer_and_one_traceback(self, site: ServerProcess) -> None:
        """As for any application."""
        mark = site.mark()
        assert site.get("/fail").status == 500
        site.wait_line("ValueError: no such thing", since=mark)
        assert site.get().status == 200
        assert len(site.stderr.matches("Exception in ASGI application", mark)) == 1
        assert len(site.stderr.matches("^ValueError: no such thing", mark)) == 1

    def test_a_websocket_is_refused(self, site: ServerProcess) -> None:
        """Without a word in the log."""
        mark = site.mark()
        with site.connect() as client:
            assert client.get("/", *UPGRADE, KEY).status == 403
        assert site.get().status == 200
        assert not site.stderr.matches("ERROR|Traceback", mark)

    def test_a_thread_that_is_stuck_does_not_keep_a_worker(self) -> None:
        """It cannot be ended, but the process can: by itself, when the grace is over."""
        with Gate() as gate, ServerProcess(SITE, "--timeout-graceful-shutdown", "1") as server:
            with server.connect() as client:
                client.send_get(f"/held?gate={gate.port}")
                worker = int(gate.wait_visitor().wait_word())
                server.signal(signal.SIGTERM)
                server.wait_death(worker, "exit code 0")
            assert server.wait_exit() == 0


#: Says what it was called with, and what it finds: by HTTP and by WebSocket.
ASGI2 = """
    import asyncio, contextvars, json, os

    imported = contextvars.ContextVar("imported", default="unset")
    imported.set("set")

    class App:
        def __init__(self, scope):
            self.scope = scope

        async def __call__(self, receive, send):
            if self.scope["type"] == "lifespan":
                raise ValueError("no lifespan")
            loop = type(asyncio.get_running_loop()).__name__
            text = f"{self.scope['asgi']['version']} {imported.get()} {loop}"
            if self.scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.accept"})
                await send({"type": "websocket.send", "text": text})
                await send({"type": "websocket.close"})
            else:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": text.encode()})
"""
LOOPING = """
    import asyncio

    class OwnLoop(asyncio.SelectorEventLoop):
        pass
"""


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--loop", "uvloop"), "2.0 set Loop"),
        (("--loop", "looping:OwnLoop", "--preload", "off", "--reset-contextvars"), "2.0 unset OwnLoop"),
    ],
    ids=["variables", "own loop and no variables"],
)
def test_an_asgi2_application(tmp_path: Path, flags: tuple[str, ...], says: str) -> None:
    """It is called twice, for requests and WebSockets; what its import has set is there, unless reset."""
    (tmp_path / "site_app.py").write_text(dedent(ASGI2))
    (tmp_path / "looping.py").write_text(dedent(LOOPING))
    with ServerProcess("site_app:App", "--app-dir", str(tmp_path), *flags) as server:
        assert server.get().text == says
        with connect(f"ws://127.0.0.1:{server.port}/") as socket_:
            assert socket_.recv(PATIENCE) == says


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--loop", "looping:none_such"),
            'event loop (workers.loop). Attribute "none_such" not found in module "looping".',
        ),
        (
            ("--interface", "wsgi"),
            '"site_app:App" takes (scope), and is to be called as app(environ, start_response).',
        ),
    ],
    ids=["loop", "interface"],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    """And exit code 3."""
    (tmp_path / "site_app.py").write_text(dedent(ASGI2))
    (tmp_path / "looping.py").write_text(dedent(LOOPING))
    with ServerProcess("site_app:App", *flags, cwd=tmp_path, is_ready=False) as server:
        assert server.wait_exit() == 3
        (line,) = server.lines("ERROR|Traceback")
        assert line.text.startswith("ERROR:    Error loading ")
        assert line.text.endswith(message)


#: A factory that nobody calls one.
FLASK = """
    import os
    import flask

    FOUND = " ".join(f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith("SITE_"))

    def create_app(config=None):
        app = flask.Flask(__name__)

        @app.get("/")
        def index():
            return FOUND, {"X-Pid": str(os.getpid())}

        return app
"""


def test_a_file_of_variables(tmp_path: Path) -> None:
    """It is there on import, changes nothing that is set, and is read again with each reload."""
    (tmp_path / "site_app.py").write_text(dedent(FLASK))
    file = tmp_path / ".env"
    file.write_text("SITE_A=1\nSITE_B=file\nSITE_C=${SITE_A}2\nSRVCTL_LOG__ACCESS=bad\n")
    with ServerProcess(
        "site_app:create_app", "--env-file", ".env", cwd=tmp_path, env={"SITE_B": "shell"}
    ) as server:
        assert server.get().text == "SITE_A=1 SITE_B=shell SITE_C=12"
        assert len(server.molds()) == 1
        server.wait_line('WARNING: +"site_app:create_app" takes no arguments, so it is a factory')

        file.write_text("SITE_D=4\n")
        server.signal(signal.SIGHUP)
        server.wait_death()  # until then the old worker may answer, too
        assert server.get().text == "SITE_B=shell SITE_D=4"

        file.unlink()
        server.signal(signal.SIGHUP)
        server.wait_line(r"app\.env_file: \.env cannot be read: No such file or directory")
        assert server.get().text == "SITE_B=shell SITE_D=4"


def test_a_file_of_variables_that_is_not_there(tmp_path: Path) -> None:
    """Nothing is bound or imported for it."""
    with ServerProcess("none:app", "--env-file", "missing.env", cwd=tmp_path, is_ready=False) as server:
        assert server.wait_exit() == 2
        (line,) = server.lines("error")
        assert line.text.endswith("app.env_file: missing.env cannot be read: No such file or directory")
