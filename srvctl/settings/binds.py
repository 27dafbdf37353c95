"""The grammar of listening addresses: what ``--bind`` may say, as values.

Owns the text forms and their meaning. Pure: it opens nothing, resolves no name and looks up no user;
`supervisor.sockets` does that with the values made here. Every value that can be built can be written:
``parse_bind(str(bind)) == bind``.

Nothing is percent-decoded. A Unix socket's path ends at the first ``?``, so it cannot contain one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from srvctl.settings.groups import ServerSettings, Settings

_FORMS: Final = "HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH, fd://N or systemd:NAME"
_LABEL: Final = r"[A-Za-z0-9_-]{1,63}"
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?")
_ACCOUNT: Final = re.compile(r"[^\s&=?:/]+")
_OCTAL: Final = re.compile(r"[0-7]{1,6}")
#: systemd.socket(5), FileDescriptorName=: printable ASCII without a colon, at most 255 characters.
_FD_NAME: Final = re.compile(r"[ -9;-~]{1,255}")
_LONGEST_HOST: Final = 253
_LONGEST_PATH: Final = 107  # sun_path of unix(7) is 108 bytes, the last of them NUL
_LAST_PORT: Final = 65535
_LAST_FD: Final = 2**31 - 1
_LARGEST_MODE: Final = 0o777
_WORDS: Final = ("unix", "fd", "systemd")


@dataclass(frozen=True, slots=True)
class TcpBind:
    """A TCP address.

    Attributes:
        host: A host name or an address without brackets; empty means every address of the machine, IPv4
            and IPv6. ``::`` means the same, but insists on IPv6.
        port: 0 lets the kernel choose a free one.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        if self.host in _WORDS:
            raise ValueError(
                f"the host name {self.host!r} begins another form of address; use the IP address"
            )
        if self.host and not (_is_name(self.host) or _is_ipv6(self.host)):
            raise ValueError(f"{self.host!r} is not a host name or an IP address")
        if not 0 <= self.port <= _LAST_PORT:
            raise ValueError(f"the port {self.port} is not a number from 0 to {_LAST_PORT}")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixBind:
    """A Unix socket that srvctl creates as a file.

    Attributes:
        path: Where; a relative path starts at the directory srvctl is started in.
        mode: The file's permissions; None leaves them to the process's umask.
        user: Owner, by name or number; None keeps the user srvctl runs as.
        group: Group, by name or number; None keeps the group the file is created with.
    """

    path: str
    mode: int | None = None
    user: str | None = None
    group: str | None = None

    def __post_init__(self) -> None:
        _check_path(self.path)
        if self.mode is not None and not 0 <= self.mode <= _LARGEST_MODE:
            raise ValueError(f"the mode {self.mode:o} is not an octal number from 0 to 777")
        for key, name in (("user", self.user), ("group", self.group)):
            if name is not None and not (_ACCOUNT.fullmatch(name) and name.isprintable()):
                raise ValueError(f"{name!r} is not the name or number of a {key}")

    def __str__(self) -> str:
        options = {
            "mode": None if self.mode is None else f"{self.mode:03o}",
            "user": self.user,
            "group": self.group,
        }
        query = "&".join(f"{key}={value}" for key, value in options.items() if value is not None)
        return f"unix:{self.path}?{query}" if query else f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class FdBind:
    """A socket that the process which started srvctl left open under this number."""

    fd: int

    def __post_init__(self) -> None:
        if not 0 <= self.fd <= _LAST_FD:
            raise ValueError(f"the file descriptor {self.fd} is not a number from 0 to {_LAST_FD}")

    def __str__(self) -> str:
        return f"fd://{self.fd}"


@dataclass(frozen=True, slots=True)
class SystemdBind:
    """The sockets that systemd passes under this ``FileDescriptorName=``."""

    name: str

    def __post_init__(self) -> None:
        if not _FD_NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is not a name systemd can pass; write the FileDescriptorName= of the .socket "
                "unit: printable ASCII without a colon, for example systemd:web"
            )

    def __str__(self) -> str:
        return f"systemd:{self.name}"


Bind = TcpBind | UnixBind | FdBind | SystemdBind


def parse_bind(text: str) -> Bind:
    """Return the address that ``text`` names.

    Args:
        text: ``HOST:PORT``, ``[::1]:PORT``, ``:PORT``, ``unix:PATH?mode=660&user=U&group=G``, ``fd://N``
            or ``systemd:NAME``.

    Raises:
        ValueError: The text is none of these; the message says what would be right.
    """
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not an address to listen on: {error}") from None


def binds_of(server: ServerSettings) -> tuple[Bind, ...]:
    """Return the addresses to listen on: the bind list, else uds, else fd, else host and port.

    Raises:
        ValueError: One of them is not an address; the message says what would be right.
    """
    if server.bind:
        return tuple(parse_bind(text) for text in server.bind)
    if server.uds is not None:
        return (UnixBind(server.uds, mode=0o666),)  # as uvicorn opens it
    if server.fd is not None:
        return (FdBind(server.fd),)
    return (TcpBind(server.host, server.port),)


def all_binds(settings: Settings) -> tuple[Bind, ...]:
    """Return all addresses that an instance listens on: the server's, the console's and the programs'.

    Raises:
        ValueError: As `binds_of`.
    """
    others = [settings.console.bind] if settings.console.bind is not None else []
    others += [text for program in settings.program for text in program.bind]
    return (*binds_of(settings.server), *map(parse_bind, others))


def _parse(text: str) -> Bind:
    word, colon, rest = text.partition(":")
    if not colon:
        raise ValueError(_without_colon(text))
    match word:
        case "unix":
            return _parse_unix(rest)
        case "systemd":
            return SystemdBind(rest)
        case "fd":
            return FdBind(_fd(rest))
    if rest.startswith("//"):
        raise ValueError(f"the scheme {word!r} is unknown; write {_FORMS}")
    return _parse_ipv6(text) if text.startswith("[") else _parse_tcp(text)


def _without_colon(text: str) -> str:
    """Say what is missing from a text that cannot be any form."""
    if not text:
        return f"it is empty; write {_FORMS}"
    if text in _WORDS:
        return f"it says only how it begins; write {_FORMS}"
    if "/" in text:
        return f"a path needs a prefix; write unix:{text}"
    if text.isdecimal():
        return (
            f"the host is missing; write :{text} for all addresses, or 127.0.0.1:{text} for this machine only"
        )
    return f"the port is missing; write {text}:8000, for example"


def _parse_tcp(text: str) -> TcpBind:
    host, _, port = text.rpartition(":")
    if ":" in host:
        raise ValueError("an IPv6 address stands in brackets; write [ADDRESS]:PORT, for example [::1]:8000")
    if host == "*":
        raise ValueError(f"all addresses are written without a host; write :{port}")
    if "/" in host:
        raise ValueError(f"a path needs a prefix; write unix:{text}")
    return TcpBind(host, _port(port))


def _parse_ipv6(text: str) -> TcpBind:
    host, closing, port = text[1:].partition("]")
    if not (closing and _is_ipv6(host)):
        raise ValueError(
            "what stands in brackets is an IPv6 address; write [ADDRESS]:PORT, for example [::1]:8000"
        )
    if port in {"", ":"}:
        raise ValueError(f"the port is missing; write [{host}]:8000, for example")
    if not port.startswith(":"):
        raise ValueError(f"a colon stands between the address and the port; write [{host}]:{port}")
    return TcpBind(host, _port(port[1:]))


def _parse_unix(rest: str) -> UnixBind:
    path, mark, query = rest.partition("?")
    options: dict[str, str] = {}
    for item in query.split("&") if mark else ():
        key, _, value = item.partition("=")
        if key not in {"mode", "user", "group"}:
            raise ValueError(f"the option {key!r} is unknown; write mode=660, user=NAME or group=NAME")
        if key in options:
            raise ValueError(f"the option {key!r} is given twice")
        options[key] = value
    return UnixBind(path, _mode(options.get("mode")), options.get("user"), options.get("group"))


def _mode(text: str | None) -> int | None:
    if text is None:
        return None
    if not _OCTAL.fullmatch(text):
        raise ValueError(
            f"the mode {text!r} is not an octal number from 0 to 777; write mode=660, for example"
        )
    return int(text, 8)


def _port(text: str) -> int:
    if not text:
        raise ValueError("the port is missing; write HOST:PORT, for example localhost:8000")
    if not _is_number(text):
        raise ValueError(f"the port {text!r} is not a number from 0 to {_LAST_PORT}")
    return int(text)


def _fd(rest: str) -> int:
    number = rest.removeprefix("//")
    if number == rest or not _is_number(number):
        raise ValueError("a file descriptor is written as a number after fd://, for example fd://3")
    return int(number)


def _is_number(text: str) -> bool:
    """Return whether the text is a decimal number, and short: int() refuses thousands of digits."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(_LAST_FD))


def _is_name(host: str) -> bool:
    return len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) is not None


def _is_ipv6(host: str) -> bool:
    if not _IPV6.fullmatch(host):
        return False
    try:
        IPv6Address(host)
    except AddressValueError:
        return False
    return True


def _check_path(path: str) -> None:
    if not path:
        raise ValueError("the path is empty; write unix:/run/app.sock, for example")
    if not path.isprintable():  # NUL and newlines among them: messages and logs show paths on one line
        raise ValueError(f"the path {path!r} has a character that cannot be printed; rename it")
    if "?" in path:
        raise ValueError(f"the path {path!r} has a question mark, which begins the options; rename it")
    if path.startswith("@"):
        raise ValueError(f"abstract sockets are not supported; write unix:./{path} for a file of that name")
    if path.startswith("//"):
        raise ValueError(f"the path begins with two slashes; write unix:/{path.lstrip('/')}")
    size = len(path.encode())
    if size > _LONGEST_PATH:
        raise ValueError(
            f"the path {path!r} has {size} bytes; the path of a Unix socket has at most {_LONGEST_PATH}"
        )
