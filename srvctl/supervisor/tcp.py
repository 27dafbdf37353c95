"""Opens one TCP address: every address of its host, all on one port.

Owns the name look-up, the socket options and the sentences that say why a port cannot be had. Must not know
the other kinds of address, nor what becomes of a listener once it is open. Called by `sockets`.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import BindError
from srvctl.supervisor.holders import holder_of_port, in_use, overlaps
from srvctl.supervisor.listeners import Listener, url_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.settings.binds import TcpBind
    from srvctl.supervisor.stored import Stored

_Address = tuple[int, tuple[Any, ...]]  # family, and what bind() takes

#: How often another free port is tried when the one that is free at the first address is taken at the next.
_PORT_TRIES: Final = 16
#: What bind() says when the machine lacks an address, or its whole family.
_NO_SUCH_ADDRESS: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_FIRST_FREE_PORT: Final = 1024


def open_tcp(
    bind: TcpBind, backlog: int, others: Sequence[Listener], stored: Stored | None = None
) -> tuple[list[Listener], list[str]]:
    """Listen at every address the host has, all on one port; on failure nothing stays open.

    Args:
        bind: Where to listen.
        backlog: Connections the kernel queues per socket.
        others: What the instance listens on already, to tell its own sockets from another server's.
        stored: What is used instead of being opened, if it is there.

    Returns:
        The listeners, and a sentence about each thing that is odd.

    Raises:
        BindError: The address cannot be opened.
    """
    addresses = _resolve(bind)
    kept = stored.take_tcp(bind, addresses) if stored is not None else {}
    if not bind.host:  # one of them is enough: the one there is
        addresses = sorted(addresses, key=lambda found: found[1][:2] not in kept)
    for _ in range(_PORT_TRIES):
        try:
            return _open_all(bind, addresses, backlog, kept)
        except OSError as error:
            if bind.port or error.errno != errno.EADDRINUSE:
                raise _refusal(bind, addresses, others, error) from error
    raise BindError(f"{bind} cannot be opened: no port is free at all its addresses; name one")


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


def _open_all(
    bind: TcpBind,
    addresses: Sequence[_Address],
    backlog: int,
    kept: Mapping[tuple[Any, ...], socket.socket],
) -> tuple[list[Listener], list[str]]:
    port = bind.port
    opened: list[Listener] = []
    missing: list[OSError] = []
    with ExitStack() as undo:
        for former in kept.values():
            undo.callback(former.close)
        for family, address in addresses:
            is_kept = address[:2] in kept
            try:
                if is_kept:
                    sock = kept[address[:2]]
                    sock.listen(backlog)
                else:
                    sock = _listen(family, (address[0], port, *address[2:]), backlog)
            except OSError as error:
                if error.errno not in _NO_SUCH_ADDRESS:
                    raise
                missing.append(error)
                continue
            undo.callback(sock.close)
            port = sock.getsockname()[1]
            opened.append(Listener(sock, bind, url_of(sock), is_kept=is_kept))
            if not bind.host:  # the rest are for machines without IPv6
                break
        if not opened:
            raise missing[0]
        undo.pop_all()
    if missing and bind.host:
        # Containers without IPv6 still call ::1 localhost.
        served = " and ".join(listener.url for listener in opened)
        return opened, [f"{bind} is served at {served} only: this machine lacks the host's other addresses."]
    return opened, []


def _listen(family: int, address: tuple[Any, ...], backlog: int) -> socket.socket:
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


def _refusal(
    bind: TcpBind, addresses: Sequence[_Address], others: Sequence[Listener], error: OSError
) -> BindError:
    match error.errno:
        case errno.EADDRINUSE:
            return BindError(_taken(bind, frozenset(address[0] for _, address in addresses), others))
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


def _taken(bind: TcpBind, hosts: frozenset[str], others: Sequence[Listener]) -> str:
    for other in others:
        if other.socket.family == socket.AF_UNIX:  # has no port to share
            continue
        name, port = other.socket.getsockname()[:2]
        if port == bind.port and any(overlaps(host, name) for host in hosts):
            return f"{bind} is covered by {other.bind}, which is configured too; keep one of the two"
    return in_use(str(bind), holder_of_port(hosts, bind.port))
