"""Which streams there were: what a frame on a stream that is not open means (RFC 9113 section 5.1). Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from srvctl.worker.http2.frames import Code, ConnectionFault

_REMEMBERED: Final = 512  #: streams that we ended, of which something may still be on its way
_GAPS: Final = 16


class History:
    """The identifiers of one connection.

    Attributes:
        last: The highest that the client has used.
    """

    __slots__ = ("_cut", "_cut_order", "_gaps", "last")

    def __init__(self) -> None:
        self.last = 0
        self._cut: set[int] = set()
        self._cut_order: deque[int] = deque()
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_GAPS)

    def opens(self, stream: int) -> bool:
        """Return whether a field block on this stream, which is not open, opens it; then it is known.

        Raises:
            ConnectionFault: The stream cannot be opened any more.
        """
        if stream > self.last:
            if stream > self.last + 2:
                self._gaps.append((self.last, stream))
            self.last = stream
            return True
        if stream in self._cut:
            return False
        if any(low < stream < high for low, high in self._gaps):  # section 5.1.1: closed without being used
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a stream with a number lower than others before it")
        raise ConnectionFault(Code.STREAM_CLOSED, "HEADERS on a stream that has ended")

    def is_used(self, stream: int) -> bool:
        """Return whether this can be a stream that was opened: by the client, and not later than others."""
        return stream <= self.last and stream & 1 == 1

    def require_used(self, stream: int) -> None:
        """Refuse a frame on a stream that nobody has opened.

        Raises:
            ConnectionFault: Nobody has.
        """
        if not self.is_used(stream):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame on a stream that was never opened")

    def is_cut(self, stream: int) -> bool:
        """Return whether we ended this stream lately: what comes on it was sent before the client knew."""
        return stream in self._cut

    def note_cut(self, stream: int) -> None:
        """Learn that we ended a stream before the client did."""
        if stream not in self._cut:
            self._cut.add(stream)
            self._cut_order.append(stream)
            if len(self._cut_order) > _REMEMBERED:
                self._cut.discard(self._cut_order.popleft())
