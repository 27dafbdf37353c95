"""What ``run`` does while a child reads the settings: it has another import what every worker needs.

Both take as long, so with two CPUs the second costs no time. The master itself imports what it consists of.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, Final, Self

from srvctl.errors import BindError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.ipc.warm import Warm

_TOLD: Final = frozenset({"-h", "--help", "--version"})


class Meanwhile:
    """Leaving the context ends a warm process that has become nothing.

    Args:
        argv: The command line.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._is_useful = _is_useful(argv)
        self.warm: Warm | None = None  #: the process, if there is one

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.warm is not None:
            self.warm.end()

    def begin(self, not_for_children: Sequence[int]) -> None:
        """Do it, in the process that becomes the master; close descriptors of its own in its child."""
        if not self._is_useful:
            return
        from srvctl.ipc.warm import start  # noqa: PLC0415 - the child that reads the settings is forked by now

        try:
            self.warm = start(_prepare, [*not_for_children, *_passed()])
        except OSError:  # then the mold is forked when it is needed, and takes longer
            self.warm = None
        gc.disable()  # imports make little garbage, and looking for it would take a tenth of the time
        import srvctl.launch  # noqa: F401, PLC0415 - as above

        gc.enable()


def _passed() -> list[int]:
    """Return the descriptors that systemd passed, which are the master's to use or to close.

    In this child, which lives on as a mold, clients would go on to wait on what nobody serves.
    """
    if "LISTEN_FDS" not in os.environ:
        return []
    from srvctl.listen_fds import passed_sockets  # noqa: PLC0415 - a start without it is faster

    with contextlib.suppress(BindError):  # the master says what is wrong
        passed = passed_sockets(dict(os.environ), os.getpid())
        return [fd for fds in passed.values() for fd in fds if _is_open(fd)]
    return []


def _is_open(fd: int) -> bool:
    with contextlib.suppress(OSError):
        os.fstat(fd)
        return True
    return False


def _is_useful(argv: Sequence[str]) -> bool:
    """Return whether something is likely to be served, and a CPU has nothing else to do."""
    return sys.platform.startswith("linux") and len(os.sched_getaffinity(0)) > 1 and _TOLD.isdisjoint(argv)


def _prepare() -> None:
    from srvctl.worker.mold import prepare  # noqa: PLC0415 - never in the master

    prepare()
