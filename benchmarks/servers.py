"""The table of servers: command lines, and which distributions tell their version. A new one is one entry.

Every server gets one worker process, uvloop where it can use it, and no access log unless a workload is about
it; beyond that its own defaults. Starts nothing: ``processes.py`` does.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING

from benchmarks.peers import nginx

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.certificate import Certificate
    from benchmarks.workloads import Role, Workload

#: The server the others are compared with.
BASELINE = "uvicorn"


@dataclass(frozen=True, slots=True)
class Server:
    """One server that can be started on an application.

    Attributes:
        name: What ``--servers`` calls it.
        distribution: The installed distribution that has its version; nginx is asked itself.
        arguments: What follows ``python -m``, with ``{app}`` and ``{port}`` in place of their values.
        companions: Distributions that change its speed when they are there.
        quiet: Turns its access log off.
        loud: Turns its access log on; it goes to a file.
        tls: Has it speak TLS, with ``{certfile}`` and ``{keyfile}`` for the files; empty if it cannot.
        patience: Lets connections idle for long.
        is_fixed: It runs no application, and says hello whatever it is asked.
        is_restless: It takes CPU when nothing is asked of it, so it is stopped while others are measured.
        http2: Has it speak HTTP/2 without TLS to clients that begin with it; None if it cannot.
        http2_companion: Where it has that from, if not from itself.
        path: What to ask it for instead of the workload's path.
        beside: The name of another in the same comparison that it is to be compared with.
    """

    name: str
    distribution: str
    arguments: tuple[str, ...]
    companions: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    loud: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    patience: tuple[str, ...] = ()
    is_fixed: bool = False
    is_restless: bool = False
    http2: tuple[str, ...] | None = None
    http2_companion: str | None = None
    path: str | None = None
    beside: str | None = None

    def command(self, app: str, port: int, certificate: Certificate | None = None) -> list[str]:
        """Return the command line that serves `app` on a port of 127.0.0.1 with the running interpreter."""
        values = {"app": app, "port": str(port)}
        parts = self.arguments + self.quiet
        if certificate is not None:
            parts += self.tls
            values |= {"certfile": str(certificate.certfile), "keyfile": str(certificate.keyfile)}
        return [sys.executable, "-m", *(part.format(**values) for part in parts)]

    def can_run(self, workload: Workload) -> bool:
        """Return whether it can take part."""
        if workload.is_tls and not self.tls:
            return False
        if workload.is_http2:
            return self.http2 is not None
        return not self.is_fixed or workload.is_hello

    def speaking_http2(self) -> Server:
        """Return it as it takes part where HTTP/2 is spoken."""
        companions = (self.http2_companion,) if self.http2_companion else ()
        others = tuple(name for name in self.companions if name == "uvloop")
        return replace(self, arguments=self.arguments + (self.http2 or ()), companions=others + companions)

    def as_role(self, role: Role) -> Server:
        """Return it as a comparison of its own features needs it."""
        arguments = self.loud if role.is_logging else self.quiet
        return replace(self, name=role.name, quiet=arguments, path=role.path, beside=role.beside)

    def installed_version(self) -> str | None:
        """Return the version in this environment, or None when the server is not installed."""
        return _nginx_version() if self.distribution == "nginx" else installed_version(self.distribution)

    def companion_versions(self) -> dict[str, str | None]:
        """Return the version of each distribution it gets speed from, None for one that is missing."""
        return {name: installed_version(name) for name in self.companions}


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution in this environment, or None when it is missing."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _nginx_version() -> str | None:
    program = nginx.find()
    if program is None:
        return None
    shown = subprocess.run([program, "-v"], capture_output=True, text=True, check=False, timeout=10).stderr
    return shown.strip().rpartition("/")[2] or "unknown"


def _arguments(line: str) -> tuple[str, ...]:
    return tuple(line.split())


_UVICORNS_TLS = _arguments("--ssl-certfile {certfile} --ssl-keyfile {keyfile}")
_UNIX_TLS = _arguments("--certfile {certfile} --keyfile {keyfile}")
_SRVCTL = Server(
    "srvctl",
    "srvctl",
    _arguments("srvctl run {app} --workers 1 --bind 127.0.0.1:{port}"),
    companions=("uvloop",),
    quiet=("--no-access-log",),
    loud=("--access-log",),
    tls=_UVICORNS_TLS,
    patience=("--timeout-keep-alive", "600"),
    http2=("--http2",),
)
_UVICORN = Server(
    "uvicorn",
    "uvicorn",
    _arguments("uvicorn {app} --host 127.0.0.1 --port {port} --loop uvloop --http httptools"),
    companions=("uvloop", "httptools"),
    quiet=("--no-access-log",),
    loud=("--access-log",),
    tls=_UVICORNS_TLS,
    patience=("--timeout-keep-alive", "600"),
    http2=("--http", "zttp", "--http2"),  # of two the last one counts
    http2_companion="zttp",
)
_GUNICORN = Server(
    "gunicorn",
    "gunicorn",
    # The control socket would be written to the user's home. Access log is off unless a file is named.
    _arguments(
        "gunicorn {app} --bind 127.0.0.1:{port} --worker-class asgi --workers 1 --asgi-loop uvloop"
        " --no-control-socket"
    ),
    companions=("uvloop", "gunicorn_h1c"),
    loud=("--access-logfile", "-"),
    tls=_UNIX_TLS,
    patience=("--keep-alive", "600"),
)

_ALL = (
    _SRVCTL,
    replace(
        _SRVCTL,
        name="srvctl-h11",
        arguments=(*_SRVCTL.arguments, "--http", "h11"),
        companions=("uvloop", "h11"),
        http2=None,
    ),
    _UVICORN,
    replace(
        _UVICORN,
        name="uvicorn-h11",
        arguments=(*_UVICORN.arguments, "--http", "h11"),
        companions=("uvloop", "h11"),
        patience=(),  # memory is measured of one of them
        http2=None,
    ),
    Server(
        "granian",
        "granian",
        _arguments("granian {app} --host 127.0.0.1 --port {port} --interface asgi --workers 1 --loop uvloop"),
        companions=("uvloop",),
        patience=("--http1-header-read-timeout", "60000", "--backpressure", "20000"),
        http2=(),
        quiet=("--no-access-log",),
        loud=("--access-log",),
        tls=_arguments("--ssl-certificate {certfile} --ssl-keyfile {keyfile}"),
    ),
    _GUNICORN,
    replace(
        _GUNICORN,
        name="gunicorn-uvicorn",
        arguments=(*_GUNICORN.arguments, "--worker-class", "uvicorn.workers.UvicornWorker"),
        companions=("uvicorn", "uvloop", "httptools"),
        patience=(),
    ),
    Server(
        "hypercorn",
        "hypercorn",
        _arguments("hypercorn {app} --bind 127.0.0.1:{port} --worker-class uvloop --workers 1"),
        companions=("uvloop", "h11"),
        http2=(),
        http2_companion="h2",
        loud=("--access-logfile", "-"),
        tls=_UNIX_TLS,
        patience=("--keep-alive", "600"),
    ),
    Server(
        "fastpysgi",
        "fastpysgi",
        _arguments("benchmarks.peers.fast {app} --host 127.0.0.1 --port {port}"),
        tls=_UNIX_TLS,
        is_restless=True,
    ),
    Server("nginx", "nginx", _arguments("benchmarks.peers.nginx {port}"), is_fixed=True),
    Server("raw", "uvloop", _arguments("benchmarks.peers.raw {port}"), companions=("uvloop",), is_fixed=True),
)

SERVERS: Mapping[str, Server] = MappingProxyType({server.name: server for server in _ALL})


def contestants(workload: Workload, servers: Sequence[Server]) -> list[Server]:
    """Return who takes part: the servers that can, or the roles that the workload gives them."""
    if not workload.roles:
        able = [server for server in servers if server.can_run(workload)]
        return [server.speaking_http2() for server in able] if workload.is_http2 else able
    chosen = {server.name: server for server in servers}
    return [chosen[role.server].as_role(role) for role in workload.roles if role.server in chosen]
