"""Keep a listening TCP socket from completing new handshakes, before the last queued ones are accepted.

Whoever closes the last listener resets every connection that the kernel has completed and nobody accepted.
Between the last accept(2) and close(2) there is always one more, unless the kernel stops completing them
first: a socket filter that drops every packet does that. Clients that come then are refused when they try
again, instead of being connected and reset. Linux only; elsewhere the short gap remains.
"""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import sys
from typing import Final

_DROP_ALL: Final = struct.pack("HBBI", 0x06, 0, 0, 0)  # struct sock_filter: BPF_RET | BPF_K, 0 bytes pass
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h; the socket module has no name for it


def stop_handshakes(sock: socket.socket) -> None:
    """Have the kernel drop what arrives for this listener; connections that are complete stay.

    Only for a socket that dies with this service: whoever else holds it gets no new connections either.
    """
    if not sys.platform.startswith("linux") or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    instruction = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
    program = struct.pack("HP", 1, ctypes.addressof(instruction))  # struct sock_fprog
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
