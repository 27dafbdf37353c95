"""What is different while an application is developed: saved files bring new code, failures are shown. Pure.

Nothing is given up: as long as no code works, a stand-in answers with what is wrong, and the next change is
waited for. There is one worker, which imports the application itself. Part of `fleet`; `failures` and
`reloader` say when there is something to apologize for, `crew` makes a stand-in of a worker then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srvctl.supervisor.actions import Apologize
from srvctl.supervisor.lifecycle import WorkerState
from srvctl.supervisor.state import UP

if TYPE_CHECKING:
    from srvctl.supervisor.crew import Crew
    from srvctl.supervisor.events import FilesChanged
    from srvctl.supervisor.reloader import Reloader
    from srvctl.supervisor.state import State

_MOST_NAMED: Final = 3  #: paths in one line of the log


class Development:
    """Obeys the files.

    Args:
        state: The fleet's.
        crew: Takes steps on workers.
        reloader: Brings new code in.
    """

    def __init__(self, state: State, crew: Crew, reloader: Reloader) -> None:
        self._state = state
        self._crew = crew
        self._reloader = reloader

    def files_changed(self, event: FilesChanged) -> None:
        """Have the new code served, instead of whatever is on its way."""
        state = self._state
        if state.phase not in UP:
            return
        state.orders.info(f"Detected changes in {_named(event.paths)}. Reloading...")
        for worker in state.roster:
            if worker.state is WorkerState.BOOTING:
                self._crew.retire(worker, "its code has changed")
        self._reloader.code_changed(anew=event.of_settings)

    def apologize(self) -> None:
        """Have stand-ins show what is wrong by now."""
        apology = self._state.apology
        if apology is None:
            return
        for worker in self._state.roster:
            if worker.is_ready and worker.apology not in {None, apology}:
                worker.apology = apology
                self._state.orders.give(Apologize(worker.number, apology))


def _named(paths: tuple[str, ...]) -> str:
    named = ", ".join(f"'{path}'" for path in paths[:_MOST_NAMED])
    more = len(paths) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named
