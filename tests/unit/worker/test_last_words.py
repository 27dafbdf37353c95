"""What is left on a board: the end of stderr. (Stacks are tested with real processes, in test_vitals.)"""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import DUMP_SIGNAL, LineRing, last_lines
from srvctl.worker.last_words import CopiedStream, copy_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    Copy = Callable[[], TextIO | None]


@pytest.fixture
def board() -> bytearray:
    board = bytearray(scoreboard.SIZE)
    scoreboard.begin(board)
    return board


@pytest.fixture
def stderr() -> Iterator[io.TextIOWrapper]:
    """As an interpreter makes it, but into memory."""
    with io.TextIOWrapper(io.BytesIO(), "ascii", errors="backslashreplace", line_buffering=True) as stream:
        yield stream


@pytest.fixture
def copy(board: bytearray, stderr: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Copy it; pytest has a stderr of its own in each phase of a test, so this is for the last moment."""

    def copy() -> TextIO | None:
        monkeypatch.setattr(sys, "stderr", stderr)
        return copy_stderr(LineRing(board))

    return copy


def written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    return stream.buffer.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_stderr_is_copied(board: bytearray, stderr: io.TextIOWrapper, copy: Copy) -> None:
    """And written as before."""
    copied = copy()
    assert copied is not None
    assert copied is sys.stderr is not stderr
    print("one", "two", file=sys.stderr)
    copied.writelines(["three\n", "fo\u00fcr\n"])
    assert written(stderr) == b"one two\nthree\nfo\\xfcr\n"
    assert last_lines(board) == ["one two", "three", "foür"]


def test_the_stream_is_itself_in_everything_else(
    board: bytearray, stderr: io.TextIOWrapper, copy: Copy
) -> None:
    copied = copy()
    assert copied is not None
    assert copied.write("abc") == 3
    assert copied.buffer is stderr.buffer
    assert (copied.encoding, copied.errors, copied.isatty()) == ("ascii", "backslashreplace", False)
    assert copied.line_buffering
    with pytest.raises(io.UnsupportedOperation):
        copied.fileno()
    copied.reconfigure(encoding="utf-8")  # type: ignore[attr-defined]
    assert stderr.encoding == "utf-8"
    with pytest.raises(AttributeError):
        copied.no_such_thing  # type: ignore[attr-defined]  # noqa: B018


def test_the_real_one_keeps_its_descriptor(board: bytearray, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as end, os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        copied = copy_stderr(LineRing(board))
        assert copied is not None
        assert copied.fileno() == writer
        print("line", file=copied, flush=True)
        assert end.readline() == b"line\n"


def test_what_is_no_text_is_refused_as_before(board: bytearray, stderr: io.TextIOWrapper, copy: Copy) -> None:
    copy()
    with pytest.raises(TypeError):
        sys.stderr.write(b"bytes")  # type: ignore[arg-type]
    assert last_lines(board) == []


def test_what_cannot_be_encoded_fails_as_before_and_is_copied(
    board: bytearray, stderr: io.TextIOWrapper, copy: Copy
) -> None:
    stderr.reconfigure(errors="strict")
    copy()
    with pytest.raises(UnicodeEncodeError):
        sys.stderr.write("\u20ac \ud800\n")
    assert last_lines(board) == [r"€ \ud800"]


def test_what_nobody_reads_is_copied(board: bytearray) -> None:
    """The log has gone away, and the worker's last words with it but for this."""

    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    copied = CopiedStream(Gone(), LineRing(board))
    with pytest.raises(BrokenPipeError):
        copied.write("help\n")
    assert last_lines(board) == ["help"]


def test_a_closed_stderr_stays_closed(board: bytearray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert copy_stderr(LineRing(board)) is None
    assert sys.stderr is None


def test_handlers_that_write_there_go_on(
    board: bytearray, stderr: io.TextIOWrapper, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of srvctl, and those of an application that was imported before; no others."""
    elsewhere = io.StringIO()
    handlers = [logging.StreamHandler(stderr) for _ in range(3)] + [logging.StreamHandler(elsewhere)]
    names = ("srvctl", "srvctl.error", "some.application", "another")
    loggers = [logging.getLogger(f"test_last_words.{name}") for name in names]
    for logger, handler in zip(loggers, handlers, strict=True):
        monkeypatch.setattr(logger, "handlers", [handler])
        monkeypatch.setattr(logger, "propagate", False)
    root = logging.StreamHandler(stderr)
    monkeypatch.setattr(logging.root, "handlers", [root])
    copied = copy()
    assert [handler.stream for handler in (*handlers, root)] == [copied, copied, copied, elsewhere, copied]
    for logger in loggers:
        logger.error("from %s", logger.name)
    assert last_lines(board) == [f"from test_last_words.{name}" for name in names[:3]]
    assert written(stderr).count(b"\n") == 3
    assert elsewhere.getvalue() == "from test_last_words.another\n"


def test_a_traceback_nobody_caught_is_copied(board: bytearray, stderr: io.TextIOWrapper, copy: Copy) -> None:
    copy()
    try:
        raise ValueError("boom")
    except ValueError:
        sys.excepthook(*sys.exc_info())
    assert last_lines(board)[0] == "Traceback (most recent call last):"
    assert last_lines(board)[-1] == "ValueError: boom"


def test_the_signal_is_nobody_elses() -> None:
    """Of the real-time signals, and not one that another part of the system has taken."""
    assert signal.SIGRTMIN + 4 < DUMP_SIGNAL < signal.SIGRTMAX
    assert DUMP_SIGNAL not in {int(number) for number in signal.Signals}


def test_a_system_without_real_time_signals_still_has_crashes(tmp_path: object) -> None:
    """In a process of its own, whose handlers may be changed."""
    code = (
        "import faulthandler, os, signal, tempfile\n"
        "signal.valid_signals = lambda: {signal.SIGTERM}\n"
        "from srvctl.worker.last_words import takes_dumps\n"
        "with tempfile.TemporaryFile() as file:\n"
        "    assert not takes_dumps(file.fileno())\n"
        "    assert faulthandler.is_enabled()\n"
        "    faulthandler.disable()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
