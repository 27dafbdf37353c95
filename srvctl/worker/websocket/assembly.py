"""A message being put together from the pieces in which it comes. Pure."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any, Final

from srvctl.worker.websocket.protocol import INVALID_DATA, POLICY_VIOLATION, TOO_BIG, Violation

if TYPE_CHECKING:
    from srvctl.worker.websocket.protocol import Data, MessageLimits

_MANY: Final = 256  #: pieces, which are joined
_SURROGATES: Final = b"\xed\xa0"  #: what their encodings begin with, from the first
_BEHIND_SURROGATES: Final = b"\xee"  #: to before this
_new_decoder: Final = codecs.getincrementaldecoder("utf-8")


class Assembly:
    """One message.

    Text is decoded as it comes, so that bytes that can never become text are noticed at once.

    Args:
        limits: How large it may be.
        is_text: What it is.
        is_compressed: Its pieces have to be inflated before they come here.

    Attributes:
        is_compressed: As given.
        room: Bytes that may still come.
    """

    __slots__ = (
        "_decoder",
        "_fragments",
        "_joined",
        "_limits",
        "_nothing",
        "_pieces",
        "is_compressed",
        "room",
    )

    def __init__(self, limits: MessageLimits, *, is_text: bool, is_compressed: bool) -> None:
        self._limits = limits
        self._fragments = 0
        self._decoder = _new_decoder() if is_text else None
        self._nothing: Any = "" if is_text else b""
        self._pieces: list[Any] = []
        self._joined = 0  #: how many of them were made of small ones, which cost much more than they hold
        self.is_compressed = is_compressed
        self.room = limits.size

    def expect(self, length: int) -> None:
        """Learn that another frame begins.

        Args:
            length: Bytes of its payload.

        Raises:
            Violation: The message has too many frames, or is becoming too large.
        """
        self._fragments += 1
        if self._limits.fragments and self._fragments > self._limits.fragments:
            raise Violation(POLICY_VIOLATION, "a message has too many fragments")
        if length > self.room and not self.is_compressed:
            raise too_big()

    def add(self, piece: bytes) -> None:
        """Take a piece.

        Raises:
            Violation: The message is too large, or no text.
        """
        self.room -= len(piece)
        if self.room < 0:
            raise too_big()
        pieces, joined = self._pieces, self._joined
        pieces.append(piece if self._decoder is None else self._decode(self._decoder, piece))
        if len(pieces) - joined == _MANY:
            pieces[joined:] = [self._nothing.join(pieces[joined:])]
            self._joined = joined + 1

    def finish(self) -> Data:
        """Return the message.

        Raises:
            Violation: It is no text, because it ends inside a character.
        """
        if self._decoder is not None:
            self._decode(self._decoder, b"", is_last=True)
        data: Data = self._pieces[0] if len(self._pieces) == 1 else self._nothing.join(self._pieces)
        return data

    @staticmethod
    def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, *, is_last: bool = False) -> str:
        try:
            text = decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            raise not_text() from None
        # CPython waits for the third byte of a surrogate, which no third byte can make valid.
        if _SURROGATES <= decoder.getstate()[0] < _BEHIND_SURROGATES:
            raise not_text()
        return text


def not_text() -> Violation:
    """Return the violation for a text that is not UTF-8."""
    return Violation(INVALID_DATA, "a text is not valid UTF-8")


def too_big() -> Violation:
    """Return the violation for a message that is too large."""
    return Violation(TOO_BIG, "a message is too large")
