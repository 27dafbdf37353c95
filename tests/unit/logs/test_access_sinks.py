"""Where lines go: pipes, sockets, files, terminals, streams of Python alone. None makes us wait."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

from srvctl.logs.access.sinks import DescriptorSink, FileSink, ReaderGoneError, Sink, stream_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = b"x" * 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Our end as a stream, and the reader's."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
    with contextlib.suppress(OSError):  # a test closed it
        os.close(reading)


def fill(sink: Sink) -> int:
    total = 0
    while taken := sink.write(PIECE):
        total += taken
    return total


@pytest.fixture(params=["opened anew", "asked first"])
def piped(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, TextIO]
) -> tuple[int, Sink]:
    """A sink in front of a pipe, with /proc and without."""
    if request.param == "asked first":

        def refuse(*_args: object) -> int:
            raise PermissionError

        monkeypatch.setattr("os.open", refuse)
    sink = stream_sink(pipe[1])
    monkeypatch.undo()
    assert isinstance(sink, DescriptorSink)
    assert os.get_blocking(sink.fd) is (request.param == "asked first")
    return pipe[0], sink


def test_a_full_pipe_takes_nothing(piped: tuple[int, Sink]) -> None:
    """Without anybody waiting; when it is read, it takes more."""
    reading, sink = piped
    assert fill(sink) >= len(PIECE)
    assert sink.write(b"y") in {0, 1}  # the last page may have room
    assert not sink.wait(0.0)
    os.read(reading, 2 * len(PIECE))
    assert sink.wait(0.0)
    assert sink.write(PIECE) == len(PIECE)


def test_a_pipe_nobody_reads(piped: tuple[int, Sink]) -> None:
    """An exception of our own."""
    reading, sink = piped
    os.close(reading)
    with pytest.raises(ReaderGoneError):
        sink.write(b"x")


def test_others_at_the_same_pipe_keep_their_flags(pipe: tuple[int, TextIO]) -> None:
    """O_NONBLOCK on stdout would hold for the shell as well."""
    stream_sink(pipe[1])
    assert os.get_blocking(pipe[1].fileno())


def test_what_the_application_printed_goes_first(pipe: tuple[int, TextIO]) -> None:
    """Though the stream had it in its buffer."""
    reading, stream = pipe
    sink = stream_sink(stream)
    stream.write("printed\n")
    sink.write(b"line\n")
    assert os.read(reading, 100) == b"printed\nline\n"


def test_a_socket() -> None:
    """As systemd's journal."""
    ours, theirs = socket.socketpair()
    with theirs, ours, ours.makefile("w") as stream:
        sink = stream_sink(stream)
        assert fill(sink) > 0
        assert not sink.wait(0.0)
        assert os.get_blocking(ours.fileno())
        theirs.close()
        with pytest.raises(ReaderGoneError):
            sink.write(b"x")
        assert isinstance(sink, DescriptorSink)
        sink.close()


def test_a_terminal() -> None:
    """A new descriptor of the same."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        sink = stream_sink(stream)
        assert sink.write(b"line\n") == 5
        assert os.read(master, 100) == b"line\r\n"
    os.close(master)


def test_a_full_disk_is_tried_again() -> None:
    """It may have room later."""
    with Path("/dev/full").open("w") as stream:
        assert stream_sink(stream).write(b"x") == 0


def test_stdout_that_is_a_file(tmp_path: Path) -> None:
    """Whoever shares the descriptor goes on where we ended."""
    with (tmp_path / "log").open("w") as stream:
        sink = stream_sink(stream)
        sink.write(b"1\n")
        stream.write("2\n")
        sink.write(b"3\n")
        assert sink.size > 4096
    assert (tmp_path / "log").read_text() == "1\n2\n3\n"


def test_a_stream_without_a_descriptor() -> None:
    """As in a notebook; one that somebody closed is as good as gone."""
    stream = io.StringIO()
    sink = stream_sink(stream)
    assert sink.write("é\n".encode()) == 3
    assert stream.getvalue() == "é\n"
    assert sink.wait(0.0)
    stream.close()
    with pytest.raises(ReaderGoneError):
        sink.write(b"x")


def test_no_stream_at_all() -> None:
    """Descriptor 1 was closed before we started: everything is taken, nothing kept."""
    assert stream_sink(None).write(b"line\n") == 5


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    """By several processes; only its owner and group may read a new one."""
    path = tmp_path / "access.log"
    first, second = FileSink(str(path)), FileSink(str(path))
    first.write(b"1\n")
    second.write(b"2\n")
    first.write(b"3\n")
    assert path.read_text() == "1\n2\n3\n"
    assert not stat.S_IMODE(path.stat().st_mode) & 0o007
    first.close()
    second.close()


def test_a_file_that_was_moved_away(tmp_path: Path) -> None:
    """A new one is begun when asked for; if that fails, the old one stays."""
    path = tmp_path / "logs" / "access.log"
    path.parent.mkdir()
    sink = FileSink(str(path))
    sink.write(b"1\n")
    moved = path.rename(tmp_path / "access.log.1")
    sink.write(b"2\n")
    sink.reopen()
    sink.write(b"3\n")
    assert (moved.read_text(), path.read_text()) == ("1\n2\n", "3\n")
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(FileNotFoundError):
        sink.reopen()
    assert sink.write(b"4\n") == 2
    sink.close()


def test_a_named_pipe_keeps_its_small_writes(tmp_path: Path) -> None:
    """And is refused when nobody reads it, instead of waited for."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        FileSink(str(path))
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = FileSink(str(path))
    assert sink.size == 4096
    assert fill(sink) > 0
    assert not sink.wait(0.0)
    os.close(reading)
    sink.close()
