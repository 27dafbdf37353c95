"""The batch writer with a sink that takes what the test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from srvctl.logs.access.batch import BatchWriter
from srvctl.logs.access.sinks import ReaderGoneError


@dataclass
class Reader:
    """Takes so many bytes in all; waiting for it gives it more room, if it is only slow."""

    size: int = 16
    room: int = 1_000_000
    more: int = 0  #: bytes of room that each wait brings
    has_left: bool = False
    writes: list[bytes] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def write(self, data: bytes) -> int:
        if self.has_left:
            raise ReaderGoneError("Broken pipe")
        taken = data[: self.room]
        self.room -= len(taken)
        if taken:
            self.writes.append(taken)
        return len(taken)

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.room += self.more
        return self.room > 0

    @property
    def text(self) -> str:
        return b"".join(self.writes).decode()


@dataclass
class Report:
    said: list[str] = field(default_factory=list)

    def lost(self, lines: int) -> None:
        self.said.append(f"lost {lines}")

    def gone(self, reason: str) -> None:
        self.said.append(f"gone: {reason}")


def add(writer: BatchWriter, *numbers: int) -> None:
    for number in numbers:
        writer.add(f"line{number}\n")


def test_lines_wait_for_each_other() -> None:
    """As many as fit into one write."""
    reader = Reader()
    writer = BatchWriter(reader, Report())
    add(writer, 1, 2)
    assert (reader.writes, writer.is_empty) == ([], False)
    add(writer, 3)
    assert reader.writes == [b"line1\nline2\n"]
    writer.flush()
    assert reader.writes == [b"line1\nline2\n", b"line3\n"]
    assert writer.is_empty


def test_a_line_is_never_cut_to_fit() -> None:
    """One longer than a write is a write of its own."""
    reader = Reader(size=4)
    writer = BatchWriter(reader, Report())
    add(writer, 1, 2)
    writer.flush()
    assert reader.writes == [b"line1\n", b"line2\n"]


def test_sizes_are_those_of_bytes() -> None:
    """A format may hold any character."""
    reader = Reader(size=8)
    writer = BatchWriter(reader, Report())
    for _ in range(3):
        writer.add("éé\n")
    writer.flush()
    assert [len(data) for data in reader.writes] == [5, 5, 5]


def test_what_is_not_taken_comes_first_later() -> None:
    """A short write goes on where it ended."""
    reader = Reader(room=8)
    writer = BatchWriter(reader, Report())
    add(writer, 1, 2, 3)
    writer.flush()
    assert (reader.text, writer.is_empty) == ("line1\nli", False)
    reader.room = 100
    writer.flush()
    assert reader.text == "line1\nline2\nline3\n"
    assert writer.is_empty
    assert reader.waits == []


def test_a_slow_reader_is_waited_for() -> None:
    """Nothing is lost while it goes on reading."""
    reader, report = Reader(room=0, more=12), Report()
    writer = BatchWriter(reader, report, limit=24)
    add(writer, *range(40))
    writer.drain(1.0)
    assert reader.text == "".join(f"line{number}\n" for number in range(40))
    assert report.said == []


def test_a_reader_that_is_stuck_is_waited_for_once() -> None:
    """Then lines are lost, whole ones; that is said when it reads again."""
    reader, report = Reader(room=3), Report()
    writer = BatchWriter(reader, report, limit=24)
    add(writer, *range(10))
    writer.flush()
    assert len(reader.waits) == 1
    assert report.said == []
    reader.room = 1000
    writer.flush()
    assert reader.text == "line0\nline1\nline2\nline3\n"
    assert report.said == ["lost 6"]
    add(writer, 10)
    writer.flush()
    assert reader.text.endswith("line3\nline10\n")
    assert report.said == ["lost 6"]


def test_a_drain_waits_for_the_reader() -> None:
    """Everything is written."""
    reader, report = Reader(room=0, more=5), Report()
    writer = BatchWriter(reader, report)
    add(writer, 1, 2, 3)
    writer.drain(10.0)
    assert reader.text == "line1\nline2\nline3\n"
    assert writer.is_empty
    assert report.said == []


def test_a_drain_ends() -> None:
    """Though the reader takes nothing; what is lost is said, and the writer can go on."""
    reader, report = Reader(room=0), Report()
    writer = BatchWriter(reader, report)
    add(writer, 1, 2, 3)
    writer.drain(0.02)
    assert report.said == ["lost 3"]
    assert writer.is_empty
    reader.room = 100
    add(writer, 4)
    writer.drain(0.0)
    assert reader.text == "line4\n"


def test_a_reader_that_leaves_is_told_of_once() -> None:
    """Nothing is kept for it. Another may come, and leave again."""
    reader, report = Reader(has_left=True), Report()
    writer = BatchWriter(reader, report)
    for number in range(3):
        add(writer, number)
        writer.flush()
        assert writer.is_empty
    assert report.said == ["gone: Broken pipe"]
    reader.has_left = False
    add(writer, 3)
    writer.flush()
    assert reader.text == "line3\n"
    reader.has_left = True
    add(writer, 4)
    writer.drain(1.0)
    assert report.said == ["gone: Broken pipe"] * 2
