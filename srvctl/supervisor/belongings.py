"""What a master has from its start to its end, whichever version of srvctl it is by then.

Made at the start, or taken over from the program that this process ran before. Held by the composition root.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from srvctl.ipc.lifeline import Lifeline
from srvctl.supervisor import provenance
from srvctl.supervisor.handover import Program
from srvctl.supervisor.meeting_place import name_place
from srvctl.supervisor.vitals import new_shares
from srvctl.systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping


@dataclass(frozen=True, slots=True)
class Belongings:
    """All of it.

    Attributes:
        program: What an upgrade runs.
        running: What runs now, for an upgrade that has to go back to it.
        notifier: The service manager.
        place: The directory in which the workers find each other.
        lifeline: What the children hold on to.
        shares: Descriptor of the table in which workers see each other's connections.
        started: How it was started: a word of `srvctl.supervisor.provenance`.
    """

    program: Program
    running: Program
    notifier: Notifier
    place: str
    lifeline: Lifeline
    shares: int
    started: str = provenance.RUN

    @classmethod
    def fresh(cls, environ: MutableMapping[str, str], *, for_others: bool) -> Self:
        """Return those of a new service.

        Args:
            environ: The environment; what is for the master alone is removed from it.
            for_others: The workers run as another user.
        """
        started = provenance.take(environ)  # before the notifier takes what tells it
        notifier = Notifier.from_environ(environ, until_ready=started == provenance.START)
        place = name_place(environ, for_others=for_others)
        return cls(Program.installed(), Program.running(), notifier, place, Lifeline(), new_shares(), started)

    def fds(self) -> list[int]:
        """Return the descriptors that `inherit` takes over."""
        return [*self._ends(), self.shares]

    def _ends(self) -> list[int]:
        return [self.lifeline.end, self.lifeline.held]

    def export(self) -> dict[str, Any]:
        """Return what `inherit` needs, and what a program that is gone back to does, as JSON."""
        return {
            "program": self.program.export(),
            "former": self.running.export(),
            "pythonpath": os.environ.get("PYTHONPATH"),
            "notify": self.notifier.address.decode("latin-1"),
            "watchdog": self.notifier.watchdog,
            "place": self.place,
            "lifeline": self._ends(),
            "shares": self.shares,
            "started": self.started,
        }

    @classmethod
    def inherit(cls, state: Mapping[str, Any]) -> Self:
        """Return those that another program exported.

        Raises:
            OSError: A descriptor did not come along.
        """
        return cls(
            Program.restore(state["program"]),
            Program.running(),
            # An older srvctl has no watchdog: it has thrown away what asked for one.
            Notifier.inherit(state["notify"].encode("latin-1"), state.get("watchdog", 0.0)),
            state["place"],
            Lifeline.inherit(*state["lifeline"]),
            _inherit_shares(state.get("shares")),
            state.get("started", provenance.RUN),  # an older srvctl could not be started otherwise
        )


def _inherit_shares(fd: int | None) -> int:
    """Go on with the table of another program; a new one, for new workers, where it had none.

    Raises:
        OSError: It did not come along.
    """
    if fd is None:
        return new_shares()
    os.set_inheritable(fd, False)
    return fd
