"""Lines with descriptors: which belong together, what is refused, and that none is ever left open."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.ipc.channel import ChannelError
from srvctl.ipc.descriptors import MAX_DESCRIPTORS, MAX_LINE, ChannelFullError, LineReader, send_line

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        yield sender, receiver


def marked(mark: str) -> int:
    """Return a descriptor that can be told from others."""
    fd = os.memfd_create("mark")
    os.write(fd, mark.encode())
    return fd


def mark_of(fd: int) -> str:
    return os.pread(fd, 100, 0).decode()


def send_marked(channel: socket.socket, line: bytes, *marks: str) -> None:
    fds = [marked(mark) for mark in marks]
    try:
        send_line(channel, line, fds)
    finally:
        for fd in fds:
            os.close(fd)


def marks_of_next(reader: LineReader) -> tuple[bytes, list[str]]:
    line = reader.wait_line()
    assert line is not None
    marks = [mark_of(fd) for fd in line.descriptors]
    line.close()
    return line.text, marks


def open_descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_a_line_comes_with_its_descriptors_in_their_order(pair: Pair) -> None:
    send_marked(pair[0], b"fork\n", "channel", "board")
    assert marks_of_next(LineReader(pair[1])) == (b"fork", ["channel", "board"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab", max_size=30), st.integers(0, 3), st.lists(st.integers(1, 30), max_size=3)),
        min_size=1,
        max_size=12,
    )
)
def test_lines_that_wait_together_keep_their_descriptors(sent: list[tuple[str, int, list[int]]]) -> None:
    """However many reads the kernel needs for them, and wherever a line was cut by its sender."""
    sender, receiver = socket.socketpair()
    with sender, receiver:
        for number, (text, count, cuts) in enumerate(sent):
            line = text.encode() + b"\n"
            marks = [f"{number}.{place}" for place in range(count)]
            if count or not cuts:
                send_marked(sender, line, *marks)
            else:
                at = min(cuts[0], len(line))
                sender.send(line[:at])
                sender.send(line[at:])
        sender.shutdown(socket.SHUT_WR)
        reader = LineReader(receiver)
        received = [marks_of_next(reader) for _ in sent]
        assert reader.wait_line() is None
    assert received == [
        (text.encode(), [f"{number}.{place}" for place in range(count)])
        for number, (text, count, _) in enumerate(sent)
    ]


def test_a_line_that_is_read_in_parts_keeps_its_descriptors(pair: Pair) -> None:
    """They come with its first part, while the line before it may end in the same read."""

    class Small:
        """Reads three bytes at a time."""

        def recvmsg(self, _size: int, space: int, flags: int) -> object:
            return pair[1].recvmsg(3, space, flags)

    send_marked(pair[0], b"a\n")
    send_marked(pair[0], b"bcdef\n", "b")
    send_marked(pair[0], b"g\n", "g")
    reader = LineReader(Small())  # type: ignore[arg-type]
    assert [marks_of_next(reader) for _ in range(3)] == [(b"a", []), (b"bcdef", ["b"]), (b"g", ["g"])]


def test_what_is_received_is_not_inherited_by_other_programs(pair: Pair) -> None:
    send_marked(pair[0], b"x\n", "x")
    line = LineReader(pair[1]).wait_line()
    assert line is not None
    assert not os.get_inheritable(line.descriptors[0])
    line.close()


def test_the_end_of_the_channel_is_none(pair: Pair) -> None:
    pair[0].send(b"half a line")
    pair[0].close()
    assert LineReader(pair[1]).wait_line() is None


@pytest.mark.parametrize("untaken", [b"whole\n", b"half"])
def test_what_is_received_and_not_taken_is_closed(pair: Pair, untaken: bytes) -> None:
    before = open_descriptors()
    pair[0].send(b"taken\n")
    send_marked(pair[0], untaken, "1", "2")
    reader = LineReader(pair[1])
    assert marks_of_next(reader) == (b"taken", [])
    assert len(open_descriptors()) == len(before) + 2
    reader.close()
    assert open_descriptors() == before


def test_a_reader_that_does_not_read_is_reported_and_nothing_is_half_sent(pair: Pair) -> None:
    pair[0].setblocking(False)
    line = b"x" * (MAX_LINE - 1) + b"\n"
    sent = 0

    def fill() -> None:
        nonlocal sent
        while True:
            send_marked(pair[0], line, "m")
            sent += 1

    with pytest.raises(ChannelFullError, match="does not read"):
        fill()
    reader = LineReader(pair[1])
    for _ in range(sent):
        assert marks_of_next(reader) == (line[:-1], ["m"])
    send_marked(pair[0], b"next\n", "n")
    assert marks_of_next(reader) == (b"next", ["n"])


def test_a_reader_that_is_gone_is_an_error_of_the_system(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        send_line(pair[0], b"x\n")


@pytest.mark.parametrize(("line", "count"), [(b"x" * (MAX_LINE + 1), 0), (b"x\n", MAX_DESCRIPTORS + 1)])
def test_what_is_too_long_is_not_sent(pair: Pair, line: bytes, count: int) -> None:
    with pytest.raises(ValueError, match="too long"):
        send_line(pair[0], line, [pair[0].fileno()] * count)


def test_as_many_descriptors_as_the_kernel_allows_arrive(pair: Pair) -> None:
    send_line(pair[0], b"x\n", [pair[0].fileno()] * MAX_DESCRIPTORS)
    line = LineReader(pair[1]).wait_line()
    assert line is not None
    assert len(line.descriptors) == MAX_DESCRIPTORS
    line.close()


def test_a_line_without_an_end_is_refused(pair: Pair) -> None:
    pair[0].send(b"x" * (MAX_LINE + 1))
    with pytest.raises(ChannelError, match="longer than"):
        LineReader(pair[1]).wait_line()


def test_descriptors_for_which_there_is_no_room_are_missing_and_the_line_is_not(pair: Pair) -> None:
    """The receiver must count: the kernel drops what would exceed RLIMIT_NOFILE, and goes on."""
    send_marked(pair[0], b"x\n", "1", "2")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, limits[1]))
    try:
        line = LineReader(pair[1]).wait_line()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert line is not None
    assert (line.text, len(line.descriptors)) == (b"x", 1)
    line.close()
