"""Where a response ends, in whatever pieces it comes, and what is none."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.rehearse.answer import Answer, AnswerReader, WrongAnswerError

HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
COMPLETE = {
    HEAD + b"Content-Length: 5\r\n\r\nhello": Answer(200, is_last=False),
    HEAD + b"content-length: 0\r\nConnection: Close\r\n\r\n": Answer(200, is_last=True),
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n": Answer(
        200, is_last=False
    ),
    b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n": Answer(204, is_last=False),
    b"HTTP/1.0 304 Not Modified\r\nContent-Length: 9\r\n\r\n": Answer(304, is_last=True),
    b"HTTP/1.1 503 \r\nContent-Length: 2\r\n\r\nno": Answer(503, is_last=False),
}


@given(st.sampled_from(sorted(COMPLETE)), st.lists(st.integers(0, 120), max_size=8))
def test_an_answer_is_complete_with_its_last_byte(data: bytes, cuts: list[int]) -> None:
    reader = AnswerReader()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    *early, last = [data[start:end] for start, end in pairwise(places)]
    for piece in early:
        assert reader.feed(piece) is None
    if last:
        assert reader.feed(last) == COMPLETE[data]
        assert reader.has_begun


@pytest.mark.parametrize("data", sorted(COMPLETE))
def test_an_answer_that_is_cut_short_is_none(data: bytes) -> None:
    for length in range(len(data)):
        reader = AnswerReader()
        assert reader.feed(data[:length]) is None
        assert reader.end() is None


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    reader = AnswerReader()
    assert reader.feed(HEAD + b"\r\nsome") is None
    assert reader.feed(b" more") is None
    assert reader.end() == Answer(200, is_last=True)


def test_a_connection_with_more_than_was_asked_for_is_not_used_again() -> None:
    reader = AnswerReader()
    assert reader.feed(HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 408") == Answer(200, is_last=True)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 two OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        HEAD + b"Content-Length: five\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfive\r\n",
        b"x" * 300_000,
    ],
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    with pytest.raises(WrongAnswerError):
        AnswerReader().feed(data)
