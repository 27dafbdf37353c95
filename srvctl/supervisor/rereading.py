"""Reads the settings anew for a reload, in a child: the master never loads what parsing needs (ADR 2).

The child sends what it found through a pipe and ends; pickle is safe there, for the only writer is this very
program. Called by `effects`; what comes of it comes out of the poller.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

from srvctl.errors import BindError, ExitCode
from srvctl.settings.development import for_development
from srvctl.settings.keeping import in_force
from srvctl.supervisor.events import SettingsRead, SettingsRefused
from srvctl.supervisor.generations import needs_restart
from srvctl.supervisor.piped import PipedChild
from srvctl.supervisor.policy import policy_of
from srvctl.supervisor.spawn import fork_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.settings.groups import Settings
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.generations import Generations
    from srvctl.supervisor.poller import Poller


class Rereading:
    """Reads settings, one generation's at a time.

    Args:
        poller: Watches the child.
        generations: Opens what the settings name.
        read: Is called in the child; returns the settings, or what is wrong with them.
        count_of: Says how many workers the settings want.
        leave_master: Closes, in the child, what belongs to the master.
    """

    def __init__(
        self,
        poller: Poller,
        generations: Generations,
        read: Callable[[], Settings | str],
        count_of: Callable[[Settings], int],
        leave_master: Callable[[], None],
    ) -> None:
        self._poller = poller
        self._generations = generations
        self._read = read
        self._count_of = count_of
        self._leave_master = leave_master
        self._reader: _Reader | None = None

    def begin(self, generation: int) -> Event | None:
        """Start a child; return an event if that fails."""
        try:
            reader, writer = os.pipe()
        except OSError as error:
            return _refused(generation, error)
        try:
            pid = fork_child(self._leave_master, lambda: _send(writer, self._read))
        except OSError as error:
            os.close(reader)
            return _refused(generation, error)
        finally:
            os.close(writer)
        self._reader = _Reader(pid, reader, self._poller, lambda data: self._found(generation, data))
        return None

    def reuse(self, generation: int) -> Event:
        """Take the settings that are accepted for another generation."""
        return self._use(generation, self._generations.accepted.settings, ())

    def cancel(self) -> None:
        """Do without the answer, if there is none yet."""
        if self._reader is not None:
            self._reader.give_up()
            self._reader = None

    def _found(self, generation: int, data: bytes) -> Iterator[Event]:
        self._reader = None
        found: Settings | str = "The process that reads the settings ended without a word."
        if data:
            found = pickle.loads(data)  # noqa: S301 - written by our own child
        if isinstance(found, str):
            yield SettingsRefused(generation, found)
            return
        at_start = self._generations.at_start
        # Also a service must not become development by a reload, with tracebacks for its clients.
        settings = for_development(in_force(found, at_start))
        yield self._use(generation, settings, needs_restart(at_start, found))

    def _use(self, generation: int, settings: Settings, notes: tuple[str, ...]) -> Event:
        try:
            self._generations.prepare(generation, settings)
        except BindError as error:
            return SettingsRefused(generation, f"{error}.")
        return SettingsRead(generation, policy_of(settings, self._count_of(settings)), notes)


def _refused(generation: int, error: OSError) -> SettingsRefused:
    return SettingsRefused(generation, f"No process to read them: {error.strerror}.")


class _Reader(PipedChild):
    """The child that reads the settings."""

    def __init__(
        self, pid: int, pipe: int, poller: Poller, found: Callable[[bytes], Iterator[Event]]
    ) -> None:
        super().__init__(pid, pipe, poller)
        self._found = found

    def told(self, cause: str, status: int) -> Iterator[Event]:  # noqa: ARG002 - of the base
        """Take the answer; one that did not end well has none."""
        yield from self._found(self.said if status == 0 else b"")


def _send(writer: int, read: Callable[[], Settings | str]) -> int:
    """Be the child."""
    found = read()
    with os.fdopen(writer, "wb") as pipe:
        pipe.write(pickle.dumps(found))
    return ExitCode.OK
