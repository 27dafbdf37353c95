"""What ``log.file`` can say, and the opening of it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from srvctl.errors import ConfigError
from srvctl.supervisor.output import shapes
from srvctl.supervisor.output.entry import STDERR, STDOUT
from srvctl.supervisor.output.log_file import LogFile
from srvctl.supervisor.output.sinks import DatagramSink, StreamSink, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from srvctl.settings.groups import LogSettings
    from srvctl.supervisor.output.entry import Entry
    from srvctl.supervisor.output.sinks import LogSink

_SYSLOG: Final = "/dev/log"
_JOURNAL: Final = "/run/systemd/journal/socket"
_LAST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Way:
    """Where the lines of a stream go, and in which form.

    Attributes:
        sink: Where.
        encode: Makes of a line what the sink is given.
    """

    sink: LogSink
    encode: Callable[[Entry], bytes]


def is_elsewhere(log: LogSettings) -> bool:
    """Whether the log goes to anything but stdout and stderr."""
    return log.file != "-"


def opened(log: LogSettings, streams: Mapping[str, TextIO | None]) -> dict[str, Way]:
    """Open what ``log.file`` says; return the ways of stdout and stderr, which may be one.

    Args:
        log: What the settings say.
        streams: The process's own.

    Raises:
        ConfigError: It cannot be opened.
    """
    if not is_elsewhere(log):
        return {name: Way(StreamSink(streams[name]), shapes.as_line) for name in (STDOUT, STDERR)}
    try:
        way = _way(log)
    except OSError as error:
        raise ConfigError(f"log.file: {log.file} cannot be opened: {reason(error)}.") from None
    return {STDOUT: way, STDERR: way}


def _way(log: LogSettings) -> Way:
    """Open it.

    Raises:
        ConfigError: It makes no sense.
        OSError: It cannot be opened.
    """
    kind, _, where = log.file.partition(":")
    match kind, where:
        case ("journald", _):
            return _local(where or _JOURNAL, shapes.as_journal)
        case ("syslog", path) if not path or path.startswith("/"):
            return _local(path or _SYSLOG, shapes.as_local_syslog)
        case ("syslog", _):
            address = _address(where)
            host = socket.gethostname()
            return Way(
                DatagramSink(address, f"syslog at {where}"), partial(shapes.as_remote_syslog, host=host)
            )
    return Way(LogFile(log.file, log.max_size, log.max_age, log.backups), shapes.as_line)


def _local(path: str, encode: Callable[[Entry], bytes]) -> Way:
    """Return the way to a socket.

    Raises:
        OSError: There is none.
    """
    os.stat(path)  # noqa: PTH116 - only whether it is there: its owner may be started anew at any time
    return Way(DatagramSink(path, path), encode)


def _address(where: str) -> tuple[str, int]:
    """Return the address that a host, as a name or a number, and a port are.

    Raises:
        ConfigError: It is none, or the name is not known.
    """
    host, _, port = where.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) <= _LAST_PORT):
        raise ConfigError(
            f"log.file: syslog:{where} is neither syslog:HOST:PORT nor syslog:PATH, such as "
            "syslog:192.0.2.1:514 or syslog:/dev/log."
        )
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
    except OSError as error:
        raise ConfigError(f"log.file: the host of syslog:{where} is not known: {error.strerror}.") from None
    return str(found[0][4][0]), int(port)


def resolved(log: LogSettings) -> LogSettings:
    """Return settings in which a host is a number: to look up its name may take long, and no master waits.

    To be called in a child, or before anything is served.

    Raises:
        ConfigError: The name is not known.
    """
    kind, _, where = log.file.partition(":")
    if kind != "syslog" or not where or where.startswith("/"):
        return log
    host, port = _address(where)
    return replace(log, file=f"syslog:[{host}]:{port}" if ":" in host else f"syslog:{host}:{port}")


def check(log: LogSettings) -> None:
    """Try whether it can be opened.

    Raises:
        ConfigError: It cannot.
    """
    if is_elsewhere(log):
        opened(log, {})[STDOUT].sink.close()
