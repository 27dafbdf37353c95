"""The wish that the installed srvctl takes over, until something came of it. Pure; part of `fleet`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from srvctl.supervisor.actions import Reply, Upgrade
from srvctl.supervisor.events import UpgradeAsked
from srvctl.supervisor.portable import unpacked
from srvctl.supervisor.state import Phase, workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srvctl.supervisor.events import Upgraded, UpgradeRefused
    from srvctl.supervisor.state import State


class UpgradeWish:
    """At most one.

    Args:
        state: The fleet's.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._asked: UpgradeAsked | None = None

    def asked(self, event: UpgradeAsked) -> None:
        """Have it tried, if this is a time for it."""
        state = self._state
        if state.policy.is_development:
            self._turn_down(event, "Not in development (reload.enabled): stop srvctl, and start it again.")
        elif self._asked is not None or state.phase is not Phase.RUNNING or state.reload is not None:
            self._turn_down(
                event, "Not while the service starts, stops, reloads or upgrades; try again later."
            )
        else:
            self._asked, state.is_upgrading, state.upgrade_error = event, True, ""
            state.orders.info(f"Received {event.by}, trying whether the installed srvctl can take over.")
            state.orders.give(Upgrade())

    def _turn_down(self, event: UpgradeAsked, text: str) -> None:
        self._state.orders.warning(f"Received {event.by}, but cannot upgrade now. {text}")
        if event.client is not None:
            self._state.orders.give(Reply(event.client, is_ok=False, message=text))

    def done(self, event: Upgraded) -> None:
        """Tell that it has taken over: this is it."""
        for note in event.notes:
            self._state.orders.warning(note)
        number = len(self._state.roster.workers)
        live_on = f"{workers(number)} {'lives' if number == 1 else 'live'} on"
        text = f"Upgraded from {event.before} to {event.after}; {live_on}."
        self._state.orders.info(text)
        self._end(is_ok=True, message=text, details="\n".join(event.notes))

    def refused(self, event: UpgradeRefused) -> None:
        """Tell why it has not."""
        if self._asked is None:
            return  # a stop came before
        text = f"Upgrade failed: {event.reason.rstrip('.')}. This srvctl goes on."
        self._state.orders.error(text, event.details)
        self._state.upgrade_error = text
        self._end(is_ok=False, message=text, details=event.details)

    def drop(self) -> None:
        """Give it up, because the service stops."""
        if self._asked is not None:
            self._end(is_ok=False, message="The service is stopping.")

    def export(self) -> dict[str, Any] | None:
        """Return what `restore` needs, as JSON."""
        return asdict(self._asked) if self._asked is not None else None

    def restore(self, values: Mapping[str, Any] | None) -> None:
        """Go on where `export` was called.

        Raises:
            KeyError: Something is missing.
            TypeError: As before.
        """
        if values is not None:
            self._asked, self._state.is_upgrading = unpacked(UpgradeAsked, values), True

    def _end(self, *, is_ok: bool, message: str, details: str = "") -> None:
        client = self._asked.client if self._asked is not None else None
        self._asked, self._state.is_upgrading = None, False
        if client is not None:
            self._state.orders.give(Reply(client, is_ok, message, details))
