"""A server with programs beside its workers; that nothing of them stays behind is asserted at its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import uuid
from typing import TYPE_CHECKING, Any, Final

import psutil

from tests.support.server import BASIC
from tests.support.supervised import Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_MARK: Final = "TEST_OF_PROGRAMS"

#: Answers every client on the socket it is passed; asked to end, it answers the one it has, and no other.
SITE: Final = """
import os, select, signal, socket, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
signal.signal(signal.SIGTERM, lambda *_: None)
assert os.environ["LISTEN_PID"] == str(os.getpid())
names = os.environ["LISTEN_FDNAMES"].split(":")
assert names == [os.environ["SRVCTL_PROGRAM"]] * int(os.environ["LISTEN_FDS"])
sock = socket.socket(fileno=3)
print("at", *sock.getsockname()[1:2], "blocking", os.get_blocking(3), flush=True)
if sys.argv[1:]:
    os.write(int(sys.argv[1]), b"\\n")
while reader not in (ready := select.select([sock, reader], [], [])[0]):
    with sock.accept()[0] as client:
        request = client.recv(65536)
        if not request:  # the client has left
            continue
        query = request.split(b" ")[1].partition(b"?")[2].decode()
        head = ["HTTP/1.1 200 OK", f"X-Pid: {os.getpid()}", f"X-Query: {query}"]
        client.sendall("\\r\\n".join([*head, "Content-Length: 4", "Connection: close", "", "site"]).encode())
"""


def program(name: str, *command: str, **values: Any) -> str:
    """Return the table of a program."""
    items = {"name": name, "command": list(command), **values}
    # What JSON writes of texts, numbers and lists, TOML reads.
    return (
        "\n".join(["[[program]]", *(f"{key} = {json.dumps(value)}" for key, value in items.items())]) + "\n"
    )


def shell(name: str, script: str, **values: Any) -> str:
    """Return the table of a program that is a shell script."""
    return program(name, "sh", "-c", script, **values)


class WithPrograms(Supervised):
    """Such a server.

    Args:
        folder: Has the file of settings.
        tables: What the file consists of.
        flags: Further flags.
        options: See `ServerProcess`.
    """

    def __init__(self, folder: Path, *tables: str, flags: tuple[str, ...] = (), **options: Any) -> None:
        self.file = folder / "site.toml"
        self.write(*tables)
        self._mark = uuid.uuid4().hex
        env = {**options.pop("env", {}), _MARK: self._mark}
        super().__init__(options.pop("target", BASIC), "-c", str(self.file), *flags, env=env, **options)

    def write(self, *tables: str) -> None:
        """Write the file of settings."""
        self.file.write_text("\n".join(tables))

    def reload(self, *tables: str) -> None:
        """Have it obey another file, and wait until it does."""
        self.write(*tables)
        done = self.command("reload")
        assert done.returncode == 0, done.stderr

    def places(self) -> dict[str, dict[str, Any]]:
        """Return what it says of its programs, by name, with the index behind all but the first."""
        return {
            one["name"] + (f":{one['index']}" if one["index"] else ""): one
            for one in self.status()["programs"]
        }

    def place(self, label: str, state: str = "running") -> dict[str, Any]:
        """Wait until a program is in a state; return what the server says of it."""
        found: dict[str, Any] = {}

        def is_there() -> bool:
            found.clear()
            found.update(self.places().get(label, {}))
            return found.get("state") == state

        wait_until(is_there, f"{label} is not {state} but {found}")
        return found

    def pid_of(self, label: str) -> int:
        """Wait until a program runs; return its process id."""
        pid: int = self.place(label)["pid"]
        return pid

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_killed = self._process.poll() == -signal.SIGKILL
        try:
            super().__exit__(kind, error, trace)
        finally:
            if was_killed:  # programs are told by the kernel, and may take their time
                with contextlib.suppress(AssertionError):
                    wait_until(lambda: not any(self._marked()), "programs are left")
            left = [(process.pid, process.name()) for process in self._marked()]
            for pid, _ in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert kind is not None or not left, f"left behind: {left}"

    def _marked(self) -> Iterator[psutil.Process]:
        """Yield what has been started from here, whatever session it is in."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
