"""The control protocol as a stream: however the bytes are cut, whatever the bytes are."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

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
    encode_reply,
    encode_request,
)
from srvctl.supervisor.admin_commands import event_of
from srvctl.supervisor.events import Event

texts = st.text(st.characters())  # lone surrogates, too: they stand in names of files
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, values, max_size=3)
replies: st.SearchStrategy[Reply] = st.builds(Progress, text=texts) | st.builds(
    Done, ok=st.booleans(), code=st.integers(0, 255), message=texts, details=texts, data=objects
)
#: JSON that is nearly a request.
near_requests = st.fixed_dictionaries(
    {"v": st.just(1) | values, "command": st.sampled_from(list(Command)) | values},
    optional={
        "args": values
        | st.dictionaries(st.sampled_from(["target", "change", "immediately", "x"]), values, max_size=3),
        "more": values,
    },
).map(lambda fields: json.dumps(fields).encode())
near_json = st.lists(
    st.sampled_from(
        [b'{"v":1,', b'"command":', b'"stop"', b"}", b"{", b"[", b",", b'"', b"\\u", b"1e999", b"NaN"]
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
    for piece in [*pieces_of(data, cuts), b"\n"]:
        for line in lines.feed(piece):
            with suppress(ControlError):
                event = event_of(decode_request(line), "somebody", 1)
                assert event is None or isinstance(event, Event)


@given(st.binary() | near_json)
def test_any_bytes_are_a_reply_or_a_control_error(data: bytes) -> None:
    with suppress(ControlError):
        assert isinstance(decode_reply(data), Reply)
