"""What is encoded is decoded, however the bytes are cut; and no bytes at all bring a decoder down."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from srvctl.broadcast.codec import GREETING, Decoder, Message, WireError, channel_of, encode
from srvctl.broadcast.outbox import Outbox

channels = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
messages = st.tuples(channels, texts | st.binary(max_size=300))


def frame(message: Message) -> bytes:
    channel, data = message
    if isinstance(data, str):
        return encode(channel.encode(), data.encode(), is_text=True)
    return encode(channel.encode(), data, is_text=False)


@given(st.lists(messages, max_size=20), st.lists(st.integers(1, 400)))
def test_what_is_encoded_is_decoded(sent: list[Message], cuts: list[int]) -> None:
    stream = GREETING + b"".join(frame(message) for message in sent)
    decoder, got = Decoder(2000), []
    for cut in cuts:
        got += decoder.feed(stream[:cut])
        stream = stream[cut:]
    got += decoder.feed(stream)
    assert got == sent
    assert [type(data) for _, data in got] == [type(data) for _, data in sent]


@given(messages)
def test_each_byte_alone(message: Message) -> None:
    decoder = Decoder(2000)
    stream = GREETING + frame(message) * 2
    assert [m for byte in stream for m in decoder.feed(bytes([byte]))] == [message] * 2


@given(messages)
def test_a_frame_tells_its_channel(message: Message) -> None:
    assert channel_of(frame(message)) == message[0]


@given(st.lists(st.binary(max_size=100)))
@example([b"\x00" * 100])
def test_any_bytes_are_messages_or_refused(pieces: list[bytes]) -> None:
    """And what is kept of them is no more than one message and one piece."""
    decoder = Decoder(50)
    try:
        decoder.feed(GREETING)
        for piece in pieces:
            decoder.feed(piece)
            assert len(decoder._rest) <= 7 + 1024 + 50 + 100
    except WireError:
        pass


@given(st.lists(st.lists(st.binary(min_size=1, max_size=30), max_size=8) | st.integers(0, 60)))
def test_an_outbox_gives_whole_frames_in_order(steps: list[list[bytes] | int]) -> None:
    outbox, taken, written = Outbox(100), b"", b""
    for step in steps:
        if isinstance(step, int):
            piece = outbox.peek()[:step]
            written += piece
            outbox.written(len(piece))
        else:
            count = outbox.add(step, b"".join(step))
            taken += b"".join(step[:count])
            assert count == len(step) or len(outbox) + len(step[count]) > 100
            assert len(outbox) <= 100
    assert written + outbox.peek() == taken
