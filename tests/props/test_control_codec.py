"""The control protocol as a stream: however the bytes are cut, whatever the bytes are."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.ipc.control import (
    MAX_REQUEST,
    Command,
    ControlError,
    Done,
    Lines,
    Progress,
    Reply,
    Request,
    decode_reply,
    decode_request,
    encode_item,
    encode_reply,
    encode_request,
)
from srvctl.ipc.control_refusals import explained, reason_of
from srvctl.supervisor.admin_commands import arguments_of, event_of
from srvctl.supervisor.events import Event

texts = st.text(st.characters())  # lone surrogates, too: they stand in names of files
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, values, max_size=3)
replies: st.SearchStrategy[Reply] = st.builds(Progress, text=texts, data=objects) | st.builds(
    Done, ok=st.booleans(), code=st.integers(0, 255), message=texts, details=texts, data=objects
)
#: JSON that is nearly a request.
near_requests = st.fixed_dictionaries(
    {"v": st.just(1) | values, "command": st.sampled_from(list(Command)) | values},
    optional={
        "args": values
        | st.dictionaries(
            st.sampled_from(["target", "change", "count", "immediately", "lines", "last", "follow", "slot"]),
            values | st.sampled_from(["slot:1", "pid:7", "all", 1, -1, 10**30, True]),
            max_size=3,
        ),
        "more": values,
    },
).map(lambda fields: json.dumps(fields).encode())
near_json = st.lists(
    st.sampled_from(
        [
            *(b'{"v":1,', b'"command":', b'"stop"', b'"logs"', b'"args":', b'"v":2,', b"}", b"{", b"[", b"]"),
            *(b",", b'"', b"\\u", b"\\ud800", b"1e999", b"NaN", b"-Infinity", b"9" * 5000, b"[" * 30_000),
            *(b"\xff", b"\xed\xa0\x80", b"\0", b"\r", b"\xe2\x80\xa8", b" " * 65_000),
        ]
    )
    | st.binary(max_size=4),
    max_size=20,
).map(b"".join)
cuts = st.lists(st.integers(0, 10_000), max_size=20)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(replies, max_size=5), cuts)
def test_replies_survive_any_cut(sent: list[Reply], cuts: list[int]) -> None:
    lines = Lines(MAX_REQUEST)
    pieces = pieces_of(b"".join(map(encode_reply, sent)), cuts)
    assert [decode_reply(line) for piece in pieces for line in lines.feed(piece)] == sent


@given(st.sampled_from(Command), objects)
def test_requests_survive(command: Command, args: dict[str, object]) -> None:
    request = Request(command, args)
    assert decode_request(encode_request(request)[:-1]) == request


@settings(max_examples=400)
@given(st.binary() | near_json | near_requests, cuts)
def test_any_bytes_are_a_request_or_a_control_error(data: bytes, cuts: list[int]) -> None:
    """Whatever a client sends, nothing else is raised, and what it asks for is an event or a refusal."""
    lines = Lines(MAX_REQUEST)
    with suppress(ControlError):  # a line that is too long: nothing more is read of who sends it
        for piece in [*pieces_of(data, cuts), b"\n"]:
            for line in lines.feed(piece):
                assert_harmless(line)


def assert_harmless(line: bytes) -> None:
    with suppress(ControlError):
        request = decode_request(line)
        event = event_of(request, "somebody", 1)
        assert event is None or isinstance(event, Event)
        for value in arguments_of(request).values():
            assert type(value) in {int, bool, str}


@given(st.sampled_from(Command), st.sampled_from(Command))
def test_the_last_of_two_equal_keys_counts(first: Command, last: Command) -> None:
    """RFC 8259, 4: whatever a client means by that, the master and who reads its log agree on one of them."""
    line = f'{{"v": 1, "command": "{first}", "command": "{last}"}}'.encode()
    assert decode_request(line).command is last


@given(st.integers(-3, 3), st.sampled_from([b"x", b" ", b"\xff"]))
def test_a_line_is_as_long_as_it_may_be_and_no_longer(more: int, filling: bytes) -> None:
    lines = Lines(MAX_REQUEST)
    head = b'{"v":1,"command":"status"}'
    data = head + filling * (MAX_REQUEST - len(head) + more)
    if more > 0:
        with pytest.raises(ControlError):
            lines.feed(data)
    else:
        assert lines.feed(data + b"\n") == [data]
        assert_harmless(data)


@given(objects, st.integers(0, 60_000))
def test_items_of_feeds_are_progress(item: dict[str, object], deep: int) -> None:
    line = encode_item(item)
    assert line.count(b"\n") == 1
    assert decode_reply(line) == Progress("", item)
    with pytest.raises(ControlError):
        decode_reply(b'{"type":"progress","text":"","data":' + b"[" * deep)


@given(replies, st.sampled_from(Command), st.sampled_from(["0.0.1", "99.0", "", "x\x1b[2J"]) | values)
def test_every_end_has_a_reason_that_can_be_printed(reply: Reply, command: Command, theirs: object) -> None:
    """Whatever a master of another version says."""
    if isinstance(reply, Done):
        done = explained(replace(reply, data={**reply.data, "version": theirs}), command)
        assert (reason_of(done) == "") == done.ok
        assert reason_of(done).isprintable()
        assert isinstance(decode_reply(encode_reply(done)), Done)


@given(st.binary() | near_json)
def test_any_bytes_are_a_reply_or_a_control_error(data: bytes) -> None:
    with suppress(ControlError):
        assert isinstance(decode_reply(data), Reply)
