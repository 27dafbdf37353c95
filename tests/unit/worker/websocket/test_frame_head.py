"""The heads of frames, from bytes."""

from __future__ import annotations

import pytest

from srvctl.worker.websocket.frame_head import FrameHead, parse_frame_head
from srvctl.worker.websocket.protocol import Violation

MASK = b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"\x81\x80" + MASK, FrameHead(1, True, False, 0, MASK, 6)),
        (b"\x02\xfd" + MASK, FrameHead(2, False, False, 125, MASK, 6)),
        (b"\x00\xfe\x00\x7e" + MASK, FrameHead(0, False, False, 126, MASK, 8)),
        (b"\x80\xfe\xff\xff" + MASK, FrameHead(0, True, False, 65535, MASK, 8)),
        (b"\xc1\xff\0\0\0\0\0\1\0\0" + MASK, FrameHead(1, True, True, 65536, MASK, 14)),
        (b"\x42\xff\x7f" + b"\xff" * 7 + MASK, FrameHead(2, False, True, 2**63 - 1, MASK, 14)),
        (b"\x88\x80" + MASK, FrameHead(8, True, False, 0, MASK, 6)),
        (b"\x89\xfd" + MASK, FrameHead(9, True, False, 125, MASK, 6)),
        (b"\x8a\x80" + MASK, FrameHead(10, True, False, 0, MASK, 6)),
    ],
)
def test_heads(data: bytes, head: FrameHead) -> None:
    """Are read when they are all there, and not before; what is behind is another's."""
    assert parse_frame_head(data) == head
    assert parse_frame_head(data + b"behind") == head
    for size in range(len(data)):
        assert parse_frame_head(data[:size]) is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x91\x80", "reserved"),
        (b"\xa1\x80", "reserved"),
        (b"\xf1\x80", "reserved"),
        (b"\x81\x00", "not masked"),
        (b"\x09\x80", "fragmented"),
        (b"\x08\x80", "fragmented"),
        (b"\x0a\x80", "fragmented"),
        (b"\x89\xfe", "too long"),
        (b"\x88\xff", "too long"),
        *((bytes((0x80 | opcode, 0x80)), "opcode") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        (b"\xc0\x80", "compression bit"),
        (b"\xc9\x80", "compression bit"),
        (b"\x81\xfe\x00\x7d", "shortest"),
        (b"\x81\xff\0\0\0\0\0\0\xff\xff", "shortest"),
        (b"\x81\xff\x80\0\0\0\0\0\0\0", "shortest"),
    ],
)
def test_what_is_no_head(data: bytes, says: str) -> None:
    """1002, as soon as it is seen."""
    with pytest.raises(Violation, match=says) as caught:
        parse_frame_head(data)
    assert caught.value.code == 1002
