"""How slow a client may be: whether it sends its request, and takes its response, fast enough.

Pure: told what happened and what time it is, in seconds of one clock.
"""

from __future__ import annotations


class BodyPace:
    """Judges the rate of a request body, one window of time after the other.

    A client that sends a byte now and then keeps a request alive for ever otherwise, and no idle timeout
    notices it.

    Args:
        window: Length of the windows, in seconds.
        rate: Bytes that must come each second, on average over a window.
        now: The time.

    Attributes:
        due: When the current window ends.
    """

    __slots__ = ("_is_excused", "_needed", "_received", "_window", "due")

    def __init__(self, window: float, rate: int, now: float) -> None:
        self._window = window
        self._needed = window * rate
        self._received = 0
        self._is_excused = False
        self.due = now + window

    def received(self, size: int) -> None:
        """Count bytes."""
        self._received += size

    def excuse(self) -> None:
        """Note that the client could not send all the time, because nobody read."""
        self._is_excused = True

    def is_too_slow(self, now: float) -> bool:
        """Return whether too little came in a window that is over; if not, the next one begins."""
        if now < self.due:
            return False
        if self._received < self._needed and not self._is_excused:
            return True
        self._received, self._is_excused = 0, False
        self.due = now + self._window
        return False


class SendPace:
    """Notices a client that takes nothing of what waits to be sent.

    Most clients that are waited for take something within a moment, so nothing is looked at before ``due``.

    Args:
        patience: Seconds it may take nothing.
        due: When its progress is looked at first.

    Attributes:
        due: When its progress is looked at next.
    """

    __slots__ = ("_patience", "_progress", "due")

    def __init__(self, patience: float, due: float) -> None:
        self._patience = patience
        self._progress: int | None = None  #: as it was at the last look
        self.due = due

    def is_stalled(self, progress: int, now: float) -> bool:
        """Return whether nothing was taken for too long.

        Args:
            progress: A number that changes whenever the client takes something.
            now: The time.
        """
        if now < self.due:
            return False
        if progress == self._progress:
            return True
        self._progress = progress
        self.due = now + self._patience
        return False
