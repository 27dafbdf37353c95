"""What must work through every proxy; the tests of each proxy call it."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from signal import SIGHUP
from typing import TYPE_CHECKING

from websockets.sync.client import connect

from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from tests.support.front_proxy import FrontProxy
    from tests.support.server import ServerProcess

LARGE = 20_000_000  #: bytes
_CLIENTS = 4
_REQUESTS = 250  #: of each client


def large_bodies_arrive(proxy: FrontProxy) -> None:
    """In both directions, with and without a length."""
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    body = bytes(range(256)) * (LARGE // 256)
    digest = hashlib.sha256(body).hexdigest().encode()
    for chunked in (False, True):
        pieces = iter([body[:7], body[7:100_000], body[100_000:]])
        client.request("POST", "/digest", pieces if chunked else body, encode_chunked=chunked)
        assert client.getresponse().read() == b"%d %s" % (len(body), digest)
        client.request("GET", f"/bytes?size={len(body)}" + ("" if chunked else "&length=1"))
        assert client.getresponse().read() == body
    client.close()


def pieces_pass_at_once(proxy: FrontProxy) -> None:
    """The client says the next word only when it has heard the answer to the last."""
    with proxy.connect() as client:
        client.send(b"POST /stream/duet HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        heard = b""
        for number in range(5):
            word = b"word%d" % number
            client.send(b"%x\r\n%s\r\n" % (len(word), word))
            while b"heard " + word not in heard:
                piece = client.socket.recv(65536)
                assert piece, heard
                heard += piece
        client.send(b"0\r\n\r\n")
        while not heard.endswith(b"0\r\n\r\n"):
            piece = client.socket.recv(65536)
            assert piece, heard
            heard += piece


def websockets_pass(proxy: FrontProxy) -> None:
    """Both ways, and the close with its code; the application sees the client."""
    with connect(f"ws://127.0.0.1:{proxy.port}/talk") as socket:
        seen = json.loads(socket.recv(PATIENCE))
        assert (seen["client"][0], seen["scheme"], seen["path"]) == ("127.0.0.1", "ws", "/talk")
        for message in ("a", b"b", 100_000 * "é"):
            socket.send(message)
            assert socket.recv(PATIENCE) == message
        socket.close(4321, "enough")
        assert socket.close_code == 4321


def pipelined_requests_are_answered_in_order(proxy: FrontProxy) -> None:
    with proxy.connect() as client:
        client.send(
            b"".join(b"GET /bytes?size=%d&length=1 HTTP/1.1\r\nHost: a\r\n\r\n" % size for size in range(20))
        )
        assert [len(client.read_response().body) for _ in range(20)] == list(range(20))


def nobody_is_lost_in_reloads(proxy: FrontProxy, server: ServerProcess, reloads: int = 2) -> None:
    """A thousand requests, and more until the reloads are done: all are answered, by whichever worker."""
    statuses: list[int] = []
    done = threading.Event()

    def ask(number: int) -> None:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
        count = 0
        while count < _REQUESTS or not done.is_set():
            body = None if count % 2 else b"x" * (100 * number)
            client.request("GET" if body is None else "POST", "/digest", body)
            answer = client.getresponse()
            answer.read()
            statuses.append(answer.status)
            count += 1
        client.close()

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        for count in range(1, reloads + 1):
            server.signal(SIGHUP)
            server.wait_line("Reload done", count=count)
    finally:
        done.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert len(statuses) >= _CLIENTS * _REQUESTS
    assert set(statuses) == {200}
