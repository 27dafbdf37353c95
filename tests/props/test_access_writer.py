"""Lines through a real pipe, whose reader reads as it likes: each arrives once, whole and in order."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from srvctl.logs.access.batch import BatchWriter
from srvctl.logs.access.sinks import DescriptorSink

#: Adds a line of so many bytes, flushes, or reads so many bytes.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(2, 9000)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 100_000)),
    ),
    max_size=60,
)


@dataclass
class Report:
    count: int = 0
    said: list[str] = field(default_factory=list)

    def lost(self, lines: int) -> None:
        self.count += lines

    def gone(self, reason: str) -> None:
        self.said.append(reason)


class Pipe:
    """A pipe and what came out of it; a sink in front may take less than it could."""

    def __init__(self, sizes: list[int]) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        os.set_blocking(self.writing, False)
        self._sizes = sizes
        self._turn = 0
        self.came = b""

    def send(self, data: bytes) -> int:
        """Write, now and then only a part, or nothing."""
        self._turn += 1
        most = self._sizes[self._turn % len(self._sizes)] if self._sizes else len(data)
        if most == 0:
            raise BlockingIOError
        return os.write(self.writing, data[:most])

    def read(self, size: int) -> bool:
        try:
            data = os.read(self.reading, size)
        except BlockingIOError:
            return False
        self.came += data
        return bool(data)

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)


def line(number: int, size: int) -> str:
    return f"{number}".ljust(size, ".") + "\n"


def play(steps: list[tuple[str, int]], sizes: list[int], limit: int) -> tuple[list[str], list[str], int]:
    """Return the lines that were added, those that came, and how many were said to be lost."""
    pipe, report = Pipe(sizes), Report()
    try:
        writer = BatchWriter(DescriptorSink(pipe.writing, pipe.send, 4096), report, limit)
        added: list[str] = []
        for step, size in steps:
            if step == "add":
                added.append(line(len(added), size))
                writer.add(added[-1])
            elif step == "flush":
                writer.flush()
            else:
                pipe.read(size)
        while not writer.is_empty:
            writer.flush()
            pipe.read(1_000_000)
        while pipe.read(1_000_000):
            pass
    finally:
        pipe.close()
    assert report.said == []
    return added, pipe.came.decode().splitlines(keepends=True), report.count


@given(STEPS, st.lists(st.integers(0, 5000), max_size=5).filter(lambda sizes: not sizes or any(sizes)))
@settings(deadline=None)
def test_every_line_arrives_once_and_in_order(steps: list[tuple[str, int]], sizes: list[int]) -> None:
    """Short writes, full pipes and all."""
    added, came, lost = play(steps, sizes, limit=1 << 20)
    assert came == added
    assert lost == 0


@given(STEPS, st.integers(1, 20_000))
@settings(deadline=None, max_examples=40)
def test_what_does_not_arrive_is_counted(steps: list[tuple[str, int]], limit: int) -> None:
    """With little memory for a reader that does not read: what comes is whole, the rest is a number."""
    added, came, lost = play(steps, [], limit)
    rest = iter(added)
    assert all(one in rest for one in came)
    assert len(came) + lost == len(added)
