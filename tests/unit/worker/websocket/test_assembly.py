"""A message put together from pieces: its limits, its text, and what it costs meanwhile."""

from __future__ import annotations

import tracemalloc

import pytest

from srvctl.worker.websocket.assembly import Assembly
from srvctl.worker.websocket.protocol import MessageLimits, Violation


def assembly(
    *, is_text: bool = False, is_compressed: bool = False, size: int = 100, fragments: int = 0
) -> Assembly:
    limits = MessageLimits(size=size, fragments=fragments)
    return Assembly(limits, is_text=is_text, is_compressed=is_compressed)


@pytest.mark.parametrize("count", [0, 1, 2, 5000])
@pytest.mark.parametrize("is_text", [True, False])
def test_pieces_become_a_message(is_text: bool, count: int) -> None:
    """However many there are."""
    message = assembly(is_text=is_text, size=1 << 20)
    for number in range(count):
        message.add(b"%d," % number)
    whole = "".join(f"{number}," for number in range(count))
    assert message.finish() == (whole if is_text else whole.encode())
    assert message.room == (1 << 20) - len(whole)


def test_a_character_may_be_cut() -> None:
    """It is one character all the same."""
    message = assembly(is_text=True)
    for byte in "ü€𐍈".encode():
        message.add(bytes((byte,)))
    assert message.finish() == "ü€𐍈"


@pytest.mark.parametrize("piece", [b"\xff", b"\xc0", b"a\xe2\x28", b"\xed\xa0", b"\xf4\x90"])
def test_what_can_never_be_text_is_noticed_at_once(piece: bytes) -> None:
    """1007: it is not waited for the end of the message."""
    with pytest.raises(Violation) as caught:
        assembly(is_text=True).add(piece)
    assert caught.value.code == 1007


def test_a_text_does_not_end_inside_a_character() -> None:
    """1007."""
    message = assembly(is_text=True)
    message.add(b"a\xe2\x82")
    with pytest.raises(Violation) as caught:
        message.finish()
    assert caught.value.code == 1007


def test_the_size_is_limited_by_what_frames_say() -> None:
    """Before anything of them has come; but what is compressed may be smaller or larger."""
    message = assembly(size=10)
    message.expect(10)
    message.add(bytes(6))
    message.expect(4)
    with pytest.raises(Violation) as caught:
        message.expect(5)
    assert caught.value.code == 1009
    assembly(size=10, is_compressed=True).expect(11)


def test_the_size_is_limited_by_what_comes() -> None:
    """To the byte."""
    message = assembly(size=10, is_compressed=True)
    message.add(bytes(10))
    with pytest.raises(Violation) as caught:
        message.add(b"a")
    assert caught.value.code == 1009


def test_fragments_are_limited() -> None:
    """1008; 0 is any number."""
    message = assembly(fragments=2)
    message.expect(0)
    message.expect(0)
    with pytest.raises(Violation) as caught:
        message.expect(0)
    assert caught.value.code == 1008
    unlimited = assembly()
    for _ in range(1000):
        unlimited.expect(0)


@pytest.mark.parametrize("is_text", [True, False])
def test_tiny_pieces_cost_no_more_than_large_ones(is_text: bool) -> None:
    """A client that sent two bytes at a time made its message cost thirty times its size."""
    message = assembly(is_text=is_text, size=1 << 20)
    tracemalloc.start()
    try:
        for number in range(100_000):
            message.add(b"%02d" % (number % 100))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000
    assert len(message.finish()) == 200_000
