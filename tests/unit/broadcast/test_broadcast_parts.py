"""The parts that only count and cut: codec, outbox, backlog, envelope."""

from __future__ import annotations

import pytest

from srvctl.broadcast.backlog import Backlog
from srvctl.broadcast.codec import GREETING, Decoder, WireError, channel_of, encode
from srvctl.broadcast.envelope import ORIGIN_SIZE, Opener, seal
from srvctl.broadcast.outbox import Outbox

OURS, THEIRS = b"o" * ORIGIN_SIZE, b"t" * ORIGIN_SIZE


class TestCodec:
    def test_a_frame_names_its_channel(self) -> None:
        assert channel_of(encode("zürich".encode(), b"x", is_text=True)) == "zürich"

    @pytest.mark.parametrize(
        "data",
        [
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"srvctl broadcast 2\n",
            GREETING + b"\x02\x00\x01\x00\x00\x00\x01ax",
            GREETING + encode(b"a", b"x" * 101, is_text=False),
            GREETING + encode(b"a" * 1025, b"x", is_text=False),
            GREETING + encode(b"a", b"\xff", is_text=True),
            GREETING + encode(b"\xff", b"x", is_text=False),
        ],
    )
    def test_what_is_no_message_is_refused(self, data: bytes) -> None:
        with pytest.raises(WireError):
            Decoder(100).feed(data)


class TestOutbox:
    def test_frames_beyond_the_limit_are_refused(self) -> None:
        outbox = Outbox(10)
        assert outbox.add([b"aaaa", b"bbbb"], b"aaaabbbb") == 2
        assert outbox.add([b"cc", b"d", b""], b"ccd") == 1
        assert outbox.peek() == b"aaaabbbbcc"
        outbox.written(5)
        assert (outbox.peek(), len(outbox)) == (b"bbbcc", 5)
        assert outbox.add([b"e" * 5], b"e" * 5) == 1

    def test_an_empty_one_takes_a_frame_of_any_size(self) -> None:
        """Or a message larger than the buffer could never be sent."""
        outbox = Outbox(10)
        assert outbox.add([b"a" * 20, b"b"], b"a" * 20 + b"b") == 1
        assert outbox.peek() == b"a" * 20

    def test_nothing_smaller_overtakes_what_was_refused(self) -> None:
        outbox = Outbox(10)
        assert outbox.add([b"aa", b"b" * 20, b"cc"], b"aa" + b"b" * 20 + b"cc") == 1


class TestBacklog:
    def test_items_beyond_the_limit_are_refused(self) -> None:
        backlog = Backlog(200)
        items = [(b"c", bytes([number]) * 10) for number in range(5)]
        assert [backlog.add(item) for item in items] == [True, True, False, False, False]
        assert backlog.first(10) == items[:2]
        assert backlog.first(1) == items[:1]
        backlog.done(1)
        assert backlog.add(items[4])
        assert backlog.first(10) == [items[1], items[4]]
        backlog.done(2)
        assert len(backlog) == 0

    def test_an_empty_one_takes_an_item_of_any_size(self) -> None:
        backlog = Backlog(10)
        assert backlog.add((b"c", b"x" * 100))
        assert not backlog.add((b"c", b"x"))


class TestEnvelope:
    @pytest.mark.parametrize(("body", "is_text", "message"), [(b"x", True, "x"), (b"\xff", False, b"\xff")])
    def test_it_keeps_the_type(self, body: bytes, is_text: bool, message: str | bytes) -> None:
        assert Opener(OURS).open(seal(THEIRS, 1, body, is_text=is_text)) == message

    def test_our_own_come_only_once(self) -> None:
        assert Opener(OURS).open(seal(OURS, 1, b"x", is_text=True)) is None

    def test_what_was_sent_again_comes_once(self) -> None:
        opener = Opener(OURS)
        sent = [seal(THEIRS, number, b"%d" % number, is_text=True) for number in (1, 2, 1, 2, 3)]
        assert [opener.open(payload) for payload in sent] == ["1", "2", None, None, "3"]

    def test_what_others_publish_is_bytes(self) -> None:
        assert Opener(OURS).open(b"hello") == b"hello"
        assert Opener(OURS).open(b"\xffsrvctl1") == b"\xffsrvctl1"

    def test_it_does_not_remember_for_ever(self) -> None:
        opener = Opener(OURS)
        for number in range(5000):
            opener.open(seal(number.to_bytes(ORIGIN_SIZE), 1, b"x", is_text=True))
        assert len(opener._last) == 4096
