"""Frames however they are cut, and heads that are known by their bytes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srvctl.settings.groups import LimitSettings
from srvctl.worker.http.protocol import ProtocolError
from srvctl.worker.http2.frames import ConnectionFault, StreamFault, frame
from srvctl.worker.http2.heads import HeadReader
from srvctl.worker.http2.reader import FrameReader
from srvctl.worker.http2.request import MalformedError
from tests.support import http2_frames as h2

MOST = 4096


class Notes:
    """Notes what a reader says."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *given, **named: self.said.append((name, *given, *named.values()))

    def on_fault(self, fault: StreamFault) -> None:
        """Note what it is about, for two faults are never the same."""
        self.said.append((fault.stream, fault.code, str(fault)))


def read(*pieces: bytes) -> list[Any]:
    """Return what a reader says to pieces, with the fault that ends it."""
    notes = Notes()
    reader = FrameReader(notes, MOST)
    try:
        for piece in pieces:
            reader.feed(piece)
    except ConnectionFault as fault:
        notes.said.append((fault.code, str(fault)))
    return notes.said


frames = st.builds(
    frame, st.integers(0, 12), st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=30)
)
streams = st.lists(frames, max_size=12).map(lambda some: h2.PREFACE + h2.settings() + b"".join(some))


@given(streams, st.data())
def test_how_a_stream_is_cut_changes_nothing(stream: bytes, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    ends = [0, *cuts, len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(ends)]
    assert read(*pieces) == read(stream)


@given(st.binary(max_size=60))
def test_nothing_but_the_preface_begins_a_connection(data: bytes) -> None:
    said = read(data)
    assert not said or data.startswith(h2.PREFACE) or said[0][1] == "no connection preface"


def test_a_field_block_is_whole_or_there_is_none() -> None:
    began = h2.headers(1, b"abc", is_whole=False) + h2.continuation(1, b"def", is_last=False)
    start = h2.PREFACE + h2.settings()
    assert read(start, began)[1:] == []
    assert read(start, began, h2.continuation(1, b"ghi"))[1:] == [("on_head", 1, b"abcdefghi", True)]
    assert "inside a field block" in read(start, began, h2.ping())[-1][1]
    assert "no end" in read(start, began, *[h2.continuation(1, b"x" * 1000, is_last=False)] * 9)[-1][1]


# -- heads ---------------------------------------------------------------------------------------------


def reader() -> HeadReader:
    """Return one with small limits."""
    return HeadReader(LimitSettings(request_head_size=1024, request_fields=5), connects=True)


def test_a_block_that_was_read_is_not_read_again() -> None:
    heads = reader()
    block = h2.block(*h2.asked("/a"))
    assert heads.read(block, ends=True) is heads.read(block, ends=True)
    assert heads.read(block, ends=True) is not heads.read(block, ends=False)


def test_the_same_bytes_mean_something_else_once_the_table_has_changed() -> None:
    heads = reader()
    request = h2.block(*h2.asked("/a")) + h2.indexed(62)
    heads.read(h2.block(*h2.asked("/a")) + h2.remembered("x-a", "1"), ends=True)
    assert (b"x-a", b"1") in heads.read(request, ends=True).headers
    assert (b"x-a", b"1") in heads.read(request, ends=True).headers
    heads.read_trailers(h2.remembered("x-b", "2"))
    assert (b"x-b", b"2") in heads.read(request, ends=True).headers
    heads.skip(h2.remembered("x-c", "3"))
    assert (b"x-c", b"3") in heads.read(request, ends=True).headers


def test_a_refused_head_leaves_the_table_as_the_client_knows_it() -> None:
    heads = reader()
    many = [(f"x-{number}", "1") for number in range(9)]
    with pytest.raises(ProtocolError, match="too many"):
        heads.read(h2.block(*h2.asked("/a", *many)) + h2.remembered("x-a", "1"), ends=True)
    with pytest.raises(MalformedError):
        heads.read(h2.block((":path", "x")) + h2.remembered("x-b", "2"), ends=True)
    fields = heads.read(h2.block(*h2.asked("/a")) + h2.indexed(62) + h2.indexed(63), ends=True).headers
    assert [*fields][-2:] == [(b"x-b", b"2"), (b"x-a", b"1")]


def test_what_unpacks_to_far_too_much_ends_the_connection() -> None:
    heads = reader()
    heads.skip(h2.remembered("x", "y" * 900))
    with pytest.raises(ProtocolError, match="too large"):
        heads.read(h2.block(*h2.asked("/a")) + h2.indexed(62) * 2, ends=True)
    with pytest.raises(ConnectionFault, match="far too much"):
        heads.read(h2.block(*h2.asked("/a")) + h2.indexed(62) * 50, ends=True)
