"""Makes sockets in the network of another process, from here: no address of it has to be reachable."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNET: Final = 0x40000000


@contextlib.contextmanager
def in_network(pid: int) -> Iterator[None]:
    """Have the sockets be there that this thread makes, and the threads that it starts (setns(2)).

    Args:
        pid: A process in that network.
    """
    own, its = Path(f"/proc/self/task/{threading.get_native_id()}/ns/net"), Path(f"/proc/{pid}/ns/net")
    with contextlib.ExitStack() as stack:
        fds = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in (own, its)]
        for fd in fds:
            stack.callback(os.close, fd)
        _set_network(fds[1])
        try:
            yield
        finally:
            _set_network(fds[0])


def _set_network(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
