"""What a type cannot say about a value: the form of a target, of a header, of an address, of a limit."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from srvctl.logs.access.formats import check_format
from srvctl.settings.binds import TcpBind, UnixBind, parse_bind
from srvctl.settings.console_checks import (
    check_console_bind,
    check_console_host,
    check_otlp,
    check_prefix,
    parse_statsd,
)
from srvctl.settings.console_token import check_token
from srvctl.settings.cpu_placement import parse_affinity
from srvctl.settings.process_values import parse_id, parse_rlimit, parse_umask
from srvctl.settings.trusted import check_fields, check_peers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DOTTED: Final = r"[^\s./:]+(?:\.[^\s./:]+)*"
_TARGET: Final = re.compile(rf"{_DOTTED}:{_DOTTED}")
#: field-name of RFC 9110, then anything that cannot end the line (RFC 9110 5.5).
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*")
#: Event loops that have a name; ``none`` is uvicorn's word for asyncio's own.
LOOPS: Final = ("auto", "uvloop", "asyncio", "none")
_BROADCAST_SCHEMES: Final = ("redis", "rediss", "unix")
#: The path of a URL of Redis: nothing, or the number of a database.
_DATABASE: Final = re.compile(r"(?:/[0-9]{0,9})?")


def check_target(target: str) -> None:
    """Check the form ``module:attribute``; importing it is the worker's business.

    Raises:
        ValueError: The form is another one, for instance a path.
    """
    if not _TARGET.fullmatch(target):
        raise ValueError(f"is not of the form module:attribute; write for example {likely_target(target)}")


def check_hook(target: str) -> None:
    """Check the form ``module:attribute`` of a hook.

    Raises:
        ValueError: The form is another one.
    """
    if not _TARGET.fullmatch(target):
        raise ValueError("is not of the form module:attribute; write for example hooks:warm_up")


def check_loop(text: str) -> None:
    """Check the name of an event loop.

    Raises:
        ValueError: It is none that srvctl knows, and not of the form ``module:factory``.
    """
    if text == "zuvloop":  # a word of uvicorn's for the package of that name
        raise ValueError("is no event loop; write zuvloop:new_event_loop")
    if text not in LOOPS and not _TARGET.fullmatch(text):
        raise ValueError(f"is no event loop; write one of {', '.join(LOOPS)}, or module:factory")


def check_header(header: str) -> None:
    """Check the form ``NAME:VALUE``.

    Raises:
        ValueError: The name is no header name, or the value would end the line.
    """
    if not _HEADER.fullmatch(header):
        raise ValueError("is not a header; write NAME:VALUE")


def check_bind(text: str) -> None:
    """Check an address of the bind list.

    Raises:
        ValueError: It has none of the forms, or a part of it is wrong.
    """
    try:
        parse_bind(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{text!r} ")) from None


def check_host(host: str) -> None:
    """Check a host name or address.

    Raises:
        ValueError: It is neither.
    """
    try:
        TcpBind(host, 0)
    except ValueError as error:
        raise ValueError(f"cannot be listened on: {error}") from None


def check_uds(path: str) -> None:
    """Check the path of a Unix socket.

    Raises:
        ValueError: No socket can have it.
    """
    try:
        UnixBind(path)
    except ValueError as error:
        raise ValueError(f"cannot be listened on: {error}") from None


def check_access_format(text: str) -> None:
    """Check the name of a format of the access log, or its text.

    Raises:
        ValueError: It is neither.
    """
    try:
        check_format(text)
    except ValueError as error:
        raise ValueError(f"cannot be used: {str(error).rstrip('.')}; write for example combined") from None


def check_broadcast_url(text: str) -> None:
    """Check the address of the server that carries messages between workers; empty for none.

    Raises:
        ValueError: It has none of the forms.
    """
    problem = _broadcast_problem(text) if text else ""
    if problem:
        raise ValueError(f"{problem}; write for example redis://localhost:6379/0")


def _broadcast_problem(text: str) -> str:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        return f"is no URL: {error}"
    if url.scheme not in _BROADCAST_SCHEMES:
        return "is none of redis://HOST:PORT/DB, rediss://HOST:PORT/DB, unix://PATH"
    if url.scheme == "unix":
        is_path = url.path.startswith("/") and not url.netloc.rpartition("@")[2]
        return "" if is_path else "names no socket, such as unix:///run/redis/redis.sock"
    if not url.hostname or port == 0:
        return "names no host or port"
    return "" if _DATABASE.fullmatch(url.path) else "names no database by its number"


def _parses(parse: Callable[[str], object]) -> Callable[[str], None]:
    """Return the check that a value can be parsed."""

    def check(text: str) -> None:
        parse(text)

    return check


#: For each key that needs one: the check of the value, or of each item of a list.
CHECKS: Final[Mapping[str, Callable[[str], None]]] = MappingProxyType(
    {
        "app.target": check_target,
        "broadcast.url": check_broadcast_url,
        "console.bind": check_console_bind,
        "console.hosts": check_console_host,
        "console.token": check_token,
        "hooks.on_boot": check_hook,
        "hooks.pre_fork": check_hook,
        "hooks.post_fork": check_hook,
        "hooks.on_ready": check_hook,
        "hooks.on_drain": check_hook,
        "hooks.on_exit": check_hook,
        "http.headers": check_header,
        "proxy.forwarded_allow_ips": check_peers,
        "proxy.fields": check_fields,
        "log.access_format": check_access_format,
        "metrics.otlp": check_otlp,
        "metrics.prefix": check_prefix,
        "metrics.statsd": _parses(parse_statsd),
        "server.bind": check_bind,
        "server.host": check_host,
        "server.uds": check_uds,
        "workers.cpu_affinity": _parses(parse_affinity),
        "workers.loop": check_loop,
        "workers.group": _parses(parse_id),
        "workers.rlimits": _parses(parse_rlimit),
        "workers.supplementary_groups": _parses(parse_id),
        "workers.umask": _parses(parse_umask),
        "workers.user": _parses(parse_id),
    }
)


def likely_target(target: str) -> str:
    """Return the target that a path or a bare module probably means."""
    path, _, attribute = target.partition(":")
    module = path.strip().removeprefix("./").removesuffix(".py").strip("/.").replace("/", ".")
    likely = f"{module or 'main'}:{attribute.strip() or 'app'}"
    return likely if _TARGET.fullmatch(likely) else "main:app"
