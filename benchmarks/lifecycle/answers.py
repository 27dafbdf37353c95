"""Answers of the benchmark's application, read piece by piece. Pure.

Knows only what that application and the servers in front of it send: a head with Content-Length and a body of
three words, ``ID PID REVISION``. Anything else is a wrong answer, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_END_OF_HEAD: Final = b"\r\n\r\n"


class WrongAnswer(ValueError):  # noqa: N818 - it is an answer, not a fault of ours
    """What was received is no answer to the request; its text is a reason to count under."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer.

    Attributes:
        number: The id of the request, echoed.
        worker: Process id of who answered.
        revision: Which code answered.
        is_last: The server will close the connection.
    """

    number: int
    worker: int
    revision: int
    is_last: bool


class AnswerReader:
    """Reads the answer to the one request that is under way on a connection."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def __repr__(self) -> str:
        return f"<AnswerReader bytes={len(self._data)}>"

    @property
    def has_begun(self) -> bool:
        """Whether a byte of the answer has come."""
        return bool(self._data)

    def feed(self, data: bytes) -> Answer | None:
        """Take what was received; return the answer once it is complete, and be ready for the next.

        Raises:
            WrongAnswer: It is none, or there is more than one.
        """
        self._data += data
        head, found, body = self._data.partition(_END_OF_HEAD)
        if not found:
            return None
        status, length, is_last = _read_head(head)
        if len(body) < length:
            return None
        if status != b"200":
            raise WrongAnswer(f"status {status.decode('latin-1')}")
        if len(body) > length:
            raise WrongAnswer("more than one answer")
        self._data = b""
        return _read_body(body, is_last=is_last)


def _read_head(head: bytes) -> tuple[bytes, int, bool]:
    """Return status, length of the body, and whether the connection ends."""
    first, *lines = head.split(b"\r\n")
    length = None
    is_last = False
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"content-length" and value.strip().isdigit():
            length = int(value)
        elif name == b"connection":
            is_last = value.strip().lower() == b"close"
    words = first.split(b" ")
    if length is None or len(words) < 2:
        raise WrongAnswer("unreadable")
    return words[1], length, is_last


def _read_body(body: bytes, *, is_last: bool) -> Answer:
    try:
        number, worker, revision = map(int, body.split())
    except ValueError:
        raise WrongAnswer("unreadable") from None
    return Answer(number, worker, revision, is_last)
