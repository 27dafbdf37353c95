"""Requests as real clients sent them, to the byte, or as their documentation says they would."""

from __future__ import annotations

from typing import Final

#: By the client that sent it. Recorded from a socket: curl 7.88, httpx 0.28, requests 2.34, websockets.
RECORDED: Final = {
    "curl": (
        b"GET /a%20b?x=1&y=%C3%A4 HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nUser-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\n\r\n"
    ),
    "curl --data": (
        b"POST /a%20b?x=1&y=%C3%A4 HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nUser-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\nContent-Length: 10\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        b"name=value"
    ),
    "curl --upload-file -": (
        b"PUT /a%20b?x=1&y=%C3%A4 HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nUser-Agent: curl/7.88.1\r\n"
        b"Accept: */*\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        b"b\r\nhello world\r\n0\r\n\r\n"
    ),
    "curl --http2 --request-target '*'": (
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n"
    ),
    "curl --form": (
        b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
        b"Expect: 100-continue\r\nContent-Length: 101\r\n"
        b"Content-Type: multipart/form-data; boundary=----27b54aaa1d48041a\r\n\r\n"
        b'------27b54aaa1d48041a\r\nContent-Disposition: form-data; name="f"\r\n\r\nvalue\r\n'
        b"------27b54aaa1d48041a--\r\n"
    ),
    "httpx": (
        b"GET /a%20b?x=1&y=%C3%A4 HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nAccept: */*\r\n"
        b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nUser-Agent: python-httpx/0.28.1\r\n\r\n"
    ),
    "httpx, from a generator": (
        b"POST /a%20b?x=1&y=%C3%A4 HTTP/1.1\r\nHost: 127.0.0.1:43325\r\nAccept: */*\r\n"
        b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nUser-Agent: python-httpx/0.28.1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    ),
    "requests": (
        b"GET /r HTTP/1.1\r\nHost: 127.0.0.1:38093\r\nUser-Agent: python-requests/2.34.2\r\n"
        b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n"
    ),
    "requests, from a generator": (
        b"POST /r HTTP/1.1\r\nHost: 127.0.0.1:38093\r\nUser-Agent: python-requests/2.34.2\r\n"
        b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    ),
    "urllib": (
        b"GET /u HTTP/1.1\r\nAccept-Encoding: identity\r\nHost: 127.0.0.1:46115\r\n"
        b"User-Agent: Python-urllib/3.11\r\nConnection: close\r\n\r\n"
    ),
    "websockets": (
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:46115\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: uUOw5dQnY2iAFQ2T5zpR1g==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        b"User-Agent: Python/3.11 websockets/17.4\r\n\r\n"
    ),
}

CHROME: Final = (
    b"GET /docs/?q=a+b HTTP/1.1\r\nHost: www.example.org\r\nConnection: keep-alive\r\n"
    b'sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24"\r\nsec-ch-ua-mobile: ?0\r\n'
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    b"Chrome/128.0.0.0 Safari/537.36\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
    b"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    b"Cookie: session=eyJ1c2VyIjoxfQ.abcdef; theme=dark\r\n\r\n"
)

#: In the form these send it.
TYPICAL: Final = {
    "Chrome": CHROME,
    "nginx, default": b"GET /x HTTP/1.0\r\nHost: backend\r\nConnection: close\r\nAccept: */*\r\n\r\n",
    "nginx, keep-alive": (
        b"POST /x HTTP/1.1\r\nHost: example.org\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.7\r\n"
        b"X-Forwarded-Proto: https\r\nContent-Length: 2\r\nuser-agent: x\r\n\r\nok"
    ),
    "HAProxy": (
        b"GET /x HTTP/1.1\r\nhost: example.org\r\nuser-agent: x\r\naccept: */*\r\n"
        b"x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: https\r\n\r\n"
    ),
    "HAProxy, health": b"OPTIONS / HTTP/1.0\r\n\r\n",
    "trailers": (
        b"POST /rpc HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n"
        b'\r\n5;sig="a b"\r\nhello\r\n0\r\nX-Sum: 5d41\r\n\r\n'
    ),
    "ab -k": (
        b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: h:8000\r\nUser-Agent: ApacheBench/2.3\r\n"
        b"Accept: */*\r\n\r\n"
    ),
    "a proxy's client": b"GET http://example.org:8080/x?y HTTP/1.1\r\nHost: example.org:8080\r\n\r\n",
}
