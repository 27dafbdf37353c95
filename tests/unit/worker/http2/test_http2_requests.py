"""What requests of HTTP/2 share with those of HTTP/1: turns, names, deadlines, and the end."""

from __future__ import annotations

from hpack import Decoder

from tests.support import http2_frames as h2
from tests.support.wire import Wire, World

HTTP2 = {"http2": True}
HEAD = 9  #: bytes of the head of a frame


def opened(world: World) -> Wire:
    """Return a client that knows the settings."""
    return world.connect().sends(h2.PREFACE + h2.settings() + h2.settings(ack=True))


def frames(wire: Wire) -> list[tuple[int, int, bytes]]:
    """Return type, stream and payload of what has come."""
    got, found = wire.transport.taken, []
    while got:
        size = int.from_bytes(got[:3])
        found.append((got[3], int.from_bytes(got[5:HEAD]), got[HEAD : HEAD + size]))
        got = got[HEAD + size :]
    return found


def statuses(wire: Wire) -> dict[int, int]:
    """Return the status of each stream that was answered."""
    heads = {stream: payload for kind, stream, payload in frames(wire) if kind == h2.HEADERS}
    return {
        stream: int(dict(Decoder().decode(block, raw=True))[b":status"]) for stream, block in heads.items()
    }


def farewells(wire: Wire) -> list[tuple[int, int]]:
    """Return the last stream and the code of each GOAWAY."""
    return [
        (int.from_bytes(payload[:4]), int.from_bytes(payload[4:8]))
        for kind, _, payload in frames(wire)
        if kind == h2.GOAWAY
    ]


def test_requests_of_one_connection_wait_for_their_turns() -> None:
    with World(limits={"concurrency": 1, "concurrency_queue": 1}, http=HTTP2) as world:
        wire = opened(world).sends(h2.get(1) + h2.get(3) + h2.get(5))
        assert len(world.calls) == 1
        assert statuses(wire) == {5: 503}
        world.call.answers()
        assert len(world.calls) == 2
        world.call.answers()
        assert statuses(wire) == {1: 200, 3: 200, 5: 503}


def test_a_request_that_is_cancelled_gives_its_turn_to_the_next() -> None:
    limits = {"concurrency": 1, "concurrency_queue": 2}
    with World(limits=limits, http=HTTP2) as world:
        wire = opened(world).sends(h2.get(1) + h2.get(3) + h2.get(5))
        wire.sends(h2.rst_stream(3))
        world.call.answers()
        world.call.answers()
        assert len(world.calls) == 2
        assert statuses(wire) == {1: 200, 5: 200}


def test_who_waits_too_long_is_turned_away() -> None:
    limits = {"concurrency": 1, "concurrency_queue": 1}
    with World(limits=limits, timeouts={"queue": 3.0}, http=HTTP2) as world:
        wire = opened(world).sends(h2.get(1) + h2.get(3))
        world.advance(5.0)
        assert statuses(wire) == {3: 503}
        world.call.answers()


def test_requests_have_names() -> None:
    with World(http=HTTP2 | {"request_id": True}) as world:
        wire = opened(world).sends(h2.get(1, "/", ("x-request-id", "mine")))
        assert (b"x-request-id", b"mine") in world.call.scope["headers"]
        world.call.answers()
        (block,) = [payload for kind, _, payload in frames(wire) if kind == h2.HEADERS]
        assert dict(Decoder().decode(block, raw=True))[b"x-request-id"] == b"mine"


def test_the_last_request_of_a_connection_is_told() -> None:
    with World(limits={"requests_per_connection": 2}, http=HTTP2) as world:
        wire = opened(world).sends(h2.get(1), h2.get(3), h2.get(5))
        assert farewells(wire) == [(3, h2.Code.NO_ERROR)]
        for call in world.calls:
            call.answers()
        assert statuses(wire) == {1: 200, 3: 200}
        assert wire.end == "eof"


def test_an_idle_connection_is_told_and_closed() -> None:
    with World(timeouts={"keep_alive": 3.0}, http=HTTP2) as world:
        wire = opened(world).sends(h2.get(1))
        world.advance(10.0)
        assert farewells(wire) == []
        world.call.answers()
        world.advance(2.0)
        assert farewells(wire) == []
        world.advance(3.0)
        assert farewells(wire) == [(1, h2.Code.NO_ERROR)]
        assert wire.end


def test_a_head_that_never_ends_is_not_waited_for() -> None:
    with World(timeouts={"request_head": 3.0}, http=HTTP2) as world:
        wire = opened(world).sends(h2.headers(1, b"\x82", is_whole=False))
        world.advance(5.0)
        assert farewells(wire) == [(0, h2.Code.ENHANCE_YOUR_CALM)]


def test_who_takes_nothing_of_a_response_loses_that_stream() -> None:
    with World(timeouts={"write_stall": 5.0}, http=HTTP2) as world:
        wire = opened(world).sends(h2.settings({h2.INITIAL_WINDOW_SIZE: 10}), h2.get(1))
        world.call.starts()
        world.call.streams(b"x" * 100)
        world.advance(12.0)
        ended = [
            (stream, int.from_bytes(what)) for kind, stream, what in frames(wire) if kind == h2.RST_STREAM
        ]
        assert ended == [(1, h2.Code.ENHANCE_YOUR_CALM)]


def test_a_connection_ends_in_two_steps() -> None:
    with World(http=HTTP2) as world:
        wire = opened(world).sends(h2.get(1))
        world.server.is_draining = True
        (connection,) = world.server.connections
        connection.drain(0.5)
        world.turn()
        assert farewells(wire) == [(h2.MOST, h2.Code.NO_ERROR)]
        wire.sends(h2.get(3))
        assert len(world.calls) == 2
        wire.sends(h2.ping(b"farewell", ack=True))
        assert farewells(wire)[1:] == [(3, h2.Code.NO_ERROR)]
        wire.sends(h2.get(5))
        assert len(world.calls) == 2
        for call in world.calls:
            call.answers()
        assert statuses(wire) == {1: 200, 3: 200}
        assert wire.end == "eof"
