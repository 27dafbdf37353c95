"""How far a command is, on a terminal and elsewhere."""

from __future__ import annotations

import os
import pty
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from srvctl.cli.answer import Answer
from srvctl.cli.progress_bar import Bar, drawn
from srvctl.errors import ExitCode
from srvctl.ipc.control import Done, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.mark.parametrize(
    ("done", "of", "width", "line"),
    [
        (0, 4, 80, "[........................] 0 of 4  Reloading"),
        (2, 4, 80, "[############............] 2 of 4  Reloading"),
        (4, 4, 80, "[########################] 4 of 4  Reloading"),
        (1, 3, 30, "[###.......] 1 of 3  Reloadin"),
        (1, 2, 1, "["),
    ],
)
def test_it_is_a_line_that_fits(done: int, of: int, width: int, line: str) -> None:
    assert drawn(done, of, "Reloading", width) == line
    assert len(line) < max(width, 2)


_END = "\x00"  #: of what is looked at


@contextmanager
def terminal(name: str = "xterm") -> Iterator[Callable[[], str]]:
    """Have stderr be a terminal; yield what returns what was written to it."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", name)
        patch.setattr(sys, "stderr", stream)

        def written() -> str:
            stream.write(_END)  # the kernel passes on what was written in its own time
            stream.flush()
            found = b""
            while not found.endswith(_END.encode()):
                found += os.read(master, 65536)
            return found.decode().removesuffix(_END)

        yield written
    os.close(master)


def test_a_terminal_sees_one_line_that_is_written_again_and_goes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with terminal() as written, Answer(is_json=False) as answer:
        answer.progress("Generation 2: 1 of 2 workers.\x07", {"done": 1, "of": 2})
        assert written() == "\r\x1b[K[############............] 1 of 2  Generation 2: 1 of 2 workers.\\x07"
        answer.progress("Generation 2: 2 of 2 workers.", {"done": 2, "of": 2})
        assert written().startswith("\r\x1b[K[########################] 2 of 2")
        answer.progress("Watching it for a while.")
        assert written() == "\r\x1b[KWatching it for a while.\r\n"
        answer.progress("", {"done": 1, "of": 2})
        written()
        assert answer.end(Done(ok=True, message="Reload done.")) is ExitCode.OK
        assert written() == "\r\x1b[K"
    assert capsys.readouterr().out.startswith("Reload done (")


def test_a_failure_makes_room_for_its_traceback() -> None:
    with terminal() as written, Answer(is_json=False) as answer:
        answer.progress("", {"done": 1, "of": 2})
        written()
        answer.end(refusal("Reload failed."))
        assert written() == "\r\x1b[Ksrvctl: error: Reload failed.\r\n"


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_cannot_clear_a_line_gets_lines(name: str) -> None:
    with terminal(name) as written, Answer(is_json=False) as answer:
        answer.progress("1 of 2 workers.", {"done": 1, "of": 2})
        assert written() == "1 of 2 workers.\r\n"


def test_a_pipe_gets_lines_and_a_program_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with Answer(is_json=False) as answer:
        answer.progress("1 of 2 workers.", {"done": 1, "of": 2})
    with Answer(is_json=True) as answer:
        answer.progress("2 of 2 workers.", {"done": 2, "of": 2})
    assert capsys.readouterr() == ("", "1 of 2 workers.\n")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"done": 1},
        {"done": 3, "of": 2},
        {"done": 0, "of": 0},
        {"done": -1, "of": 2},
        {"done": "1", "of": 2},
    ],
)
def test_what_makes_no_sense_is_not_drawn(data: dict[str, object]) -> None:
    with terminal() as written:
        assert Bar().show("text", data) is False
        assert written() == ""
