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

    __slots__ = ("_answer_by", "_interval", "_next_ping", "_timeout", "due", "has_heard")

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._answer_by = NEVER  #: when the client has to have sent something
        self._next_ping = self.due = now + interval if interval else NEVER
        self.has_heard = False

    def look(self, now: float, *, can_ask: bool, can_hear: bool) -> Step:
        """Return what is to be done.

        Args:
            now: The time.
            can_ask: A ping could be sent, because the client takes what it is sent.
            can_hear: What the client sends is being read.
        """
        if now < self.due:
            return Step.NOTHING
        if self.has_heard or not (can_ask and can_hear):
            self._answer_by = NEVER
        elif now >= self._answer_by:
            return Step.GIVE_UP
        step = Step.NOTHING
        if now >= self._next_ping:
            self._next_ping = now + self._interval
            if can_ask:
                step = Step.PING
                if self._timeout and self._answer_by == NEVER:
                    self._answer_by = now + self._timeout
                    self.has_heard = False
        self.due = min(self._next_ping, self._answer_by)
        return step
