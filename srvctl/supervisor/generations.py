"""The settings and the listening sockets of each generation in use.

A reload may bring addresses and take some away. Those that stay are the same sockets, so nothing that waits
in their queues is lost; new ones are opened before anything else of the reload happens, old ones closed when
it is done. Called by `effects` and by the reading of settings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from srvctl.errors import BindError
from srvctl.settings.binds import FdBind, SystemdBind, UnixBind, binds_of
from srvctl.settings.catalog import catalog
from srvctl.settings.option import Change
from srvctl.supervisor.listeners import Listener, Listeners
from srvctl.supervisor.programs import passed as programs
from srvctl.supervisor.programs.passed import Wanted
from srvctl.supervisor.sockets import open_listeners

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from srvctl.settings.binds import Bind
    from srvctl.settings.groups import Settings


@dataclass(frozen=True, slots=True)
class Generation:
    """What the workers of a generation are given, and the programs beside them.

    Attributes:
        number: Of the generation.
        settings: What they obey.
        listeners: What workers accept on.
        passed: What each program accepts on, by its name.
    """

    number: int
    settings: Settings
    listeners: tuple[Listener, ...]
    passed: Mapping[str, tuple[Listener, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Listener]:
        """Iterate over all that is open for it."""
        yield from self.listeners
        for listeners in self.passed.values():
            yield from listeners


class Generations:
    """All generations in use: the accepted one, and the one that a reload brings in.

    Args:
        first: The one of the start.
    """

    def __init__(self, first: Generation) -> None:
        self._known = {first.number: first}
        self.accepted = first
        self.at_start = first.settings  #: those that need a restart are still in force
        self._serves = True
        self._are_closed = False

    def of(self, number: int) -> Generation:
        """Return a generation in use.

        Raises:
            KeyError: It is none.
        """
        return self._known[number]

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs beside the settings, as JSON; between two reloads."""
        return {
            "number": self.accepted.number,
            "listeners": [listener.export() for listener in self.accepted.listeners],
            "passed": programs.export(self.accepted.passed),
        }

    @classmethod
    def inherit(cls, values: Mapping[str, Any], settings: Settings) -> Self:
        """Go on with the sockets of the program that this process ran before.

        Raises:
            OSError: One did not come along.
        """
        listeners = tuple(map(Listener.inherit, values["listeners"]))
        passed = programs.inherit(values.get("passed", {}))  # an earlier srvctl has no programs
        return cls(Generation(values["number"], settings, listeners, passed))

    def prepare(self, number: int, settings: Settings) -> None:
        """Open what the settings of a new generation name and is not open.

        Raises:
            BindError: Something cannot be opened; nothing is open then that was not before.
        """
        has = self.accepted.listeners
        wanted, for_programs = binds_of(settings.server), Wanted(settings, self.accepted.passed)
        missing = [bind for bind in wanted if not any(listener.bind == bind for listener in has)]
        missing += for_programs.missing
        for bind in missing:
            self._refuse_changed(bind, list(self.accepted))
        opened = open_listeners(missing, settings.server.backlog) if missing else Listeners(())
        fresh, passed = for_programs.put_together(opened)
        if settings.tls.certfile is not None:
            fresh.speak_tls()
        kept = [listener for listener in has if listener.bind in wanted]
        self._known[number] = Generation(number, settings, (*kept, *fresh), passed)

    def commit(self, number: int) -> list[Listener]:
        """Accept a generation and close what it does not name any more; return that."""
        before, self.accepted = self.accepted, self._known[number]
        self._known = {number: self.accepted}
        return self._close_all_but(before, self.accepted)

    def discard(self, number: int) -> None:
        """Give up a generation and close what only it named."""
        given_up = self._known.pop(number, None)
        if given_up is not None:
            self._close_all_but(given_up, self.accepted)

    def takes_over(self, number: int) -> bool:
        """Return whether newer workers accept on everything that a generation's workers accept on."""
        newest = self._known[max(self._known)]
        known = self._known.get(number)
        return known is None or all(listener in newest.listeners for listener in known.listeners)

    def leave_others(self, number: int) -> None:
        """Close, in a forked child, its copies of what its generation does not name.

        As long as any process has a listening socket, the kernel accepts clients on it whom nobody will
        answer, also after everybody who served it has closed it.
        """
        own = self.of(number).listeners  # and nothing of programs
        for listener in self:
            if listener not in own:
                listener.close(unlink=False)

    def __iter__(self) -> Iterator[Listener]:
        """Iterate over everything that is open, each once."""
        seen = {id(listener): listener for known in self._known.values() for listener in known}
        return iter(seen.values())

    def end_service(self) -> None:
        """Close what workers accept on; the second call does nothing.

        Programs go on meanwhile: workers that drain may need them.
        """
        if self._serves and not self._are_closed:
            self._serves = False
            for listener in self._served():
                listener.close()

    def _served(self) -> list[Listener]:
        seen = {id(listener): listener for known in self._known.values() for listener in known.listeners}
        return list(seen.values())

    def close(self, *, unlink: bool = True) -> None:
        """Close everything; the second call does nothing.

        Args:
            unlink: False in a forked child, whose parent still listens.
        """
        if not self._are_closed:
            self._are_closed = True
            closed = set() if self._serves else set(map(id, self._served()))
            for listener in self:
                if id(listener) not in closed:  # whose path may be another server's by now
                    listener.close(unlink=unlink)

    @staticmethod
    def _close_all_but(generation: Generation, other: Generation) -> list[Listener]:
        staying = set(map(id, other))
        left = [listener for listener in generation if id(listener) not in staying]
        for listener in left:
            listener.give_up()
        return left

    @staticmethod
    def _refuse_changed(bind: Bind, has: Sequence[Listener]) -> None:
        """Refuse what would need a socket that is open to be another.

        Raises:
            BindError: It would.
        """
        if isinstance(bind, FdBind | SystemdBind):
            raise BindError(f"{bind} was not taken over at the start; add it and restart")
        for listener in has:
            other = listener.bind
            if not isinstance(bind, UnixBind) or not isinstance(other, UnixBind):
                continue
            if Path(bind.path).absolute() == Path(other.path).absolute():
                raise BindError(f"{bind}: the options of a Unix socket that is open cannot change; restart")


def needs_restart(before: Settings, after: Settings) -> tuple[str, ...]:
    """Return a sentence for each setting that changed and that a reload cannot change."""
    return tuple(
        f"{key} has changed, which needs a restart; until then it stays as it was."
        for key, setting in catalog().items()
        if setting.option.change is Change.RESTART and attrgetter(key)(before) != attrgetter(key)(after)
    )
