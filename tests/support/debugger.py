"""A debugger attached to a process (ptrace(2)), which stops it as one does at a breakpoint."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_PTRACE_ATTACH: Final = 16
_PTRACE_DETACH: Final = 17
_WALL: Final = 0x40000000  #: waitpid(2): whoever's child it is


@contextlib.contextmanager
def attached(pid: int) -> Iterator[None]:
    """Stop a process with a debugger; let it go on afterwards."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(_PTRACE_ATTACH, pid, None, None) != 0:
        pytest.skip(f"no process can be debugged here: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, _WALL)
    try:
        yield
    finally:
        libc.ptrace(_PTRACE_DETACH, pid, None, None)
