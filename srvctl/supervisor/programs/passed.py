"""Which sockets are for which program: those of its own addresses, opened with the service's and kept open.

They are passed as systemd would (sd_listen_fds(3)), so they block: `NonBlocking=` of systemd.service(5) is
off by default, and a program that wants it otherwise says so itself. That is a property of the socket, not of
a descriptor, so it is set once, when a socket is opened, and never again under who uses it.

Called by `generations` and by the composition root.
"""

from __future__ import annotations

import socket
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srvctl.errors import BindError
from srvctl.settings.binds import TcpBind, UnixBind, binds_of, parse_bind
from srvctl.supervisor.listeners import Listener, Listeners, UnixFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srvctl.settings.binds import Bind
    from srvctl.settings.groups import Settings

    Passed = dict[str, tuple[Listener, ...]]


class Wanted:
    """What settings want to be open for programs.

    Args:
        settings: The settings.
        before: What is open already, by program; what stays the same is not opened again.

    Attributes:
        missing: The addresses that are to be opened.

    Raises:
        BindError: An address is somebody else's, too.
    """

    def __init__(self, settings: Settings, before: Mapping[str, Sequence[Listener]] | None = None) -> None:
        self._known = {
            name: {bind: _has_already(name, bind, before or {}) for bind in binds}
            for name, binds in _binds_of_programs(settings).items()
        }
        self.missing = [
            bind for binds in self._known.values() for bind, listeners in binds.items() if not listeners
        ]

    def put_together(self, opened: Listeners) -> tuple[Listeners, Passed]:
        """Return what of it is for the workers, and all that is for programs, by program.

        Args:
            opened: What was opened for these very objects of `missing`, and for the service.
        """
        passed: Passed = {
            name: tuple(
                chain.from_iterable(
                    known or [fresh for fresh in opened if fresh.bind is bind]  # port 0 may be there twice
                    for bind, known in binds.items()
                )
            )
            for name, binds in self._known.items()
        }
        theirs = {id(listener) for listeners in passed.values() for listener in listeners}
        for listener in opened:
            if id(listener) in theirs:
                listener.socket.setblocking(True)
                listener.url = listener.url.removeprefix("http://")  # what is spoken there, only it knows
        return Listeners([one for one in opened if id(one) not in theirs], opened.warnings), passed


def _binds_of_programs(settings: Settings) -> dict[str, tuple[Bind, ...]]:
    """Return the addresses of each program that has any.

    Raises:
        BindError: One is somebody else's, too.
    """
    holders: dict[Bind | Path, str] = {_key(bind): "server.bind" for bind in binds_of(settings.server)}
    wanted = {}
    for program in settings.program:
        if program.bind:
            wanted[program.name] = tuple(map(parse_bind, program.bind))
        for bind in wanted.get(program.name, ()):
            key = _key(bind)
            is_any_port = isinstance(bind, TcpBind) and bind.port == 0  # each 0 is another port
            if key in holders and (not is_any_port or holders[key] == f"program {program.name}"):
                text = f"program {program.name}: its bind {bind} is that of {holders[key]} as well"
                raise BindError(f"{text}; remove one of the two")
            holders[key] = f"program {program.name}"
    return wanted


def _has_already(name: str, bind: Bind, passed: Mapping[str, Sequence[Listener]]) -> tuple[Listener, ...]:
    """Return what is open for an address; another program may have had it."""
    is_any_port = isinstance(bind, TcpBind) and bind.port == 0
    places: Iterable[Sequence[Listener]] = [passed.get(name, ())] if is_any_port else passed.values()
    return tuple(listener for listeners in places for listener in listeners if listener.bind == bind)


def export(passed: Mapping[str, Sequence[Listener]]) -> dict[str, Any]:
    """Return what `inherit` needs, as JSON."""
    return {name: [listener.export() for listener in listeners] for name, listeners in passed.items()}


def inherit(values: Mapping[str, Sequence[Mapping[str, Any]]]) -> Passed:
    """Go on with the sockets of the program that this process ran before.

    Raises:
        OSError: One did not come along.
    """
    return {name: tuple(map(_inherited, listeners)) for name, listeners in values.items()}


def _inherited(values: Mapping[str, Any]) -> Listener:
    sock = socket.socket(fileno=values["fd"])
    sock.set_inheritable(False)
    file = UnixFile(*values["file"]) if values["file"] is not None else None
    return Listener(
        sock, parse_bind(values["bind"]), values["url"], file, is_kept=values.get("is_kept", False)
    )


def _key(bind: Bind) -> Bind | Path:
    return Path(bind.path).absolute() if isinstance(bind, UnixBind) else bind
