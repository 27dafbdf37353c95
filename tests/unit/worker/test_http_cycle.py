"""One request and its response: the order of messages, the framing of the bytes, and every way to fail."""

from __future__ import annotations

import array
import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.worker.http.cycle import ClientDisconnected, RequestCycle
from srvctl.worker.http.headers import HeaderError
from srvctl.worker.http.protocol import RequestHead
from tests.unit.worker.recording import FakeHost, FakeServer, is_waiting, step

if TYPE_CHECKING:
    from collections.abc import Iterable

START = {"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]}
GENERAL = b"date: now\r\nserver: fake\r\n"
ERROR = b"HTTP/1.1 500 Internal Server Error\r\n" + GENERAL + b"content-type: text/plain; charset=utf-8\r\n"
ERROR_21 = ERROR + b"content-length: 21\r\n\r\nInternal Server Error"


class Talk:
    """A cycle between a connection and a server that are not there."""

    def __init__(
        self,
        method: str = "GET",
        version: str = "1.1",
        *,
        keep_alive: bool = True,
        expects_continue: bool = False,
        is_complete: bool = True,
        takes_trailers: bool = False,
        extensions: Iterable[str] = (),
    ) -> None:
        self.host, self.server = FakeHost(), FakeServer()
        length = 0 if is_complete else None
        head = RequestHead(method, b"/", version, (), keep_alive, length, expects_continue, takes_trailers)
        scope: dict[str, Any] = {"extensions": {name: {} for name in extensions}}
        self.cycle = RequestCycle(self.host, self.server, head, scope)

    def send(self, message: dict[str, Any]) -> None:
        step(self.cycle.send(message))

    def start(self, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        self.send({"type": "http.response.start", "status": status, "headers": headers})

    def body(self, body: Any = b"", *, more: bool = False) -> None:
        self.send({"type": "http.response.body", "body": body, "more_body": more})

    def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = step(self.cycle.receive())
        return message

    @property
    def state(self) -> str:
        """What became of the response."""
        if self.host.broken:
            return "broken"
        return "ended" if self.host.ended else "open"


def head(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join((b"HTTP/1.1 " + status, b"date: now", b"server: fake", *lines, b"", b""))


# -- the order of messages ----------------------------------------------------------------------------

REACH: dict[str, list[dict[str, Any]]] = {
    "before start": [],
    "started": [START],
    "streaming": [START, {"type": "http.response.body", "body": b"a", "more_body": True}],
    "complete": [START, {"type": "http.response.body", "body": b"a"}],
}
MESSAGES: dict[str, dict[str, Any]] = {
    "start": START,
    "body": {"type": "http.response.body", "body": b"b"},
    "more body": {"type": "http.response.body", "body": b"b", "more_body": True},
    "no body": {"type": "http.response.body"},
    "trailers": {"type": "http.response.trailers", "headers": []},
    "push": {"type": "http.response.push", "path": "/", "headers": []},
    "early hint": {"type": "http.response.early_hint", "links": []},
    "pathsend": {"type": "http.response.pathsend", "path": "/"},
    "zerocopy": {"type": "http.response.zerocopysend"},
    "request": {"type": "http.request"},
    "websocket": {"type": "websocket.accept"},
    "lifespan": {"type": "lifespan.startup.complete"},
    "nothing": {"type": ""},
}
ALLOWED = {
    ("before start", "start"),
    *((state, kind) for state in ("started", "streaming") for kind in ("body", "more body", "no body")),
}


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("state", REACH)
def test_every_message_in_every_state(state: str, kind: str) -> None:
    """ASGI HTTP: start, then bodies, then nothing; a message that is not understood is never ignored."""
    talk = Talk()
    for message in REACH[state]:
        talk.send(message)
    before = talk.host.sent
    if (state, kind) in ALLOWED:
        talk.send(MESSAGES[kind])
        return
    with pytest.raises(RuntimeError, match=r"Expected ASGI message|after response already completed"):
        talk.send(MESSAGES[kind])
    assert talk.host.sent == before
    if state == "before start":
        talk.send(START)
    if state != "complete":
        talk.body(b"a")
    assert talk.state == "ended", "the mistake changed nothing"


def test_the_error_names_what_was_expected() -> None:
    """It is what the developer sees."""
    talk = Talk()
    with pytest.raises(RuntimeError, match=r"Expected ASGI message 'http.response.start', but got 'http.r"):
        talk.body()


def test_nothing_leaves_before_the_body() -> None:
    """The head waits, so that an error after it can still be answered with 500."""
    talk = Talk()
    talk.start()
    assert talk.host.sent == b""
    assert not talk.cycle.is_response_begun


# -- framing ------------------------------------------------------------------------------------------


def test_a_whole_body_gets_its_length() -> None:
    """RFC 9112 section 6.2."""
    talk = Talk()
    talk.start(200, (b"X", b"y"))
    talk.body(b"abc")
    assert talk.host.sent == head(b"X: y", b"content-length: 3") + b"abc"
    assert talk.host.ended == [talk.cycle]
    assert (talk.cycle.status, talk.cycle.is_response_complete, talk.cycle.keep_alive) == (200, True, True)


@pytest.mark.parametrize("body", [{}, {"body": b""}, {"more_body": False}])
def test_an_empty_body(body: dict[str, Any]) -> None:
    """Both keys have defaults."""
    talk = Talk()
    talk.send({"type": "http.response.start", "status": 200})
    talk.send({"type": "http.response.body", **body})
    assert talk.host.sent == head(b"content-length: 0")


def test_a_stream_is_chunked() -> None:
    """RFC 9112 section 7.1; an empty piece must not end it."""
    talk = Talk()
    talk.start()
    for piece in (b"", b"abc", b"", b"0123456789"):
        talk.body(piece, more=True)
    talk.body(b"z")
    chunks = b"3\r\nabc\r\na\r\n0123456789\r\n1\r\nz\r\n0\r\n\r\n"
    assert talk.host.sent == head(b"transfer-encoding: chunked") + chunks
    assert talk.state == "ended"


def test_a_stream_that_ends_with_an_empty_message() -> None:
    """Exactly one last chunk."""
    talk = Talk()
    talk.start()
    talk.body(b"a", more=True)
    talk.body()
    assert talk.host.sent.endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n")


def test_a_stream_to_1_0_ends_with_the_connection() -> None:
    """RFC 9112 section 6.3: HTTP/1.0 does not know chunks."""
    talk = Talk(version="1.0")
    talk.start()
    talk.body(b"a", more=True)
    talk.body(b"b")
    assert talk.host.sent == head(b"connection: close") + b"ab"
    assert not talk.cycle.keep_alive


@pytest.mark.parametrize(
    ("version", "keep_alive", "field"),
    [
        ("1.1", True, b""),
        ("1.1", False, b"connection: close\r\n"),
        ("1.0", True, b"connection: keep-alive\r\n"),
    ],
)
def test_persistence_is_told_where_it_is_not_the_default(
    version: str, keep_alive: bool, field: bytes
) -> None:
    """RFC 9112 section 9.3."""
    talk = Talk(version=version, keep_alive=keep_alive)
    talk.start()
    talk.body()
    assert talk.host.sent == head(b"content-length: 0")[:-2] + field + b"\r\n"


def test_the_application_may_close_the_connection() -> None:
    """With its own Connection: close, which goes out once."""
    talk = Talk()
    talk.start(200, (b"Connection", b"close"))
    talk.body()
    assert talk.host.sent.lower().count(b"connection:") == 1
    assert not talk.cycle.keep_alive


def test_a_draining_server_closes_the_connection() -> None:
    """The client is told."""
    talk = Talk()
    talk.start()
    talk.server.is_draining = True
    talk.body()
    assert b"\r\nconnection: close\r\n" in talk.host.sent
    assert not talk.cycle.keep_alive


@pytest.mark.parametrize("status", [200, 404, 500])
@pytest.mark.parametrize("more", [True, False])
def test_head_has_no_body(status: int, more: bool) -> None:
    """RFC 9110 section 9.3.2: not a byte, whatever the application sends; its own length stays."""
    talk = Talk("HEAD")
    talk.start(status, (b"content-length", b"99"))
    talk.body(b"abc", more=more)
    if more:
        talk.body(b"def")
    fields, _, rest = talk.host.sent.partition(b"\r\n\r\n")
    assert rest == b""
    assert fields.count(b"content-length") == fields.count(b"content-length: 99") == 1
    assert (talk.state, talk.cycle.keep_alive) == ("ended", True)


def test_head_tells_the_length_of_a_whole_body() -> None:
    """What GET would have said (RFC 9110 section 8.6)."""
    talk = Talk("HEAD")
    talk.start()
    talk.body(b"abc")
    assert talk.host.sent == head(b"content-length: 3")


def test_head_of_an_empty_body_claims_nothing() -> None:
    """Most applications leave the body out: 0 would be a lie."""
    talk = Talk("HEAD")
    talk.start()
    talk.body()
    assert talk.host.sent == head()


def test_head_of_a_stream_claims_no_length() -> None:
    """RFC 9110 section 8.6: a length that GET would not have must not be sent."""
    talk = Talk("HEAD")
    talk.start()
    talk.body(b"abc", more=True)
    talk.body(b"def")
    assert b"content-length" not in talk.host.sent


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("more", [True, False])
def test_some_statuses_have_no_body(status: int, method: str, more: bool) -> None:
    """RFC 9110 sections 15.3.5 and 15.4.5: the next response would begin with it."""
    talk = Talk(method)
    talk.start(status, (b"Content-Length", b"3"))
    talk.body(b"abc", more=more)
    if more:
        talk.body(b"def")
    fields, _, rest = talk.host.sent.partition(b"\r\n\r\n")
    assert rest == b""
    assert (b"Content-Length: 3" in fields) == (status == 304), "RFC 9110 section 8.6: none on 204"
    assert b"transfer-encoding" not in fields
    assert talk.state == "ended"


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_length_either(status: int) -> None:
    """None is invented for what is not there."""
    talk = Talk()
    talk.start(status)
    talk.body()
    assert b"content-length" not in talk.host.sent


@pytest.mark.parametrize("pieces", [[b"abc"], [b"ab", b"c"], [b"", b"abc", b""], [b"abc", b""]])
def test_a_length_that_is_kept(pieces: list[bytes]) -> None:
    """The application's own field goes out, and no other framing."""
    talk = Talk()
    talk.start(200, (b"Content-Length", b"3"))
    for piece in pieces[:-1]:
        talk.body(piece, more=True)
    talk.body(pieces[-1])
    assert talk.host.sent == head(b"Content-Length: 3") + b"abc"
    assert talk.state == "ended"


@pytest.mark.parametrize(
    ("pieces", "sent", "error"),
    [
        ([b"abcd"], b"", "longer"),
        ([b"abcd", b""], b"", "longer"),
        ([b"ab"], b"", "shorter"),
        ([b""], b"", "shorter"),
        ([b"ab", b"cd"], b"ab", "longer"),
        ([b"abc", b"d"], b"abc", "longer"),
        ([b"ab", b""], b"ab", "shorter"),
        ([b"a", b"b", b""], b"ab", "shorter"),
    ],
)
def test_a_length_that_is_not_kept(pieces: list[bytes], sent: bytes, error: str) -> None:
    """Never a byte too many on a connection that goes on; a client that got too few sees the end."""
    talk = Talk()
    talk.start(200, (b"content-length", b"3"))
    with pytest.raises(RuntimeError, match=f"{error} than Content-Length") as raised:  # noqa: PT012
        for piece in pieces[:-1]:
            talk.body(piece, more=True)
        talk.body(pieces[-1])
    assert talk.host.sent.partition(b"\r\n\r\n")[2] == sent
    talk.cycle.failed(raised.value, "text")
    if sent:
        assert talk.state == "broken"
    else:
        assert talk.host.sent == ERROR_21
        assert talk.state == "ended"


@pytest.mark.parametrize("size", [0, 1, 16 * 1024 - 1, 16 * 1024, 100_000])
@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bodies_of_any_size_and_kind(size: int, more: bool, kind: type) -> None:
    """Large ones take another way out, with the same bytes on it."""
    content = b"x" * size
    talk = Talk()
    talk.start()
    talk.body(kind(content), more=more)
    if more:
        talk.body(kind(b"end"))
    _, _, rest = talk.host.sent.partition(b"\r\n\r\n")
    chunk = b"%x\r\n%b\r\n" % (size, content) if size else b""
    assert rest == (chunk + b"3\r\nend\r\n0\r\n\r\n" if more else content)


@pytest.mark.parametrize("more", [True, False])
def test_a_view_of_larger_items_has_a_size_in_bytes(more: bool) -> None:
    """Or the client reads the rest as the next response."""
    talk = Talk()
    talk.start()
    talk.body(memoryview(array.array("I", [1, 2])), more=more)
    _, _, rest = talk.host.sent.partition(b"\r\n\r\n")
    expected = array.array("I", [1, 2]).tobytes()
    assert rest == (b"8\r\n%b\r\n" % expected if more else expected)
    assert more or b"content-length: 8\r\n" in talk.host.sent


def test_general_fields_give_way_to_the_applications() -> None:
    """Date and Server are added only if the application sent none."""
    talk = Talk()
    talk.start(200, (b"Date", b"then"), (b"SERVER", b"mine"))
    talk.body()
    assert talk.host.sent == b"HTTP/1.1 200 OK\r\nDate: then\r\nSERVER: mine\r\ncontent-length: 0\r\n\r\n"


# -- mistakes of the application ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"status": 200, "headers": [(b"x", b"a\r\nb: c")]}, HeaderError),
        ({"status": 200, "headers": [(b"x\n", b"a")]}, HeaderError),
        ({"status": 200, "headers": [("x", "y")]}, TypeError),
        ({"status": 200, "headers": None}, TypeError),
        ({"status": 200, "headers": [(b"content-length", b"x")]}, HeaderError),
        ({"status": 100}, ValueError),
        ({"status": 101}, ValueError),
        ({"status": 1000}, ValueError),
        ({"status": "200"}, TypeError),
        ({"status": None}, TypeError),
        ({}, KeyError),
    ],
)
def test_a_faulty_start_can_be_answered_with_500(message: dict[str, Any], error: type[Exception]) -> None:
    """Nothing was sent, and a good start may still follow."""
    talk = Talk()
    with pytest.raises(error):
        talk.send({"type": "http.response.start", **message})
    assert talk.host.sent == b""
    talk.cycle.give_up()
    assert talk.host.sent == ERROR_21
    again = Talk()
    with pytest.raises(error):
        again.send({"type": "http.response.start", **message})
    again.start()
    again.body(b"ok")
    assert again.host.sent == head(b"content-length: 2") + b"ok"


@pytest.mark.parametrize("body", ["text", None, 1, [b"a"]])
@pytest.mark.parametrize("length", [[], [(b"content-length", b"4")]])
@pytest.mark.parametrize("more", [True, False])
def test_a_faulty_body_can_be_answered_with_500(
    body: Any, length: list[tuple[bytes, bytes]], more: bool
) -> None:
    """Its response is well framed, however far the attempt had come."""
    talk = Talk()
    talk.start(200, *length)
    with pytest.raises((TypeError, RuntimeError)):
        talk.body(body, more=more)
    assert talk.host.sent == b""
    talk.cycle.failed(TypeError(), "text")
    assert talk.host.sent == ERROR_21


def test_messages_without_a_type() -> None:
    """An error, like any other."""
    talk = Talk()
    messages: list[dict[str, Any]] = [{}, {"type": None}, {"type": []}]
    for message in messages:
        with pytest.raises((KeyError, RuntimeError, TypeError)):
            talk.send(message)


# -- the end ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "sent", "end", "text"),
    [
        ("before start", ERROR_21, "ended", "without starting response"),
        ("started", ERROR_21, "ended", "without starting response"),
        ("streaming", None, "broken", "without completing response"),
        ("complete", None, "ended", None),
    ],
)
def test_an_application_that_returns(state: str, sent: bytes | None, end: str, text: str | None) -> None:
    """500 while that is possible; after that a break that no client takes for the end of the body."""
    talk = Talk()
    for message in REACH[state]:
        talk.send(message)
    before = talk.host.sent
    talk.cycle.returned(None)
    assert talk.host.sent == (before if sent is None else sent)
    assert talk.state == end
    reports = [report for _, report in talk.server.reports]
    assert len(reports) == (text is not None)
    assert (text or "") in "".join(reports)


@pytest.mark.parametrize("state", REACH)
def test_an_application_that_raises(state: str) -> None:
    """As above; the error is always reported."""
    talk = Talk()
    for message in REACH[state]:
        talk.send(message)
    error = ValueError()
    talk.cycle.failed(error, "text")
    assert talk.server.reports == [(error, "text")]
    assert talk.state == ("broken" if state == "streaming" else "ended")
    assert (talk.host.sent == ERROR_21) == (state in {"before start", "started"})
    assert len(talk.host.ended) + len(talk.host.broken) == 1
    talk.cycle.give_up()
    talk.cycle.returned(None)
    assert len(talk.host.ended) + len(talk.host.broken) == 1, "the end is told once"


@pytest.mark.parametrize("state", ["before start", "started", "streaming"])
def test_nothing_is_sent_to_a_client_that_left(state: str) -> None:
    """Neither 500 nor a break: the connection is gone."""
    talk = Talk()
    for message in REACH[state]:
        talk.send(message)
    talk.cycle.client_left()
    before = talk.host.sent
    talk.cycle.returned(None)
    talk.cycle.give_up()
    assert talk.host.sent == before
    assert talk.state == "open"
    assert talk.server.reports == []


def test_a_result_is_reported() -> None:
    """Somebody forgot an await or wrote a WSGI application; the response stays as it is."""
    talk = Talk()
    talk.start()
    talk.body()
    talk.cycle.returned([b"body"])
    assert [text for _, text in talk.server.reports] == [
        "ASGI callable should return None, but returned [b'body']."
    ]
    assert talk.state == "ended"


@pytest.mark.parametrize(("method", "version"), [("HEAD", "1.1"), ("GET", "1.0"), ("HEAD", "1.0")])
def test_500_has_the_framing_of_its_request(method: str, version: str) -> None:
    """No body for HEAD; a connection that ends for HTTP/1.0."""
    talk = Talk(method, version, keep_alive=version == "1.1")
    talk.cycle.give_up()
    fields, _, body = talk.host.sent.partition(b"\r\n\r\n")
    assert b"\r\ncontent-length: 21" in fields
    assert body == (b"" if method == "HEAD" else b"Internal Server Error")
    assert (b"\r\nconnection: close" in fields) == (version == "1.0")


def test_500_after_a_start_without_a_body() -> None:
    """What the attempt knew about 204 is forgotten."""
    talk = Talk()
    talk.start(204)
    talk.cycle.give_up()
    assert talk.host.sent == ERROR_21


# -- sending to a client that went away or does not read -----------------------------------------------


def test_sending_after_the_client_left_is_an_oserror() -> None:
    """ASGI HTTP spec 2.4."""
    for messages in ([START], REACH["streaming"]):
        talk = Talk()
        for message in messages[:-1]:
            talk.send(message)
        talk.cycle.client_left()
        for _ in range(2):
            with pytest.raises(ClientDisconnected):
                talk.send(messages[-1])
    assert issubclass(ClientDisconnected, OSError)


def test_every_message_after_the_client_left_is_an_oserror() -> None:
    """An application that ignored the first one made no other mistake."""
    talk = Talk()
    talk.cycle.client_left()
    with pytest.raises(OSError, match="went away"):
        talk.send(START)
    with pytest.raises(OSError, match="went away"):
        talk.body()


def test_sending_waits_while_the_client_does_not_read() -> None:
    """And goes on when it does; the message itself is out."""

    async def scenario() -> None:
        talk = Talk()
        talk.start()
        talk.host.can_write = asyncio.get_running_loop().create_future()
        message = {"type": "http.response.body", "body": b"a", "more_body": True}
        sending = asyncio.ensure_future(talk.cycle.send(message))
        other = asyncio.ensure_future(talk.cycle.receive())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not sending.done()
        assert other.done()
        assert talk.host.sent.endswith(b"1\r\na\r\n")
        cancelled = talk.host.can_write
        sending.cancel()
        await asyncio.wait([sending])
        assert not cancelled.done(), "others may wait for it, too"

    asyncio.run(scenario())


def test_sending_the_last_message_waits_for_nobody() -> None:
    """Nothing can follow that would have to wait, and the application need not live until it is sent."""

    async def scenario() -> None:
        talk = Talk()
        talk.start()
        talk.host.can_write = asyncio.get_running_loop().create_future()
        talk.body(b"a")

    asyncio.run(scenario())


# -- receiving ----------------------------------------------------------------------------------------

EMPTY = {"type": "http.request", "body": b"", "more_body": False}
DISCONNECT = {"type": "http.disconnect"}


def test_a_request_without_a_body_is_one_message() -> None:
    """Then receive waits for the client to leave."""
    talk = Talk()
    assert talk.receive() == EMPTY
    assert is_waiting_for_more(talk)


def is_waiting_for_more(talk: Talk) -> bool:
    async def scenario() -> bool:
        coroutine = talk.cycle.receive()
        try:
            return is_waiting(coroutine)
        finally:
            coroutine.close()
            assert talk.cycle.inbox is not None
            talk.cycle.inbox._waiters.clear()

    return asyncio.run(scenario())


def test_pieces_of_a_body() -> None:
    """What came since the last time, joined; the end is told with the last piece or alone."""
    talk = Talk(is_complete=False)
    assert is_waiting_for_more(talk)
    talk.cycle.body_received(b"a")
    talk.cycle.body_received(b"b")
    assert talk.cycle.inbox is not None
    assert talk.cycle.inbox.size == 2
    assert talk.receive() == {"type": "http.request", "body": b"ab", "more_body": True}
    assert (talk.host.taken, talk.cycle.inbox.size) == (1, 0)
    assert is_waiting_for_more(talk)
    talk.cycle.body_received(b"c")
    talk.cycle.request_ended()
    assert talk.receive() == {"type": "http.request", "body": b"c", "more_body": False}
    assert is_waiting_for_more(talk)


def test_the_end_of_a_body_alone() -> None:
    """An empty last message."""
    talk = Talk(is_complete=False)
    talk.cycle.body_received(b"a")
    talk.receive()
    talk.cycle.request_ended()
    assert talk.receive() == EMPTY


def test_reading_goes_on_after_the_last_piece() -> None:
    """Or the connection would not notice that the client leaves while a long response is made."""
    talk = Talk(is_complete=False)
    talk.cycle.body_received(b"a" * 100_000)
    talk.cycle.request_ended()
    talk.receive()
    assert talk.host.taken == 1


@pytest.mark.parametrize("how", ["client_left", "client_finished"])
@pytest.mark.parametrize("waits", [True, False])
def test_a_client_that_leaves(how: str, waits: bool) -> None:
    """Every receive is told, now and later, also those that wait already."""

    async def scenario() -> None:
        talk = Talk()
        talk.receive()
        waiting = [asyncio.ensure_future(talk.cycle.receive()) for _ in range(2)] if waits else []
        await asyncio.sleep(0)
        getattr(talk.cycle, how)()
        for task in waiting:
            assert await task == DISCONNECT
        assert talk.receive() == talk.receive() == DISCONNECT

    asyncio.run(scenario())


def test_a_whole_body_is_still_there_after_the_client_finished() -> None:
    """It sent everything it had to say."""
    talk = Talk()
    talk.cycle.client_finished()
    assert [talk.receive(), talk.receive()] == [EMPTY, DISCONNECT]
    talk.start()
    talk.body(b"a")
    assert talk.state == "ended"


def test_after_the_response_there_is_only_the_disconnect() -> None:
    """ASGI: repeatable, and also for who waited before (for instance to notice a disconnect)."""

    async def scenario() -> None:
        talk = Talk()
        talk.receive()
        waiting = asyncio.ensure_future(talk.cycle.receive())
        await asyncio.sleep(0)
        talk.start()
        talk.body()
        assert await waiting == DISCONNECT
        assert talk.receive() == talk.receive() == DISCONNECT

    asyncio.run(scenario())


def test_an_unread_body_is_not_kept_after_the_response() -> None:
    """Nobody will ask for it."""
    talk = Talk(is_complete=False)
    talk.start()
    talk.body()
    talk.cycle.body_received(b"a")
    talk.cycle.request_ended()
    assert talk.cycle.inbox is not None
    assert talk.cycle.inbox.size == 0
    assert talk.receive() == DISCONNECT


def test_a_receive_that_is_cancelled_loses_nothing() -> None:
    """As timeouts do."""

    async def scenario() -> None:
        talk = Talk(is_complete=False)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(talk.cycle.receive(), 0.001)
        talk.cycle.body_received(b"a")
        assert (await talk.cycle.receive())["body"] == b"a"

    asyncio.run(scenario())


# -- 100-continue -------------------------------------------------------------------------------------

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_100_continue_is_sent_when_the_body_is_wanted() -> None:
    """RFC 9110 section 10.1.1: and once."""
    talk = Talk("POST", expects_continue=True, is_complete=False)
    assert talk.host.sent == b""
    assert is_waiting_for_more(talk)
    assert is_waiting_for_more(talk)
    assert talk.host.sent == CONTINUE


def test_no_100_continue_for_a_body_that_came_already() -> None:
    """The client did not wait."""
    talk = Talk("POST", expects_continue=True, is_complete=False)
    talk.cycle.body_received(b"a")
    talk.cycle.request_ended()
    talk.receive()
    assert talk.host.sent == b""


def test_no_100_continue_inside_a_response() -> None:
    """It would be taken for a part of it."""
    talk = Talk("POST", expects_continue=True, is_complete=False)
    talk.start()
    talk.body(b"a", more=True)
    before = talk.host.sent
    assert is_waiting_for_more(talk)
    assert talk.host.sent == before


def test_100_continue_between_start_and_body() -> None:
    """The head is not out yet, so this may still go before it."""
    talk = Talk("POST", expects_continue=True, is_complete=False)
    talk.start()
    assert is_waiting_for_more(talk)
    talk.cycle.request_ended()
    talk.body()
    assert talk.host.sent == CONTINUE + head(b"content-length: 0")


def test_a_body_that_was_never_asked_for_ends_the_connection() -> None:
    """RFC 9110 section 10.1.1: a client that got its answer need not send the body."""
    talk = Talk("POST", expects_continue=True, is_complete=False)
    talk.start(413)
    talk.body(b"no")
    assert not talk.cycle.keep_alive
    assert b"\r\nconnection: close\r\n" in talk.host.sent
