"""The master's loop, whole: wait, decide, act."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from srvctl.supervisor.actions import Exit
from srvctl.supervisor.events import Started, TimePassed

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from srvctl.errors import ExitCode
    from srvctl.supervisor.effects import Effects
    from srvctl.supervisor.events import Event
    from srvctl.supervisor.fleet import Fleet
    from srvctl.supervisor.poller import Poller


def _nothing() -> None:
    """Settle nothing."""


class Master:
    """Joins the three parts; `run` returns when the fleet says so.

    Args:
        fleet: Decides.
        poller: Waits.
        effects: Acts.
        trace: Is told every decision, at level debug.
        settle: Called when all that came at once is dealt with; may return one more event.
        decided: Called when the fleet has taken in an event, and what it decided is done.
    """

    def __init__(
        self,
        fleet: Fleet,
        poller: Poller,
        effects: Effects,
        trace: logging.Logger,
        settle: Callable[[], Event | None] = _nothing,
        decided: Callable[[], None] = _nothing,
    ) -> None:
        self._fleet = fleet
        self._poller = poller
        self._effects = effects
        self._trace = trace
        self._settle = settle
        self._decided = decided
        self._deadline: float | None = None  #: when the fleet is to be told that time has passed
        self._is_stale = True  #: it was told something since it said so
        self._is_settled = False  #: the last it was told is that time has passed, and it wanted nothing

    def run(self, first: Event | None = None) -> ExitCode:
        """Supervise until nothing is left to supervise.

        Args:
            first: What the fleet is told first; by default that it begins.
        """
        code = self._dispatch(first or Started())
        while code is None:
            code = self._turn()
        return code

    def _turn(self) -> ExitCode | None:
        if self._is_stale:
            self._deadline, self._is_stale = self._fleet.next_deadline(), False
        for event in self._poller.wait(self._deadline):
            # Most of what wakes the master up is no concern of the fleet: what workers print, who asks for
            # the log. A look at every worker is not worth it then.
            if isinstance(event, TimePassed) and self._is_settled and not _has_come(self._deadline):
                continue
            code = self._dispatch(event)
            if code is not None:
                return code
        result = self._settle()
        return self._dispatch(result) if result is not None else None

    def _dispatch(self, event: Event) -> ExitCode | None:
        """Handle an event and whatever its actions cause at once."""
        self._is_stale, self._is_settled = True, isinstance(event, TimePassed)
        pending = deque([event])
        while pending:
            event = pending.popleft()
            actions = self._fleet.handle(event, time.monotonic())
            if actions:
                self._is_settled = False
                self._trace.debug("%s -> %s", event, actions)
            for action in actions:
                if isinstance(action, Exit):
                    self._decided()
                    return action.code
                result = self._effects.perform(action)
                if result is not None:
                    pending.append(result)
            self._decided()
        return None


def _has_come(deadline: float | None) -> bool:
    return deadline is not None and deadline <= time.monotonic()
