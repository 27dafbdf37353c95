"""Keep a listening TCP socket from beginning new handshakes, before the last queued connections are accepted.

Whoever closes the last listener resets every connection that the kernel has completed and nobody accepted.
Between the last accept(2) and close(2) there is always one more, unless the kernel begins none first: a
socket filter that drops whatever asks for a connection does that. Clients that come then are refused when
they ask again, instead of being connected and reset. Where the kernel refuses a filter, as newer ones do to
who has few rights, packets have to have a time to live that none has (IP_MINTTL), which takes no right. Linux
only; elsewhere the short gap remains.

A handshake that has begun before goes on, and its connection is made of the listener as it is then: with the
filter, which is why that lets everything pass that belongs to a connection, and with the time to live, which
has to be taken from it again (`hear_all`).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FLAGS: Final = 13  #: where in a TCP header they are (RFC 9293 section 3.1); a filter's packet begins with it
_SYN: Final = 0x02
#: struct sock_filter, of linux/filter.h: instruction, how many to pass over if it holds and if not, operand.
_DROP_SYN: Final = struct.pack(
    "HBBI" * 4,
    *(0x30, 0, 0, _FLAGS),  # BPF_LD | BPF_B | BPF_ABS
    *(0x45, 0, 1, _SYN),  # BPF_JMP | BPF_JSET | BPF_K
    *(0x06, 0, 0, 0),  # BPF_RET | BPF_K: nothing of it passes
    *(0x06, 0, 0, 0xFFFFFFFF),  # all of it
)
_INSTRUCTION: Final = struct.calcsize("HBBI")  #: bytes
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; the socket module has no names for them
_SO_DETACH_FILTER: Final = 27
_IP_MINTTL: Final = 21  # linux/in.h
_IPV6_MINHOPCOUNT: Final = 73  # linux/in6.h
_LONGEST_LIFE: Final = 255  #: of a packet that no router has passed on; hosts send them with 64 or 128


def stop_handshakes(sock: socket.socket) -> None:
    """Have the kernel begin no more connections for this listener; those that are begun stay.

    Only for a socket that dies with this service: whoever else holds it gets no new connections either. Who
    accepts from it then must call `hear_all` for what it has accepted since.
    """
    if not sys.platform.startswith("linux") or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    instructions = array("B", _DROP_SYN)
    address, size = instructions.buffer_info()
    program = struct.pack("HP", size // _INSTRUCTION, address)  # struct sock_fprog
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        _demand_life(sock, _LONGEST_LIFE)


def resume_handshakes(sock: socket.socket) -> None:
    """Undo `stop_handshakes`, for a listener that an earlier service has left; it may never have been called.

    A client that was dropped meanwhile comes again by itself: TCP repeats what is not answered.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):  # ENOENT: there is no filter
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        _demand_life(sock, 0)


def hear_all(connections: Iterable[socket.socket]) -> None:
    """Have connections hear their clients that may have been made of a listener after `stop_handshakes`.

    What a client has sent meanwhile it sends again by itself.
    """
    if sys.platform.startswith("linux"):
        for sock in connections:
            _demand_life(sock, 0)


def _demand_life(sock: socket.socket, least: int) -> None:
    """Have the kernel drop packets with a shorter time to live than that, in hops; none, for 0."""
    with contextlib.suppress(OSError):  # a Unix socket has none
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, least)  # of IPv6 sockets also, for IPv4 clients
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, least)
