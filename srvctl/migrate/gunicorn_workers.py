"""What gunicorn's kind of worker decides: who serves the application, and what its timeouts mean. Pure."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from srvctl.migrate.variables import is_usable, means_yes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.migrate.result import Given, Migration

_SYNC: Final = {"sync", "gunicorn.workers.sync.SyncWorker"}
_THREADED: Final = {"gthread", "gunicorn.workers.gthread.ThreadWorker"}
_ASGI: Final = {"asgi", "gunicorn.workers.gasgi.ASGIWorker"}
_GREEN: Final = re.compile(r"gevent|eventlet|tornado|meinheld", re.IGNORECASE)


class Kind(Enum):
    """Who calls the application in gunicorn."""

    SYNC = "the sync worker"
    THREADED = "the gthread worker"
    UVICORN = "uvicorn"
    ASGI = "gunicorn's asgi worker"
    OTHER = "a worker of another kind"

    @property
    def is_wsgi(self) -> bool:
        """Whether the application is a WSGI application, as far as is known."""
        return self in {Kind.SYNC, Kind.THREADED}


def is_true(given: Given | None) -> bool:
    """Return whether a switch is on."""
    return given is not None and means_yes(given.value)


def kind_of(values: Mapping[str, Given]) -> Kind:
    """Return the kind of worker that the settings make."""
    given = values.get("worker_class")
    name = str(given.value) if given is not None and given.is_known else "sync"
    if name in _SYNC:
        threads = values.get("threads")
        return Kind.SYNC if threads is None or str(threads.value) in {"0", "1"} else Kind.THREADED
    if name in _THREADED:
        return Kind.THREADED
    if name in _ASGI:
        return Kind.ASGI
    return Kind.UVICORN if "uvicorn" in name.lower() else Kind.OTHER


def translate(values: Mapping[str, Given], kind: Kind, migration: Migration) -> None:
    """Translate the settings whose meaning depends on the kind of worker."""
    _translate_class(values.get("worker_class"), kind, migration)
    if "app.interface" in migration.taken:
        migration.ask(
            "app.interface", "for WSGI applications srvctl needs a2wsgi: pip install 'srvctl[wsgi]'"
        )
    _translate_threads(values.get("threads"), kind, migration)
    _translate_timeout(values.get("timeout"), kind, migration)
    _translate_keepalive(values.get("keepalive"), kind, migration)
    if given := values.get("worker_connections"):
        migration.lacks(
            given.origin,
            "srvctl counts requests, not connections: limits.concurrency is how many a worker has at once",
        )


def _translate_class(given: Given | None, kind: Kind, migration: Migration) -> None:
    if given is None:
        migration.take("app.interface", "wsgi", "gunicorn's default worker, which calls WSGI applications")
        return
    if not is_usable(given, "app.interface", migration):
        return
    name = str(given.value)
    if kind.is_wsgi:
        migration.take("app.interface", "wsgi", f"{given.origin} {name}")
    elif kind is Kind.UVICORN:
        _translate_uvicorn_class(name, given, migration)
    elif kind is Kind.OTHER:
        _translate_other_class(name, given, migration)


def _translate_uvicorn_class(name: str, given: Given, migration: Migration) -> None:
    if name.endswith("H11Worker"):
        migration.take("http.codec", "h11", f"{given.origin} {name}")
        migration.take("workers.loop", "asyncio", f"{given.origin} {name}")
    elif not name.startswith(("uvicorn.workers.", "uvicorn_worker.")):
        migration.ask(
            f"{given.origin} {name}",
            "a class of your own: what its CONFIG_KWARGS say has to be written into the file by hand",
        )


def _translate_other_class(name: str, given: Given, migration: Migration) -> None:
    shown = f"{given.origin} {name}"
    if _GREEN.search(name):
        migration.take("app.interface", "wsgi", shown)
        migration.lacks(
            shown,
            "srvctl patches nothing: a WSGI application is called by threads; raise "
            "app.wsgi_threads to the requests a worker shall answer at once, if they may run in threads",
        )
    else:
        migration.ask(
            shown, "this kind of worker is not known; say with app.interface what the application is"
        )


def _translate_threads(given: Given | None, kind: Kind, migration: Migration) -> None:
    if given is not None and not is_usable(given, "app.wsgi_threads", migration):
        return
    if kind.is_wsgi:
        value, origin = (
            ("1", "one thread, as gunicorn has it") if given is None else (given.value, given.origin)
        )
        migration.take("app.wsgi_threads", value, origin)
    elif given is not None:
        migration.lacks(given.origin, "an ASGI application is called by the event loop, not by threads")
    if kind is Kind.SYNC:
        migration.differs(
            "one request at a time",
            "a worker takes a connection when it has answered the last; others wait in the kernel's queue",
            "one thread calls the application (app.wsgi_threads), and other requests wait in the worker",
            "most WSGI applications are safe with threads: raise it, and fewer workers do for the same load",
        )


def _translate_timeout(given: Given | None, kind: Kind, migration: Migration) -> None:
    if kind.is_wsgi:
        # Not taken: a time made for the longest request would let a hanging loop hang as long.
        migration.differs(
            given.origin if given else "timeout (30 by default)",
            "with the sync worker, the longest a request may take; with gthread, how long a worker may hang",
            "no limit for a request; health.hang_timeout is how long a worker's event loop may be blocked",
            "the application runs in threads, which cannot be ended; give what it calls timeouts",
        )
        return
    before = "a worker whose event loop says nothing for so long is killed"
    now = "the same for the event loop (health.hang_timeout), less the time in which it got no CPU"
    if given is not None and is_usable(given, "health.hang_timeout", migration):
        migration.take("health.hang_timeout", given.value, given.origin)
        migration.differs(
            given.origin,
            before,
            now,
            "it limits no request; and the start has a limit of its own, timeouts.boot",
        )


def _translate_keepalive(given: Given | None, kind: Kind, migration: Migration) -> None:
    if kind is Kind.SYNC:
        migration.differs(
            given.origin if given else "keep-alive",
            "the sync worker closes each connection behind its response",
            "connections are kept for 5s (timeouts.keep_alive)",
            "waiting connections cost no worker here",
        )
    elif given is None:
        migration.differs(
            "no keepalive",
            "idle connections are closed after 2s",
            "after 5s (timeouts.keep_alive)",
            "a proxy that keeps connections wants the server to keep them longer than it does itself",
        )
    elif is_usable(given, "timeouts.keep_alive", migration):
        migration.take("timeouts.keep_alive", given.value, given.origin)
