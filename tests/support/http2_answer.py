"""What comes back on one stream of an HTTP/2 connection, checked as it comes (RFC 9113 section 8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.support.http2_frames import Code, Field

#: What must not be in a message of HTTP/2 (section 8.2.2).
_OF_CONNECTIONS: Final = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}


class Answer:
    """A response, as much of it as has come.

    Attributes:
        status: Its status; 0 while none has come.
        fields: Its fields, without the status.
        pieces: The contents of its DATA frames, also of empty ones.
        trailers: The fields behind its body.
        interim: Status and fields of each interim response before it.
        has_ended: Whether the server has said that it is whole.
        reset: Why the server broke it off; None while it did not.
        window: How much of a body the server may still send.
    """

    def __init__(self, stream: int, window: int) -> None:
        self.stream = stream
        self.window = window
        self.status = 0
        self.fields: list[Field] = []
        self.pieces: list[bytes] = []
        self.trailers: list[Field] = []
        self.interim: list[tuple[int, list[Field]]] = []
        self.has_ended = False
        self.reset: Code | None = None

    def __repr__(self) -> str:
        end = "whole" if self.has_ended else f"reset {self.reset.name}" if self.reset is not None else "open"
        return f"<Answer {self.stream}: {self.status} {self.fields} {self.body[:300]!r} {end}>"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come."""
        return self.has_ended or self.reset is not None

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return b"".join(self.pieces)

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for other, value in self.fields if other == name]

    def headers_came(self, fields: list[Field], *, is_end: bool) -> None:
        """Take in a field section: of an interim response, of the response, or the trailers."""
        assert not self.has_ended, f"HEADERS behind the end of {self}"
        _check_names(fields)
        pseudo = [name for name, _ in fields if name.startswith(":")]
        if self.status:
            assert is_end, "trailers must end the stream (section 8.1)"
            assert not pseudo, f"pseudo-headers in trailers (section 8.3): {fields}"
            self.trailers = fields
        else:
            assert pseudo == [":status"], f"pseudo-headers of a response (section 8.3.2): {fields}"
            assert fields[0][0] == ":status", f"pseudo-headers come first (section 8.3): {fields}"
            status = int(fields[0][1])
            if status < 200:
                assert not is_end, "an interim response cannot end a stream (section 8.1)"
                self.interim.append((status, fields[1:]))
            else:
                self.status, self.fields = status, fields[1:]
        self.has_ended = is_end

    def data_came(self, content: bytes, size: int, *, is_end: bool) -> None:
        """Take in a DATA frame that takes so much of the window."""
        assert self.status, "DATA before HEADERS (section 8.1)"
        assert not self.has_ended, f"DATA behind the end of {self}"
        assert size <= self.window, f"{size} bytes in a window of {self.window} (section 6.9)"
        self.window -= size
        self.pieces.append(content)
        self.has_ended = is_end
        if is_end:
            self._check_length()

    def _check_length(self) -> None:
        lengths = self.all("content-length")
        assert len(lengths) <= 1
        if lengths and self.body:
            assert int(lengths[0]) == len(self.body), "Content-Length is wrong (section 8.1.1)"


def _check_names(fields: list[Field]) -> None:
    for name, value in fields:
        assert name == name.lower(), f"{name!r} is not in lower case (section 8.2.1)"
        assert name not in _OF_CONNECTIONS, f"{name!r} is of HTTP/1.1 (section 8.2.2)"
        assert not {"\r", "\n", "\0"} & set(name + value), f"{name!r}: {value!r} (section 8.2.1)"
        assert value == value.strip(" \t"), f"{name!r}: {value!r} has blanks around it (section 8.2.1)"
