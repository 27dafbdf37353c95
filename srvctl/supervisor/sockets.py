"""Opens every address of an instance, or none: by the master, before any fork.

Owns the order in which addresses are opened, the refusal of one that is configured twice, and the way back
when one fails. Must not know how a kind of socket is opened (`tcp`, `unix`, `inherited`), nor workers and
event loops; writes nothing anywhere: what cannot be opened is a `BindError` of one line, what is odd is a
sentence in `Listeners.warnings`. Called by the composition root.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from srvctl.errors import BindError
from srvctl.settings.binds import FdBind, SystemdBind, TcpBind, UnixBind
from srvctl.supervisor.inherited import Inherited
from srvctl.supervisor.listeners import Listener, Listeners
from srvctl.supervisor.tcp import open_tcp
from srvctl.supervisor.unix import open_unix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.settings.binds import Bind


def open_listeners(binds: Sequence[Bind], backlog: int, inherited: Inherited | None = None) -> Listeners:
    """Open every address, or none: on failure nothing stays open that was not open before.

    Call before the first fork, and before any thread exists: a Unix socket is created under a umask of
    its own.

    Args:
        binds: Where to listen.
        backlog: Connections the kernel queues per socket. A passed socket that already listens keeps its own.
        inherited: What may be taken over instead of being opened; None for only what is named by number.

    Raises:
        BindError: One address cannot be opened; says which, why and what to do, in one line.
    """
    inherited = inherited or Inherited.nothing()
    stored = inherited.stored
    _refuse_twice(binds)
    with ExitStack() as undo:
        undo.callback(inherited.give_back)
        # Descriptors that exist come first: a new one could get the number that fd://N means.
        taken_over = {
            bind: inherited.take_over(bind, backlog)
            for bind in binds
            if isinstance(bind, FdBind | SystemdBind)
        }
        others = list(chain.from_iterable(taken_over.values()))
        listeners: list[Listener] = []
        warnings: list[str] = []
        for bind in binds:
            if isinstance(bind, FdBind | SystemdBind):
                listeners += taken_over[bind]
                continue
            if isinstance(bind, TcpBind):
                opened, odd = open_tcp(bind, backlog, others, stored)
                warnings += odd
            else:
                opened = [open_unix(bind, backlog, stored)]
            for listener in opened:
                undo.callback(listener.close)
            others += opened
            listeners += opened
        undo.pop_all()
    return Listeners(listeners, warnings)


def _refuse_twice(binds: Sequence[Bind]) -> None:
    seen: set[Bind | Path] = set()
    for bind in binds:
        key = Path(bind.path).absolute() if isinstance(bind, UnixBind) else bind
        if key in seen:
            raise BindError(f"{bind} is configured twice; remove one of the two")
        if not (isinstance(bind, TcpBind) and bind.port == 0):  # each 0 is another port
            seen.add(key)
