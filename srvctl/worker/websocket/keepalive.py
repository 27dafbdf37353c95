"""When to ping a client, and when to give it up. Pure: told what time it is, in seconds of one clock."""

from __future__ import annotations

from enum import Enum, auto

from srvctl.worker.timers import NEVER


class Step(Enum):
    """What is to be done now."""

    NOTHING = auto()
    PING = auto()
    GIVE_UP = auto()


class KeepAlive:
    """Watches one client.

    Whatever it sends shows that it is there: a pong is only what makes a silent client send.

    Args:
        interval: Seconds between two pings; 0 for none.
        timeout: Seconds of silence after a ping; 0 for any time.
        now: The time.

    Attributes:
        due: When it is to be looked after next.
        has_heard: The client has sent something since the last ping.
    """

    __slots__ = ("_interval", "_is_asked", "_next_ping", "_timeout", "due", "has_heard")

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._is_asked = False
        self._next_ping = self.due = now + interval if interval else NEVER
        self.has_heard = False

    def look(self, now: float, *, is_excused: bool) -> Step:
        """Return what is to be done.

        Args:
            now: The time.
            is_excused: What the client sends is not being read.
        """
        if now < self.due:
            return Step.NOTHING
        if self._is_asked:
            self._is_asked = False
            if not (self.has_heard or is_excused):
                return Step.GIVE_UP
            if now < self._next_ping:
                self.due = self._next_ping
                return Step.NOTHING
        self._is_asked = self._timeout > 0
        self.has_heard = False
        self._next_ping = now + self._interval
        self.due = now + (self._timeout or self._interval)
        return Step.PING
