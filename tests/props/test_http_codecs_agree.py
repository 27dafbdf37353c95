"""Every codec reads the same requests out of the same bytes, and llhttp would read them, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.agreement import agreed
from tests.props.http_strategies import conversations, cuts, damaged, pieces_of, streams
from tests.support.http_requests import RECORDED, TYPICAL

if TYPE_CHECKING:
    from tests.props.http_strategies import Sent

LARGE = {"size": 1 << 20, "fields": 1000}


@pytest.mark.parametrize("name", [*RECORDED, *TYPICAL])
def test_what_clients_send_is_understood(name: str) -> None:
    """In one piece, in two, and byte by byte."""
    stream = (RECORDED | TYPICAL)[name]
    whole = agreed([stream], **LARGE)
    assert [request.is_complete for request in whole.requests] == [True]
    assert not whole.error
    for at in range(1, len(stream)):
        assert agreed([stream[:at], stream[at:]], **LARGE) == whole
    assert agreed([stream[at : at + 1] for at in range(len(stream))], **LARGE) == whole


@settings(max_examples=300, deadline=None)
@given(conversations, cuts)
def test_valid_requests_are_read_alike(sent: list[Sent], cuts: list[int]) -> None:
    """Whatever is in them and however they are cut."""
    stream = b"".join(one.data for one in sent)
    assert agreed(pieces_of(stream, cuts), **LARGE).requests == [one.request for one in sent]


@settings(max_examples=700, deadline=None)
@given(streams, cuts)
def test_any_bytes_are_read_alike(stream: bytes, cuts: list[int]) -> None:
    """Requests, bodies, the status of a refusal, and whether the end lies inside a head."""
    agreed(pieces_of(stream, cuts), **LARGE)


@settings(max_examples=300, deadline=None)
@given(streams | damaged(), cuts, st.integers(256, 500), st.integers(64, 200), st.integers(1, 12))
def test_the_limits_are_the_same(stream: bytes, cuts: list[int], size: int, line: int, fields: int) -> None:
    """Of lines, heads and trailers, in bytes and in number."""
    agreed(pieces_of(stream, cuts), size=size, line_size=line, fields=fields)
