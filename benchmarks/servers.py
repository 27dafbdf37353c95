"""The table of servers: command lines, and which distributions tell their version. A new one is one entry.

Every server gets one worker process, uvloop where it can use it, and no access log; beyond that its own
defaults. Starts nothing: ``processes.py`` does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The server the others are compared with.
BASELINE = "uvicorn"


@dataclass(frozen=True, slots=True)
class Server:
    """One server that can be started on an application.

    Attributes:
        name: What ``--servers`` calls it.
        distribution: The installed distribution that has its version.
        arguments: What follows ``python -m``, with ``{app}`` and ``{port}`` in place of their values.
        companions: Distributions that change its speed when they are there.
    """

    name: str
    distribution: str
    arguments: tuple[str, ...]
    companions: tuple[str, ...] = ()

    def command(self, app: str, port: int) -> list[str]:
        """Return the command line that serves `app` on a port of 127.0.0.1 with the running interpreter."""
        return [sys.executable, "-m", *(part.format(app=app, port=port) for part in self.arguments)]

    def installed_version(self) -> str | None:
        """Return the version in this environment, or None when the server is not installed."""
        return installed_version(self.distribution)

    def companion_versions(self) -> dict[str, str | None]:
        """Return the version of each distribution it gets speed from, None for one that is missing."""
        return {name: installed_version(name) for name in self.companions}


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution in this environment, or None when it is missing."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _arguments(line: str) -> tuple[str, ...]:
    return tuple(line.split())


_ALL = (
    Server(
        "srvctl",
        "srvctl",
        _arguments("srvctl run {app} --workers 1 --no-access-log --bind 127.0.0.1:{port}"),
        companions=("uvloop", "httptools"),
    ),
    Server(
        "uvicorn",
        "uvicorn",
        _arguments(
            "uvicorn {app} --host 127.0.0.1 --port {port} --loop uvloop --http httptools --no-access-log"
        ),
        companions=("uvloop", "httptools"),
    ),
    Server(
        "granian",
        "granian",
        _arguments(
            "granian {app} --host 127.0.0.1 --port {port} --interface asgi --workers 1 --loop uvloop"
            " --no-access-log"
        ),
        companions=("uvloop",),
    ),
    Server(
        "gunicorn",
        "gunicorn",
        # The control socket would be written to the user's home. Access log is off unless a file is named.
        _arguments(
            "gunicorn {app} --bind 127.0.0.1:{port} --worker-class asgi --workers 1 --asgi-loop uvloop"
            " --no-control-socket"
        ),
        companions=("uvloop", "gunicorn_h1c"),
    ),
    Server(
        "hypercorn",
        "hypercorn",
        _arguments("hypercorn {app} --bind 127.0.0.1:{port} --worker-class uvloop --workers 1"),
        companions=("uvloop", "h11"),
    ),
)

SERVERS: Mapping[str, Server] = MappingProxyType({server.name: server for server in _ALL})
