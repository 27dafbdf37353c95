"""What each of gunicorn's settings means here that does not depend on the kind of worker. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.migrate.gunicorn_address import bind_of, target_of
from srvctl.migrate.gunicorn_differences import DIFFERENT, SAME
from srvctl.migrate.gunicorn_logs import translate as translate_logs
from srvctl.migrate.gunicorn_workers import Kind, is_true
from srvctl.migrate.variables import is_usable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.migrate.result import Given, Migration

    _Values = Mapping[str, Given]

#: What a worker of uvicorn's never looked at.
_NOT_FOR_UVICORN: Final = frozenset(
    {"limit_request_line", "limit_request_fields", "limit_request_field_size", "root_path", "proxy_protocol"}
    | {"asgi_loop", "asgi_lifespan", "websocket_max_message_size"}
)


def translate(values: _Values, kind: Kind, migration: Migration) -> None:
    """Translate all settings but those of `gunicorn_workers` and those without counterpart."""
    for name, given in values.items():
        if kind is Kind.UVICORN and name in _NOT_FOR_UVICORN:
            migration.ask(given.origin, "a worker of uvicorn's does not look at it, so it was left out")
        elif name in SAME:
            _take_same(given, migration)
        elif name in SPECIAL:
            SPECIAL[name](given, values, migration)
    if "wsgi_app" not in values:
        migration.ask("APP", 'no application is named; write target = "module:attribute" under [app]')
    if "reload.enabled" in migration.taken and "workers.count" in migration.taken:
        migration.taken.pop("workers.count")
        migration.ask("workers", "with --reload one worker serves; the number was left out")
    if "bind" not in values:
        migration.differs(
            "no bind",
            "127.0.0.1:8000, or 0.0.0.0:$PORT where PORT is set",
            "127.0.0.1:8000",
            "srvctl does not read PORT; write SRVCTL_SERVER__BIND=0.0.0.0:$PORT",
        )
    translate_logs(values, kind, migration)


def _take_same(given: Given, migration: Migration) -> None:
    key = SAME[given.name]
    if given.value is None or given.value in (False, "", []) or not is_usable(given, key, migration):
        return
    value = str(given.value) if given.name in {"user", "group"} else given.value
    if given.name == "limit_request_line" and str(value) == "0":
        migration.differs(given.origin, *DIFFERENT[given.name])
        return
    migration.take(key, value, given.origin)
    if note := DIFFERENT.get(given.name):
        migration.differs(given.origin, *note)


def _take_app(given: Given, _values: _Values, migration: Migration) -> None:
    if not is_usable(given, "app.target", migration):
        return
    target, is_factory = target_of(str(given.value))
    if target is None:
        migration.ask(
            f"{given.origin} {given.value}",
            "srvctl calls a factory without arguments; write a function without any that calls this one",
        )
        return
    migration.take("app.target", target, given.origin)
    if is_factory:
        migration.take("app.factory", True, given.origin)


def _take_bind(given: Given, values: _Values, migration: Migration) -> None:
    if not is_usable(given, "server.bind", migration):
        return
    listed = given.value if isinstance(given.value, (list, tuple)) else [given.value]
    texts = [part.strip() for item in listed for part in str(item).split(",") if part.strip()]
    accounts = {name: str(values[name].value) for name in ("user", "group", "umask") if name in values}
    migration.take("server.bind", [bind_of(text, accounts) for text in texts], given.origin)
    if any(text.startswith("unix:") for text in texts):
        migration.differs(
            given.origin,
            "the socket is open to all but for umask, which is 0 by default",
            "its mode is written out (server.bind)",
            "mode=660 and a group that the proxy is in would do, and keep others out",
        )


def _take_preload(given: Given, _values: _Values, migration: Migration) -> None:
    if is_true(given):
        migration.take("workers.preload", "on", given.origin)
    migration.differs(
        given.origin,
        "the application is imported in the master, if at all; new code needs a restart",
        "in a process that workers are forked from (workers.preload); auto does so where it is safe",
        "a reload brings new code also with preload",
    )


def _take_umask(given: Given, _values: _Values, migration: Migration) -> None:
    migration.differs(
        given.origin,
        "the mode of Unix sockets, and of gunicorn's own files",
        "mode= of the socket's address (server.bind); workers.umask is that of files the application makes",
        "gunicorn never gave it to the application",
    )


def _take_field_size(given: Given, _values: _Values, migration: Migration) -> None:
    migration.differs(
        given.origin,
        "the longest header field",
        "all fields and the request line together (limits.request_head_size, 64KiB)",
        "left at its default: many fields may come",
    )


def _take_trusted(given: Given, _values: _Values, migration: Migration) -> None:
    if not is_usable(given, "proxy.forwarded_allow_ips", migration):
        return
    items = [item for part in str(given.value).split(",") if (item := part.strip())]
    before = migration.taken.get("proxy.forwarded_allow_ips")
    known = before.value if before is not None and isinstance(before.value, list) else []
    origin = given.origin if before is None else f"{before.origin}, {given.origin}"
    value = [*known, *(item for item in items if item not in known)]
    migration.take("proxy.forwarded_allow_ips", value, origin)
    migration.differs(
        given.origin,
        "peers whose scheme headers are believed, or whose PROXY header is",
        "one list for all of it, and the client's address is taken from X-Forwarded-For too",
        "the application sees the client as REMOTE_ADDR; a middleware for that is no longer needed",
    )


def _take_proxy_protocol(given: Given, _values: _Values, migration: Migration) -> None:
    if str(given.value).lower() in {"off", "false", "none"} or not is_usable(
        given, "proxy.protocol", migration
    ):
        return
    migration.take("proxy.protocol", "on", given.origin)
    migration.differs(
        given.origin,
        "a connection may begin with a PROXY header",
        "each connection of a trusted proxy has to, in version 1 or 2 (proxy.protocol)",
        "one that does not is refused: a client could else send a header of its own",
    )


def _take_raw_env(given: Given, _values: _Values, migration: Migration) -> None:
    listed = given.value if isinstance(given.value, (list, tuple)) else [given.value]
    names = ", ".join(str(item).partition("=")[0] for item in listed)
    migration.ask(
        given.origin,
        f"sets {names} for the application: set it where srvctl is started, or with app.env_file",
    )


def _take_pythonpath(given: Given, values: _Values, migration: Migration) -> None:
    if "chdir" in values or "," in str(given.value) or not given.is_known:
        migration.ask(
            given.origin, f"set PYTHONPATH={str(given.value).replace(',', ':')} where srvctl is started"
        )
    else:
        migration.take("app.dir", given.value, given.origin)


def _take_protocols(given: Given, _values: _Values, migration: Migration) -> None:
    wanted = {name.strip() for name in str(given.value).lower().split(",")}
    if "h2" in wanted:
        migration.take("http.http2", True, given.origin)
    if wanted - {"http", "h1", "h2", "http/1.1", ""}:
        migration.lacks(
            f"{given.origin} {given.value}",
            "srvctl speaks HTTP/1.1 and HTTP/2; let the proxy before it speak another one",
        )


def _take_no_control(given: Given, _values: _Values, migration: Migration) -> None:
    if is_true(given):
        migration.take("control.socket", "none", given.origin)


def _leave(given: Given, _values: _Values, migration: Migration) -> None:
    """Say nothing: srvctl does so by itself (initgroups), or it has been read (config)."""


SPECIAL: Final[Mapping[str, Callable[[Given, _Values, Migration], None]]] = {
    "wsgi_app": _take_app,
    "bind": _take_bind,
    "preload_app": _take_preload,
    "umask": _take_umask,
    "limit_request_field_size": _take_field_size,
    "forwarded_allow_ips": _take_trusted,
    "proxy_allow_ips": _take_trusted,
    "proxy_protocol": _take_proxy_protocol,
    "raw_env": _take_raw_env,
    "pythonpath": _take_pythonpath,
    "protocol": _take_protocols,
    "http_protocols": _take_protocols,
    "control_socket_disable": _take_no_control,
    "initgroups": _leave,
    "config": _leave,
}
