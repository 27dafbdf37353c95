"""Collects what the fleet wants done, in order, while it takes in one event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srvctl.supervisor.actions import Log, Severity

if TYPE_CHECKING:
    from srvctl.supervisor.actions import Action


class Orders:
    """The actions so far."""

    def __init__(self) -> None:
        self._actions: list[Action] = []

    def give(self, *actions: Action) -> None:
        """Add actions."""
        self._actions += actions

    def info(self, text: str) -> None:
        """Add a line of the log."""
        self.give(Log(Severity.INFO, text))

    def warning(self, text: str) -> None:
        """Add a line of the log."""
        self.give(Log(Severity.WARNING, text))

    def error(self, text: str, details: str = "") -> None:
        """Add a line of the log, with what is to be shown under it as it is."""
        self.give(Log(Severity.ERROR, text, details))

    def take(self) -> list[Action]:
        """Return all, and begin anew."""
        actions, self._actions = self._actions, []
        return actions
