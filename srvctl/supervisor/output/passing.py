"""Passes on what workers print where no srvctl is left that could read it: they must not wait for that.

Called by the program where an upgrade has failed for good, before it becomes the caretaker.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.forking import fork, run_and_exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CHUNK: Final = 65536


def pipes_of(state: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return the pipes that a state names, each with the descriptor that it is to be copied to: 1 or 2."""
    staff = state.get("staff", {})
    children = [*staff.get("workers", []), *staff.get("molds", [])]
    printed = [child["printed"] for child in children if child.get("printed")]
    printed += (state.get("output") or {}).get("orphans", [])
    return [(fd, target) for one in printed for target, fd in enumerate(one["fds"], 1) if fd is not None]


def pass_on(pipes: Iterable[tuple[int, int]]) -> None:
    """Have a child copy pipes to its stdout and stderr for as long as anybody prints; close them here.

    Raises:
        OSError: The kernel refuses another process; they are closed nevertheless.
    """
    targets = dict(pipes)
    if not targets:
        return

    def copy() -> int:
        _copy(targets)  # until nobody can print any more: workers end with the parent
        return 0

    try:
        if fork() == 0:
            run_and_exit(copy)
    finally:
        for fd in targets:
            os.close(fd)


def _copy(targets: Mapping[int, int]) -> None:
    poll = select.poll()
    for fd in targets:
        os.set_blocking(fd, False)
        poll.register(fd, select.POLLIN)
    left = len(targets)
    while left:
        for fd, _ in poll.poll():
            try:
                data = os.read(fd, _CHUNK)
            except BlockingIOError:
                continue
            if not data:
                poll.unregister(fd)
                left -= 1
            with contextlib.suppress(OSError):  # nobody reads it: then it is lost, and workers go on
                os.write(targets[fd], data)
