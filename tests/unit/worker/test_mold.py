"""The mold: what it says about the import, whose child a worker is, and what a worker has and has not."""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import socket
import ssl
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from srvctl.errors import AppError, ExitCode
from srvctl.ipc.channel import Failed, ForkAsked, ForkFailed, Hello, MoldReady, Ready, encode
from srvctl.ipc.descriptors import send_line
from srvctl.worker.mold import Duties
from tests.support.molding import Heard, Mold, wait_exit

if TYPE_CHECKING:
    from collections.abc import Callable

OWN_USER = 54321  #: of nobody, so that its processes can be counted


async def app(_scope: object, _receive: object, _send: object) -> None:
    """Be imported."""


def tell(worker: int, slot: int, channel: socket.socket, board: int, application: object) -> int:
    """Be a worker that says what it is, and ends."""
    told: dict[str, Any] = {
        "worker": worker,
        "slot": slot,
        "board": os.pread(board, 100, 0).decode(),
        "application": application is app,
        "parent": os.getppid(),
        "pid": os.getpid(),
        "frozen": gc.get_freeze_count(),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "descriptors": sorted(set(links_of("self"))),
        "random": [random.random(), uuid.uuid4().hex, ssl.RAND_bytes(8).hex(), os.urandom(8).hex()],
    }
    channel.sendall(json.dumps(told).encode() + b"\n")
    return 7


def links_of(process: int | str) -> list[str]:
    links = []
    for entry in Path(f"/proc/{process}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:  # the one that reads the directory
            continue
    return links


def duties(import_app: Callable[[], Any] = lambda: app, **others: Any) -> Duties:
    return Duties("main:app", import_app, others.pop("become_worker", tell), **others)


def hello_of(worker: Heard) -> int:
    message = worker.message()
    assert isinstance(message, Hello)
    return message.pid


def test_a_worker_is_the_masters_child_and_has_what_it_was_given() -> None:
    with Mold(duties()) as mold:
        assert mold.message() == MoldReady("")
        worker = mold.fork(3, slot=2, board=b"<board>")
        pid = hello_of(worker)
        told = json.loads(worker.line())
        assert told.items() >= {"worker": 3, "slot": 2, "board": "<board>", "application": True}.items()
        assert (told["pid"], told["parent"], told["blocked"]) == (pid, os.getpid(), [])
        assert told["frozen"] > 0
        assert worker.line() == b""
        assert wait_exit(pid) == 7


def test_workers_that_are_asked_for_at_once_have_nothing_of_each_other() -> None:
    """They wait in the mold's channel while it imports, so it reads the commands together."""
    start, started = os.pipe()
    with Mold(duties(lambda: os.read(start, 1) and app)) as mold:
        workers = [mold.fork(number) for number in range(3)]
        os.write(started, b".")
        assert mold.message() == MoldReady("")
        told = []
        for worker in workers:
            hello_of(worker)
            told.append(json.loads(worker.line()))
        inodes = [{link for link in one["descriptors"] if link.startswith("socket:")} for one in told]
        boards = [[link for link in one["descriptors"] if "board" in link] for one in told]
        assert boards == [[f"/memfd:board-{number} (deleted)"] for number in range(3)]
        common = set.intersection(*inodes)  # of the tests themselves
        assert [len(one - common) for one in inodes] == [1, 1, 1]
        assert not set(links_of(mold.pid)) & set.union(*(one - common for one in inodes))
    os.close(start)
    os.close(started)


def test_the_mold_keeps_nothing_of_its_workers() -> None:
    """Neither descriptors nor the processes in between."""
    with Mold(duties()) as mold:
        assert mold.message() == MoldReady("")
        before = sorted(links_of(mold.pid))
        for number in range(5):
            worker = mold.fork(number)
            pid = hello_of(worker)
            assert wait_exit(pid) == 7
        send_line(mold.channel, encode(ForkAsked(9, 0)))
        assert isinstance(mold.message(), ForkFailed)  # so it is done with all before
        assert sorted(links_of(mold.pid)) == before
        assert psutil.Process(mold.pid).children() == []


def test_no_two_workers_get_the_same_random_numbers() -> None:
    with Mold(duties()) as mold:
        told = []
        for number in range(2):
            worker = mold.fork(number)
            hello_of(worker)
            told += json.loads(worker.line())["random"]
        assert len(set(told)) == len(told) == 8


def test_an_import_that_fails_is_told() -> None:
    def fail() -> None:
        raise AppError("No module named 'shop'.", "Traceback ...")

    with Mold(duties(fail)) as mold:
        assert mold.message() == Failed("No module named 'shop'.", "Traceback ...")
        assert mold.line() == b""
        assert mold.wait_exit() == ExitCode.NEVER_UP


def start_thread() -> Any:
    threading.Thread(target=threading.Event().wait, name="kafka-heartbeat", daemon=True).start()
    return app


def test_what_no_fork_should_carry_along_is_told_and_a_worker_can_be_had_all_the_same() -> None:
    """What to make of it is the master's decision."""
    with Mold(duties(start_thread)) as mold:
        assert mold.message() == MoldReady(
            "importing main:app started the thread 'kafka-heartbeat'; workers import it by themselves. "
            "Move that into the lifespan to get the mold."
        )
        hello_of(mold.fork(1))


def test_whoever_insists_on_the_mold_is_warned(capfd: pytest.CaptureFixture[str]) -> None:
    """And gets no warning of Python's for each fork."""
    with Mold(duties(start_thread, is_forced=True)) as mold:
        assert mold.message() == MoldReady("")
        pid = hello_of(mold.fork(1))
        wait_exit(pid)
    err = capfd.readouterr().err
    assert err.count("kafka-heartbeat") == 1
    assert "workers.preload is on" in err
    assert "DeprecationWarning" not in err


def test_a_socket_that_nobody_can_reach_any_more_is_closed_and_no_objection() -> None:
    def leak() -> Any:
        cycle: list[Any] = [socket.socket()]
        cycle.append(cycle)
        gc.disable()
        return app

    with Mold(duties(leak)) as mold:
        assert mold.message() == MoldReady("")


def test_the_end_of_the_channel_ends_the_mold() -> None:
    with Mold(duties()) as mold:
        assert mold.message() == MoldReady("")
        mold.channel.shutdown(socket.SHUT_RDWR)
        assert mold.wait_exit() == ExitCode.OK


def test_sigterm_ends_the_mold_at_once_whatever_a_module_wants() -> None:
    def handle() -> Any:
        signal.signal(signal.SIGTERM, lambda *_: None)
        return app

    with Mold(duties(handle)) as mold:
        assert mold.message() == MoldReady("")
        os.kill(mold.pid, signal.SIGTERM)
        assert mold.wait_exit() == -signal.SIGTERM


def test_what_a_terminal_sends_to_all_does_not_end_the_mold() -> None:
    with Mold(duties()) as mold:
        assert mold.message() == MoldReady("")
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTTIN):
            os.kill(mold.pid, number)
        hello_of(mold.fork(1))


@pytest.mark.parametrize("most", [1, 2] if os.geteuid() == 0 else [0])
def test_a_fork_that_the_kernel_refuses_is_told(most: int) -> None:
    """The first, or, where the user's processes can be counted, the second."""

    def limit(_slot: int) -> None:
        if os.geteuid() == 0:
            os.setuid(OWN_USER)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))

    with Mold(duties(before_fork=limit)) as mold:
        assert mold.message() == MoldReady("")
        worker = mold.fork(4)
        assert mold.message() == ForkFailed(4, "Resource temporarily unavailable")
        assert worker.line() == b""


def test_what_happens_before_a_fork_can_forbid_it() -> None:
    def forbid(slot: int) -> None:
        if slot == 1:
            raise AppError("hooks.pre_fork failed.", "Traceback ...")

    with Mold(duties(before_fork=forbid)) as mold:
        assert mold.message() == MoldReady("")
        mold.fork(4, slot=1)
        assert mold.message() == ForkFailed(4, "hooks.pre_fork failed.\nTraceback ...")
        hello_of(mold.fork(5, slot=0))


def test_a_command_without_its_descriptors_is_refused() -> None:
    """The kernel drops those for which there is no room."""
    with Mold(duties()) as mold:
        assert mold.message() == MoldReady("")
        send_line(mold.channel, encode(ForkAsked(4, 0)), [0])
        assert mold.message() == ForkFailed(4, "Too many open files")


@pytest.mark.parametrize("line", [b"nonsense\n", encode(Ready())])
def test_a_master_that_cannot_be_understood_is_left(line: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with Mold(duties()) as mold:
        send_line(mold.channel, line)
        assert mold.message() == MoldReady("")
        assert mold.wait_exit() == ExitCode.INTERNAL
    assert "The master is not understood" in capfd.readouterr().err


def test_a_worker_that_its_master_does_not_adopt_leaves_without_a_word() -> None:
    """Its parent is this very process, which is not the one it was told."""
    with Mold(duties(), master_pid=1) as mold:
        assert mold.message() == MoldReady("")
        assert mold.fork(1).line() == b""


def test_what_was_printed_before_a_fork_is_printed_once(capfd: pytest.CaptureFixture[str]) -> None:
    def speak(*_: object) -> int:
        print("<worker>", end="")
        return 0

    def import_app() -> Any:
        print("<import>", end="")
        return app

    with Mold(duties(import_app, become_worker=speak)) as mold:
        assert mold.message() == MoldReady("")
        for number in range(2):
            wait_exit(hello_of(mold.fork(number)))
    assert capfd.readouterr().out == "<import><worker><worker>"


def test_a_worker_that_fails_unexpectedly_never_returns_into_the_mold(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError

    with Mold(duties(become_worker=fail)) as mold:
        assert mold.message() == MoldReady("")
        assert wait_exit(hello_of(mold.fork(1))) == ExitCode.INTERNAL
        send_line(mold.channel, encode(ForkAsked(2, 0)))
        assert isinstance(mold.message(), ForkFailed)
    assert "ZeroDivisionError" in capfd.readouterr().err
