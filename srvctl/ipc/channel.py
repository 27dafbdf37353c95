"""Messages between the master and one worker, and their bytes: one JSON object a line.

Pure: whoever owns the socket feeds bytes in and sends bytes out. The master trusts no worker: a line
that is too long, not JSON or not a known message is a `ChannelError`, never an exception of another kind.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

#: Two texts fit however JSON escapes them; a worker that sends more without a newline is broken.
MAX_LINE: Final = 2 * 1024 * 1024
#: Longest text field, in characters, that a sender puts into a message; a traceback keeps its end, which
#: names the error.
MAX_TEXT: Final = 48 * 1024


class ChannelError(ValueError):
    """The bytes received are not a message."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to master: startup is complete, connections are accepted."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Worker to master: the application cannot be served; the worker exits after this."""

    message: str
    details: str


@dataclass(frozen=True, slots=True)
class Draining:
    """Worker to master: the worker stopped accepting and finishes its requests."""


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """Master to worker: stop accepting, finish the requests, exit.

    Attributes:
        last: No other worker takes over the listeners.
    """

    last: bool


Message = Ready | Failed | Draining | DrainAsked
_KINDS: Final[dict[str, type[Message]]] = {
    "ready": Ready,
    "failed": Failed,
    "draining": Draining,
    "drain": DrainAsked,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


def encode(message: Message) -> bytes:
    """Return the line that carries a message; long texts lose their beginning."""
    fields = {key: _shorten(value) for key, value in asdict(message).items()}
    return json.dumps({"type": _NAMES[type(message)], **fields}).encode() + b"\n"


def _shorten(value: object) -> object:
    return value[-MAX_TEXT:] if isinstance(value, str) else value


def decode(line: bytes) -> Message:
    """Return the message of one line.

    Raises:
        ChannelError: The line is not a message.
    """
    _check_length(line)
    try:
        fields = json.loads(line)
        kind = _KINDS[fields.pop("type")]
        message = kind(**fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ChannelError(f"not a message: {line[:80]!r}") from error
    if any(type(value) is not _FIELD_TYPES[name] for name, value in fields.items()):
        raise ChannelError(f"a field has the wrong type: {line[:80]!r}")
    return message


_FIELD_TYPES: Final = {"message": str, "details": str, "last": bool}


class Decoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = b""
        self._error: ChannelError | None = None

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that are complete now.

        Raises:
            ChannelError: The bytes are not messages, these or, once good messages before them have been
                returned, those of the last call.
        """
        if self._error is not None:
            raise self._error
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        messages: list[Message] = []
        try:
            for line in lines:
                messages.append(decode(line))  # noqa: PERF401 - those before a bad one count
            _check_length(self._buffer)
        except ChannelError as error:
            if not messages:
                raise
            self._error = error  # what came before it is told first
        return messages


def _check_length(line: bytes) -> None:
    if len(line) > MAX_LINE:
        raise ChannelError(f"a message longer than {MAX_LINE} bytes")
