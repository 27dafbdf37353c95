"""What reading a request costs: ``python -m benchmarks.micro.codec``.

Our codec (at first sight, and when the head repeats the last one), h11 beside our rules, and llhttp alone,
with callbacks that collect the header fields in lower case and check nothing.
"""

from __future__ import annotations

from functools import partial
from time import process_time_ns
from typing import TYPE_CHECKING, Final

import httptools

from srvctl.settings.groups import LimitSettings
from srvctl.worker.http.h11_codec import H11Codec
from srvctl.worker.http.native_codec import NativeCodec

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.worker.http.protocol import Codec, RequestHead

_ROUNDS: Final = 100
_REQUESTS: Final = 200  #: in a round
_HELLO: Final = b"Host: 127.0.0.1:8000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
_BROWSER: Final = (
    b"Host: 127.0.0.1:8000\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/128.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    b"Cookie: session=eyJ1c2VyIjoxfQ.abcdef; theme=dark\r\n"
)
_MORE: Final = b"".join(b"X-Field-%d: some value of number %d\r\n" % (number, number) for number in range(20))
_CHUNK: Final = b"a00\r\n%b\r\n" % (b"x" * 2560)
REQUESTS: Final = {
    "hello, 3 fields": b"GET / HTTP/1.1\r\n" + _HELLO + b"\r\n",
    "browser, 12 fields": b"GET /docs/?q=a+b HTTP/1.1\r\n" + _BROWSER + b"\r\n",
    "20 more fields": b"GET / HTTP/1.1\r\n" + _HELLO + _MORE + b"\r\n",
    "POST 10 KB": b"POST / HTTP/1.1\r\n" + _HELLO + b"Content-Length: 10240\r\n\r\n" + b"x" * 10240,
    "POST 10 KB, 4 chunks": (
        b"POST / HTTP/1.1\r\n" + _HELLO + b"Transfer-Encoding: chunked\r\n\r\n" + _CHUNK * 4 + b"0\r\n\r\n"
    ),
}


class _Sink:
    """Takes requests, and does nothing with them."""

    def head_received(self, head: RequestHead) -> None:
        """Take a head."""

    def body_received(self, data: bytes) -> None:
        """Take a piece of a body."""

    def request_ended(self) -> None:
        """Take the end."""


class _Llhttp(_Sink):
    """Collects what llhttp calls back with, as a server must."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self.feed = self._parser.feed_data

    def on_message_begin(self) -> None:
        """Start a request."""
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, data: bytes) -> None:
        """Take a part of the target."""
        self._target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Ask for the rest of the head."""
        self._head = (
            self._parser.get_method().decode(),
            self._parser.get_http_version(),
            self._parser.should_keep_alive(),
        )

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self.body_received(data)

    def on_message_complete(self) -> None:
        """Take the end."""
        self.request_ended()


def _ours(codec_class: Callable[[_Sink, LimitSettings], Codec]) -> Callable[[bytes], object]:
    return codec_class(_Sink(), LimitSettings()).feed


_READERS: Final[dict[str, tuple[Callable[[], Callable[[bytes], object]], bool]]] = {
    "first sight": (partial(_ours, NativeCodec), False),
    "repeated": (partial(_ours, NativeCodec), True),
    "h11": (partial(_ours, H11Codec), True),
    "llhttp": (lambda: _Llhttp().feed, True),
}


def measure(request: bytes) -> list[float]:
    """Return the microseconds of CPU time this request takes with each reader, in the best of the rounds."""
    other = request.replace(b":8000", b":8001")
    best = [float("inf")] * len(_READERS)
    for _ in range(_ROUNDS):  # readers take turns, so that what else the machine does hits them alike
        for number, (make, is_repeated) in enumerate(_READERS.values()):
            requests = [request, request if is_repeated else other] * (_REQUESTS // 2)
            feed = make()
            start = process_time_ns()
            for data in requests:
                feed(data)
            best[number] = min(best[number], (process_time_ns() - start) / _REQUESTS / 1000)
    return best


def main() -> None:
    """Print a table of microseconds."""
    print(f"{'µs per request':24}" + "".join(f"{name:>14}" for name in _READERS))
    for name, request in REQUESTS.items():
        print(f"{name:24}" + "".join(f"{time:14.2f}" for time in measure(request)))


if __name__ == "__main__":
    main()
