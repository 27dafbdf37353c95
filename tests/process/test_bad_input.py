"""Children that break what is srvctl's, and a kernel that refuses: nothing lost, no spin, a clear line."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import socket
import struct
import termios
import time
from pathlib import Path
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGUSR2
from typing import TYPE_CHECKING

import psutil

from tests.support.client_load import PATIENT, Load
from tests.support.connections import has_answer
from tests.support.supervised import AILING, StatusLog, Supervised, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIDFD_GETFD = 438  #: its number, the same on every machine
_UCRED = struct.Struct("iII")


def cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def limit_descriptors(pid: int, soft: int) -> int:
    """Let a process that runs open no descriptor from this number on; return the limit it had."""
    had, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return had


def test_workers_that_break_what_is_srvctls_are_replaced_without_a_loss() -> None:
    """Garbage on the channel, nonsense all over the board, and channels never read, one of which is full."""
    health = ("--health-path", "/health", "--health-interval", "0.1", "--health-timeout", "0.2")
    # So many failures in a row are more than a busy machine makes of a worker that is well.
    flags = ("--workers", "5", "--health-threshold", "5", "--recycle-spacing", "0", *health, *PATIENT)
    with Supervised(AILING, *flags) as server, server.one_each(5) as to:
        [babbling, scribbling, full, deaf, well] = to
        with Load(("127.0.0.1", server.port)) as load, StatusLog(server) as log:
            load.wait_answered(100)
            assert to[full].get("/read_no_channel").pid == full
            fill_channel(server.pid, full)
            assert to[deaf].get("/read_no_channel").pid == deaf
            assert to[scribbling].get("/scribble_on_the_board?n=165").pid == scribbling
            assert to[babbling].get("/write_garbage_to_the_channel").pid == babbling
            broken = (full, deaf, scribbling, babbling)
            for pid in broken:
                to[pid].socket.close()
            server.wait_line(rf"ERROR: +Worker \[{babbling}\] broke its channel \(.*\); it has to go")
            server.wait_line(rf"Worker \[{scribbling}\] is to be replaced \(nonsense on its board\)")
            for pid in (full, deaf):
                server.wait_line(rf"Worker \[{pid}\] is to be replaced \(health probe: no answer\)")
            for pid in broken:
                assert server.death(pid).cause == "exit code 0"
            load.wait_answered(100)
        assert not load.lost, load
        assert min(log.serving) >= 4  # whose channel is broken cannot be told to wait for its successor
        assert well in server.wait_workers(5)
        assert len(server.lines("ERROR")) == 1


def fill_channel(master: int, worker: int) -> None:
    """Send to a worker that reads nothing any more as much as the kernel takes."""
    with channel_to(master, worker) as sock, contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b" ", socket.MSG_DONTWAIT)


@contextlib.contextmanager
def channel_to(master: int, worker: int) -> Iterator[socket.socket]:
    """Give a copy of the master's end of the channel to a worker that reads nothing any more.

    It is the one on which something waits while the master is stopped, once everybody else has read.
    """
    with contextlib.ExitStack() as stack:
        [other_end] = [sock for sock in streams_of(worker, stack) if peer_of(sock) == master]
        wait_until(lambda: has_any(other_end, termios.FIONREAD), "the worker is told something")
        os.kill(master, SIGSTOP)
        stack.callback(os.kill, master, SIGCONT)
        wait_until(lambda: psutil.Process(master).status() == psutil.STATUS_STOPPED, "the master is stopped")
        ends = streams_of(master, stack)
        wait_until(lambda: len(unread(ends)) == 1, "all others have read what they were sent")
        [end] = unread(ends)
        yield end


def streams_of(pid: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Return copies of the Unix stream sockets of a process, until the stack is closed."""
    pidfd = os.pidfd_open(pid)
    stack.callback(os.close, pidfd)
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if not str(link.readlink()).startswith("socket:"):
                continue
        fd: int = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_GETFD, pidfd, int(link.name), 0)
        if fd < 0 and ctypes.get_errno() == errno.EBADF:
            continue
        assert fd >= 0, os.strerror(ctypes.get_errno())
        sock = stack.enter_context(socket.socket(fileno=fd))
        if (sock.family, sock.type) == (socket.AF_UNIX, socket.SOCK_STREAM):
            found.append(sock)
    return found


def peer_of(sock: socket.socket) -> int:
    pid, _, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(pid)


def unread(socks: list[socket.socket]) -> list[socket.socket]:
    """Return those through which something was sent that the other end has not read."""
    return [sock for sock in socks if has_any(sock, termios.TIOCOUTQ)]


def has_any(sock: socket.socket, question: int) -> bool:
    """Ask the kernel for a number of bytes."""
    return fcntl.ioctl(sock, question, b"\0" * 4) != b"\0" * 4


def test_a_master_without_descriptors_serves_on_and_catches_up() -> None:
    """Nothing can be forked, read, recorded or asked; every line says why, none comes twice a second."""
    with Supervised(AILING, "--workers", "2", *PATIENT) as server, server.one_each(2) as to:
        [killed, well] = to
        had = limit_descriptors(server.pid, 3)
        began, used = time.monotonic(), cpu_of(server.pid)
        os.kill(killed, SIGKILL)
        server.wait_line(r"ERROR: +Could not start a worker: \[Errno 24\] Too many open files", count=3)
        server.signal(SIGHUP)
        server.wait_line("No process to read them: Too many open files")
        server.signal(SIGUSR2)
        server.wait_line(r"Upgrade failed: .*Too many open files")
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(server.control_socket))
            with Load(("127.0.0.1", server.port)) as load:
                load.wait_answered(100)
        assert not load.lost, load
        assert to[well].get().pid == well
        assert cpu_of(server.pid) - used < 0.2 * (time.monotonic() - began) + 0.2
        assert len(server.lines("ERROR|WARNING")) < 20
        limit_descriptors(server.pid, had)
        assert well in server.wait_workers(2)
        to[well].socket.close()
        assert server.command("reload").returncode == 0
        assert server.stop() == 0


def test_a_worker_without_descriptors_leaves_connections_to_others_and_catches_up(
    loop_flags: list[str],
) -> None:
    """It says so once a second, does not spin, and serves the connections it has."""
    with Supervised(AILING, *loop_flags, *PATIENT) as server, server.connect() as kept:
        [worker] = server.workers()
        limit_descriptors(worker, 64)
        kept.get("/take_descriptors?n=0")
        with server.connect() as waiting:
            waiting.send_get()
            used, mark, began = cpu_of(worker), server.mark(), time.monotonic()
            server.wait_line(r"ERROR: +No connection can be accepted for 1 s: Too many open files", count=3)
            assert cpu_of(worker) - used < 0.5
            assert len(server.stderr.all) - mark < time.monotonic() - began + 3
            assert kept.get().pid == worker
            assert not has_answer(waiting)
            kept.get("/give_descriptors_back")
            assert waiting.read_response().pid == worker
