"""A process that is warm before anybody knows what for: what it becomes, and how it ends. And parcels."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from srvctl.errors import ExitCode
from srvctl.ipc import warm
from srvctl.ipc.channel import ChannelError
from srvctl.ipc.descriptors import MAX_DESCRIPTORS, send_line
from srvctl.ipc.parcels import send_parcel, wait_parcel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.ipc.warm import Warm


LIFE = """
import os
from srvctl.ipc.descriptors import LineReader

def speak(said, channel, descriptors):
    os.write(descriptors[0], f"{said} {os.getpid()} {os.environ['WARMTH']}".encode())
    line = LineReader(channel).wait_line()
    return int(line.text) if line is not None else 1
"""


def prepare() -> None:
    os.environ["WARMTH"] = "37"


def wait_exit(process: Warm) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])


@pytest.fixture
def process() -> Iterator[Warm]:
    started = warm.start(prepare)
    yield started
    started.end()


def test_it_becomes_what_it_is_told_with_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And reads nothing of what is sent to it afterwards. Nobody else imports what it becomes."""
    (tmp_path / "a_life.py").write_text(LIFE)
    monkeypatch.syspath_prepend(tmp_path)
    process = warm.start(prepare)
    reader, writer = os.pipe()
    process.become("a_life:speak", ["x" * 100_000], [writer])
    process.end()  # it is not warm any more
    send_line(process.channel, b"7\n")
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read() == f"{'x' * 100_000} {process.pid} 37"
    assert wait_exit(process) == 7
    process.channel.close()
    assert "a_life" not in sys.modules


def test_it_ends_when_it_is_not_wanted(process: Warm) -> None:
    process.channel.shutdown(socket.SHUT_RDWR)
    assert wait_exit(process) == ExitCode.OK


def test_it_can_be_ended_at_any_time_and_twice(process: Warm) -> None:
    process.end()
    process.end()
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def test_sigterm_ends_it_and_an_interrupt_does_not(process: Warm) -> None:
    """A terminal interrupts all; what becomes of that is the master's decision."""
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    assert wait_exit(process) == -signal.SIGTERM


def test_a_preparation_that_fails_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    process = warm.start(lambda: 1 / 0)  # type: ignore[arg-type]
    assert process.channel.recv(1) == b""
    assert wait_exit(process) == ExitCode.INTERNAL
    process.channel.close()
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_it_dies_with_its_master() -> None:
    code = (
        "import os, signal, time; from srvctl.ipc import warm\n"
        "print(warm.start(lambda: time.sleep(600)).pid, flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as master:
        assert master.stdout is not None
        process = os.pidfd_open(int(master.stdout.readline()))
        master.kill()
        assert master.stdout.read() == b""  # the warm process had it open, too
        os.close(process)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    sender, receiver = socket.socketpair()
    with sender, receiver:
        yield sender, receiver


@pytest.mark.parametrize("count", [0, 1, MAX_DESCRIPTORS - 1, MAX_DESCRIPTORS, 2 * MAX_DESCRIPTORS])
def test_a_parcel_arrives_whole(pair: tuple[socket.socket, socket.socket], count: int) -> None:
    before = open_descriptors()
    send_parcel(pair[0], {"a": ["b"]}, [pair[0].fileno()] * count)
    send_parcel(pair[0], "next")
    received = wait_parcel(pair[1])
    assert received is not None
    assert (received[0], len(received[1])) == ({"a": ["b"]}, count)
    for fd in received[1]:
        os.close(fd)
    assert wait_parcel(pair[1]) == ("next", [])
    assert open_descriptors() == before


def test_half_a_parcel_is_none(pair: tuple[socket.socket, socket.socket]) -> None:
    before = open_descriptors()
    send_line(pair[0], b"%d\n" % (MAX_DESCRIPTORS + 1), [0] * MAX_DESCRIPTORS)
    pair[0].shutdown(socket.SHUT_WR)
    assert wait_parcel(pair[1]) is None
    assert open_descriptors() == before


def test_a_parcel_for_which_there_is_no_room_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    send_parcel(pair[0], "value", [0, 0])
    before = open_descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 1, limits[1]))
    try:
        with pytest.raises(ChannelError, match="no room"):
            wait_parcel(pair[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert open_descriptors() == before


def open_descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())
