"""What others read out of the frames of a client: the library websockets' own path, and what our codecs make.

Where the library differs from what is right, or from what is as right, this file says so with its clause.
"""

from __future__ import annotations

import codecs
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from websockets.exceptions import ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from srvctl.worker.websocket.protocol import MessageLimits, Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from srvctl.worker.websocket.deflate import Agreement
    from srvctl.worker.websocket.protocol import Data, FrameCodec

    MakeCodec = Callable[[Any, MessageLimits, Agreement | None], FrameCodec]

SIZE: Final = 1 << 20  #: bytes; of the largest message
INVALID_DATA: Final = 1007
#: What surrogates begin with: CPython's decoder waits for the third byte, although none can follow (RFC 3629
#: section 4), and we do not.
_SURROGATES: Final = [bytes((0xED, byte)) for byte in range(0xA0, 0xC0)]
UNDEFINED: Final = 1011  #: what websockets says when our `_Deflate` gives up


@dataclass
class Outcome:
    """What was read.

    Attributes:
        events: Messages as they are, and tuples for pings and the close.
        violation: The code of the first; 0 without one.
        is_undefined: What follows the events is not to be compared.
    """

    events: list[Any] = field(default_factory=list)
    violation: int = 0
    is_undefined: bool = False

    # As a `FrameSink`.

    def message_received(self, data: Data) -> None:
        self.events.append(data)

    def ping_received(self, payload: bytes) -> None:
        assert isinstance(payload, bytes)
        self.events.append(("ping", payload))

    def close_received(self, code: int, reason: str) -> None:
        self.events.append(("close", code, reason))

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read."""
        last = self.events[-1] if self.events else None
        return bool(self.violation) or (isinstance(last, tuple) and last[0] == "close")


def read(make: MakeCodec, pieces: Iterable[bytes], agreement: Agreement | None) -> Outcome:
    """Feed one of our codecs, as a connection does."""
    outcome = Outcome()
    codec = make(outcome, MessageLimits(size=SIZE), agreement)
    try:
        for data in pieces:
            reached = 0
            while reached < len(data) and not outcome.has_ended:
                before, reached = reached, codec.feed(data, reached)
                assert before < reached <= len(data), "no progress"
    except Violation as violation:
        outcome.violation = violation.code
    return outcome


# -- the library websockets ---------------------------------------------------------------------------


class _Deflate(PerMessageDeflate):
    """Gives up where a client ends a deflate block for good.

    The library then drops what follows (RFC 7692 section 7.2.3.4 allows such blocks).
    """

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        decoded = super().decode(frame, max_size=max_size)
        if frame.opcode not in {Opcode.CLOSE, Opcode.PING, Opcode.PONG} and hasattr(self, "decoder"):
            self._check()
        return decoded

    def __delattr__(self, name: str) -> None:
        self._check()
        super().__delattr__(name)

    def _check(self) -> None:
        if self.decoder.eof:
            raise NotImplementedError


def oracle(stream: bytes, agreement: Agreement | None) -> Outcome:
    """Return what websockets reads out of a stream, which it is given whole."""
    protocol = ServerProtocol(state=State.OPEN, max_size=SIZE, logger=_silent())
    if agreement is not None:
        protocol.extensions = [
            _Deflate(
                remote_no_context_takeover=agreement.client_resets,
                local_no_context_takeover=agreement.server_resets,
                remote_max_window_bits=agreement.client_bits,
                local_max_window_bits=agreement.server_bits,
            )
        ]
    outcome = Outcome()
    end = _first_long_length(stream)
    protocol.receive_data(stream[:end])
    texts = _Texts(outcome)
    for frame in protocol.events_received():
        assert isinstance(frame, (Frame, Request))
        if outcome.has_ended or isinstance(frame, Request):
            break
        texts.take(frame)
    if not outcome.has_ended:
        _judge(protocol, outcome)
    if (
        not outcome.has_ended and end is not None
    ):  # websockets takes lengths that are not minimal: section 5.2
        outcome.violation = 1002
    return outcome


def _judge(protocol: ServerProtocol, outcome: Outcome) -> None:
    """Take what ended the reading."""
    error = protocol.parser_exc
    if error is None:
        return
    close, sent = protocol.close_rcvd, protocol.close_sent
    if str(error) == "incomplete fragmented message" and close is not None:
        # Control frames may stand inside a message (section 5.4), and a close is one.
        outcome.close_received(int(close.code), close.reason)
    elif isinstance(error, ProtocolError) and str(error) == "decompression failed":
        outcome.violation = INVALID_DATA  # the data are not of the type of the message: section 7.4.1
    elif sent is not None:
        outcome.is_undefined = sent.code == UNDEFINED
        outcome.violation = int(sent.code)


class _Texts:
    """Puts frames together, and sees whether texts are UTF-8 as soon as a frame says they are not.

    The library leaves that to those who use it; section 8.1 does not say how early it must be.
    """

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome
        self._decoder: codecs.IncrementalDecoder | None = None
        self._parts: list[Any] = []

    def take(self, frame: Frame) -> None:
        data = bytes(frame.data)
        if frame.opcode is Opcode.PING:
            self._outcome.ping_received(data)
        elif frame.opcode is Opcode.CLOSE:
            code = int.from_bytes(data[:2]) if data else 1005
            self._outcome.close_received(code, data[2:].decode())
        elif frame.opcode is not Opcode.PONG:
            self._take_data(frame, data)

    def _take_data(self, frame: Frame, data: bytes) -> None:
        if frame.opcode is not Opcode.CONT:
            is_text = frame.opcode is Opcode.TEXT
            self._decoder = codecs.getincrementaldecoder("utf-8")() if is_text else None
            self._parts = []
        try:
            self._parts.append(data if self._decoder is None else self._decoder.decode(data, frame.fin))
            if self._decoder is not None and self._decoder.getstate()[0][:2] in _SURROGATES:
                self._decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            self._outcome.violation = INVALID_DATA
            return
        if frame.fin:
            self._outcome.message_received((b"" if self._decoder is None else "").join(self._parts))


def _first_long_length(stream: bytes) -> int | None:
    """Return where the first frame begins whose length could be shorter; None if there is none."""
    at = 0
    while len(stream) >= at + 2:
        size = stream[at + 1] & 0x7F
        extra = {126: 2, 127: 8}.get(size, 0)
        if extra:
            if len(stream) < at + 2 + extra:
                return None
            size = int.from_bytes(stream[at + 2 : at + 2 + extra])
            if size < (126 if extra == 2 else 65536):
                return at
        at += 2 + extra + (4 if stream[at + 1] & 0x80 else 0) + size
    return None


def _silent() -> logging.Logger:
    logger = logging.Logger("silent")  # noqa: LOG001 - it is to say nothing to anybody
    logger.disabled = True
    return logger
