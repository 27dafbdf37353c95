"""What is said in the log about lost messages: a line at once, then at most one in a while."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Final

logger = logging.getLogger("srvctl.error")

_INTERVAL: Final = 5.0  #: seconds between two lines
_NAMED: Final = 3  #: channels a line names


class Losses:
    """Counts lost messages of each channel.

    Args:
        text: The line; its two ``%s`` become the number of messages and the channels.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._unsaid: Counter[str] = Counter()
        self._timer: asyncio.Handle | None = None  #: while it runs, losses are only counted

    def note(self, channel: str) -> None:
        """Count a message that was lost."""
        self._unsaid[channel] += 1
        if self._timer is None:  # at the end of this turn, so that the first line has the whole burst
            self._timer = asyncio.get_running_loop().call_soon(self._catch_up)

    def close(self) -> None:
        """Say what is still to be said."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._unsaid:
            self._say()

    def _catch_up(self) -> None:
        self._timer = None
        if self._unsaid:
            self._say()
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._catch_up)

    def _say(self) -> None:
        total = self._unsaid.total()
        worst = [repr(channel) for channel, _ in self._unsaid.most_common(_NAMED)]
        more = len(self._unsaid) - len(worst)
        channels = ", ".join(worst) + (f" and {more} more" if more else "")
        messages = f"{total} message" + "s" * (total > 1)
        logger.warning(self._text, messages, channels)
        self._unsaid.clear()
