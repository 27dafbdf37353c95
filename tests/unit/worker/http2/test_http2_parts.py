"""The small parts: windows, floods, the history of streams, and the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.worker.http2 import huffman
from srvctl.worker.http2.farewell import Farewell
from srvctl.worker.http2.frames import LAST_STREAM, Code, ConnectionFault
from srvctl.worker.http2.guard import SPAN, Guard
from srvctl.worker.http2.history import History
from srvctl.worker.http2.intake import Intake
from srvctl.worker.timers import NEVER


@given(st.binary())
def test_huffman_both_ways(data: bytes) -> None:
    assert huffman.decode(huffman.encode(data)) == data


@pytest.mark.parametrize(
    "data",
    [b"\x1f\xff", b"\x1f\xff\xff\xff\xff", b"\x1f\xff\xff", b"\x18"],
    ids=["too much padding", "the end of a string", "far too much padding", "padding of zeros"],
)
def test_strings_that_are_no_huffman_code(data: bytes) -> None:
    """RFC 7541 section 5.2: padding is short, and of ones; the end of a string never comes."""
    assert huffman.decode(data) is None


@given(st.integers(1, 5000), st.lists(st.integers(0, 900), max_size=60))
def test_an_intake_never_takes_more_than_its_size(size: int, pieces: list[int]) -> None:
    """And gives all of it back, in portions of half of it or more."""
    intake, held = Intake(size), 0
    for piece in pieces:
        if piece > intake.left:
            back = intake.taken(held)
            assert back == 0 or back * 2 >= size
            held = 0
        if piece <= intake.left:
            assert intake.received(piece)
            held += piece
        assert held + intake.left <= size
    assert not intake.received(intake.left + 1)


def test_a_guard_forgets() -> None:
    guard = Guard(resets=2, idle_frames=0)
    for moment in (0.0, 1.0, SPAN, SPAN + 1):
        guard.note_reset(moment)
        guard.note_idle_frame(moment)
    with pytest.raises(ConnectionFault) as raised:
        guard.note_reset(SPAN + 2)
    assert raised.value.code == Code.ENHANCE_YOUR_CALM


def test_which_streams_can_be_opened() -> None:
    history = History()
    assert history.opens(1)
    assert history.opens(7)
    with pytest.raises(ConnectionFault, match="lower") as raised:
        history.opens(5)
    assert raised.value.code == Code.PROTOCOL_ERROR
    with pytest.raises(ConnectionFault, match="has ended") as raised:
        history.opens(1)
    assert raised.value.code == Code.STREAM_CLOSED
    history.note_cut(7)
    assert not history.opens(7)
    for stream in (2, 9):
        with pytest.raises(ConnectionFault, match="never opened"):
            history.require_used(stream)


def test_what_was_cut_is_remembered_for_a_while() -> None:
    history = History()
    for stream in range(1, 4001, 2):
        history.opens(stream)
        history.note_cut(stream)
    assert history.is_cut(3999)
    assert not history.is_cut(1)


def test_a_farewell_has_two_steps() -> None:
    farewell = Farewell()
    first = farewell.begin(10.0, 5.0)
    assert LAST_STREAM.to_bytes(4) in first
    assert farewell.due == 11.0
    assert not farewell.refuses(99)
    assert not farewell.is_answered(b"whatever")
    assert farewell.is_answered(b"farewell")
    assert (41).to_bytes(4) in farewell.say(41)
    assert farewell.due == NEVER
    assert not farewell.refuses(41)
    assert farewell.refuses(43)
