"""Keep a listening TCP socket from completing new handshakes, before the last queued ones are accepted.

Whoever closes the last listener resets every connection that the kernel has completed and nobody accepted.
Between the last accept(2) and close(2) there is always one more, unless the kernel stops completing them
first: a socket filter that drops every packet does that. Clients that come then are refused when they try
again, instead of being connected and reset. Where the kernel refuses a filter, as it does to who has few
rights on some machines, packets have to have a time to live that none has (IP_MINTTL): that takes no right,
but connections that are half made then are lost. Linux only; elsewhere the short gap remains.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys
from typing import Final

_DROP_ALL: Final = struct.pack("HBBI", 0x06, 0, 0, 0)  # struct sock_filter: BPF_RET | BPF_K, 0 bytes pass
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; the socket module has no names for them
_SO_DETACH_FILTER: Final = 27
_IP_MINTTL: Final = 21  # linux/in.h
_IPV6_MINHOPCOUNT: Final = 73  # linux/in6.h
_LONGEST_LIFE: Final = 255  #: of a packet that no router has passed on; hosts send them with 64 or 128


def stop_handshakes(sock: socket.socket) -> None:
    """Have the kernel drop what arrives for this listener; connections that are complete stay.

    Only for a socket that dies with this service: whoever else holds it gets no new connections either.
    """
    if not sys.platform.startswith("linux") or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    instruction = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))  # struct sock_fprog
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    except OSError:
        demand_life(sock, _LONGEST_LIFE)


def demand_life(sock: socket.socket, least: int) -> None:
    """Have the kernel drop packets with a shorter time to live than that, in hops; none, for 0."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, least)  # of IPv6 sockets also, for IPv4 clients
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, least)


def resume_handshakes(sock: socket.socket) -> None:
    """Undo `stop_handshakes`, for a listener that an earlier service has left; it may never have been called.

    A client that was dropped meanwhile comes again by itself: TCP repeats what is not answered.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):  # ENOENT: there is no filter
            sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
        demand_life(sock, 0)
