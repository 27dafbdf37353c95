"""Workers seen from outside: boards of real processes, however they end, and what the kernel says."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from srvctl.ipc import scoreboard
from srvctl.ipc.scoreboard import DUMP_OFFSET, DUMP_SIGNAL, DUMP_SIZE, SIZE, Cell, read
from srvctl.supervisor.vitals import Condition, examine, new_board, read_dump
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1024 * 1024
UNKNOWN = Condition(waited=None, on_cpu=None, is_runnable=False, is_stopped=False, is_traced=False)
#: Of every worker in this file: it begins its board, says so, and then does what it is told here.
PREPARED = """\
import sys, time
from srvctl.ipc.scoreboard import Cell
from srvctl.worker import last_words
from srvctl.worker.heartbeat import Heartbeat

cells = last_words.begin(int(sys.argv[1]))

def say():
    print("there", flush=True)

"""


class Board:
    """A board and whoever writes on it."""

    def __init__(self) -> None:
        self.fd, self.memory = new_board()

    @property
    def dump(self) -> str:
        return read_dump(self.fd)

    def close(self) -> None:
        self.memory.close()
        os.close(self.fd)


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board()
    yield board
    board.close()


@contextmanager
def worker(board: Board, code: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker from when it has said that it is there."""
    program = PREPARED + textwrap.dedent(code)
    command = [sys.executable, "-c", program, str(board.fd)]
    with subprocess.Popen(
        command, pass_fds=[board.fd], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"there\n"
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Look again and again for what cannot be waited for."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def dump_of(board: Board, process: subprocess.Popen[bytes], function: str) -> str:
    """Have the worker tell what it does, until it does this."""

    def is_there() -> bool:
        process.send_signal(DUMP_SIGNAL)
        return function in board.dump

    wait_until(is_there, f"no {function} in {board.dump}")
    return board.dump


# -- boards --------------------------------------------------------------------------------------------


def test_a_new_board_says_nothing(board: Board) -> None:
    assert read(board.memory, time.monotonic()) is None
    assert board.dump == ""
    assert not os.get_inheritable(board.fd)


def test_nobody_can_change_the_size_of_a_board(board: Board) -> None:
    """A shorter one would kill the master, a longer one could take all memory."""
    for size in (0, SIZE - 1, SIZE + 1):
        with pytest.raises(PermissionError):
            os.ftruncate(board.fd, size)
    with pytest.raises(PermissionError):
        fcntl.fcntl(board.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def test_stacks_fill_their_room_and_no_more(board: Board) -> None:
    """Its offset stands there; what does not fit is lost."""
    written = 0
    with suppress(PermissionError):
        while written <= DUMP_SIZE:
            written += os.write(board.fd, b"a line of a stack\n" * 50)
    assert written <= DUMP_SIZE
    assert len(board.dump) > DUMP_SIZE * 0.9
    assert set(board.dump.splitlines()[:-1]) == {"a line of a stack"}
    assert read(board.memory, time.monotonic()) is None


def test_a_dump_is_harmless(board: Board) -> None:
    os.write(board.fd, b'  File "\x1b[2J.py"\n\xff\n')
    assert board.dump == '  File "\\x1b[2J.py"\n\\xff'


@pytest.mark.parametrize("reason", ["missing", "forbidden"])
def test_without_memfd_a_file_without_a_name_does(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    if reason == "missing":
        monkeypatch.delattr(os, "memfd_create")
    else:
        monkeypatch.setattr(os, "memfd_create", refuse)
    board = Board()
    assert os.fstat(board.fd).st_nlink == 0
    assert os.lseek(board.fd, 0, os.SEEK_CUR) == DUMP_OFFSET
    with mmap.mmap(board.fd, SIZE) as other:
        scoreboard.begin(other)[Cell.BEGUN] = 3
        reading = read(board.memory, time.monotonic())
    assert reading is not None
    assert reading.begun == 3
    board.close()


def test_a_board_that_cannot_be_made_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = os.dup(0)
    os.close(before)
    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(OSError, match="No space"):
        new_board()
    after = os.dup(0)
    os.close(after)
    assert after == before, "a descriptor was left open"


def test_a_descriptor_that_is_none_has_no_dump() -> None:
    assert read_dump(-1) == ""


# -- real processes ------------------------------------------------------------------------------------


def test_the_last_words_of_a_killed_worker(board: Board) -> None:
    """What it counted up to the moment is there."""
    code = """
        heart = Heartbeat(cells)
        heart.beat(time.monotonic(), due_in=0.5, connections=3)
        for number in range(50):
            cells[Cell.BEGUN] += 1
        cells[Cell.FINISHED] += 48
        cells[Cell.ERRORS] += 2
        say()
        time.sleep(1000)
    """
    before = time.monotonic()
    with worker(board, code) as process:
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    reading = read(board.memory, time.monotonic())
    assert reading is not None
    assert reading.beat is not None
    assert before < reading.beat < time.monotonic()
    assert (reading.begun, reading.in_flight, reading.errors, reading.connections) == (50, 2, 2, 3)
    assert reading.rss > MIB
    assert reading.rss_trend == (reading.rss,)
    assert board.dump == ""


BLOCKED = {
    "time.sleep": """
        def handle_request():
            say()
            time.sleep(1000)
        handle_request()
    """,
    "deadlock": """
        import threading
        def handle_request():
            lock = threading.Lock()
            lock.acquire()
            say()
            lock.acquire()
        handle_request()
    """,
    "busy loop": """
        def handle_request():
            say()
            while True:
                pass
        handle_request()
    """,
    "C call that keeps the interpreter": """
        import re
        def handle_request():
            say()
            re.match("(a|aa)+$", "a" * 200 + "b")
        handle_request()
    """,
}


@pytest.mark.parametrize("kind", BLOCKED)
def test_the_stack_of_a_blocked_worker(board: Board, kind: str) -> None:
    """Whatever it is blocked in; and it goes on afterwards."""
    with worker(board, BLOCKED[kind]) as process:
        reading = read(board.memory, time.monotonic())
        assert reading is not None
        assert reading.takes_dumps
        dump = dump_of(board, process, "in handle_request")
        assert "(most recent call first)" in dump
        assert process.poll() is None, "it died of it"


def test_the_stacks_of_all_threads(board: Board) -> None:
    code = """
        import threading
        def in_the_pool():
            say()
            time.sleep(1000)
        threading.Thread(target=in_the_pool, daemon=True).start()
        def in_the_loop():
            time.sleep(1000)
        in_the_loop()
    """
    with worker(board, code) as process:
        assert "in in_the_pool" in dump_of(board, process, "in in_the_loop")


def test_the_stack_of_a_crash(board: Board) -> None:
    """As a library in C may do it, and only C can tell about it."""
    code = """
        import faulthandler
        print("last words", file=sys.stderr)
        say()
        def extension():
            faulthandler._sigsegv()
        extension()
    """
    with worker(board, code) as process:
        assert process.wait(PATIENCE) == -signal.SIGSEGV
    assert board.dump.startswith("Fatal Python error: Segmentation fault")
    assert "in extension" in board.dump


def test_a_stopped_worker_is_seen_to_be(board: Board) -> None:
    with worker(board, "say()\ntime.sleep(1000)") as process:
        assert not examine(process.pid).is_stopped
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        condition = examine(process.pid)
        assert condition.is_stopped
        assert not condition.is_traced
        process.send_signal(DUMP_SIGNAL)
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: "Stack" in board.dump or "thread" in board.dump, "no dump after it went on")
        assert not examine(process.pid).is_stopped


def test_a_busy_worker_is_seen_to_be(board: Board) -> None:
    with worker(board, "say()\nwhile True: pass") as process:
        first = examine(process.pid)
        assert first.on_cpu is not None
        wait_until(lambda: (examine(process.pid).on_cpu or 0) > (first.on_cpu or 0) + 0.05, "no CPU time")
        assert examine(process.pid).is_runnable


def test_waiting_for_a_cpu_is_told(board: Board) -> None:
    """Two that want the same one: each waits while the other has it."""
    code = """
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        say()
        while True: pass
    """
    other = Board()
    with worker(board, code) as process, worker(other, code):
        begin = examine(process.pid).waited
        assert begin is not None
        wait_until(lambda: (examine(process.pid).waited or 0) > begin + 0.1, "it never waited")
    other.close()


# -- a kernel that says other things -------------------------------------------------------------------


def proc(root: Path, **files: str) -> Path:
    """Make the folder of process 7."""
    folder = root / "proc" / "7"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, errors="surrogateescape")
    return root


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    assert examine(7, tmp_path) == UNKNOWN


def test_what_is_told(tmp_path: Path) -> None:
    root = proc(
        tmp_path,
        schedstat="2500000000 1250000000 42\n",
        status="Name:\tworker: State: T\nUmask:\t0022\nState:\tR (running)\nTracerPid:\t0\n",
    )
    assert examine(7, root) == Condition(
        waited=1.25, on_cpu=2.5, is_runnable=True, is_stopped=False, is_traced=False
    )


@pytest.mark.parametrize(
    ("status", "is_stopped", "is_traced"),
    [
        ("State:\tT (stopped)\nTracerPid:\t0\n", True, False),
        ("State:\tt (tracing stop)\nTracerPid:\t99\n", True, True),
        ("State:\tS (sleeping)\nTracerPid:\t99\n", False, True),
        ("State:\tTracerPid\nTracerPid: x\n", True, False),
        ("State\nTracerPid:\t-1\n", False, False),
        ("\udcff\udcfe", False, False),
    ],
)
def test_debuggers(tmp_path: Path, status: str, is_stopped: bool, is_traced: bool) -> None:
    condition = examine(7, proc(tmp_path, status=status))
    assert (condition.is_stopped, condition.is_traced) == (is_stopped, is_traced)


@pytest.mark.parametrize("text", ["", "0 0 0\n", "5\n", "a b c\n", "-1 -2 3\n", "1" * 30 + " 5 5", "\udcff"])
def test_a_scheduler_that_makes_no_sense(tmp_path: Path, text: str) -> None:
    """Zeros are those of a kernel that does not count."""
    assert examine(7, proc(tmp_path, schedstat=text)) == UNKNOWN
