"""Gives up the capabilities of a process that has become somebody else. Called by workers and by programs."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_VERSION: Final = 0x20080522  #: _LINUX_CAPABILITY_VERSION_3 of capset(2)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities() -> None:
    """Give up every capability, and by that the ambient ones (capabilities(7)).

    The kernel does so when root becomes somebody else, but not when another user does whom a service manager
    gave CAP_SETUID; and a process that keeps that one can become root.

    Raises:
        OSError: The kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "capset"):
        return  # no Linux, no capabilities
    none = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: twice 32 bits
    if libc.capset(ctypes.byref(_Header(_VERSION, 0)), none) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
