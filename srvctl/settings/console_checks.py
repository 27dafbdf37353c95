"""What a type cannot say about the settings of the console and of where figures are sent. Pure.

Called by `srvctl.settings.checks`, and by who needs what is in such a value.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from srvctl.settings.binds import FdBind, TcpBind, parse_bind

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]+")


def check_console_bind(text: str) -> None:
    """Check the address of the console.

    Raises:
        ValueError: It is none, or one of a kind that is handed to the application's workers.
    """
    try:
        bind = parse_bind(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"{text!r} ")) from None
    if isinstance(bind, FdBind):
        raise ValueError("is not for the console; write HOST:PORT, :PORT, unix:PATH or systemd:NAME")  # noqa: TRY004 - a text


def check_console_host(name: str) -> None:
    """Check a name that browsers may call the console by.

    Raises:
        ValueError: It is none, for instance because it has a port.
    """
    if name != "*" and not _NAME.fullmatch(name):
        raise ValueError("is not a host name; write it without scheme and port, or * for any")


def parse_statsd(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, or of ``[IPV6]:PORT``.

    Raises:
        ValueError: It is neither.
    """
    try:
        bind = parse_bind(text)
    except ValueError:
        bind = None
    if not isinstance(bind, TcpBind) or not bind.host or not bind.port:
        raise ValueError("is not the address of a server; write HOST:PORT, for example 127.0.0.1:8125")
    return bind.host, bind.port


def check_otlp(text: str) -> None:
    """Check the URL of an OpenTelemetry collector.

    Raises:
        ValueError: It is none.
    """
    try:
        url = urlsplit(text)
        is_usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError("is not the URL of a collector; write for example http://localhost:4318")


def check_prefix(text: str) -> None:
    """Check what the names of figures begin with at a StatsD server.

    Raises:
        ValueError: StatsD would take a part of it for something else.
    """
    if text and not _PREFIX.fullmatch(text):
        raise ValueError("is not the beginning of a name; write letters, digits, dots, - and _ only")
