"""What commands and a master say to each other over the control socket, in bytes: one JSON object a line.

A request names a command; the master answers with any number of `Progress` and then one `Done`. After that
the next request may come on the same connection. Pure: whoever owns the socket feeds bytes in and sends bytes
out. Neither side trusts the other: what is not a message is a `ControlError`, never another exception.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from srvctl.errors import ExitCode, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Counted up when an old command could misunderstand a new master, or the other way round. Not for new
#: commands and new fields of replies: a master refuses, and a client ignores, what it does not know.
VERSION: Final = 1
MAX_REQUEST: Final = 64 * 1024
MAX_REPLY: Final = 1024 * 1024
#: Longest text of a reply, in characters; a traceback keeps its end, which names the error.
MAX_TEXT: Final = 48 * 1024
#: Which workers `Command.RECYCLE` is for.
RECYCLE_TARGET: Final = re.compile(r"all|(slot|pid):[0-9]{1,9}", re.ASCII)


class Command(StrEnum):
    """What a master can be asked."""

    IDENTIFY = "identify"
    STATUS = "status"
    RELOAD = "reload"
    STOP = "stop"
    UPGRADE = "upgrade"
    RECYCLE = "recycle"
    SCALE = "scale"
    METRICS = "metrics"
    SETTINGS = "settings"
    WORKER_STOP = "worker_stop"
    WORKER_KILL = "worker_kill"
    WORKER_DUMP = "worker_dump"
    PROGRAM = "program"
    LOGS = "logs"
    EVENTS = "events"


class Reason(StrEnum):
    """Why a command was not done, for programs; `srvctl --json` and the data of a refusal have it.

    Attributes:
        meaning: One sentence for the reference.
    """

    meaning: str

    NOT_RUNNING = "not_running", "No such instance runs, as far as can be seen."
    NO_SOCKET = "no_socket", "The instance runs, or may, and has no control socket."
    STALE_SOCKET = "stale_socket", "The socket was left behind by an instance that is gone."
    STALE_PID_FILE = "stale_pid_file", "The pid file was left behind by an instance that was killed."
    NO_PERMISSION = "no_permission", "The socket, or its directory, is closed to this user."
    STRANGER = "stranger", "What is there is no control socket of srvctl."
    UNRESPONSIVE = "unresponsive", "The master is stopped or blocked."
    NOT_ALLOWED = "not_allowed", "The instance is another user's, or this user may only look."
    OLDER = "older", "The master speaks an older control protocol."
    NEWER = "newer", "The master speaks a newer control protocol."
    UNKNOWN_COMMAND = "unknown_command", "The master is another version, without this command."
    BAD_REQUEST = "bad_request", "The master does not understand the request."
    BUSY = "busy", "Too many other commands wait for the instance."
    TIMEOUT = "timeout", "It has not finished in time, and goes on."
    ENDED = "ended", "The master closed the connection before it answered."
    INTERRUPTED = "interrupted", "The user did not wait; what was asked goes on."
    USAGE = "usage", "The command line does not say what is wanted, such as which of several instances."
    CONFIG = "config", "The file of settings that was given is wrong."
    FAILED = "failed", "It was tried and failed, or cannot be done now; the message says why."

    def __new__(cls, name: str, meaning: str = "") -> Self:
        """Make the member its name and keep its meaning beside it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member


class ControlError(ValueError):
    """What was received is not a message, or asks for what there is not; the text is a full sentence."""

    reason: Reason = Reason.BAD_REQUEST


class UnknownCommandError(ControlError):
    """The receiver has no such command: mostly it is of another version."""

    reason = Reason.UNKNOWN_COMMAND


class OtherVersionError(ControlError):
    """The sender speaks another version of the protocol.

    Attributes:
        version: The one it speaks.
    """

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} of the control protocol is not understood here, only {VERSION}")
        self.version = version


@dataclass(frozen=True, slots=True)
class Request:
    """A command, and how it is meant."""

    command: Command
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """The command goes on.

    Attributes:
        text: A line for who waits; empty where there is none to say.
        data: For programs: a line of the log, an event, how far it is.
    """

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """The command has ended.

    Attributes:
        ok: As asked.
        code: Exit code for the program that asked.
        message: One sentence.
        details: What belongs under it, such as a traceback; may have many lines.
        data: What was asked for, or the figures of what was done.
    """

    ok: bool
    code: int = ExitCode.OK
    message: str = ""
    details: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


Reply = Progress | Done
_REPLY_TYPES: Final[Mapping[str, Mapping[str, type]]] = {
    "progress": {"text": str, "data": dict},
    "done": {"ok": bool, "code": int, "message": str, "details": str, "data": dict},
}
#: Fields that masters of before did not send, and what they then are.
_LATER_FIELDS: Final[Mapping[str, Any]] = {"data": {}}


def refusal(message: str, **data: Any) -> Done:
    """Return the reply to what is not done."""
    return Done(ok=False, code=int(ExitCode.REFUSED), message=message, data=data)


def encode_request(request: Request) -> bytes:
    """Return the line that carries a request."""
    return _line({"v": VERSION, "command": str(request.command), "args": dict(request.args)})


def encode_reply(reply: Reply) -> bytes:
    """Return the line that carries a reply; long texts lose their beginning, too much data is left out."""
    if isinstance(reply, Progress):
        said: dict[str, Any] = {"type": "progress", "text": reply.text[-MAX_TEXT:]}
        line = _line({**said, "data": dict(reply.data)} if reply.data else said)
        return line if len(line) <= MAX_REPLY else _line(said)
    values = {
        "type": "done",
        "ok": reply.ok,
        "code": int(reply.code),
        "message": reply.message[-MAX_TEXT:],
        "details": reply.details[-MAX_TEXT:],
    }
    line = _line({**values, "data": dict(reply.data)})
    if len(line) <= MAX_REPLY:
        return line
    return _line({**values, "data": {"left_out": f"{len(line)} bytes are more than a reply may have"}})


def encode_item(item: Mapping[str, Any]) -> bytes:
    """Return the line that carries an item of a feed, however long it is."""
    return _line({"type": "progress", "text": "", "data": item})


def decode_request(line: bytes) -> Request:
    """Return the request of one line.

    Raises:
        OtherVersionError: It is one of another version.
        ControlError: It is none.
    """
    values = _object(line, parse_constant=_refuse_constant)
    version = values.pop("v", None)
    if type(version) is int and version != VERSION:
        raise OtherVersionError(version)
    command, args = values.pop("command", None), values.pop("args", {})
    if type(version) is not int or values or not isinstance(command, str) or not isinstance(args, dict):
        raise ControlError('a request is {"v": 1, "command": NAME, "args": {...}} and nothing else')
    try:
        return Request(Command(command), args)
    except ValueError:
        raise UnknownCommandError(f"there is no command {printable(command[:80])!r} here") from None


def decode_reply(line: bytes) -> Reply:
    """Return the reply of one line; fields that newer masters add are ignored.

    Raises:
        ControlError: It is none.
    """
    values = {**_LATER_FIELDS, **_object(line)}  # a master that says NaN is to be understood all the same
    name = values.get("type")
    expected = _REPLY_TYPES.get(name) if isinstance(name, str) else None
    if expected is None or any(type(values.get(key)) is not kind for key, kind in expected.items()):
        raise ControlError(f"not a reply: {line[:80]!r}")
    known = {key: values[key] for key in expected}
    return Progress(**known) if name == "progress" else Done(**known)


class Lines:
    """Cuts a stream of bytes into lines, and holds no more than one of the largest.

    Args:
        limit: Bytes that a line may have.
        rest: What was left over of the stream before.
    """

    __slots__ = ("_limit", "rest")

    def __init__(self, limit: int, rest: bytes = b"") -> None:
        self.rest = rest  #: what was fed and is no whole line yet
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their ends.

        Raises:
            ControlError: A line is too long; the lines before it are lost, and so is the stream.
        """
        *lines, self.rest = (self.rest + data).split(b"\n")
        if any(len(line) > self._limit for line in (*lines, self.rest)):
            self.rest = b""
            raise ControlError(f"a line is longer than {self._limit} bytes")
        return lines


#: Made once: a feed writes each line of a log with it.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=str)


def _line(values: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(values).encode() + b"\n"


def _object(line: bytes, parse_constant: Callable[[str], NoReturn] | None = None) -> dict[str, Any]:
    try:
        # Of bytes, json.loads() would guess the encoding.
        values = json.loads(line.decode(), parse_constant=parse_constant)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ControlError("not a line with a JSON object")
    return values


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
