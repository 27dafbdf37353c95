"""Flow control of HTTP/2, both ways: RFC 9113 sections 5.2 and 6.9. The client counts every byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.http2_served import address_of, connect
from tests.support.http2_client import Http2
from tests.support.http2_frames import (
    DATA,
    FRAME_SIZE,
    HEADER_TABLE_SIZE,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MOST,
    SETTINGS,
    WINDOW,
    WINDOW_UPDATE,
    Code,
    data,
    get,
    goaway,
    post,
    rst_stream,
    window_update,
)
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from tests.support.server import ServerProcess


LARGE = "/whole?size=200000"


def check_came(client: Http2, stream: int, size: int) -> None:
    """So much of the body comes, and no more."""
    answer = client.wait_body(stream, size) if size else client.wait_head(stream)
    client.check_open()
    assert len(answer.body) == size
    assert not answer.is_over


# -- what the server sends -----------------------------------------------------------------------------


def test_a_response_ends_at_the_window_of_the_connection(extended: ServerProcess) -> None:
    """Section 6.9.1: and an increment for the stream alone changes nothing."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: MOST}, gives_back=False) as client:
        stream = client.send_request(LARGE)
        check_came(client, stream, WINDOW)
        client.give_back(0, 10)
        check_came(client, stream, WINDOW + 10)
        client.give_back(0, 1_000_000)
        assert len(client.answer(stream).body) == 200_000


def test_a_response_ends_at_the_window_of_its_stream(extended: ServerProcess) -> None:
    """Section 6.9.1: others go on, and an increment for the connection alone changes nothing."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: 10}, gives_back=False) as client:
        client.wait_settings()
        streams = [client.send_request(LARGE) for _ in range(3)]
        for stream in streams:
            check_came(client, stream, 10)
        client.give_back(0, 1_000_000)
        client.give_back(streams[1], 15)
        check_came(client, streams[1], 25)
        check_came(client, streams[0], 10)
        client.give_back(streams[1], 1_000_000)
        assert len(client.answer(streams[1]).body) == 200_000
        check_came(client, streams[2], 10)


def test_a_window_of_the_connection_is_shared(extended: ServerProcess) -> None:
    """Section 6.9.1: all that comes on all streams fits in it, and nobody is left out for ever."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: MOST}, gives_back=False) as client:
        streams = [client.send_request(LARGE) for _ in range(4)]
        while client.window:
            client.step()
        client.check_open()
        for _ in range(100):
            client.give_back(0, 10_000)
        for stream in streams:
            assert len(client.answer(stream).body) == 200_000


def test_no_window_and_no_body_is_a_response(extended: ServerProcess) -> None:
    """Section 6.9.1: frames of no length pass, and HEADERS are not counted."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: 0}) as client:
        client.wait_settings()
        assert client.ask("/whole?size=0").has_ended
        assert client.ask(LARGE, method="HEAD").has_ended
        stream = client.send_request(LARGE)
        check_came(client, stream, 0)


def test_settings_change_the_windows_of_open_streams(extended: ServerProcess) -> None:
    """Section 6.9.2."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: 0}, gives_back=False) as client:
        client.wait_settings()
        streams = [client.send_request(LARGE) for _ in range(2)]
        for size in (1, 1000, 30_000):
            client.send_settings({INITIAL_WINDOW_SIZE: size})
            for stream in streams:
                check_came(client, stream, size)


def test_a_window_may_become_negative(extended: ServerProcess) -> None:
    """Section 6.9.2: and must become positive again before more is sent."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: 1000}, gives_back=False) as client:
        client.wait_settings()
        stream = client.send_request(LARGE)
        check_came(client, stream, 1000)
        client.send_settings({INITIAL_WINDOW_SIZE: 100})
        client.wait_settings()
        client.give_back(stream, 900)
        check_came(client, stream, 1000)
        client.give_back(stream, 1)
        check_came(client, stream, 1001)
        client.send_settings({INITIAL_WINDOW_SIZE: 102})
        check_came(client, stream, 1003)


def test_settings_hold_once_they_are_acknowledged(extended: ServerProcess) -> None:
    """Section 6.5.3: what they allow comes behind the acknowledgement, by which some clients count."""
    with Http2(address_of(extended), values={INITIAL_WINDOW_SIZE: 0}) as client:
        client.wait_settings()
        stream = client.send_request("/whole?size=40000")
        check_came(client, stream, 0)
        client.send_settings({INITIAL_WINDOW_SIZE: MOST, MAX_FRAME_SIZE: 1 << 20})
        assert client.until(lambda frame: frame.kind in {DATA, SETTINGS}).kind == SETTINGS
        assert len(client.answer(stream).body) == 40_000


def test_settings_do_not_change_the_window_of_the_connection(extended: ServerProcess) -> None:
    """Section 6.9.2."""
    with Http2(address_of(extended), gives_back=False) as client:
        stream = client.send_request(LARGE)
        client.send_settings({INITIAL_WINDOW_SIZE: MOST})
        check_came(client, stream, WINDOW)


@pytest.mark.parametrize("size", [FRAME_SIZE, 20_000, 2**24 - 1])
def test_frames_are_as_large_as_the_client_takes(extended: ServerProcess, size: int) -> None:
    """Section 4.2."""
    values = {MAX_FRAME_SIZE: size, INITIAL_WINDOW_SIZE: 1 << 24}
    with Http2(address_of(extended), values=values) as client:
        client.wait_settings()
        assert len(client.ask("/whole?size=3000000").body) == 3_000_000


@pytest.mark.parametrize("size", [0, 1, 64, 4096, 65536, 2**32 - 1])
def test_the_header_table_is_as_large_as_the_client_takes(extended: ServerProcess, size: int) -> None:
    """RFC 7541 section 4.2: its reader refuses what does not fit, and a reduction that is not told."""
    with connect(extended) as client:
        client.wait_settings()
        for _ in range(2):
            assert client.ask("/?abc").status == 200
        client.send_settings({HEADER_TABLE_SIZE: size})
        for _ in range(3):
            assert client.ask("/?abc").status == 200
        client.send_settings({HEADER_TABLE_SIZE: 0})
        client.send_settings({HEADER_TABLE_SIZE: 4096})
        for _ in range(2):
            assert dict(client.ask("/?abc").fields)["x-query"] == "abc"


# -- increments that are too much ----------------------------------------------------------------------


def test_the_window_of_a_stream_has_a_limit(extended: ServerProcess) -> None:
    """Section 6.9.1: 2^31-1, and more ends the stream."""
    with connect(extended) as client, Gate() as gate:
        stream = client.send_request(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        client.send(window_update(stream, MOST - WINDOW))
        client.check_open()
        client.send(window_update(stream, 1))
        client.check_reset(stream, Code.FLOW_CONTROL_ERROR)
        visitor.let_pass()
        visitor.wait_end()
        client.check_serves()


def test_the_window_of_a_connection_has_a_limit(extended: ServerProcess) -> None:
    """Section 6.9.1: 2^31-1, and more ends the connection."""
    with connect(extended) as client:
        client.send(window_update(0, MOST - WINDOW))
        client.check_open()
        client.send(window_update(0, 1))
        client.check_failed(Code.FLOW_CONTROL_ERROR)


def test_settings_must_not_make_a_window_too_large(extended: ServerProcess) -> None:
    """Section 6.9.2: that of a stream that has got an increment before."""
    with connect(extended) as client, Gate() as gate:
        stream = client.send_request(f"/hold?gate={gate.port}")
        gate.wait_visitor()
        client.send(window_update(stream, 1))
        client.send_settings({INITIAL_WINDOW_SIZE: MOST})
        client.check_failed(Code.FLOW_CONTROL_ERROR)


# -- what the client sends -----------------------------------------------------------------------------


def fill(client: Http2, stream: int) -> int:
    """Send as much of a body as may be sent; return how much that was."""
    sent = 0
    while room := client.room(stream):
        client.send_data(stream, bytes(min(room, FRAME_SIZE)))
        sent += min(room, FRAME_SIZE)
    return sent


def test_a_body_that_is_not_read_is_not_taken_in(extended: ServerProcess) -> None:
    """Section 5.2.1: the window opens as the application reads, and everything arrives."""
    with connect(extended) as client, Gate() as gate:
        client.wait_settings()
        stream = client.send_request(f"/later?gate={gate.port}", method="POST", end=False)
        visitor = gate.wait_visitor()
        client.check_open()
        sent = fill(client, stream)
        assert sent <= 1 << 20
        client.check_open()
        assert client.room(stream) <= sent, "what nobody reads is asked for"
        sent += fill(client, stream)
        client.check_open()
        visitor.let_pass()
        while not client.room(stream):
            client.step()
        client.send_body(stream, bytes(500_000))
        assert client.answer(stream).body == b"%d" % (sent + 500_000)


def test_a_body_that_is_not_read_holds_up_no_other(extended: ServerProcess) -> None:
    """Section 5.2.1: the window of the connection is larger than that of one stream."""
    with connect(extended) as client, Gate() as gate:
        client.wait_settings()
        stream = client.send_request(f"/later?gate={gate.port}", method="POST", end=False)
        visitor = gate.wait_visitor()
        fill(client, stream)
        client.check_open()
        assert client.ask("/count", method="POST", body=bytes(3_000_000)).body == b"3000000"
        visitor.let_pass()
        client.send_data(stream, end=True)
        assert client.answer(stream).status == 200


@pytest.mark.parametrize("of", ["stream", "connection"])
def test_more_than_a_window_is_an_error(extended: ServerProcess, of: str) -> None:
    """Section 6.9.1: of the stream that, or of the connection."""
    with connect(extended) as client, Gate() as gate:
        client.wait_settings()
        client.check_open()
        for _ in range(100):
            stream = client.send_request(f"/hold?gate={gate.port}", method="POST", end=False)
            gate.wait_visitor()
            fill(client, stream)
            if of == "stream" or client.their_window == 0:
                break
        if of == "stream":
            client.send_data(stream, b"x")
            client.check_reset(stream, Code.FLOW_CONTROL_ERROR)
            client.check_serves()
        else:
            assert client.their_window == 0
            stream = client.send_request("/count", method="POST", end=False)
            client.send(data(stream, b"x"))
            client.check_failed(Code.FLOW_CONTROL_ERROR)


def test_padding_is_given_back(extended: ServerProcess) -> None:
    """Section 6.9.1: the whole payload counts, also what no application sees."""
    with connect(extended) as client:
        client.wait_settings()
        stream = client.send_request("/count", method="POST", end=False)
        for _ in range(6000):  # 1.5 MB
            while client.room(stream) < 256:
                client.step()
            client.their_window -= 256
            client.their_windows[stream] = client.their_windows.get(stream, 0) - 256
            client.send(data(stream, b"x", padding=254))
        client.send_data(stream, end=True)
        assert client.answer(stream).body == b"6000"


def test_what_a_cancelled_request_held_is_given_back(extended: ServerProcess) -> None:
    """Sections 5.1 and 6.9: or the connection could take nothing in any more."""
    with connect(extended) as client, Gate() as gate:
        client.wait_settings()
        for _ in range(40):  # of 64 KiB: more than the window of the connection
            stream = client.send_request(f"/hold?gate={gate.port}", method="POST", end=False)
            visitor = gate.wait_visitor()
            while client.room(stream) < FRAME_SIZE:
                client.step()
            fill(client, stream)
            client.send(rst_stream(stream))
            visitor.let_pass()
            visitor.wait_end()
        assert client.ask("/count", method="POST", body=bytes(200_000)).body == b"200000"


def test_what_an_application_leaves_unread_is_given_back(extended: ServerProcess) -> None:
    """Section 8.1: an answer may come before the end of the request, whose rest is not wanted."""
    with connect(extended) as client:
        client.wait_settings()
        for _ in range(40):
            stream = client.send_request("/", method="POST", end=False)
            while client.room(stream) < FRAME_SIZE:
                client.step()
            fill(client, stream)
            answer = client.wait_head(stream)
            assert answer.status == 200
            if answer.reset is None:
                client.send(data(stream, end=True))
        assert client.ask("/count", method="POST", body=bytes(200_000)).body == b"200000"


def test_windows_are_given_back_in_good_portions(extended: ServerProcess) -> None:
    """Section 5.2.2: not with a frame for each that came."""
    with connect(extended) as client:
        client.wait_settings()
        stream = client.send_request("/count", method="POST", end=False)
        for _ in range(20_000):
            while client.room(stream) < 100:
                client.step()
            client.send_data(stream, bytes(100))
        client.send_data(stream, end=True)
        assert client.answer(stream).body == b"2000000"
        updates = [frame for frame in client.seen if frame.kind == WINDOW_UPDATE]
        assert len(updates) < 2000


# -- a client that leaves --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [Code.NO_ERROR, Code.INTERNAL_ERROR, 0xABCD])
def test_a_client_that_goes_away_gets_its_answers(extended: ServerProcess, code: int) -> None:
    """Section 6.8: GOAWAY is about streams of the extended."""
    with connect(extended) as client, Gate() as gate:
        stream = client.send_request(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        client.send(goaway(0, code, b"enough"))
        visitor.let_pass()
        assert client.answer(stream).body == b"held"


def test_an_answer_comes_in_frames_of_no_waste(extended: ServerProcess) -> None:
    """A short one: HEADERS, and DATA that ends the stream."""
    with connect(extended) as client:
        stream = client.send_request("/whole?size=100")
        client.answer(stream)
        assert len([frame for frame in client.seen if frame.kind == DATA]) == 1


def test_requests_in_one_packet_are_all_answered(extended: ServerProcess) -> None:
    """Section 5: streams are independent of each other."""
    with connect(extended) as client, Gate() as gate:
        client.send(
            *(get(stream, f"/hold?gate={gate.port}") for stream in range(1, 100, 2)),
            *(post(stream, "/count") for stream in range(101, 151, 2)),
            *(data(stream, bytes(stream), end=True) for stream in range(101, 151, 2)),
        )
        visitors = [gate.wait_visitor() for _ in range(50)]
        for stream in range(101, 151, 2):
            assert client.answer(stream).body == b"%d" % stream
        for visitor in visitors:
            visitor.let_pass()
        for stream in range(1, 100, 2):
            assert client.answer(stream).body == b"held"
