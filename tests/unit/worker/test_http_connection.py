"""One connection: order, flow control, deadlines, refusals and every way to end."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.wire import GET, World, get, post

if TYPE_CHECKING:
    from pathlib import Path

LARGE = b"x" * 200_000  #: more than a transport takes before it makes the application wait


# -- the order of requests ----------------------------------------------------------------------------


def test_a_request_is_answered_and_the_connection_goes_on() -> None:
    """The usual case."""
    with World() as world:
        wire = world.connect()
        for _ in range(3):
            wire.sends(GET)
            world.call.answers()
            assert wire.statuses == [200]
            assert wire.end == ""
        assert len(world.calls) == 3


def test_pipelined_requests_are_answered_one_after_the_other() -> None:
    """RFC 9112 section 9.3.2."""
    with World() as world:
        wire = world.connect().sends(get("/1") + get("/2"), get("/3"))
        for number in (1, 2, 3):
            assert [call.path for call in world.calls] == [f"/{n}" for n in range(1, number + 1)]
            world.call.answers(world.call.path.encode())
        assert [part[-2:] for part in wire.got.split(b"HTTP/1.1")[1:]] == [b"/1", b"/2", b"/3"]


def test_work_after_a_response_does_not_hold_up_the_next_request() -> None:
    """Background tasks of Starlette run there."""
    with World() as world:
        wire = world.connect().sends(get("/1"))
        first = world.call
        first.starts()
        first.ends(b"ok")
        wire.sends(get("/2"))
        world.call.answers()
        assert wire.statuses == [200, 200]
        assert not first.is_over
        assert len(world.server._orphans) == 1


def test_reading_goes_on_behind_a_few_pipelined_requests() -> None:
    """Or nobody would notice that their client leaves."""
    with World() as world:
        wire = world.connect().sends(GET, GET, GET)
        assert wire.transport.is_reading()
        for _ in range(3):
            world.call.answers()
        assert wire.statuses == [200] * 3


def test_what_is_held_of_pipelined_requests_is_bounded() -> None:
    """However many there are, and however slowly they are answered."""
    with World(limits={"request_buffer": 4096}) as world:
        wire = world.connect().sends(*[GET * 100] * 100)
        assert not wire.transport.is_reading()
        for _ in range(50):
            world.call.answers()
            assert len(wire.connection._held) <= 4096 + 2 * len(GET * 100)
        assert wire.unread > 0


def test_all_that_was_held_is_answered_in_the_end() -> None:
    """Reading goes on when there is room."""
    with World(limits={"request_buffer": 1024}) as world:
        wire = world.connect().sends(*[GET * 20] * 10)
        for number in range(1, 201):
            assert len(world.calls) == number
            world.call.answers()
        assert wire.statuses == [200] * 200
        assert wire.transport.is_reading()
        assert wire.unread == 0


@pytest.mark.parametrize("cut", [1, 5, len(GET) - 1])
def test_the_beginning_of_a_request_behind_many_is_read_on(cut: int) -> None:
    """A pause that the held requests caused does not keep the rest of the last one away."""
    with World(limits={"request_buffer": 1024}) as world:
        wire = world.connect().sends(GET * 40, GET * 10 + GET[:cut], GET[cut:])
        assert wire.unread > 0
        for _ in range(51):
            world.call.answers()
        assert wire.statuses == [200] * 51


def test_the_body_of_a_request_behind_many_is_read_on() -> None:
    """As above, where the application waits for it."""
    with World(limits={"request_buffer": 1024}) as world:
        wire = world.connect().sends(GET, GET * 50 + post("/", 10) + b"12345", b"67890")
        for _ in range(51):
            world.call.answers()
        world.call.asks()
        if world.call.events[-1]["more_body"]:
            world.call.asks()
        assert b"".join(event["body"] for event in world.call.events) == b"1234567890"
        world.call.answers()
        assert wire.statuses == [200] * 52


def test_a_request_in_one_read_with_the_end_of_an_unread_body_is_answered() -> None:
    """Which the application has answered without it."""
    with World() as world:
        wire = world.connect().sends(post("/", 10) + b"12345")
        world.call.answers()
        wire.sends(b"67890" + GET)
        assert len(world.calls) == 2
        world.call.answers()
        assert wire.statuses == [200, 200]


def test_requests_that_are_more_than_a_connection_may_carry() -> None:
    """The last one says so; what is behind it is not answered."""
    with World(limits={"requests_per_connection": 2}) as world:
        wire = world.connect().sends(GET * 3)
        world.call.answers()
        assert b"connection: close" not in wire.got
        world.call.answers()
        assert b"\r\nconnection: close\r\n" in wire.got
        assert wire.end == "eof"
        assert len(world.calls) == 2


# -- flow control -------------------------------------------------------------------------------------


def test_a_body_that_is_not_read_stays_with_the_client() -> None:
    """From limits.request_buffer on."""
    with World(limits={"request_buffer": 1024}) as world:
        wire = world.connect().sends(post("/", 10_000), *[b"x" * 1000] * 10)
        assert wire.unread == 8000
        total = 0
        while total < 10_000:
            world.call.asks()
            total += len(world.call.events[-1]["body"])
        assert wire.unread == 0
        world.call.answers()
        assert wire.statuses == [200]


def test_the_rest_of_a_body_is_read_after_the_response() -> None:
    """Reading had paused; the connection goes on behind it."""
    with World(limits={"request_buffer": 1024}) as world:
        wire = world.connect().sends(post("/", 10_000), *[b"x" * 1000] * 10, GET)
        assert wire.unread > 0
        world.call.answers()
        world.call.answers()
        assert wire.statuses == [200, 200]


def test_too_much_body_behind_a_response_ends_the_connection() -> None:
    """limits.unread_body_size; the response reaches its client."""
    with World(limits={"unread_body_size": 5000}) as world:
        wire = world.connect().sends(post("/", 10_000))
        world.call.answers()
        wire.sends(b"x" * 5000)
        assert wire.end == ""
        wire.sends(b"x", b"x" * 4999)
        assert wire.end == "eof"
        assert wire.statuses == [200]
        world.advance(5)
        assert wire.end in {"closed", "aborted"}


def test_an_application_waits_for_a_client_that_does_not_read() -> None:
    """And goes on when it does."""
    with World() as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        call = world.call
        call.starts()
        call.streams(LARGE)
        call.ends(b"end")
        assert b"end" not in wire.transport.unsent
        wire.reads()
        assert wire.got.endswith(b"0\r\n\r\n")


def test_the_next_request_waits_until_its_client_has_read() -> None:
    """Or responses that the application need not wait for pile up: 500, 503."""
    with World(limits={"response_buffer": 1024}) as world:
        wire = world.connect()
        wire.stops_reading()
        wire.sends(*[GET * 10] * 30)
        world.all_return()
        assert len(wire.transport.unsent) < 2048
        wire.reads()
        world.all_return()
        assert wire.statuses == [500] * 300


def test_a_client_that_reads_again_gets_all_its_responses() -> None:
    """What came meanwhile was held."""
    with World(limits={"response_buffer": 1024}) as world:
        wire = world.connect().sends(get("/1"))
        wire.stops_reading()
        world.call.answers(LARGE)
        wire.sends(get("/2")[:10], get("/2")[10:])
        assert len(world.calls) == 1
        wire.reads()
        assert len(world.calls) == 2
        world.call.answers()
        assert wire.statuses == [200, 200]


# -- deadlines ----------------------------------------------------------------------------------------


def ended(wire: Any) -> bool:
    return bool(wire.end) and wire.end != "eof"


def test_a_client_that_sends_nothing_is_left() -> None:
    """Without a word."""
    with World(timeouts={"request_head": 10}) as world:
        wire = world.connect()
        assert 10 <= world.advance_until(lambda: ended(wire), 11) <= 11
        assert (wire.got, wire.end) == (b"", "closed")


def test_a_head_has_its_time_from_its_first_byte() -> None:
    """However long the client had waited with that."""
    with World(timeouts={"request_head": 10}) as world:
        wire = world.connect()
        world.advance(9)
        wire.sends(GET[:5])
        world.advance(9)
        assert wire.end == ""
        wire.sends(GET[5:-1])
        assert 0.5 <= world.advance_until(lambda: wire.end == "eof", 2) <= 2
        assert wire.statuses == [408]
        assert ended(wire) or world.advance_until(lambda: ended(wire), 3) <= 3


def test_a_head_behind_a_response_has_its_time_as_well() -> None:
    """However short that of an idle connection is."""
    with World(timeouts={"request_head": 10, "keep_alive": 1}) as world:
        wire = world.connect().sends(GET)
        world.call.answers()
        wire.sends(GET[:5])
        world.advance(9)
        wire.sends(GET[5:])
        world.call.answers()
        assert wire.statuses == [200, 200]


def test_an_idle_connection_is_closed() -> None:
    """timeouts.keep_alive, to the precision of the ticks."""
    with World(timeouts={"keep_alive": 5}) as world:
        wire = world.connect().sends(GET)
        world.call.answers()
        assert 5 <= world.advance_until(lambda: ended(wire), 7) <= 6.5
        assert wire.end == "closed"


@pytest.mark.parametrize("behind", [b"\r\n", b"\r", b"\r\n\r\n"])
def test_an_empty_line_behind_a_request_does_not_keep_its_connection(behind: bytes) -> None:
    """RFC 9112 section 2.2: old clients send one; it is no request."""
    with World(timeouts={"keep_alive": 5}) as world:
        wire = world.connect().sends(GET + behind)
        world.call.answers()
        assert 5 <= world.advance_until(lambda: ended(wire), 7) <= 6.5
        assert wire.statuses == [200]


def test_empty_lines_do_not_keep_a_connection() -> None:
    """One now and then."""
    with World(timeouts={"keep_alive": 5}) as world:
        wire = world.connect().sends(GET)
        world.call.answers()
        for _ in range(12):
            wire.sends(b"\r\n")
            world.advance(0.5)
        world.advance(0.5)
        assert wire.end == "closed"


def test_a_request_in_progress_has_no_deadline() -> None:
    """It is the application that takes its time."""
    with World() as world:
        wire = world.connect().sends(GET)
        world.advance(1000)
        assert wire.end == ""
        world.call.answers()
        assert wire.statuses == [200]


SLOW = {"request_body": 10.0}


def test_a_body_that_does_not_come_is_answered_408() -> None:
    """And its application is told that the client left."""
    with World(timeouts=SLOW) as world:
        wire = world.connect().sends(post("/", 10))
        world.call.asks()
        assert 10 <= world.advance_until(lambda: wire.end == "eof", 11) <= 11
        assert wire.statuses == [408]
        assert world.call.events == [{"type": "http.disconnect"}]
        world.call.answers()
        assert [str(error) for error in world.call.errors] == ["the client went away"] * 2
        assert wire.got == b""


def test_a_body_that_comes_slowly_is_answered_408() -> None:
    """A byte now and then is not enough."""
    with World(timeouts=SLOW, limits={"request_body_rate": 100}) as world:
        wire = world.connect().sends(post("/", 10_000))
        for _ in range(11):
            wire.sends(b"x")
            world.advance(1)
        assert wire.statuses == [408]


def test_a_body_that_comes_fast_enough_may_take_its_time() -> None:
    """As long as it is large."""
    with World(timeouts=SLOW, limits={"request_body_rate": 100}) as world:
        wire = world.connect().sends(post("/", 20_000))
        for _ in range(100):
            wire.sends(b"x" * 200)
            world.advance(1)
        world.call.answers()
        assert wire.statuses == [200]


def test_a_body_of_any_rate_has_no_deadline() -> None:
    """limits.request_body_rate = 0."""
    with World(limits={"request_body_rate": 0}) as world:
        wire = world.connect().sends(post("/", 10))
        world.advance(1000)
        wire.sends(b"x" * 10)
        world.call.answers()
        assert wire.statuses == [200]


def test_a_client_is_not_to_blame_for_an_application_that_does_not_read() -> None:
    """However long it takes."""
    with World(timeouts=SLOW, limits={"request_buffer": 1024}) as world:
        wire = world.connect().sends(post("/", 10_000), b"x" * 2000)
        world.advance(19.5)
        world.call.asks()  # the client has hardly any of this window's time
        world.advance(5)
        assert wire.end == ""
        wire.sends(b"x" * 8000)
        world.call.asks()
        world.advance(100)
        world.call.answers()
        assert wire.statuses == [200]


def test_a_client_is_not_to_blame_for_the_time_before_100_continue() -> None:
    """It waits, as it was asked to."""
    with World(timeouts=SLOW) as world:
        wire = world.connect().sends(post("/", 10, "Expect: 100-continue"))
        world.advance(59.5)
        world.call.asks()
        assert wire.statuses == [100]
        world.advance(5)
        wire.sends(b"x" * 10)
        world.call.answers()
        assert wire.statuses == [200]


def test_a_client_that_sends_nothing_after_100_continue_is_not_waited_for() -> None:
    """It has its time from there on."""
    with World(timeouts=SLOW) as world:
        wire = world.connect().sends(post("/", 10, "Expect: 100-continue"))
        world.advance(25)
        world.call.asks()
        assert wire.statuses == [100]
        assert 10 <= world.advance_until(lambda: wire.end == "eof", 21) <= 21
        assert wire.statuses == [408]


def test_a_slow_body_behind_a_response_ends_the_connection_with_the_idle_time() -> None:
    """Nobody waits for it any more."""
    with World(timeouts={"keep_alive": 5}) as world:
        wire = world.connect().sends(post("/", 10))
        world.call.answers()
        assert 5 <= world.advance_until(lambda: ended(wire), 9) <= 9


STALL = {"write_stall": 20.0}


def test_a_client_that_takes_nothing_of_its_response_is_left() -> None:
    """It is reset, so that it takes no half response for a whole one."""
    with World(timeouts=STALL) as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        world.call.starts()
        world.call.streams(LARGE)
        assert 20 <= world.advance_until(lambda: ended(wire), 23) <= 22
        assert wire.end == "reset"


def test_a_client_that_reads_slowly_is_not() -> None:
    """Any byte will do."""
    with World(timeouts=STALL) as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        world.call.starts()
        world.call.streams(LARGE)
        for _ in range(10):
            world.advance(15)
            wire.reads(1)
        assert wire.end == ""
        assert 10 <= world.advance_until(lambda: ended(wire), 41) <= 41


@pytest.mark.parametrize("size", [60_000, 200_000])
def test_a_client_that_does_not_take_the_end_of_its_response_is_left(size: int) -> None:
    """Whether the application had to wait or not."""
    with World(timeouts=STALL | {"keep_alive": 5}) as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        world.call.answers(b"x" * size)
        assert 20 <= world.advance_until(lambda: ended(wire), 33) <= 32
        assert wire.end == "reset"


def test_a_client_that_takes_its_time_with_the_end_of_its_response_gets_it_all() -> None:
    """Closing the connection does not cut it off."""
    with World(timeouts=STALL | {"keep_alive": 5}) as world:
        wire = world.connect().sends(get("/", "Connection: close"))
        wire.stops_reading()
        world.call.answers(b"x" * 100_000)
        for _ in range(10):
            world.advance(15)
            wire.reads(1000)
        wire.reads()
        assert len(wire.got.partition(b"\r\n\r\n")[2]) == 100_000
        assert wire.end == "closed"


def test_a_connection_is_idle_from_when_its_response_was_taken() -> None:
    """Not for as long as it might have taken to take it."""
    with World(timeouts={"write_stall": 600, "keep_alive": 5}) as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        world.call.answers(LARGE)
        world.advance(20)
        wire.reads()
        assert 4 <= world.advance_until(lambda: ended(wire), 7) <= 7


def test_a_client_that_stops_reading_in_a_file_is_left(tmp_path: Path) -> None:
    """Also behind bytes the transport had to send first."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10_000_000)
    ours, theirs = socket.socketpair()
    with ours, theirs, World(timeouts=STALL) as world:
        ours.setblocking(False)
        wire = world.connect()
        wire.transport.socket = ours
        wire.sends(GET)
        wire.stops_reading()
        with path.open("rb") as file:
            world.call.starts()
            world.call.streams(b"x" * 1000)
            world.call.sends("zerocopysend", file=file)
            wire.reads()
            assert world.advance_until(lambda: ended(wire), 45) <= 42
        assert wire.end == "aborted"  # a Unix socket


# -- what cannot be understood ------------------------------------------------------------------------


def test_what_is_no_http_is_refused_and_taken_in() -> None:
    """RFC 9112 section 9.6: so that the refusal is not lost to a reset."""
    with World(timeouts={"linger": 2}) as world:
        wire = world.connect().sends(b"nonsense\r\n\r\n")
        assert wire.statuses == [400]
        assert wire.end == "eof"
        wire.sends(b"more of it", GET)
        assert world.calls == []
        assert wire.unread == 0
        assert 2 <= world.advance_until(lambda: ended(wire), 5) <= 5
        assert wire.got == b""


def test_nonsense_behind_a_request_waits_for_its_turn() -> None:
    """The request is answered first."""
    with World() as world:
        wire = world.connect().sends(GET + b"nonsense\r\n\r\n")
        world.call.answers()
        assert wire.statuses == [200, 400]
        assert wire.end == "eof"


def test_nonsense_inside_a_body_is_refused() -> None:
    """Its application is told that the client left, and can send nothing."""
    with World() as world:
        wire = world.connect().sends(get("/", "Transfer-Encoding: chunked"))
        world.call.starts()
        wire.sends(b"nonsense\r\n")
        assert wire.statuses == [400]
        world.call.ends()
        assert [str(error) for error in world.call.errors] == ["the client went away"]


def test_nonsense_inside_a_body_whose_response_has_begun_resets_the_connection() -> None:
    """No client takes half a response for a whole one."""
    with World() as world:
        wire = world.connect().sends(get("/", "Transfer-Encoding: chunked"))
        world.call.starts()
        world.call.streams(b"half")
        wire.sends(b"nonsense\r\n")
        assert wire.end == "reset"
        assert wire.got.endswith(b"half\r\n")


BODY = {"request_body_size": 10}


def test_an_announced_body_that_is_too_large_is_refused() -> None:
    """Before the application hears of it."""
    with World(limits=BODY) as world:
        wire = world.connect().sends(post("/", 11))
        assert wire.statuses == [413]
        assert world.calls == []


def test_a_body_that_becomes_too_large_is_refused() -> None:
    """Chunks do not say beforehand."""
    with World(limits=BODY) as world:
        wire = world.connect().sends(get("/", "Transfer-Encoding: chunked"), b"5\r\n12345\r\n5\r\n12345\r\n")
        assert wire.statuses == []
        wire.sends(b"1\r\nx\r\n")
        assert wire.statuses == [413]
        world.call.asks()
        assert world.call.events[-1]["type"] in {"http.disconnect", "http.request"}


def test_a_body_that_is_just_as_large_as_it_may_be() -> None:
    """Announced or not."""
    with World(limits=BODY) as world:
        wire = world.connect().sends(post("/", 10) + b"x" * 10)
        world.call.answers()
        wire.sends(get("/", "Transfer-Encoding: chunked"), b"a\r\n1234567890\r\n0\r\n\r\n")
        world.call.answers()
        assert wire.statuses == [200, 200]


# -- the end of what the client sends -----------------------------------------------------------------


def test_an_idle_client_that_shuts_down_is_closed() -> None:
    """Nothing is due to it."""
    with World() as world:
        wire = world.connect()
        wire.shuts_down()
        assert wire.end == "closed"


def test_a_client_that_shuts_down_inside_a_head_is_closed() -> None:
    """The rest will never come."""
    with World() as world:
        wire = world.connect().sends(GET[:10])
        wire.shuts_down()
        assert (wire.end, wire.got) == ("closed", b"")


@pytest.mark.parametrize("asks", [True, False])
def test_a_client_that_shuts_down_behind_its_request_is_answered(asks: bool) -> None:
    """Half-closing is allowed (RFC 9112 section 9.6); an application that waits is told it left."""
    with World() as world:
        wire = world.connect().sends(GET)
        if asks:
            world.call.asks()
            world.call.asks()
        wire.shuts_down()
        if asks:
            assert world.call.events[-1] == {"type": "http.disconnect"}
        world.call.answers()
        assert wire.statuses == [200]
        assert wire.end == "closed"


def test_a_client_that_shuts_down_behind_pipelined_requests_is_answered_each() -> None:
    """In their turn; then the connection ends."""
    with World() as world:
        wire = world.connect().sends(GET * 3)
        wire.shuts_down()
        for _ in range(3):
            assert wire.end == ""
            world.call.answers()
        assert wire.statuses == [200] * 3
        assert wire.end == "closed"


def test_a_client_that_shuts_down_behind_part_of_a_request_is_answered_the_others() -> None:
    """What is not whole is not answered."""
    with World() as world:
        wire = world.connect().sends(GET * 2 + GET[:7])
        wire.shuts_down()
        world.call.answers()
        world.call.answers()
        assert wire.statuses == [200] * 2
        assert wire.end == "closed"


def test_a_client_that_shuts_down_inside_a_body_is_not_answered() -> None:
    """Its application is told."""
    with World() as world:
        wire = world.connect().sends(post("/", 10))
        world.call.asks()
        wire.shuts_down()
        assert world.call.events == [{"type": "http.disconnect"}]
        assert wire.end == "closed"
        world.call.answers()
        assert wire.got == b""


def test_a_client_that_shuts_down_inside_a_body_has_its_response_broken() -> None:
    """One that has begun can only be cut off."""
    with World() as world:
        wire = world.connect().sends(post("/", 10))
        world.call.starts()
        world.call.streams(b"half")
        wire.shuts_down()
        assert wire.end == "reset"


def test_a_client_that_shuts_down_inside_an_unread_body_is_closed() -> None:
    """It has its response."""
    with World() as world:
        wire = world.connect().sends(post("/", 10))
        world.call.answers()
        wire.shuts_down()
        assert (wire.end, wire.statuses) == ("closed", [200])


def test_a_client_that_shuts_down_after_a_refusal_is_closed() -> None:
    """At once: nothing more can be lost."""
    with World() as world:
        wire = world.connect().sends(b"nonsense\r\n\r\n")
        wire.shuts_down()
        assert wire.end == "closed"


def test_an_application_may_leave_together_with_a_client_that_shut_down() -> None:
    """It was told that the client left; the client, which still reads, sees that nothing comes."""
    with World() as world:
        wire = world.connect().sends(GET)
        wire.shuts_down()
        world.call.returns()
        assert wire.end == "reset"


def test_a_client_that_leaves_is_reported_to_the_application() -> None:
    """Whatever it does."""
    with World() as world:
        wire = world.connect().sends(GET)
        world.call.asks()
        world.call.asks()
        wire.leaves()
        assert world.call.events[-1] == {"type": "http.disconnect"}
        world.call.starts()
        assert isinstance(world.call.errors[0], OSError)


def test_a_client_that_leaves_lets_an_application_go_on_that_waits_for_it() -> None:
    """It finds out with the next thing it sends."""
    with World() as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        world.call.starts()
        world.call.streams(LARGE)
        wire.leaves()
        world.call.ends()
        assert isinstance(world.call.errors[0], OSError)


# -- faults of the application ------------------------------------------------------------------------


def test_an_application_that_fails_half_way_resets_the_connection() -> None:
    """So that nobody takes half a response for a whole one."""
    with World() as world:
        wire = world.connect().sends(GET)
        world.call.starts()
        world.call.streams(b"half")
        world.call.raises()
        assert wire.end == "reset"


def test_a_unix_socket_has_no_reset() -> None:
    """The option means nothing there."""
    with World() as world:
        wire = world.connect(socket.AF_UNIX).sends(GET)
        world.call.starts()
        world.call.streams(b"half")
        world.call.raises()
        assert wire.end == "aborted"


def test_an_application_that_fails_is_answered_500_and_the_connection_goes_on() -> None:
    """The client did nothing wrong."""
    with World() as world:
        wire = world.connect().sends(GET)
        world.call.raises()
        wire.sends(GET)
        world.call.answers()
        assert wire.statuses == [500, 200]


# -- places -------------------------------------------------------------------------------------------

ONE = {"concurrency": 1}
QUEUE = {"concurrency": 1, "concurrency_queue": 1}


def test_a_request_without_a_place_is_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    """With a hint when to come again; the log says how many there were."""
    with World(limits=ONE | {"retry_after": 7}) as world:
        first, second = world.connect().sends(GET), world.connect()
        for _ in range(3):
            second.sends(GET)
        assert second.transport.taken.count(b"\r\nretry-after: 7\r\n") == 3
        assert second.statuses == [503] * 3
        world.advance(1)
        assert "Exceeded concurrency limit: 3 answered 503." in caplog.text
        world.call.answers()
        second.sends(GET)
        world.call.answers()
        assert (first.statuses, second.statuses) == ([200], [200])


def test_some_paths_need_no_place() -> None:
    """Health checks."""
    with World(limits=ONE) as world:
        world.connect().sends(GET)
        wire = world.connect().sends(get("/health"))
        world.call.answers()
        assert wire.statuses == [200]


def test_a_request_that_waits_has_the_next_place() -> None:
    """In its turn."""
    with World(limits={"concurrency": 1, "concurrency_queue": 2}) as world:
        wires = [world.connect().sends(get(f"/{number}")) for number in range(4)]
        assert wires[3].statuses == [503]
        for number in range(3):
            assert world.call.path == f"/{number}"
            world.call.answers()
            assert wires[number].statuses == [200]


def test_a_request_does_not_wait_for_ever() -> None:
    """timeouts.queue."""
    with World(limits=QUEUE, timeouts={"queue": 3}) as world:
        world.connect().sends(GET)
        wire = world.connect().sends(GET)
        assert 3 <= world.advance_until(lambda: wire.transport.taken != b"", 4) <= 4
        assert wire.statuses == [503]
        world.call.answers()
        wire.sends(GET)
        world.call.answers()
        assert wire.statuses == [200]


def test_a_request_that_waits_while_its_body_comes_keeps_its_turn() -> None:
    """Each piece of the body changes nothing: neither its turn, nor how long it waits."""
    with World(limits=QUEUE, timeouts={"queue": 3}) as world:
        world.connect().sends(GET)
        wire = world.connect().sends(post("/", 100))
        for _ in range(10):
            wire.sends(b"x" * 5)
            assert wire.transport.taken == b""
            world.advance(0.25)
        assert world.advance_until(lambda: wire.transport.taken != b"", 1.5) <= 1.5
        assert wire.statuses == [503]


def test_a_request_whose_body_comes_in_the_moment_of_its_turn_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the end of the request before it and its own begin."""
    with World(limits={"concurrency": 1, "concurrency_queue": 2}) as world:
        world.connect().sends(GET)
        wire = world.connect().sends(post("/", 10))
        admission = world.server.admission
        assert admission is not None
        leaves = admission.leaves

        def body_comes_with_the_turn(cycle: Any) -> Any:
            connection = leaves(cycle)
            if connection is wire.connection:
                connection.data_received(b"x" * 10)
            return connection

        monkeypatch.setattr(admission, "leaves", body_comes_with_the_turn)
        world.call.answers()
        assert not admission._waiting
        assert world.call.scope["method"] == "POST"
        world.call.answers()
        assert wire.statuses == [200]


@pytest.mark.parametrize("how", ["leaves", "shuts_down"])
def test_a_client_that_does_not_wait_leaves_its_turn_to_others(how: str) -> None:
    """One that only shut down is answered all the same."""
    with World(limits={"concurrency": 1, "concurrency_queue": 2}) as world:
        world.connect().sends(get("/1"))
        second, third = world.connect().sends(get("/2")), world.connect().sends(get("/3"))
        getattr(second, how)()
        world.call.answers()
        if how == "shuts_down":
            assert world.call.path == "/2"
            world.call.answers()
            assert second.statuses == [200]
        assert world.call.path == "/3"
        world.call.answers()
        assert third.statuses == [200]


def test_a_client_that_leaves_in_the_moment_of_its_turn_gives_its_place_back() -> None:
    """To the next."""
    with World(limits={"concurrency": 1, "concurrency_queue": 2}) as world:
        world.connect().sends(get("/1"))
        second, third = world.connect().sends(get("/2")), world.connect().sends(get("/3"))
        world.loop.call_soon(second.transport.break_off)
        world.call.answers()
        assert world.call.path == "/3"
        world.call.answers()
        assert third.statuses == [200]


@pytest.mark.parametrize("rest", [b"nonsense\r\n", b""])
def test_a_request_that_waits_and_never_becomes_whole_gives_its_place_up(rest: bytes) -> None:
    """Its body is nonsense, or ends too soon."""
    with World(limits=QUEUE) as world:
        world.connect().sends(GET)
        wire = world.connect().sends(get("/", "Transfer-Encoding: chunked"))
        wire.sends(rest) if rest else wire.shuts_down()
        assert wire.statuses == ([400] if rest else [])
        other = world.connect().sends(get("/other"))
        assert other.statuses == []
        world.call.answers()
        assert world.call.path == "/other"


def test_an_application_that_works_on_after_its_response_keeps_its_place() -> None:
    """It is what the limit is for."""
    with World(limits=ONE) as world:
        wire = world.connect().sends(GET)
        world.call.starts()
        world.call.ends()
        wire.sends(GET)
        assert wire.statuses == [200, 503]
        world.call.returns()
        wire.sends(GET)
        assert len(world.calls) == 2


def test_the_deadline_of_a_body_is_not_put_off_by_the_time_in_the_queue() -> None:
    """Once its request has its turn."""
    with World(limits=QUEUE, timeouts={"queue": 100, "request_body": 10}) as world:
        world.connect().sends(GET)
        wire = world.connect().sends(post("/", 10))
        world.call.answers()
        assert world.call.scope["method"] == "POST"
        assert 9 <= world.advance_until(lambda: wire.end == "eof", 12) <= 12
        assert wire.statuses == [408]


# -- draining -----------------------------------------------------------------------------------------


def test_idle_connections_end_soon_while_a_worker_drains() -> None:
    """New ones, kept-alive ones and those inside a head."""
    with World(timeouts={"drain_idle": 1}) as world:
        new, idle, begun = world.connect(), world.connect().sends(GET), world.connect().sends(GET[:5])
        world.call.answers()
        world.advance(0.5)
        world.loop.run_until_complete(world.server.stop_accepting(last=False))
        world.advance(1.75)
        assert (new.end, idle.end, begun.end) == ("closed", "closed", "")
        begun.sends(GET[5:])
        world.call.answers()
        assert b"\r\nconnection: close\r\n" in begun.got
        assert begun.end == "closed"


def test_a_response_that_is_cut_off_when_a_worker_ends_is_not_taken_for_a_whole_one() -> None:
    """Where only the end of the connection tells the end of the body."""
    with World() as world:
        wire = world.connect().sends(get("/", version="1.0"))
        world.call.starts()
        world.call.streams(b"half")
        world.loop.run_until_complete(world.server.stop_accepting(last=False))
        world.loop.call_soon(wire.connection.abort)
        world.turn()
        assert wire.end == "reset"


# -- TLS ----------------------------------------------------------------------------------------------


def test_tls_is_ended_properly_after_a_refusal() -> None:
    """It has no half-closing: what the client still sends is taken in while TLS is closed."""
    with World() as world:
        wire = world.connect(is_tls=True).sends(b"nonsense\r\n\r\n")
        assert wire.statuses == [400]
        assert wire.end == "closed"


def test_a_client_of_tls_that_shuts_down_is_gone() -> None:
    """Event loops end both directions together, and complain if they are asked not to."""
    with World() as world:
        wire = world.connect(is_tls=True).sends(GET)
        wire.shuts_down()
        assert wire.end == "closed"


# -- what is logged -----------------------------------------------------------------------------------


def test_a_client_that_took_nothing_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    """For whoever looks."""
    caplog.set_level(logging.DEBUG, "srvctl.error")
    with World(timeouts=STALL) as world:
        wire = world.connect().sends(GET)
        wire.stops_reading()
        world.call.answers(LARGE)
        world.advance(50)
    assert "A client took nothing of its response for too long." in caplog.text


def test_nothing_of_an_unread_body_is_kept_while_the_connection_idles() -> None:
    """Nobody will ask for it."""
    with World() as world:
        wire = world.connect().sends(post("/", 50_000) + b"x" * 50_000)
        cycle = next(iter(wire.connection.cycles), None)
        assert cycle is not None
        assert cycle.inbox is not None
        world.call.starts()
        world.call.ends()
        assert not cycle.inbox._pieces
