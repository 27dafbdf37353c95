"""The listening sockets of an instance: opened by the master before any fork, closed by it at the end.

Owns every socket file and every inherited descriptor. Knows no worker and no event loop; writes nothing
anywhere: what cannot be opened is a `BindError` of one line, what is odd is a sentence in
`Listeners.warnings`. Called by the composition root, and by a reload whose addresses changed.

Two masters that start on the same stale socket file in the same instant can still meet between probe and
bind: POSIX has no call for "bind unless somebody listens".
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import socket
import stat
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import BindError
from srvctl.settings.binds import FdBind, SystemdBind, TcpBind, UnixBind
from srvctl.supervisor.holders import Holder, holder_of_path, holder_of_port, overlaps
from srvctl.systemd import passed_sockets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

    from srvctl.settings.binds import Bind

_Socket = socket.socket  # inside Listener the name `socket` is its field
_Address = tuple[int, tuple[Any, ...]]  # family, and what bind() takes

#: How often another free port is tried when the one that is free at the first address is taken at the next.
_PORT_TRIES: Final = 16
_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})
#: What bind() says when the machine lacks an address, or its whole family.
_NO_SUCH_ADDRESS: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_FIRST_FREE_PORT: Final = 1024
_NO_ID: Final = 2**32 - 1  # (uid_t) -1, which chown() takes for "leave as it is"


@dataclass(frozen=True, slots=True)
class UnixFile:
    """A socket file that is ours as long as the path leads to this inode."""

    path: str
    device: int
    inode: int


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One listening socket, non-blocking and close-on-exec.

    Attributes:
        socket: The socket.
        bind: The address as it was asked for; a host name may have become several listeners.
        url: Where it can be reached, for humans.
        file: The socket file that srvctl made, if it did.
    """

    socket: _Socket
    bind: Bind
    url: str
    file: UnixFile | None = None


class Listeners:
    """Every listening socket of the instance, in the order of its addresses.

    Attributes:
        warnings: Sentences about what is odd but did not keep anything from opening.
    """

    __slots__ = ("_is_closed", "_listeners", "warnings")

    def __init__(self, listeners: Sequence[Listener], warnings: Sequence[str] = ()) -> None:
        self._listeners = tuple(listeners)
        self._is_closed = False
        self.warnings = tuple(warnings)

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._listeners)

    def __len__(self) -> int:
        return len(self._listeners)

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "open"
        return f"Listeners({', '.join(listener.url for listener in self)}; {state})"

    def close(self, *, unlink: bool = True) -> None:
        """Close every socket and remove our socket files; the second call does nothing.

        Args:
            unlink: False in a forked child, whose parent still listens.
        """
        if self._is_closed:  # a path that was given up may by now be another server's
            return
        self._is_closed = True
        for listener in self:
            # Unlinked first: while the socket is open nobody else can be given its inode.
            if unlink and listener.file is not None:
                _remove(listener.file)
            listener.socket.close()


def open_listeners(binds: Sequence[Bind], backlog: int, environ: MutableMapping[str, str]) -> Listeners:
    """Open every address, or none: on failure nothing stays open that was not open before.

    Call before the first fork, and before any thread exists: a Unix socket is created under a umask of
    its own.

    Args:
        binds: Where to listen.
        backlog: Connections the kernel queues per socket. A passed socket that already listens keeps its own.
        environ: Searched for, and cleaned of, what systemd passed.

    Raises:
        BindError: One address cannot be opened; says which, why and what to do, in one line.
    """
    listen_pid = environ.get("LISTEN_PID", "")
    opening = _Opening(backlog, passed_sockets(environ, os.getpid()), listen_pid)
    with opening.undo:
        _refuse_twice(binds)
        # Descriptors that exist come first: a new one could get the number that fd://N means.
        adopted: dict[Bind, list[Listener]] = {}
        for bind in binds:
            if isinstance(bind, FdBind):
                adopted[bind] = [opening.adopt(bind.fd, bind)]
            elif isinstance(bind, SystemdBind):
                adopted[bind] = [opening.adopt(fd, bind) for fd in opening.passed_as(bind)]
        listeners: list[Listener] = []
        for bind in binds:
            if isinstance(bind, TcpBind):
                listeners += opening.open_tcp(bind)
            elif isinstance(bind, UnixBind):
                listeners.append(opening.open_unix(bind))
            else:
                listeners += adopted[bind]
        warnings = [*opening.warnings, *opening.unused()]
        opening.undo.pop_all()
    return Listeners(listeners, warnings)


class _Opening:
    """What is open so far, and how to undo it."""

    def __init__(self, backlog: int, passed: Mapping[str, tuple[int, ...]], listen_pid: str) -> None:
        self.undo = ExitStack()
        self.warnings: list[str] = []
        self._backlog = backlog
        self._passed = passed
        self._listen_pid = listen_pid
        self._adopted: dict[int, Bind] = {}
        self._internet: list[Listener] = []
        for fds in passed.values():
            for fd in fds:
                with contextlib.suppress(OSError):  # not open: an error when a bind names it
                    os.set_inheritable(fd, False)

    # -- sockets that somebody else opened

    def passed_as(self, bind: SystemdBind) -> tuple[int, ...]:
        """Return the descriptors that systemd passed under the name."""
        if bind.name in self._passed:
            return self._passed[bind.name]
        if self._passed:
            names = ", ".join(sorted(map(repr, self._passed)))
            raise BindError(
                f"{bind}: systemd passed no socket of that name, only {names}; use one of these, or set "
                f"FileDescriptorName={bind.name} in the .socket unit"
            )
        if self._listen_pid.isdecimal() and int(self._listen_pid) != os.getpid():
            raise BindError(
                f"{bind}: the sockets were passed to process {self._listen_pid}, but this is process "
                f"{os.getpid()}; let the script that systemd starts end with `exec srvctl ...`"
            )
        raise BindError(
            f"{bind}: systemd passed no socket to srvctl; start the .socket unit that has "
            f"FileDescriptorName={bind.name}, or name an address to open instead"
        )

    def adopt(self, fd: int, bind: Bind) -> Listener:
        """Take over an open socket; on failure it stays open, since others may hold on to it."""
        label = str(bind) if isinstance(bind, FdBind) else f"{bind} (file descriptor {fd})"
        if fd in self._adopted:
            raise BindError(f"{label} is the same socket as {self._adopted[fd]}; name it once")
        try:
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                raise BindError(f"{label} is not a socket; pass a listening socket under that number")
        except OSError:
            raise BindError(
                f"{label} is not open in this process; whoever starts srvctl must pass it on as that number"
            ) from None
        sock = socket.socket(fileno=fd)
        self.undo.callback(sock.detach)
        _check_kind(sock, label)
        try:
            if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                sock.listen(self._backlog)
        except OSError as error:
            raise BindError(f"{label} cannot listen: {error.strerror}") from error
        sock.setblocking(False)
        sock.set_inheritable(False)
        self._adopted[fd] = bind
        return self._note(Listener(sock, bind, _url(sock)))

    def unused(self) -> Iterator[str]:
        """Yield a sentence about each passed socket that no bind names."""
        for name, fds in self._passed.items():
            for fd in fds:
                if fd not in self._adopted:
                    yield (
                        f"systemd passed the socket {name!r} (file descriptor {fd}), which no bind names: "
                        f"nobody serves its clients; bind systemd:{name} or remove it from the .socket unit."
                    )

    # -- TCP

    def open_tcp(self, bind: TcpBind) -> list[Listener]:
        """Listen at every address the host has, all on one port."""
        addresses = _resolve(bind)
        for _ in range(_PORT_TRIES):
            try:
                return self._open_all(bind, addresses)
            except OSError as error:
                if bind.port or error.errno != errno.EADDRINUSE:
                    raise self._tcp_error(bind, addresses, error) from error
        raise BindError(f"{bind} cannot be opened: no port is free at all its addresses; name one")

    def _open_all(self, bind: TcpBind, addresses: Sequence[_Address]) -> list[Listener]:
        port = bind.port
        opened: list[Listener] = []
        missing: list[OSError] = []
        with ExitStack() as undo:
            for family, address in addresses:
                try:
                    sock = _listen_tcp(family, (address[0], port, *address[2:]), self._backlog)
                except OSError as error:
                    if error.errno not in _NO_SUCH_ADDRESS:
                        raise
                    missing.append(error)
                    continue
                undo.callback(sock.close)
                port = sock.getsockname()[1]
                opened.append(Listener(sock, bind, _url(sock)))
                if not bind.host:  # the rest are for machines without IPv6
                    break
            if not opened:
                raise missing[0]
            self.undo.push(undo.pop_all())
        if missing and bind.host:
            # Containers without IPv6 still call ::1 localhost.
            served = " and ".join(listener.url for listener in opened)
            self.warnings.append(
                f"{bind} is served at {served} only: this machine lacks the host's other addresses."
            )
        return [self._note(listener) for listener in opened]

    def _tcp_error(self, bind: TcpBind, addresses: Sequence[_Address], error: OSError) -> BindError:
        match error.errno:
            case errno.EADDRINUSE:
                return BindError(self._taken(bind, frozenset(address[0] for _, address in addresses)))
            case errno.EACCES if bind.port < _FIRST_FREE_PORT:
                return BindError(
                    f"{bind} may not be opened by user {os.geteuid()}: low ports need a privilege; choose "
                    f"a port from {_FIRST_FREE_PORT} up, set AmbientCapabilities=CAP_NET_BIND_SERVICE in the "
                    f"systemd unit, or sysctl net.ipv4.ip_unprivileged_port_start={bind.port}"
                )
            case errno.EADDRNOTAVAIL:
                return BindError(
                    f"{bind} cannot be opened: no network interface of this machine has that address; "
                    f"write :{bind.port} for all it has"
                )
            case errno.EAFNOSUPPORT:
                return BindError(f"{bind} cannot be opened: this machine has no IPv6; bind an IPv4 address")
        return BindError(f"{bind} cannot be opened: {error.strerror}")

    def _taken(self, bind: TcpBind, hosts: frozenset[str]) -> str:
        for other in self._internet:
            name, port = other.socket.getsockname()[:2]
            if port == bind.port and any(overlaps(host, name) for host in hosts):
                return f"{bind} is covered by {other.bind}, which is configured too; keep one of the two"
        return _in_use(str(bind), holder_of_port(hosts, bind.port))

    def _note(self, listener: Listener) -> Listener:
        """Remember a listener whose port later ones cannot have."""
        if listener.socket.family in _INTERNET:
            self._internet.append(listener)
        return listener

    # -- Unix sockets

    def open_unix(self, bind: UnixBind) -> Listener:
        """Create the socket file with its final permissions, then listen."""
        user = -1 if bind.user is None else _uid(bind.user, bind)
        group = -1 if bind.group is None else _gid(bind.group, bind)
        try:
            _clear_way(bind.path)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.undo.callback(sock.close)
            _bind_unix(sock, bind)
            made = os.lstat(bind.path)
        except OSError as error:
            raise _unix_error(bind.path, error) from error
        # Absolute, for a master that has changed its directory by the time it ends.
        file = UnixFile(str(Path(bind.path).absolute()), made.st_dev, made.st_ino)
        self.undo.callback(_remove, file)
        try:
            os.chown(bind.path, user, group, follow_symlinks=False)
        except OSError as error:
            raise BindError(
                f"{bind} cannot be opened: user {os.geteuid()} may not give it away ({error.strerror}); "
                "start srvctl as root, or leave out user= and group="
            ) from error
        sock.listen(self._backlog)
        sock.setblocking(False)
        return Listener(sock, bind, f"unix socket {file.path}", file)


def _refuse_twice(binds: Sequence[Bind]) -> None:
    seen: set[Bind | Path] = set()
    for bind in binds:
        key = Path(bind.path).absolute() if isinstance(bind, UnixBind) else bind
        if key in seen:
            raise BindError(f"{bind} is configured twice; remove one of the two")
        if not (isinstance(bind, TcpBind) and bind.port == 0):  # each 0 is another port
            seen.add(key)


def _in_use(what: str, holder: Holder | None) -> str:
    return f"{what} is already in use by {holder or 'another process'}; stop it or choose another --bind"


def _url(sock: socket.socket) -> str:
    """Say where a socket can be reached."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix socket {name if isinstance(name, str) else '@' + os.fsdecode(name[1:])}"
    host, port = name[:2]
    return f"http://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"http://{host}:{port}"


def _check_kind(sock: socket.socket, label: str) -> None:
    """Refuse what cannot be listened on, before listen() makes something unexpected of it."""
    if sock.type != socket.SOCK_STREAM or sock.family not in {*_INTERNET, socket.AF_UNIX}:
        raise BindError(f"{label} is not a TCP or Unix stream socket")
    name = sock.getsockname()
    if not (name if sock.family == socket.AF_UNIX else name[1]):
        raise BindError(f"{label} is not bound to an address; whoever passes it must bind it")
    with contextlib.suppress(OSError):
        sock.getpeername()
        raise BindError(f"{label} is a connection, not a listening socket")


def _resolve(bind: TcpBind) -> Sequence[_Address]:
    if not bind.host:
        return [(socket.AF_INET6, ("::", bind.port)), (socket.AF_INET, ("0.0.0.0", bind.port))]
    try:
        found = socket.getaddrinfo(bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise BindError(
            f"{bind} cannot be opened: the host {bind.host!r} cannot be resolved ({error.strerror}); check "
            "its spelling, /etc/hosts and DNS"
        ) from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listen_tcp(family: int, address: tuple[Any, ...], backlog: int) -> socket.socket:
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # "::" serves IPv4 too, whatever net.ipv6.bindv6only says.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
        undo.pop_all()
    return sock


def _clear_way(path: str) -> None:
    """Remove a socket file that nobody listens on; refuse to touch anything else."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise BindError(
            f"unix socket {path} cannot be opened: the path exists and is not a socket; move it away or "
            "choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        except BlockingIOError:  # alive, with a full queue
            raise BindError(_in_use(f"unix socket {path}", holder_of_path(path, None))) from None
        except OSError as error:  # EPROTOTYPE of a datagram socket, EACCES: not known to be dead
            raise BindError(
                f"unix socket {path} cannot be opened: a socket is there, and whether it is in use cannot be "
                f"told ({error.strerror}); remove it if it is not, or choose another path"
            ) from error
        else:
            raise BindError(_in_use(f"unix socket {path}", holder_of_path(path, probe)))
    _remove(UnixFile(path, found.st_dev, found.st_ino))


def _remove(file: UnixFile) -> None:
    """Remove a socket file unless the path leads elsewhere by now."""
    # A file that cannot be removed is found stale, or in the way, by the next bind: it can say so.
    with contextlib.suppress(OSError):
        found = os.lstat(file.path)
        if (found.st_dev, found.st_ino) == (file.device, file.inode):
            Path(file.path).unlink()


def _bind_unix(sock: socket.socket, bind: UnixBind) -> None:
    """Create the socket file with exactly the mode asked for."""
    if bind.mode is None:
        sock.bind(bind.path)
        return
    # bind() creates 777 less the umask. A chmod() afterwards would follow whatever replaced the path.
    previous = os.umask(0o777 & ~bind.mode)
    try:
        sock.bind(bind.path)
    finally:
        os.umask(previous)


def _unix_error(path: str, error: OSError) -> BindError:
    parent = Path(path).absolute().parent
    match error.errno:
        case errno.ENOENT:
            reason = f"the directory {parent} does not exist; create it or choose another path"
        case errno.ENOTDIR:
            reason = f"{parent} is not a directory; choose another path"
        case errno.EACCES | errno.EPERM:
            reason = f"user {os.geteuid()} may not create files in {parent}; choose another path"
        case errno.EADDRINUSE:
            reason = "its file cannot be replaced, or was created just now; remove it or choose another path"
        case _:
            reason = f"{error.strerror}"
    return BindError(f"unix socket {path} cannot be opened: {reason}")


def _uid(name: str, bind: UnixBind) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return _number(name, "user", bind)


def _gid(name: str, bind: UnixBind) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return _number(name, "group", bind)


def _number(name: str, what: str, bind: UnixBind) -> int:
    if name.isascii() and name.isdecimal() and len(name) <= len(str(_NO_ID)) and int(name) < _NO_ID:
        return int(name)
    raise BindError(f"{bind} cannot be opened: the {what} {name!r} does not exist; create it or name another")
