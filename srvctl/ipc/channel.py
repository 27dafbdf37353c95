"""Messages between the master and one child, a worker or a mold, and their bytes: one JSON object a line.

Pure: whoever owns the socket feeds bytes in and sends bytes out. The master trusts no child: a line
that is too long, not JSON or not a known message is a `ChannelError`, never an exception of another kind.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final

#: Counted up when older workers or molds would not understand, or not be understood: an upgrade leaves them
#: with a master of another version, and is refused then.
VERSION: Final = 1
#: Two texts fit however JSON escapes them; a worker that sends more without a newline is broken.
MAX_LINE: Final = 2 * 1024 * 1024
#: Longest text field, in characters, that a sender puts into a message; a traceback keeps its end, which
#: names the error.
MAX_TEXT: Final = 48 * 1024
_CUT: Final = "\n[...]\n"


class ChannelError(ValueError):
    """The bytes received are not a message."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Worker to master, first of all: it exists. Of a worker that a mold forked, only this tells the pid."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to master: startup is complete, connections are accepted."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Worker or mold to master: the application cannot be served; the sender exits after this."""

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


@dataclass(frozen=True, slots=True)
class Apology:
    """Master to a stand-in: show this instead of the application, which cannot be served; in development.

    Attributes:
        message: Why it cannot.
        details: Its traceback.
    """

    message: str
    details: str


@dataclass(frozen=True, slots=True)
class ProbeAsked:
    """Master to worker: ask the application for this path, inside the process.

    Attributes:
        probe: Number of the question, for the answer.
        path: What is asked for.
        timeout: Seconds the application has.
    """

    probe: int
    path: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Probed:
    """Worker to master: what came of a `ProbeAsked`.

    Attributes:
        probe: Number of the question.
        status: Of the response; 0 where there was none.
        details: Why there was none.
    """

    probe: int
    status: int
    details: str


@dataclass(frozen=True, slots=True)
class MoldReady:
    """Mold to master: the application is imported.

    Attributes:
        objection: Why no worker should be forked from it; empty where there is no reason.
    """

    objection: str


@dataclass(frozen=True, slots=True)
class ReopenAsked:
    """Master to worker: go on with the file that has the access log's name now."""


@dataclass(frozen=True, slots=True)
class ForkAsked:
    """Master to mold: fork a worker.

    Its channel and its board come along as descriptors and, where the master reads what workers print, what
    is to be its stdout and its stderr, in this order.

    Attributes:
        worker: Number of the worker.
        slot: The place it is for.
    """

    worker: int
    slot: int


@dataclass(frozen=True, slots=True)
class ForkFailed:
    """Mold to master: there is no such worker, and why."""

    worker: int
    reason: str


Message = (
    Hello
    | Ready
    | Failed
    | Draining
    | DrainAsked
    | Apology
    | ReopenAsked
    | ProbeAsked
    | Probed
    | MoldReady
    | ForkAsked
    | ForkFailed
)
_KINDS: Final[dict[str, type[Message]]] = {
    "hello": Hello,
    "ready": Ready,
    "failed": Failed,
    "draining": Draining,
    "drain": DrainAsked,
    "apology": Apology,
    "reopen": ReopenAsked,
    "probe": ProbeAsked,
    "probed": Probed,
    "mold-ready": MoldReady,
    "fork": ForkAsked,
    "fork-failed": ForkFailed,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_TYPES: Final[dict[str, type]] = {"str": str, "int": int, "float": float, "bool": bool}
_FIELDS: Final = {
    kind: {field.name: _TYPES[str(field.type)] for field in fields(kind)} for kind in _KINDS.values()
}


def encode(message: Message) -> bytes:
    """Return the line that carries a message; long texts lose their middle."""
    values = {key: _shorten(value) for key, value in asdict(message).items()}
    return json.dumps({"type": _NAMES[type(message)], **values}).encode() + b"\n"


def _shorten(value: object) -> object:
    if not isinstance(value, str) or len(value) <= MAX_TEXT:
        return value
    head = MAX_TEXT // 4  # of a traceback, the beginning says where, the end what
    return value[:head] + _CUT + value[head + len(_CUT) - MAX_TEXT :]


def decode(line: bytes) -> Message:
    """Return the message of one line.

    Raises:
        ChannelError: The line is not a message.
    """
    _check_length(line)
    try:
        values = json.loads(line)
        kind = _KINDS[values.pop("type")]
        message = kind(**values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ChannelError(f"not a message: {line[:80]!r}") from error
    if any(type(value) is not _FIELDS[kind][name] for name, value in values.items()):
        raise ChannelError(f"a field has the wrong type: {line[:80]!r}")
    return message


class Decoder:
    """Cuts a stream of bytes into messages.

    Args:
        rest: What another decoder of the same stream had left over.
    """

    def __init__(self, rest: bytes = b"") -> None:
        self._buffer = rest
        self._error: ChannelError | None = None

    @property
    def rest(self) -> bytes:
        """What was fed and is no whole message yet; a line that is none where that is still to be told."""
        return self._buffer if self._error is None else b"?\n"

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
