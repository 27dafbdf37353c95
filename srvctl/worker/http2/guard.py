"""How much trouble one client may make before its connection is closed. Pure: told what time it is.

Each of these costs the client next to nothing and the server something: requests that are cancelled as soon
as they are sent (CVE-2023-44487), or that the client makes us cancel (CVE-2025-8671), and frames that ask
for an answer or for a look and move nothing (CVE-2019-9512, -9515, -9518).
"""

from __future__ import annotations

from typing import Final

from srvctl.worker.http2.frames import Code, ConnectionFault

SPAN: Final = 10.0  #: seconds over which is counted


class Guard:
    """Counts what one client does.

    Args:
        resets: Streams that may be cancelled in `SPAN` seconds; 0 for any number.
        idle_frames: Frames that may move nothing in that time; 0 for any number.
    """

    __slots__ = ("_idle", "_idle_until", "_most_idle", "_most_resets", "_resets", "_resets_until")

    def __init__(self, resets: int, idle_frames: int) -> None:
        self._most_resets, self._most_idle = resets, idle_frames
        self._resets = self._idle = 0
        self._resets_until = self._idle_until = 0.0

    def note_reset(self, now: float) -> None:
        """Count a stream that ends before it is answered.

        Raises:
            ConnectionFault: These are too many.
        """
        if now >= self._resets_until:
            self._resets, self._resets_until = 0, now + SPAN
        self._resets += 1
        if self._resets > self._most_resets > 0:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many requests were cancelled or refused")

    def note_idle_frame(self, now: float) -> None:
        """Count a frame that moves nothing.

        Raises:
            ConnectionFault: These are too many.
        """
        if now >= self._idle_until:
            self._idle, self._idle_until = 0, now + SPAN
        self._idle += 1
        if self._idle > self._most_idle > 0:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many frames that move nothing")
