"""What a message looks like in Redis: who sent it, its number there, its kind, then the message. Pure.

Redis knows bytes only, gives a publisher its own messages back, and a batch that is repeated after a lost
connection may come twice; the envelope tells. Whatever other programs publish has none, and arrives as bytes.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import Final

#: Before the name of each channel, where others use the same Redis.
PREFIX: Final = b"srvctl:"
ORIGIN_SIZE: Final = 8

_MARK: Final = b"\xffsrvctl1"  # no text in UTF-8 begins with 0xff
_HEAD: Final = struct.Struct(f"!{len(_MARK)}s{ORIGIN_SIZE}sQ?")  # mark, origin, number, is it a text
_REMEMBERED: Final = 4096  #: origins; each start of a worker is one


def seal(origin: bytes, number: int, body: bytes, *, is_text: bool) -> bytes:
    """Return what is published in Redis.

    Args:
        origin: Names this worker: `ORIGIN_SIZE` random bytes.
        number: Larger than that of the last message.
        body: The message; a text in UTF-8.
        is_text: It arrives as a str.
    """
    return _HEAD.pack(_MARK, origin, number, is_text) + body


class Opener:
    """Takes messages out of their envelopes, each once.

    Args:
        origin: Names this worker, whose own messages have arrived already.
    """

    def __init__(self, origin: bytes) -> None:
        self._origin = origin
        self._last: OrderedDict[bytes, int] = OrderedDict()  #: number of the last message by origin

    def open(self, payload: bytes) -> str | bytes | None:
        """Return the message; None for one that has been here already."""
        if not payload.startswith(_MARK) or len(payload) < _HEAD.size:
            return payload
        _, origin, number, is_text = _HEAD.unpack_from(payload)
        if origin == self._origin or number <= self._last.get(origin, -1):
            return None
        self._last[origin] = number
        self._last.move_to_end(origin)
        if len(self._last) > _REMEMBERED:
            self._last.popitem(last=False)
        body = payload[_HEAD.size :]
        return body.decode("utf-8", "replace") if is_text else body
