"""How a connection ends with nothing lost (RFC 9113 section 6.8). Pure: told what time it is.

Requests are on their way while the client learns of the end. So it is first told that there will be one, and
may still send what it likes; a ping goes along. Its answer says that the client knows, and that everything it
sent before is here. From then on what comes is refused, and the client told which request was the last: later
ones were not looked at, and may be sent again, to another worker.
"""

from __future__ import annotations

from typing import Final

from srvctl.worker.http2.frames import LAST_STREAM, PING, Code, frame, goaway
from srvctl.worker.timers import NEVER

_PING: Final = b"farewell"  #: eight bytes
_PATIENCE: Final = 1.0  #: seconds at most that the answer is waited for


class Farewell:
    """The end of one connection.

    Attributes:
        due: When the client is not waited for any longer, in seconds of the loop's clock.
        is_begun: The client was told that there will be an end.
        is_said: The client was told which request is the last.
    """

    __slots__ = ("_last", "due", "is_begun", "is_said")

    def __init__(self) -> None:
        self.due = NEVER
        self.is_begun = self.is_said = False
        self._last = LAST_STREAM

    def begin(self, now: float, patience: float) -> bytes:
        """Return what tells the client that there will be an end.

        Args:
            now: The time.
            patience: Seconds that it has for its answer; at most one, whatever is given.
        """
        self.is_begun = True
        self.due = now + min(patience, _PATIENCE)
        return goaway(LAST_STREAM, Code.NO_ERROR) + frame(PING, 0, 0, _PING)

    def is_answered(self, payload: bytes) -> bool:
        """Return whether the answer to a ping is that to ours."""
        return self.is_begun and payload == _PING

    def say(self, last: int) -> bytes:
        """Return what tells the client that this stream was the last."""
        self._last = last
        self.end()
        return goaway(last, Code.NO_ERROR)

    def end(self) -> None:
        """Know that nothing more is to be said."""
        self.is_begun = self.is_said = True
        self.due = NEVER

    def refuses(self, stream: int) -> bool:
        """Return whether a stream comes too late."""
        return self.is_said and stream > self._last
