"""All instances at once, some of which are none: what is found where, what is asked, and how it is listed."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.cli.census import Found, ask_all, sockets
from srvctl.cli.commands.ls import as_object, as_table
from srvctl.ipc.control import MAX_REPLY, Done, encode_reply, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUS: dict[str, Any] = {
    "name": "web",
    "pid": 7,
    "state": "running",
    "generation": 3,
    "target": 2,
    "uptime": 7505,
    "app": "shop:app",
    "binds": ["http://127.0.0.1:8000", "unix socket /run/shop.sock"],
    "workers": [{"slot": 0, "state": "ready"}, {"slot": 1, "state": "booting"}],
}


class Directory:
    """A directory with sockets behind which somebody is, or nobody."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self.path = path
        self._stack = stack
        self._threads: list[threading.Thread] = []

    def listening(self, name: str, backlog: int = 8) -> socket.socket:
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(self.path / name))
        listener.listen(backlog)
        return listener

    def saying(self, name: str, data: bytes) -> None:
        """Somebody who says this to the first that asks something, and no more."""
        listener = self.listening(name)

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                assert json.loads(client.recv(1000)) == {"v": 1, "command": "status", "args": {}}
                with suppress(OSError):  # it may have heard enough
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(1)  # until it is done with it

        thread = threading.Thread(target=serve)
        thread.start()
        self._threads.append(thread)
        self._stack.callback(thread.join)

    @property
    def has_spoken(self) -> bool:
        """Whether everybody who has something to say was heard."""
        return not any(thread.is_alive() for thread in self._threads)


@pytest.fixture
def directory() -> Iterator[Directory]:
    with tempfile.TemporaryDirectory(dir="/tmp") as path, ExitStack() as stack:
        yield Directory(Path(path), stack)


def test_nobody_waits_for_one_that_does_not_answer(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of all of them is over at once; here when those who answer have done so, however slowly."""
    directory.saying("good.sock", encode_reply(Done(ok=True, data=STATUS)))
    directory.saying("old.sock", encode_reply(refusal("version 1 is not understood")))
    directory.saying("noise.sock", b"HTTP/1.1 400 Bad Request\r\n\r\n")
    directory.saying("huge.sock", b"x" * (MAX_REPLY + 2))
    directory.saying("quiet.sock", b"")
    directory.listening("blocked.sock")
    full = directory.listening("full.sock", backlog=0)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.connect(full.getsockname())
    directory.listening("dead.sock").close()
    (directory.path / "file.sock").write_text("no socket")
    clock = SimpleNamespace(monotonic=lambda: 1.0 if directory.has_spoken else 0.0)
    with waiting, monkeypatch.context() as patched:
        patched.setattr("srvctl.cli.census.time", clock)
        paths = sorted(directory.path.glob("*.sock"))
        found = {one.path.stem: one for one in ask_all(paths, 0.5)}
    assert {name: one.problem for name, one in found.items()} == {
        "good": "",
        "old": "it refuses: version 1 is not understood",
        "noise": "it does not speak the control protocol of srvctl",
        "huge": "it does not speak the control protocol of srvctl",
        "quiet": "it ended before it answered",
        "blocked": "not responding",
        "full": "not responding",
        "dead": "left behind by an instance that is gone",
        "file": "left behind by an instance that is gone",
    }
    assert {name for name, one in found.items() if one.status is not None} == {"good"}
    assert found["good"].status == STATUS
    assert found["good"].pid == found["blocked"].pid == os.getpid()
    began = time.monotonic()
    ask_all([directory.path / "blocked.sock"], 0.5)
    assert time.monotonic() - began >= 0.5


def test_root_sees_those_of_everybody(directory: Directory) -> None:
    root = directory.path
    places = ["run/srvctl", "run/srvctl/shop", "run/user/1000/srvctl", "tmp/srvctl-1000", "dev/shm/srvctl-7"]
    for place in places:
        (root / place).mkdir(parents=True, exist_ok=True)
        listener = directory.listening(f"{place}/a.sock")
        listener.close()
    (root / "run/srvctl/b.sock").write_text("no socket")
    everybody = [str(path.relative_to(root)) for path in sockets({}, 0, root) if path.is_relative_to(root)]
    assert sorted(everybody) == sorted(f"{place}/a.sock" for place in places)
    ours = [str(path.relative_to(root)) for path in sockets({}, 1000, root) if path.is_relative_to(root)]
    assert sorted(ours) == ["run/srvctl/a.sock", "run/srvctl/shop/a.sock", "tmp/srvctl-1000/a.sock"]


def test_how_they_are_listed() -> None:
    found = [
        Found(Path("/run/srvctl/web.sock"), 7, STATUS),
        Found(Path("/run/srvctl/blocked.sock"), 8, None, "not responding"),
        Found(Path("/run/srvctl/odd.sock"), 0, {"name": "\x1b", "workers": 3}),
    ]
    assert as_table(found) == [
        "NAME     PID  STATE           GEN  WORKERS  UPTIME  BINDS                                 APP",
        "web        7  running           3      1/2   2h05m  http://127.0.0.1:8000 /run/shop.sock  shop:app",
        "blocked    8  not responding    -        -       -  -                                     -",
        "\\x1b       ?  ?                 ?      0/0      0s  -                                     -",
    ]
    assert as_object(found[0]) == {"socket": "/run/srvctl/web.sock", **STATUS}
    assert as_object(found[1]) == {
        "socket": "/run/srvctl/blocked.sock",
        "name": "blocked",
        "pid": 8,
        "state": "not responding",
    }
