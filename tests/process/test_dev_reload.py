"""``--reload``: what is saved is served, and what does not work is shown, with real files and processes."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path
from signal import SIGINT, SIGKILL
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.support.client import Connection
from tests.support.private import PrivateDirectories
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, Lines, wait_gone
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = """
import asyncio, os
TEXT = {text!r}
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("http only")
    kind = b"text/event-stream" if scope["path"] == "/events" else b"text/plain"
    await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}})
    if scope["path"] in ("/events", "/endless"):
        await send({{"type": "http.response.body", "body": b"data: 1\\n\\n", "more_body": True}})
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if scope["path"] == "/events":
                    raise
    await send({{"type": "http.response.body", "body": TEXT.encode()}})
{more}
"""


def write(path: Path, text: str, more: str = "") -> None:
    """Save the application as editors do: write another file, and put it in the place of the old one."""
    fresh = path.with_name(f".{path.name}.tmp")
    fresh.write_text(APP.format(text=text, more=more), encoding="utf-8")
    fresh.replace(path)


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "main.py"
    write(path, "one")
    return path


@pytest.fixture
def server(main: Path) -> Iterator[ServerProcess]:
    cached = {"PYTHONDONTWRITEBYTECODE": ""}  # as with those who develop
    flags = ("--reload", "--reload-browser", "--reload-grace", "0.3")
    with ServerProcess("main:app", *flags, cwd=main.parent, env=cached) as server:
        server.wait_line("Will watch for changes")
        yield server


def save(server: ServerProcess, path: Path, text: str) -> None:
    """Save code that works, and see that it is served.

    Asked for only once the workers of before are gone: as they end, they close what has not asked yet.
    """
    before, mark = server.workers(), server.mark()
    write(path, text)
    server.wait_line("Reload done", since=mark)
    for pid in before:
        wait_gone(pid)
    answer = server.get()
    assert (answer.status, answer.text) == (200, text)


def wait_text(server: ServerProcess, text: str, target: str = "/") -> None:
    server.wait_answer(lambda answer: answer.status == 200 and answer.text == text, target)


def test_what_is_saved_is_served_by_a_new_process_and_the_old_one_ends(
    server: ServerProcess, main: Path
) -> None:
    (before,) = server.workers()
    assert server.get("/__srvctl__/reload.js").status == 200
    save(server, main, "two")
    server.wait_line(r"Detected changes in 'main\.py'\. Reloading\.\.\.")
    wait_gone(before)
    # Of the same size, and within the second: bytecode of before would do for Python.
    save(server, main, "six")
    server.signal(SIGINT)
    assert server.wait_exit() == 0
    server.stdout.wait('"GET / HTTP/1.1" 200')
    assert "__srvctl__" not in server.stdout.text


def test_code_that_does_not_work_is_shown_in_the_log_and_the_old_code_answers(
    server: ServerProcess, main: Path
) -> None:
    write(main, "two", "raise ValueError('half a thought')")
    server.wait_line("The old code answers until the next change")
    server.wait_line("ValueError: half a thought")
    assert server.get().text == "one"
    write(main, "three", "import os; os._exit(9)")
    server.wait_line("a new worker ended before it was ready: exit code 9")
    assert server.get().text == "one"
    write(main, "four", "import time; time.sleep(1000)")  # nobody waits for it once there is newer code
    server.wait_line("Detected changes", count=3)
    save(server, main, "five")


def test_what_has_never_worked_is_a_page_until_it_does(main: Path) -> None:
    write(main, "one", "raise ValueError('half a thought')")
    with ServerProcess("main:app", "--reload", cwd=main.parent) as server:
        page = server.get()
        assert page.status == 500
        assert "ValueError: half a thought" in page.text
        assert 'File "' in page.text
        server.wait_line("Waiting for the next change")
        server.wait_line("Will watch for changes")
        write(main, "one", "def broken(")
        server.wait_answer(lambda answer: answer.status == 500 and "SyntaxError" in answer.text)
        write(main, "one", "import os; os.kill(os.getpid(), 9)")
        server.wait_answer(lambda answer: answer.status == 500 and "SIGKILL" in answer.text)
        wait_until(lambda: len(server.workers()) == 1, "the stand-in of before has ended")
        (stand_in,) = server.workers()
        save(server, main, "two")
        wait_gone(stand_in)


def test_a_worker_that_dies_is_replaced_and_if_its_code_is_broken_by_then_that_is_shown(
    server: ServerProcess, main: Path
) -> None:
    write(main, "two", "raise ValueError('half a thought')")
    server.wait_line("The old code answers")
    killed = server.workers()[0]
    os.kill(killed, SIGKILL)
    wait_gone(killed)  # until then it may accept whom it will not answer
    server.wait_answer(lambda answer: answer.status == 500 and "half a thought" in answer.text)
    save(server, main, "three")


@pytest.mark.parametrize("target", ["/events", "/endless"])
def test_a_response_without_end_holds_up_neither_new_code_nor_the_end(
    server: ServerProcess, main: Path, target: str
) -> None:
    (before,) = server.workers()
    with server.connect() as old:
        old.send_get(target)
        old.read_exactly(1)
        save(server, main, "two")
        wait_gone(before)
    with server.connect() as new:
        new.send_get(target)
        new.read_exactly(1)
        server.signal(SIGINT)
        assert server.wait_exit() == 0


def test_what_a_worker_has_started_does_not_outlive_its_code(main: Path) -> None:
    pool = (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from multiprocessing import shared_memory\n"
        "shared = shared_memory.SharedMemory(create=True, size=10)\n"
        "pool = ProcessPoolExecutor(2)\n"
        "tasks = [pool.submit(print, number) for number in range(2)]\n"
        "[task.result() for task in tasks]\n"
        "print('shared:', shared.name, flush=True)\n"
    )
    write(main, "one", pool)
    with ServerProcess("main:app", "--reload", cwd=main.parent) as server:
        server.wait_line("Will watch for changes")
        (worker,) = server.workers()
        started = psutil.Process(worker).children(recursive=True)
        assert started
        shared = Path("/dev/shm") / server.stdout.wait("shared: (.*)")[1][1]
        assert shared.exists() or sys.platform != "linux"
        save(server, main, "two")
        for process in started:
            wait_gone(process.pid)
        assert not shared.exists()


def test_settings_and_variables_that_are_saved_are_obeyed(main: Path) -> None:
    write(main, "one", "TEXT = os.environ.get('GREETING', 'nothing')")
    settings = main.with_name("srvctl.toml")
    settings.write_text('[app]\ntarget = "main:app"\nenv_file = ".env"\n[reload]\nenabled = true\n')
    variables = main.with_name(".env")
    variables.write_text("GREETING=hello\n")
    with ServerProcess("main:app", "-c", "srvctl.toml", cwd=main.parent) as server:
        server.wait_line("Will watch for changes")
        assert server.get().text == "hello"
        variables.write_text("GREETING=goodbye\n")
        wait_text(server, "goodbye")
        settings.write_text(settings.read_text() + '[http]\nheaders = ["X-New: yes"]\n')
        server.wait_answer(lambda answer: answer.headers.get("x-new") == "yes")
        settings.write_text("[app\n")
        server.wait_line("the settings cannot be used")
        assert server.get().text == "goodbye"


def test_a_watcher_that_dies_is_replaced_and_misses_nothing(server: ServerProcess, main: Path) -> None:
    watcher = int(server.wait_line(r"Started reloader process \[(\d+)\]")[1])
    os.kill(watcher, SIGKILL)
    server.wait_line("The process that watches files ended")
    save(server, main, "two")
    server.wait_line("Will watch for changes", count=2)
    save(server, main, "three")


def test_a_debugger_leaves_the_terminal_as_it_was_and_a_closed_terminal_is_the_end(main: Path) -> None:
    stops = (
        "served = app\n"
        "async def app(scope, receive, send):\n"
        "    if scope['path'] == '/stop': breakpoint()\n"
        "    await served(scope, receive, send)\n"
    )
    write(main, "one", stops)
    flags = ("--reload", "--reload-grace", "0")
    with on_terminal("main:app", *flags, cwd=main.parent) as (process, screen, log):
        _, running = log.wait(r"running on http://127\.0\.0\.1:(\d+)")
        log.wait("Will watch for changes")
        with Connection(("127.0.0.1", int(running[1]))) as client:
            client.send_get("/stop")
            wait_screen(screen, b"(Pdb) ")
            os.write(screen, b"p 6 * 7\r")
            wait_screen(screen, b"\n42")
            wait_until(lambda: not is_echoing(screen), "the debugger shows itself what is typed")
            write(main, "two")
            log.wait("did not end within 1 s; killing it")
        log.wait("Reload done")
        wait_until(lambda: is_echoing(screen), "the terminal is as it was")
        master = psutil.Process(process.pid)
        processes = [master, *master.children()]
        os.close(screen)
        log.wait("Received SIGHUP, the terminal is gone, stopping")
        assert process.wait(PATIENCE) == 0
        assert not psutil.wait_procs(processes, PATIENCE)[1]


#: Makes the terminal that stdin is the one that signals come from.
_ON_TERMINAL: Final = (
    "import fcntl, os, sys, termios; "
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, '-m', 'srvctl', 'run', *sys.argv[1:]])"
)


@contextlib.contextmanager
def on_terminal(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Lines]]:
    """Run srvctl on a terminal of its own; yield it, what is typed into and shown, and its log.

    The test closes the screen.
    """
    screen, terminal = pty.openpty()
    directories = PrivateDirectories()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_TERMINAL, *arguments, "--bind", "127.0.0.1:0"],
        cwd=cwd,
        env={**os.environ, **directories.environ},
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(terminal)
    assert process.stderr is not None
    log = Lines(process.stderr, "stderr")
    try:
        yield process, screen, log
    finally:
        process.kill()
        process.wait()
        log.wait_end()
        directories.remove()


def is_echoing(screen: int) -> bool:
    return bool(termios.tcgetattr(screen)[3] & termios.ECHO)


def wait_screen(screen: int, text: bytes) -> None:
    """Wait until the terminal shows a text."""
    shown, poll = b"", select.poll()
    poll.register(screen, select.POLLIN)
    while text not in shown:
        assert poll.poll(PATIENCE * 1000), shown
        shown += os.read(screen, 4096)
