"""Where lines can be written to, none of which is ever waited for: streams, a file, syslog, journald.

Built on `srvctl.logs.access.sinks`, which knows streams. Called by `lane`.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Final, Protocol

from srvctl.logs.access.sinks import DescriptorSink, stream_sink

if TYPE_CHECKING:
    from typing import TextIO

#: Receivers and the kernel have limits for one datagram; what is longer than this is cut until it fits.
_SHORTEST: Final = 1024
_BUSY: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR})


class LogSink(Protocol):
    """Takes lines.

    Attributes:
        size: Most bytes of joined lines to give it at a time; 0 where each line is to be given alone.
        trouble: Why it took nothing last time, where somebody has to do something about it; else empty.
    """

    size: int
    trouble: str

    def write(self, data: bytes) -> int:
        """Return how many of these bytes it took, without waiting; 0 when it takes none now.

        Raises:
            ReaderGoneError: Nobody will ever read it.
        """

    def watched(self) -> int | None:
        """Return a descriptor that tells when it takes something again; None where none does."""

    def wait(self, seconds: float) -> bool:
        """Wait until it takes something, at most so long; return whether it may."""

    def reopen(self) -> None:
        """Go on with what has its name now.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """

    def close(self) -> None:
        """Close it."""


class StreamSink:
    """What stdout or stderr leads to; the stream itself stays open.

    Args:
        stream: As the interpreter made it; None was closed before it started.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._sink = stream_sink(stream)
        self.size = self._sink.size
        self.trouble = ""

    def write(self, data: bytes) -> int:
        """Write what is taken without waiting.

        Raises:
            ReaderGoneError: Nobody will ever read it.
        """
        return self._sink.write(data)

    def watched(self) -> int | None:
        """Return the descriptor."""
        return self._sink.fd if isinstance(self._sink, DescriptorSink) else None

    def wait(self, seconds: float) -> bool:
        """Wait for room."""
        return self._sink.wait(seconds)

    def reopen(self) -> None:
        """Do nothing: it has no name."""

    def close(self) -> None:
        """Close what was opened for it."""
        if isinstance(self._sink, DescriptorSink):
            self._sink.close()


class DatagramSink:
    """A socket that takes one line in a datagram.

    The receiver may be started again, or later than srvctl: each line is sent to its address, and none is
    lost as long as they are kept elsewhere.

    Args:
        address: A path, or host and port, numeric.
        says: What the receiver is called in sentences.

    Raises:
        OSError: There is no room for a socket.
    """

    size = 0

    def __init__(self, address: str | tuple[str, int], says: str) -> None:
        self.trouble = ""
        self._says = says
        self._address = address
        family = socket.AF_UNIX
        if not isinstance(address, str):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def write(self, data: bytes) -> int:
        """Send it, cut where it is too long for a datagram."""
        piece = data
        while True:
            try:
                self._socket.sendto(piece, self._address)
            except OSError as error:
                if error.errno == errno.EMSGSIZE and len(piece) > _SHORTEST:
                    piece = piece[: len(piece) // 2]
                    continue
                is_busy = error.errno in _BUSY
                self.trouble = "" if is_busy else f"{self._says}: {error.strerror or error}"
                return 0
            self.trouble = ""
            return len(data)

    def watched(self) -> int | None:
        """Return None: an unconnected socket cannot tell."""
        return None

    def wait(self, _seconds: float) -> bool:
        """Return at once."""
        return True

    def reopen(self) -> None:
        """Do nothing: each datagram is sent to the name."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def reason(error: OSError) -> str:
    """Return what an error of the system says."""
    return error.strerror or os.strerror(error.errno or errno.EIO)
