"""Messages between workers, and their bytes: a greeting, then frames. Pure.

A frame is its kind, the sizes of channel and body, the channel in UTF-8, the body. Each side of a reload may
run another version of this file, so a connection begins with a greeting that names the version, and whoever
does not know it hangs up. A reader trusts nobody: bytes that are no frames are a `WireError`, never an
exception of another kind.
"""

from __future__ import annotations

import struct
from typing import Final

#: First bytes of each connection.
GREETING: Final = b"srvctl broadcast 1\n"
#: Longest name of a channel, in bytes of UTF-8.
MAX_CHANNEL: Final = 1024

_HEAD: Final = struct.Struct("!BHI")  # kind, size of the channel, size of the body
_BYTES: Final = 0
_TEXT: Final = 1

#: A channel, and what was published there.
Message = tuple[str, str | bytes]


class WireError(ValueError):
    """The bytes received are no messages."""


def encode(channel: bytes, body: bytes, *, is_text: bool) -> bytes:
    """Return the frame of a message.

    Args:
        channel: Its name, in UTF-8; no longer than `MAX_CHANNEL`.
        body: The message; a text in UTF-8.
        is_text: It arrives as a str.
    """
    return _HEAD.pack(_TEXT if is_text else _BYTES, len(channel), len(body)) + channel + body


def channel_of(frame: bytes) -> str:
    """Return the channel of a frame that `encode` made."""
    _, size, _ = _HEAD.unpack_from(frame)
    return str(frame[_HEAD.size : _HEAD.size + size], "utf-8")


class Decoder:
    """Cuts the bytes of one connection into messages.

    Args:
        max_size: Largest body, in bytes.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._is_greeted = False
        self._rest = bytearray()  #: an incomplete frame
        self._needed = len(GREETING)  #: bytes `_rest` must have before there is something to do

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete now.

        Raises:
            WireError: The bytes are no messages; good ones before them are lost.
        """
        if self._rest or not self._is_greeted:
            self._rest += data
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        messages: list[Message] = []
        position = 0
        if not self._is_greeted:
            position = self._greet(data)
        try:
            position = self._cut(data, position, messages)
        except UnicodeDecodeError as error:
            raise WireError(f"a text that is not UTF-8: {error}") from None
        if position < len(data):
            self._rest += data[position:]
        return messages

    def _greet(self, data: bytes) -> int:
        if not data.startswith(GREETING):
            raise WireError(f"begins with {data[: len(GREETING)]!r}")
        self._is_greeted = True
        return len(GREETING)

    def _cut(self, data: bytes, position: int, messages: list[Message]) -> int:
        """Append the messages of the frames from the position on; return where the last one ends."""
        end, head, unpack, largest = len(data), _HEAD.size, _HEAD.unpack_from, self._max_size
        self._needed = head
        while (start := position + head) <= end:
            kind, channel_size, size = unpack(data, position)
            if kind > _TEXT or channel_size > MAX_CHANNEL or size > largest:
                raise WireError(f"no frame: {data[position : start + 20]!r}")
            middle = start + channel_size
            stop = middle + size
            if stop > end:
                self._needed = stop - position
                break
            body: str | bytes = data[middle:stop]
            messages.append((str(data[start:middle], "utf-8"), str(body, "utf-8") if kind else body))  # type: ignore[arg-type]
            position = stop
        return position
