"""One WebSocket as its application sees it: the order of messages, the handshake, and every way to end."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.support.wire import GET
from tests.support.wire_websocket import CLOSE, TEXT, SocketWorld, close, opening, text

CODES = [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999]
NO_CODES: list[Any] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70_000, -1, True, "1000"]


def denies(player: Any, *, more: bool = False) -> None:
    player.sends("http.response.start", status=401, headers=[(b"x", b"y")])
    player.sends("http.response.body", body=b"no", more_body=more)


# -- the handshake ------------------------------------------------------------------------------------


def test_the_first_event_is_connect() -> None:
    """And there is none beside it until something happens."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        player = world.player
        player.asks()
        assert player.events == [{"type": "websocket.connect"}]
        player.asks()
        assert len(player.events) == 1
        wire.leaves()
        assert player.codes == [1006]


def test_an_accepted_handshake() -> None:
    """With the application's fields and the subprotocol that it chose."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening("/", "Sec-WebSocket-Protocol: a, b"))
        assert world.player.scope["subprotocols"] == ["a", "b"]
        world.player.accepts(headers=[(b"X", b"y"), (b"Connection", b"close")], subprotocol="b")
        assert wire.status == 101
        fields = wire.head.lower().split(b"\r\n")
        assert b"sec-websocket-protocol: b" in fields
        assert b"x: y" in fields
        assert [field for field in fields if field.startswith(b"connection")] == [b"connection: upgrade"]
        assert b"upgrade: websocket" in fields


def test_a_subprotocol_among_the_fields() -> None:
    """Some frameworks know no other way."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening("/", "Sec-WebSocket-Protocol: a, b"))
        world.player.accepts(headers=[(b"Sec-WebSocket-Protocol", b"a")])
        assert wire.status == 101
        assert wire.head.lower().count(b"sec-websocket-protocol: a") == 1


@pytest.mark.parametrize(
    "message",
    [
        {"subprotocol": "c"},
        {"subprotocol": ""},
        {"headers": [(b"sec-websocket-protocol", b"c")]},
        {"headers": [(b"Upgrade", b"h2c")]},
        {"headers": [(b"Sec-WebSocket-Accept", b"x")]},
        {"headers": [(b"sec-websocket-extensions", b"x")]},
        {"headers": [(b"Content-Length", b"0")]},
        {"headers": [(b"a b", b"c")]},
        {"headers": [(b"a", b"b\r\nc: d")]},
        {"headers": [("a", "b")]},
    ],
)
def test_what_cannot_be_accepted_with(message: dict[str, Any]) -> None:
    """The application is told, and may accept in another way; the time it has for it still runs."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening("/", "Sec-WebSocket-Protocol: a, b"))
        world.player.accepts(**message)
        assert len(world.player.errors) == 1
        assert wire.status == 0
        assert world.player.is_over is False
        world.player.sends("accept")
        assert wire.status == 101
    with SocketWorld(handshake_timeout=5) as world:
        wire = world.connect().sends(opening())
        world.player.accepts(subprotocol="c")
        world.advance(6)
        assert wire.status == 503


@pytest.mark.parametrize("kind", ["send", "http.response.body", "http.response.trailers", "connect"])
def test_what_comes_too_early(kind: str) -> None:
    """Is refused with what could come."""
    with SocketWorld() as world:
        world.connect().sends(opening())
        world.player.sends(kind)
        [error] = world.player.errors
        assert isinstance(error, RuntimeError)
        for expected in ("'websocket.accept'", "'websocket.close'", "'websocket.http.response.start'"):
            assert expected in str(error)


def test_a_response_of_http_is_no_answer_to_a_handshake() -> None:
    """It is what a middleware sends that takes the WebSocket for a request; a denial says what it is."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        player = world.player

        async def respond() -> None:
            try:
                await player.send({"type": "http.response.start", "status": 500})
            except RuntimeError as error:
                player.errors.append(error)

        player.does(respond)
        assert "websocket.http.response.start" in str(player.errors[0])
        player.sends("close")
        assert wire.status == 403


def test_a_rejected_handshake() -> None:
    """Is answered 403, and the connection is closed."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        world.player.sends("close", code=4000)
        assert wire.status == 403
        assert b"connection: close" in wire.head.lower()
        world.player.asks(3)
        assert world.player.codes == [1006, 1006]
        assert wire.end == "closed"


def test_a_denial() -> None:
    """Is any response, in pieces or whole; then the application can say nothing more."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        player = world.player
        denies(player, more=True)
        player.sends("accept")
        player.sends("http.response.body", body=b"!")
        player.sends("send", text="a")
        assert wire.status == 401
        assert b"x: y" in wire.head.lower()
        assert [type(error) for error in player.errors] == [RuntimeError, RuntimeError]
        player.asks(3)
        assert player.codes == [1006, 1006]


def test_a_denial_needs_its_extension() -> None:
    """A middleware may have taken it away."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        world.player.scope["extensions"].clear()
        world.player.sends("http.response.start", status=401)
        assert "'websocket.http" not in str(world.player.errors[0]).partition(", but got")[0]
        world.player.sends("close")
        assert wire.status == 403


def test_what_stands_behind_a_denied_handshake_is_not_read() -> None:
    """It was meant for the WebSocket."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening() + text("a") + GET)
        world.player.sends("close")
        assert wire.status == 403
        assert len(world.calls) == 1
        wire.sends(GET)
        assert len(world.calls) == 1
        assert wire.end == "eof"


def test_the_handshake_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    """503; the application learns that there will be no WebSocket."""
    with SocketWorld(handshake_timeout=3) as world:
        wire = world.connect().sends(opening())
        player = world.player
        player.asks(2)
        world.advance(2.5)
        assert wire.status == 0
        world.advance(1)
        assert wire.status == 503
        assert player.codes == [1006]
        player.sends("accept")
        assert isinstance(player.errors[0], RuntimeError)
    assert "to accept a WebSocket" in caplog.text


@pytest.mark.parametrize("begins", [True, False])
def test_no_time_runs_once_the_application_has_answered(begins: bool) -> None:
    """It may take as long as it wants for the rest of a denial; 0 is any time."""
    with SocketWorld(handshake_timeout=3 if begins else 0) as world:
        wire = world.connect().sends(opening())
        if begins:
            denies(world.player, more=True)
        world.advance(60)
        assert wire.status == (401 if begins else 0)


def test_no_time_runs_while_others_are_served() -> None:
    """A handshake that waits for its turn is not the application's yet, and its place is not lost."""
    limits = {"concurrency": 1, "concurrency_queue": 5}
    with SocketWorld(limits=limits, timeouts={"queue": 60}, handshake_timeout=3) as world:
        world.connect().sends(GET)
        busy = world.player
        wire = world.connect().sends(opening())
        world.advance(10)
        assert wire.status == 0
        busy.returns()
        world.player.accepts()
        assert wire.status == 101
        for _ in range(3):
            world.connect().sends(GET)
            world.player.returns()


def test_an_open_websocket_takes_no_place_of_a_request() -> None:
    """It lasts for hours."""
    with SocketWorld(limits={"concurrency": 1}) as world:
        wire, player = world.open()
        other = world.connect().sends(GET)
        world.player.returns()
        assert other.statuses == [500]
        wire.sends(text("a"))
        player.asks()
        assert player.texts == ["a"]


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_ends_during_the_handshake(leaves: bool) -> None:
    """In whichever way, there will be no WebSocket."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        player = world.player
        player.asks(2)
        wire.leaves() if leaves else wire.shuts_down()
        assert player.codes == [1006]
        assert wire.end
        player.sends("accept")
        assert isinstance(player.errors[0], OSError)


# -- how applications end -----------------------------------------------------------------------------


@pytest.mark.parametrize(("fails", "code"), [(False, 1000), (True, 1011)])
def test_an_application_that_returns_or_fails_closes(fails: bool, code: int) -> None:
    """With a code that says as much."""
    with SocketWorld() as world:
        wire, player = world.open()
        player.raises() if fails else player.returns()
        assert [got.code for got in wire.frames] == [code]
        wire.sends(close(code))
        assert wire.end == "eof"


@pytest.mark.parametrize("fails", [True, False])
def test_an_application_that_answers_no_handshake(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Has failed."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        world.player.raises() if fails else world.player.returns()
        assert wire.status == 500
    assert ("the application fails" if fails else "without sending handshake") in caplog.text


@pytest.mark.parametrize("fails", [True, False])
def test_an_application_that_ends_inside_its_denial(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The client notices that something is missing."""
    with SocketWorld() as world:
        wire = world.connect().sends(opening())
        denies(world.player, more=True)
        world.player.raises() if fails else world.player.returns()
        assert wire.end == "reset"
    assert ("the application fails" if fails else "without completing handshake") in caplog.text


def test_what_an_application_returns_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Anything else is a mistake, and said so."""

    async def application(_scope: Any, _receive: Any, send: Any) -> int:
        await send({"type": "websocket.accept"})
        return 3

    with SocketWorld(application) as world:
        wire = world.connect().sends(opening())
        assert [got.code for got in wire.frames] == [1000]
    assert "returned 3" in caplog.text


def test_an_application_that_fails_because_its_client_left(caplog: pytest.LogCaptureFixture) -> None:
    """Has done nothing wrong."""

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        await receive()
        await send({"type": "websocket.send", "text": "a"})

    with caplog.at_level(logging.ERROR), SocketWorld(application) as world:
        world.connect().sends(opening()).leaves()
    assert not caplog.records


# -- the open WebSocket -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message", [{}, {"text": None}, {"text": "a", "bytes": b"b"}, {"bytes": None, "text": None}]
)
def test_a_message_is_either_text_or_bytes(message: dict[str, Any]) -> None:
    """And nothing is sent of one that is not."""
    with SocketWorld() as world:
        wire, player = world.open()
        player.sends("send", **message)
        assert isinstance(player.errors[0], RuntimeError)
        player.sends("send", text="")
        assert [(got.opcode, got.payload) for got in wire.frames] == [(TEXT, b"")]


@pytest.mark.parametrize("kind", ["accept", "http.response.start", "http.response.body", "nonsense"])
def test_what_an_open_websocket_does_not_take(kind: str) -> None:
    """Is refused with what could come."""
    with SocketWorld() as world:
        _, player = world.open()
        player.sends(kind)
        assert "Expected ASGI message 'websocket.send' or 'websocket.close'" in str(player.errors[0])


@pytest.mark.parametrize("code", CODES)
def test_closing(code: int) -> None:
    """The event echoes the code, again and again; nothing can be sent any more."""
    with SocketWorld() as world:
        wire, player = world.open()
        player.sends("close", code=code, reason="a")
        [got] = wire.frames
        assert (got.opcode, got.code, got.payload[2:]) == (CLOSE, code, b"a")
        wire.sends(close(1000))
        player.asks(3)
        assert player.events[-3:] == [{"type": "websocket.disconnect", "code": code, "reason": "a"}] * 3
        player.sends("send", text="a")
        player.sends("close")
        assert [type(error) for error in player.errors] == [RuntimeError, RuntimeError]
        assert "closed or denied" in str(player.errors[0])
        assert wire.frames == []


@pytest.mark.parametrize("code", NO_CODES)
def test_codes_that_cannot_be_sent(code: Any) -> None:
    """RFC 6455 section 7.4; the WebSocket stays open."""
    with SocketWorld() as world:
        wire, player = world.open()
        player.sends("close", code=code)
        assert isinstance(player.errors[0], RuntimeError)
        player.sends("close", code=None, reason=None)
        assert [got.payload for got in wire.frames] == [b"\x03\xe8"]


@pytest.mark.parametrize(("frame", "code", "reason"), [(close(4001, "a"), 4001, "a"), (close(), 1005, "")])
def test_a_client_that_closes(frame: bytes, code: int, reason: str) -> None:
    """Its code and reason are told behind its messages; then sending fails as with any client that left."""
    with SocketWorld() as world:
        wire, player = world.open()
        wire.sends(text("a") + frame + text("b"))
        assert [got.payload for got in wire.frames] == [
            frame[6:8] and code.to_bytes(2) if code != 1005 else b""
        ]
        player.sends("send", text="a")
        assert isinstance(player.errors[0], OSError)
        player.asks(3)
        assert player.texts == ["a"]
        assert player.events[-2:] == [{"type": "websocket.disconnect", "code": code, "reason": reason}] * 2
        assert wire.end == "eof"


def test_a_client_that_leaves() -> None:
    """1006, behind its messages."""
    with SocketWorld() as world:
        wire, player = world.open()
        wire.sends(text("a")).leaves()
        player.asks(3)
        assert player.texts == ["a"]
        assert player.codes == [1006, 1006]
        player.sends("send", text="a")
        player.sends("close")
        assert [isinstance(error, OSError) for error in player.errors] == [True, True]


def test_who_closed_first_counts() -> None:
    """The application's own code stays when the client leaves afterwards."""
    with SocketWorld() as world:
        wire, player = world.open()
        player.sends("close", code=4002)
        wire.leaves()
        player.asks(2)
        assert player.codes == [4002, 4002]
        player.sends("send", text="a")
        assert isinstance(player.errors[0], RuntimeError)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_several_tasks_may_receive(count: int) -> None:
    """Each message goes to one; the end to all."""
    with SocketWorld() as world:
        wire, player = world.open()
        for _ in range(count):
            player.asks(3, apart=True)
        player.tasks[0].cancel()
        wire.sends(text("a") + text("b"), text("c"))
        wire.sends(close(1000))
        texts = player.texts
        assert texts == (["a", "b", "c"] if count > 1 else [])
        for _ in range(3):
            world.turn()
        player.asks(5)
        assert set(player.codes) == {1000}


def test_a_cancelled_receive_loses_nothing() -> None:
    """Whatever comes while its task is being cancelled."""
    with SocketWorld() as world:
        wire, player = world.open()
        player.asks(apart=True)
        player.tasks[0].cancel()
        wire.sends(text("a"))
        player.asks()
        assert player.texts == ["a"]
