"""Every instance that this user can see: where their sockets are, and how each is, asked all at once.

A master that is stopped or blocked delays nobody: all have the same short time to answer. What the other side
of a socket says is not trusted, least of all in a directory where anybody may make one.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.control import (
    MAX_REPLY,
    Command,
    ControlError,
    Done,
    Lines,
    Request,
    decode_reply,
    encode_request,
)
from srvctl.ipc.peers import peer_of
from srvctl.settings.instance import SOCKET_SUFFIX, SYSTEM_RUNTIME, TEMPORARY, runtime_directories

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_CHUNK: Final = 65536
_ROOT: Final = Path("/")
#: What is wrong with who does not answer, and may yet.
SILENT: Final = "not responding"
_GONE: Final = "left behind by an instance that is gone"
_PROBLEMS: Final[Mapping[int, str]] = {
    errno.ECONNREFUSED: _GONE,
    errno.ENOENT: _GONE,
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EAGAIN: SILENT,  # its queue of clients is full
}


@dataclass(slots=True)
class Found:
    """What came of asking one socket.

    Attributes:
        path: The socket.
        pid: Who listens there; 0 where nobody does or the kernel does not tell.
        status: What it said; None without an answer.
        problem: Why there is none, in a sentence.
    """

    path: Path
    pid: int = 0
    status: Mapping[str, Any] | None = None
    problem: str = ""


@dataclass(slots=True)
class _Call:
    found: Found
    socket: socket.socket
    lines: Lines = field(default_factory=lambda: Lines(MAX_REPLY))


def sockets(environ: Mapping[str, str], uid: int, root: Path = _ROOT) -> list[Path]:
    """Return the control sockets in the places where instances make them; root sees those of everybody.

    Args:
        environ: See `runtime_directories`.
        uid: Who asks.
        root: Where the system's directories are looked for.
    """
    temporary = [root / place.lstrip("/") for place in TEMPORARY]
    places = [*runtime_directories(environ, uid, [str(place) for place in temporary])]
    system = root / SYSTEM_RUNTIME.relative_to("/")
    places += [system, *_below(system, "*")]
    if uid == 0:
        places += _below(root / "run" / "user", "*/srvctl")
        places += [path for place in temporary for path in _below(place, "srvctl-*")]
    found: dict[Path, None] = {}
    for place in places:
        for path in _below(place, f"*{SOCKET_SUFFIX}"):
            with suppress(OSError):  # gone, or not for us to look at
                if path.is_socket():
                    found[path] = None
    return list(found)


def _below(directory: Path, pattern: str) -> list[Path]:
    try:
        return sorted(directory.glob(pattern))
    except OSError:
        return []


def ask_all(paths: Iterable[Path], seconds: float) -> list[Found]:
    """Ask all of them how they are, at the same time, and return what came of it in their order.

    Args:
        paths: The sockets.
        seconds: How long they have to answer.
    """
    until = time.monotonic() + seconds
    everything: list[Found] = []
    with selectors.DefaultSelector() as selector:
        try:
            for path in paths:
                found = Found(path)
                everything.append(found)
                sock = _connected(found)
                if sock is not None:
                    selector.register(sock, selectors.EVENT_READ, _Call(found, sock))
            while selector.get_map() and (left := until - time.monotonic()) > 0:
                for call in _to_read(selector, left):
                    if _has_ended(call):
                        selector.unregister(call.socket)
                        call.socket.close()
        finally:
            for key in list(selector.get_map().values()):
                key.data.found.problem = SILENT
                key.data.socket.close()
    return everything


def _to_read(selector: selectors.BaseSelector, seconds: float) -> Iterator[_Call]:
    for key, _ in selector.select(seconds):
        yield key.data


def _connected(found: Found) -> socket.socket | None:
    """Return a connection on which the question is asked; None, with the problem noted, if there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(str(found.path))
        found.pid = peer_of(sock)[0]
        sock.send(encode_request(Request(Command.STATUS)))  # a new socket has room for it
    except OSError as error:
        sock.close()
        found.problem = _PROBLEMS.get(error.errno or 0) or (error.strerror or str(error)).lower()
        return None
    return sock


def _has_ended(call: _Call) -> bool:
    """Read what is there; return whether that was all."""
    found = call.found
    try:
        data = call.socket.recv(_CHUNK)
        replies = [decode_reply(line) for line in call.lines.feed(data)]
    except BlockingIOError:
        return False
    except (OSError, ControlError):
        found.problem = "it does not speak the control protocol of srvctl"
        return True
    for reply in replies:
        if isinstance(reply, Done):
            if reply.ok:
                found.status = reply.data
            else:
                found.problem = f"it refuses: {reply.message}"
            return True
    if not data:
        found.problem = "it ended before it answered"
    return not data
