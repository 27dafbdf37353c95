"""The requests of the micro-benchmarks, and what serves them without a socket."""

from __future__ import annotations

from typing import Any, Final

HELLO: Final = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n"
TWENTY: Final = (
    HELLO[:-2] + b"".join(b"X-Field-%02d: some value of %02d\r\n" % (n, n) for n in range(20)) + b"\r\n"
)
POST: Final = HELLO.replace(b"GET", b"POST")[:-2] + b"Content-Length: 10240\r\n\r\n" + b"x" * 10240
#: As many heads as are needed for each to be another one than any that a cache still knows.
UNIQUE: Final = tuple(HELLO[:-2] + b"X-Number: %06d\r\n\r\n" % number for number in range(4096))


class FakeTransport:
    """Swallows what is written at the least cost there is: `len` is a function written in C."""

    write = staticmethod(len)
    writelines = staticmethod(len)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return addresses of a connection over loopback."""
        return {"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 54321)}.get(name, default)

    def set_write_buffer_limits(self, high: int) -> None:
        """Take the limit."""

    def get_write_buffer_size(self) -> int:
        """Return that all is sent."""
        return 0

    def is_closing(self) -> bool:
        """Return that it stays open."""
        return False

    def pause_reading(self) -> None:
        """Stop; nothing is read here."""

    def resume_reading(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Close."""

    def abort(self) -> None:
        """Close at once."""
