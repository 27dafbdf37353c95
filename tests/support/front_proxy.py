"""Other people's proxies in front of the server under test, from the sample files in ``configs``."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Final, Self

import pytest

from tests.support.client import Connection
from tests.support.server_waits import PATIENCE, Lines, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from tests.support.server import ServerProcess

CONFIGS: Final = Path(__file__).parents[2] / "configs"
_STREAM_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_SOCKET: Final = "/run/srvctl/main.sock"  #: where the sample files expect srvctl


def program(name: str) -> str:
    """Return where a program is; skip the test where it is not installed."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


class FrontProxy:
    """A proxy that runs in the foreground and listens on a socket it inherits, so that no port is guessed.

    Attributes:
        port: Where it listens on 127.0.0.1.
        listener: The socket, which its command passes on.
    """

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]

    def start(self, command: list[str], env: Mapping[str, str]) -> Self:
        """Run it."""
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
            pass_fds=[self.listener.fileno()],
        )
        self.listener.close()
        assert self._process.stderr is not None
        self.log = Lines(self._process.stderr, "log of the proxy")
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, SIGTERM)
        try:
            self._process.wait(PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, SIGKILL)
            self._process.wait()
        self.log.wait_end()
        if kind is not None:
            print("--- the proxy's log:")
            print(self.log.text[-4000:])

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(("127.0.0.1", self.port))

    def wait_status(self, status: int) -> None:
        """Wait until a request is answered with this status, for example once its checks have passed."""
        deadline, last = time.monotonic() + PATIENCE, 0
        while last != status:
            if time.monotonic() > deadline:
                raise NeverHappened(f"the proxy answers {last}, not {status}")
            with self.connect() as client:
                last = client.get("/").status
            time.sleep(0.02)


def _substituted(name: str, replacements: Mapping[str, str]) -> str:
    """Return a sample file with other addresses; what is to be replaced must be in it."""
    text = (CONFIGS / name).read_text("utf-8")
    for old, new in replacements.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def nginx(server: ServerProcess, sample: str, folder: Path) -> FrontProxy:
    """Run nginx with a sample file in front of a server; skip the test where it is not installed."""
    command = program("nginx")
    is_stream = sample == "nginx/stream.conf"
    if is_stream and not _STREAM_MODULE.exists():
        pytest.skip("nginx's stream module is not installed")
    proxy = FrontProxy()
    where = f"unix:{server.path}" if server.path else f"127.0.0.1:{server.port}"
    port = "443" if is_stream else "80"
    site = _substituted(
        sample, {f"unix:{_SOCKET};": f"{where};", f"listen {port};": f"listen 127.0.0.1:{proxy.port};"}
    )
    temp = "\n".join(
        f"    {name}_temp_path {folder}/{name};"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    own = [
        f"load_module {_STREAM_MODULE};" if is_stream else "",
        "user root;" if os.geteuid() == 0 else "",  # the server's Unix socket is in a folder of ours
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr info;",
        "events { worker_connections 512; }",
        site if is_stream else f"http {{\n    access_log off;\n{temp}\n{site}}}",
    ]
    file = folder / "nginx.conf"
    file.write_text("\n".join(own))
    inherited = f"{proxy.listener.fileno()};"  # as nginx hands its sockets to its own successor
    return proxy.start([command, "-e", "stderr", "-p", str(folder), "-c", str(file)], {"NGINX": inherited})


def haproxy(
    server: ServerProcess, sample: str, folder: Path, replacements: Mapping[str, str] | None = None
) -> FrontProxy:
    """Run HAProxy with a sample file in front of a server; skip the test where it is not installed.

    Args:
        server: What is behind it.
        sample: The file below ``configs``.
        folder: Where the file goes with the addresses of the test.
        replacements: What else is changed in it.
    """
    command = program("haproxy")
    proxy = FrontProxy()
    where = f"unix@{server.path}" if server.path else f"127.0.0.1:{server.port}"
    port = "443" if sample == "haproxy/tcp.cfg" else "80"
    changes = {
        f"unix@{_SOCKET}": where,
        f"bind :{port}": f"bind fd@{proxy.listener.fileno()}",
        **(replacements or {}),
    }
    file = folder / "haproxy.cfg"
    file.write_text(_substituted(sample, changes))
    return proxy.start([command, "-db", "-f", str(file)], {})
