"""What it means that something did not come up: a worker, or the mold that it should come from. Pure.

A service that never worked ends. Once it has worked, it is never given up: a reload goes back, or the slot
waits. Part of `fleet`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.errors import ExitCode
from srvctl.ipc.channel import Apology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srvctl.supervisor.crew import Crew
    from srvctl.supervisor.ending import Ending
    from srvctl.supervisor.reloader import Reloader
    from srvctl.supervisor.roster import Worker
    from srvctl.supervisor.state import State


class Failures:
    """Tells of failures, and draws the consequence.

    Args:
        state: The fleet's.
        crew: Makes slots wait.
        reloader: Goes back.
        ending: Ends a service that never worked.
    """

    def __init__(self, state: State, crew: Crew, reloader: Reloader, ending: Ending) -> None:
        self._state = state
        self._crew = crew
        self._reloader = reloader
        self._ending = ending
        self._last = ("", "")

    def tell(self, message: str, details: str) -> None:
        """Log why nothing comes up; a slot that fails all night repeats itself, its traceback does not."""
        is_repeated = self._state.was_ever_ready and (message, details) == self._last and details != ""
        self._last = (message, details)
        if is_repeated:
            self._state.orders.error(f"{message} (as before)")
        else:
            self._state.orders.error(message, details)

    def of_boot(self, worker: Worker, why: str, details: str = "") -> None:
        """A worker did not come up; somebody has told why, unless it is a reload's."""
        if self._state.policy.is_development:
            self._wait_for_next_change(worker, why, details)
        elif not self._state.was_ever_ready:
            self._ending.begin(ExitCode.NEVER_UP, why)
        elif self._state.is_new(worker.generation):
            self._reloader.fail(why, details)
        else:
            self._crew.count_failure(worker)

    def _wait_for_next_change(self, worker: Worker, why: str, details: str) -> None:
        """Show in development what is wrong, where nobody can answer any more."""
        state = self._state
        if state.is_new(worker.generation):
            self._reloader.fail(why, details)
        elif worker.apology is not None or state.has_code_that_works(but=worker):
            self._crew.count_failure(worker)
        else:
            state.apology = Apology(why, details)
            state.orders.info("Waiting for the next change.")

    def of_mold(self, generation: int, message: str, details: str = "") -> None:
        """A mold is not to be had, or not any more.

        Without one, workers that serve go on, and none that ends is replaced until there is another.
        """
        state = self._state
        if state.reload is not None and state.reload.generation == generation:
            self._reloader.fail(message, details)
            return
        self.tell(message, details)
        if not state.was_ever_ready:
            self._ending.begin(ExitCode.NEVER_UP, message)
            return
        wait = state.molds.lost(generation, state.now, state.policy.backoff, state.chance())
        when = f"in {wait:.1f} s" if wait else "now"
        state.orders.warning(
            f"The code of generation {generation} is imported anew {when}, as it is on disk by then."
        )

    def export(self) -> tuple[str, str]:
        """Return what `restore` needs, as JSON."""
        return self._last

    def restore(self, values: Sequence[str]) -> None:
        """Go on where `export` was called."""
        self._last = (values[0], values[1])
