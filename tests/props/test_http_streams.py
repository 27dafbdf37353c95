"""HTTP as a stream: however the bytes are cut, whatever the bytes are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import example, given, settings

from tests.props.http_strategies import PLAIN, conversations, cuts, pieces_of, streams
from tests.unit.worker.recording import Outcome, read

if TYPE_CHECKING:
    from tests.props.http_strategies import Sent

#: No stream here comes near the limits: a head that is too large may be refused sooner when it is cut.
SIZE, FIELDS = 1 << 20, 1000


def outcome(*pieces: bytes) -> Outcome:
    """What a codec makes of it; only its own error may escape, and `read` catches no other."""
    return read(*pieces, size=SIZE, fields=FIELDS)


# -- valid requests -----------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(conversations, cuts)
def test_valid_requests_are_understood_wherever_they_are_cut(sent: list[Sent], cuts: list[int]) -> None:
    """Method, target, fields and content come out as they went in, in order."""
    stream = b"".join(one.data for one in sent)
    assert outcome(*pieces_of(stream, cuts)) == Outcome([one.request for one in sent])


@settings(max_examples=200, deadline=None)
@given(conversations)
def test_valid_requests_are_understood_one_by_one(sent: list[Sent]) -> None:
    """Each in a read of its own, as most clients send them."""
    assert outcome(*(one.data for one in sent)) == Outcome([one.request for one in sent])


@settings(max_examples=100, deadline=None)
@given(conversations)
def test_an_unfinished_request_is_not_complete(sent: list[Sent]) -> None:
    """Without its last byte the last request is either not there or not at its end."""
    stream = b"".join(one.data for one in sent)[:-1]
    got = outcome(stream)
    assert not got.error
    assert got.requests[: len(sent) - 1] == [one.request for one in sent[:-1]]
    assert [request.is_complete for request in got.requests[len(sent) - 1 :]] in ([], [False])


# -- any bytes ----------------------------------------------------------------------------------------


@settings(max_examples=700, deadline=None)
@example(PLAIN * 2 + b"PROP" + b"PATCH /x HTTP/1.1\r\nHost: h\r\n\r\n", [len(PLAIN), len(PLAIN) * 2 + 4])
@example(b"GET http://a/b HTTP/1.1\r\nHost: h\r\n\r\n" + PLAIN, [37])
@given(streams, cuts)
def test_any_bytes_mean_the_same_wherever_they_are_cut(stream: bytes, cuts: list[int]) -> None:
    """And nothing but a ProtocolError ever comes of them."""
    whole = outcome(stream)
    assert outcome(*pieces_of(stream, cuts)) == whole


@settings(max_examples=300, deadline=None)
@given(streams)
def test_any_bytes_mean_the_same_one_by_one(stream: bytes) -> None:
    """The smallest pieces there are."""
    assert outcome(*(stream[at : at + 1] for at in range(len(stream)))) == outcome(stream)


@settings(max_examples=300, deadline=None)
@given(streams, cuts)
def test_any_bytes_mean_the_same_behind_another_request(stream: bytes, cuts: list[int]) -> None:
    """What is remembered of a connection's requests changes none of the later ones."""
    alone, behind = outcome(stream), outcome(PLAIN, *pieces_of(stream, cuts))
    assert replace(behind, requests=behind.requests[1:]) == alone
