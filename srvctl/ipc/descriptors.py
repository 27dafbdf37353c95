"""Lines that carry descriptors over a Unix stream socket, so that neither ever meets another's.

Each line is one sendmsg(2) with its descriptors beside it. unix(7): ancillary data forms a barrier, so a read
ends with the bytes they were sent with. Whatever descriptors a read brings therefore belong to the line that
its last byte is of, be the line complete in that read or not. Knows no message; who reads a line knows how
many descriptors belong to it. The master sends, the mold receives.
"""

from __future__ import annotations

import array
import os
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from srvctl.ipc.channel import ChannelError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Longest line, in bytes. So short, it is sent whole or not at all.
MAX_LINE: Final = 4096
#: The kernel's own limit for one message (SCM_MAX_FD, unix(7)).
MAX_DESCRIPTORS: Final = 253

_CHUNK: Final = 65536
_ITEM: Final = array.array("i").itemsize
_SPACE: Final = socket.CMSG_SPACE(MAX_DESCRIPTORS * _ITEM)
#: Without it a descriptor would, for a moment, be inherited by whatever program a thread starts.
_CLOEXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class ChannelFullError(ChannelError):
    """The other side does not read: its socket holds no more. Nothing of the line was sent."""


def send_line(channel: socket.socket, line: bytes, descriptors: Sequence[int] = ()) -> None:
    r"""Send a line and its descriptors, all or nothing; the caller's descriptors stay open.

    Args:
        channel: A Unix stream socket.
        line: Ends with ``\n`` and has no other; at most `MAX_LINE` bytes.
        descriptors: At most `MAX_DESCRIPTORS`.

    Raises:
        ChannelFullError: The channel is non-blocking and full.
        OSError: The other side is gone, or too many descriptors are on their way (ETOOMANYREFS, unix(7)).
        ValueError: The line or the list is too long.
    """
    if len(line) > MAX_LINE or len(descriptors) > MAX_DESCRIPTORS:
        raise ValueError(f"a line of {len(line)} bytes with {len(descriptors)} descriptors is too long")
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    try:
        channel.sendmsg([line], ancillary)
    except BlockingIOError:
        raise ChannelFullError("the other side of the channel does not read") from None


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was received.

    Attributes:
        text: Its bytes, without the newline.
        descriptors: Those that were sent with it and fitted into this process; whoever has the line owns
            them. They are not inherited by other programs.
    """

    text: bytes
    descriptors: list[int] = field(default_factory=list)

    def close(self) -> None:
        """Close its descriptors."""
        while self.descriptors:
            os.close(self.descriptors.pop())


class LineReader:
    """Reads lines and their descriptors from a channel; what it has read and nobody took, it closes."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._rest = b""
        self._held: list[int] = []  # the descriptors of the line that `_rest` begins
        self._lines: deque[Line] = deque()

    def wait_line(self) -> Line | None:
        """Return the next line, waiting for it; None when the other side has closed.

        Raises:
            ChannelError: A line is longer than `MAX_LINE`.
            OSError: The channel is broken.
        """
        while not self._lines:
            data, ancillary, _, _ = self._channel.recvmsg(_CHUNK, _SPACE, _CLOEXEC)
            self._take(data, _descriptors_in(ancillary))
            if not data:
                return None
            if len(self._rest) > MAX_LINE:
                raise ChannelError(f"a line longer than {MAX_LINE} bytes")
        return self._lines.popleft()

    def _take(self, data: bytes, descriptors: list[int]) -> None:
        *complete, self._rest = (self._rest + data).split(b"\n")
        for text in complete:
            self._lines.append(Line(text, self._held))
            self._held = []
        owner = self._held if self._rest or not complete else self._lines[-1].descriptors
        owner.extend(descriptors)

    def close(self) -> None:
        """Close the descriptors of what was not taken; the channel is the caller's."""
        Line(b"", self._held).close()
        while self._lines:
            self._lines.popleft().close()


def _descriptors_in(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % _ITEM])
    return list(found)
