"""The channel as a stream: however the bytes are cut, whatever the bytes are."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.ipc.channel import ChannelError, Decoder, DrainAsked, Draining, Failed, Message, Ready, encode

texts = st.text(st.characters())  # lone surrogates, too: they stand in names of files
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ready),
    st.builds(Draining),
    st.builds(DrainAsked, last=st.booleans()),
    st.builds(Failed, message=texts, details=texts),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
#: JSON that is nearly a message.
near_messages = st.fixed_dictionaries(
    {"type": st.sampled_from(["ready", "failed", "draining", "drain", "", None, 1, []])},
    optional={"message": values, "details": values, "last": values, "self": values, "type ": values},
).map(lambda fields: json.dumps(fields).encode() + b"\n")
near_json = st.lists(
    st.sampled_from([b'{"type": ', b'"ready"', b"}", b"{", b"[", b"]", b", ", b'"', b"\\u", b"\n", b"1e999"])
    | st.binary(max_size=4),
    max_size=20,
).map(b"".join)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


cuts = st.lists(st.integers(0, 10_000), max_size=20)


@given(st.lists(messages, max_size=5), cuts)
def test_messages_survive_any_cut(sent: list[Message], cuts: list[int]) -> None:
    """What one side sends the other receives, in order, however the kernel delivers it."""
    decoder = Decoder()
    pieces = pieces_of(b"".join(map(encode, sent)), cuts)
    assert [message for piece in pieces for message in decoder.feed(piece)] == sent


@given(st.lists(messages, max_size=3))
def test_messages_survive_byte_by_byte(sent: list[Message]) -> None:
    """The smallest pieces there are; a message is there with its last byte and not before."""
    decoder = Decoder()
    received: list[Message] = []
    for message in sent:
        *head, last = encode(message)
        for byte in head:
            assert decoder.feed(bytes([byte])) == []
        received += decoder.feed(bytes([last]))
    assert received == sent


@settings(max_examples=300)
@given(st.binary() | near_json | near_messages, cuts)
def test_any_bytes_are_messages_or_a_channel_error(data: bytes, cuts: list[int]) -> None:
    """The master trusts no worker: nothing a worker writes raises anything else."""
    decoder = Decoder()
    with suppress(ChannelError):
        for piece in [*pieces_of(data, cuts), b"\n"]:
            for message in decoder.feed(piece):
                assert isinstance(message, Message)
                assert Decoder().feed(encode(message)) == [message]
