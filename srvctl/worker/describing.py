"""What an open descriptor is, in words, if processes that share it would disturb each other (Linux).

Reads /proc/self/fd and asks the sockets. `fork_safety` calls it and judges.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

PIPE: Final = "an end of a pipe"
SOCKET_PAIR: Final = "an end of a socket pair"
EPOLL: Final = "an epoll descriptor"
_ANONYMOUS: Final = {
    "[eventpoll]": EPOLL,
    "[eventfd]": "an eventfd",
    "[io_uring]": "an io_uring",
    "[timerfd]": "a timerfd",
    "[signalfd]": "a signalfd",
    "inotify": "an inotify descriptor",
    "[fanotify]": "a fanotify descriptor",
    "[pidfd]": "a pidfd",
}
#: What event loops are made of.
PLUMBING: Final = frozenset({PIPE, SOCKET_PAIR, EPOLL, "an eventfd", "an io_uring"})

_SQLITE_MAGIC: Final = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html, 1.3


@dataclass(frozen=True, slots=True)
class Opened:
    """A descriptor that must not be shared.

    Attributes:
        what: In words.
        identity: Tells it from another that had the same number before.
    """

    what: str
    identity: str


def opened_descriptors() -> dict[int, Opened]:
    """Return the descriptors of this process whose sharing matters, by number.

    Raises:
        OSError: /proc is not mounted.
    """
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        fd = int(entry.name)
        try:
            identity = str(entry.readlink())
            what = _describe(fd, identity)
        except OSError:  # closed meanwhile, as the one that this very loop reads from
            continue
        if what:
            found[fd] = Opened(what, identity)
    return found


def _describe(fd: int, link: str) -> str:
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        return _describe_socket(fd)
    if stat.S_ISFIFO(mode):
        return PIPE if link.startswith("pipe:") else f"the pipe {printable(link)}"
    if link.startswith("anon_inode:"):
        name = link.removeprefix("anon_inode:")
        return _ANONYMOUS.get(name, f"a descriptor of the kernel, {name}")
    if stat.S_ISREG(mode) and _is_sqlite(fd):
        return f"the SQLite database {printable(link)}"
    return ""


def _describe_socket(fd: int) -> str:
    with socket.socket(fileno=os.dup(fd)) as opened:
        peer, own = _name(opened.getpeername), _name(opened.getsockname)
        if _is_listening(opened):
            return f"a socket that listens on {own}"
        if peer is not None:
            return f"a connection to {peer}" if peer else SOCKET_PAIR
        return f"a socket bound to {own}" if own and not own.endswith(":0") else "a socket"


def _is_listening(opened: socket.socket) -> bool:
    try:
        return bool(opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:  # not every family has it
        return False


def _name(ask: Callable[[], Any]) -> str | None:
    """Return an address in words; empty without a name, None where there is no such end."""
    try:
        address = ask()
    except OSError:
        return None
    match address:
        case (str(host), int(port), *_):
            return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        case str() | bytes():
            name = os.fsdecode(address)
            return printable(name if not name.startswith("\0") else f"@{name[1:]}")
        case _:
            return str(address)


def _is_sqlite(fd: int) -> bool:
    """Tell a database by its first bytes.

    SQLite's locks belong to a process, so a connection that went through a fork damages the file
    (https://www.sqlite.org/howtocorrupt.html, 2.6).
    """
    try:
        return os.pread(fd, len(_SQLITE_MAGIC), 0) == _SQLITE_MAGIC
    except OSError:  # opened for writing only, as logs are
        return False
