"""A warm process as the first mold: it serves like any other, and has no more than any other."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.ipc import warm
from srvctl.ipc.channel import ForkAsked, Hello, MoldReady, Ready, encode
from srvctl.ipc.descriptors import send_line
from srvctl.ipc.lifeline import Lifeline
from srvctl.ipc.scoreboard import SIZE
from srvctl.settings.groups import AppSettings, Settings
from srvctl.supervisor.vitals import new_shares
from srvctl.worker.mold import prepare
from tests.support.molding import Heard, subreaper

if TYPE_CHECKING:
    import pytest

APP = """
import os
assert "LISTEN_FDS" not in os.environ, "that was for the master"

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
"""


def end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "warmed_app.py").write_text(APP)
    settings = Settings(app=AppSettings(target="warmed_app:app", dir=str(tmp_path), lifespan="off"))
    monkeypatch.setenv("LISTEN_FDS", "1")
    with ExitStack() as cleanup:
        cleanup.enter_context(subreaper())
        listener = cleanup.enter_context(socket.create_server(("127.0.0.1", 0)))  # inherited, and passed
        process = warm.start(prepare)
        cleanup.callback(end, process.pid)
        monkeypatch.delenv("LISTEN_FDS")
        lifeline, shares = Lifeline(), new_shares()
        process.become(
            "srvctl.worker.warmed:live",
            [settings, str(tmp_path), 1, os.getpid(), dict(os.environ)],
            [lifeline.end, shares, 1, 2, listener.fileno()],
        )
        mold = Heard(process.channel)
        assert mold.message() == MoldReady("")
        ours, theirs = socket.socketpair()
        board = os.memfd_create("board")
        os.ftruncate(board, SIZE)
        send_line(process.channel, encode(ForkAsked(1, 0)), [theirs.fileno(), board])
        os.close(board)
        theirs.close()
        worker = Heard(ours)
        hello = worker.message()
        assert isinstance(hello, Hello)
        assert worker.message() == Ready()
        name = str(Path(f"/proc/self/fd/{listener.fileno()}").readlink())
        opened = []
        for entry in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it may still be closing what it has given to the worker
                opened.append(str(entry.readlink()))
        assert opened.count(name) == 1
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"ok")
        mold.close()
        worker.close()
        os.close(lifeline.end)
        os.close(shares)
        lifeline.let_go()  # now the kernel ends whoever is left
        assert {os.waitpid(-1, 0)[0] for _ in range(2)} == {process.pid, hello.pid}
