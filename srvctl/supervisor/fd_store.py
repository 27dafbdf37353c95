"""Has the service manager keep the listening sockets, so that they outlive even a crash of the master.

Owns which sockets it was told to keep, under which names (`stored_names`). The next master gets them back
beside those of .socket units (`stored`). Only srvctl's own are kept: the others are their owners' to keep.

Whether it really keeps them matters at the orderly end: an address that lives on is left as it is, so that
clients wait for the next master; one that does not has to refuse them. systemd answers nothing, and ignores
what it has no room for, so only what it promises beforehand counts: since version 254 it says in $FDSTORE how
many it keeps for the process it has started ($SYSTEMD_EXEC_PID), and takes them from that one alone
(NotifyAccess=main). Without that promise the sockets are sent all the same, which saves them in a crash.

A message that does not get through is sent again after a while; nothing here waits. Made by the composition
root, which tells it what there is to keep. Where there is no service manager, or it keeps nothing, nothing
changes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.supervisor.stored_names import is_kept, name_for, place_of_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from srvctl.supervisor.listeners import Listener
    from srvctl.systemd import Notifier

logger = logging.getLogger("srvctl.error")

#: Seconds until what got lost is sent again. Afterwards the next reload tries; nobody reads at all, it seems.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class FdStore:
    """What the service manager keeps; a clock of the poller's.

    Args:
        notifier: The service manager.
        room: How many sockets it has promised to keep; None if it has promised nothing.
        names: Those that it keeps already, from an earlier master.
    """

    def __init__(self, notifier: Notifier, room: int | None = None, names: Iterable[str] = ()) -> None:
        self._notifier = notifier
        self._room = room
        #: What it keeps, by name; None is a socket of an earlier master that may or may not be in use.
        self._held: dict[str, Listener | None] = dict.fromkeys(names)
        self._wanted: dict[str, Listener] = {}
        self._pauses: list[float] = []
        self._due: float | None = None
        self._was_told = False

    @classmethod
    def from_environ(
        cls, notifier: Notifier, environ: MutableMapping[str, str], names: Iterable[str] = ()
    ) -> Self:
        """Return that of a new master, and remove what only the master may know."""
        room = room_of(environ.pop("FDSTORE", ""), environ.get("SYSTEMD_EXEC_PID", ""), os.getpid())
        return cls(notifier, room, names)

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, as JSON."""
        return {"room": self._room, "names": list(self._held)}

    @classmethod
    def inherit(cls, notifier: Notifier, values: Mapping[str, Any] | None) -> Self:
        """Go on with what the program that this process ran before has had kept; None if it was too old."""
        return cls(notifier, values["room"], values["names"]) if values is not None else cls(notifier)

    def keep(self, listeners: Iterable[Listener]) -> None:
        """Have it keep these, and nothing else any more."""
        if not self._notifier.enabled:
            return
        named = ((_name_of(listener), listener) for listener in listeners)
        self._wanted = {name: listener for name, listener in named if name}
        self._pauses = [*_PAUSES]
        self._tell()

    def next_deadline(self) -> float | None:
        """Return when what got lost is sent again."""
        return self._due

    def expire(self, now: float) -> None:
        """Send it again, if it is time."""
        if self._due is not None and self._due <= now:
            self._tell()

    def _tell(self) -> None:
        # Removed first, to make room. And a name is removed before another socket is sent under it.
        is_said = self._forget() and self._store()
        self._due = None if is_said or not self._pauses else time.monotonic() + self._pauses.pop(0)

    def _forget(self) -> bool:
        """Have those forgotten that are not wanted any more; return whether all messages got through."""
        for name, held in list(self._held.items()):
            wanted = self._wanted.get(name)
            if wanted is not None and (wanted is held or wanted.is_kept):
                continue
            if not self._notifier.forget(name):
                return False
            del self._held[name]
        return True

    def _store(self) -> bool:
        """Have those kept that are not kept yet; return whether all messages got through."""
        for name, listener in self._wanted.items():
            if listener.is_kept:
                self._held[name] = listener
            if name in self._held or listener.socket.fileno() < 0:  # closed by now: the end has come
                continue
            if self._room is not None and len(self._held) >= self._room:
                self._complain(self._room)
                continue
            if not self._notifier.store(name, listener.socket.fileno()):
                return False
            self._held[name] = listener
            listener.is_kept = self._room is not None
        return True

    def _complain(self, room: int) -> None:
        if not self._was_told:
            self._was_told = True
            logger.warning(
                "The service manager keeps only %d of %d sockets while srvctl is restarted; set "
                "FileDescriptorStoreMax=%d in the unit.",
                *(room, len(self._wanted), len(self._wanted)),
            )


def room_of(promised: str, executed: str, pid: int) -> int | None:
    """Return how many sockets the service manager has promised to keep; None if it has promised nothing.

    Args:
        promised: $FDSTORE, of systemd.exec(5).
        executed: $SYSTEMD_EXEC_PID: the process that it has started, whose children inherit both.
        pid: This process.
    """
    with contextlib.suppress(ValueError):
        if executed == str(pid) and int(promised) > 0:
            return int(promised)
    return None


def _name_of(listener: Listener) -> str:
    """Return the name of a listener's socket; "" if it is not to be kept."""
    if not is_kept(listener.bind) or listener.socket.fileno() < 0:
        return ""
    if listener.socket.family != socket.AF_UNIX:
        return name_for(listener.bind, listener.socket.getsockname()[0])
    if listener.file is None:  # nobody could tell later whether the path leads to it
        return ""
    return name_for(listener.bind, place_of_file(listener.file.device, listener.file.inode))
