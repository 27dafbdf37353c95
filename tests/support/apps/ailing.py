"""What `basic` serves, and every way to harm the worker that serves it: for tests of its supervision."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import itertools
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl

from tests.support.apps.basic import Application, Message, Receive, Send, gate
from tests.support.apps.basic import app as basic

_held: list[object] = []  #: what leaked
_health = "200"  #: what this worker's health probe is answered: a status, or "never"
_UCRED = struct.Struct("iII")


# -- blocking the loop -----------------------------------------------------------------------------------


def sleep_in_the_loop(seconds: float) -> None:
    """As a call of a blocking library does."""
    time.sleep(seconds)


def wait_in_the_loop(port: float) -> None:
    """Wait at the test's gate."""
    gate(int(port))


def spin_in_the_loop(_: float) -> NoReturn:
    """Compute, and never end."""
    for _number in itertools.count():
        pass
    raise AssertionError


def compute_in_the_loop(seconds: float) -> None:
    """Compute for so many seconds of CPU time, however long that takes."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def lock_twice_in_the_loop(_: float) -> None:
    """Wait in Python for a lock that this very thread holds."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def lock_twice_in_c(_: float) -> None:
    """Wait in C for a lock that this very thread holds, and hold the interpreter's lock meanwhile."""
    mutex = ctypes.create_string_buffer(64)
    libc = ctypes.PyDLL(None)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


def collect_in_the_loop(count: float) -> None:
    """Make the garbage collector pause."""
    for _number in range(int(count)):
        loop: list[object] = []
        loop.append(loop)
    gc.collect()


# -- ending the process ----------------------------------------------------------------------------------


def crash_in_c(_: float) -> None:
    """Read from nowhere, after some last words."""
    print("before the crash", file=sys.stderr, flush=True)
    ctypes.string_at(0)


def leave(code: float) -> None:
    """Exit as an application must not."""
    os._exit(int(code))


# -- breaking what belongs to srvctl ---------------------------------------------------------------------


def _descriptors() -> list[tuple[int, str]]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append((int(link.name), str(link.readlink())))
    return found


def _channel() -> int:
    """Return the descriptor of the channel: the one socket that the master made."""
    for fd, link in _descriptors():
        if not link.startswith("socket:"):
            continue
        with socket.socket(fileno=os.dup(fd)) as sock:
            if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
                continue
            pid, _, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
            if pid == os.getppid():
                return fd
    raise LookupError("no channel")


def write_garbage_to_the_channel(_: float) -> None:
    """Send what is no message."""
    os.write(_channel(), b"\0garbage\n" * 3)


def read_no_channel(_: float) -> None:
    """Never read again what the master sends."""
    asyncio.get_running_loop().remove_reader(_channel())


def scribble_on_the_board(byte: float) -> None:
    """Overwrite all of it."""
    for fd, link in _descriptors():
        if "srvctl-board" in link:
            size = os.fstat(fd).st_size
            os.pwrite(fd, bytes([int(byte)]) * size, 0)
            return
    raise LookupError("no board")


# -- the rest --------------------------------------------------------------------------------------------


def leak(mebibytes: float) -> None:
    """Take memory, and touch it."""
    _held.append(bytearray(b"x") * (int(mebibytes) * 2**20))


def take_descriptors(_: float) -> None:
    """Open as many files as there may be."""
    with contextlib.suppress(OSError):
        while True:
            _held.append(os.open("/dev/null", os.O_RDONLY))


def give_descriptors_back(_: float) -> None:
    """Close them."""
    for held in _held:
        if isinstance(held, int):
            os.close(held)
    _held[:] = [held for held in _held if not isinstance(held, int)]


def leave_orphans(count: float, seconds: float = 0.2) -> None:
    """Start processes whose parent ends before they do."""
    for _number in range(int(count)):
        between = os.fork()
        if between == 0:
            if os.fork() == 0:
                time.sleep(seconds)
            os._exit(0)
        os.waitpid(between, 0)


def leave_lasting_orphans(count: float) -> None:
    """Start such processes, which somebody else has to end."""
    leave_orphans(count, 600)


def be_unwell(status: float) -> None:
    """Answer health probes with this status from now on; never, for 0."""
    global _health  # noqa: PLW0603 - of this worker, as the memory of a sick one is
    _health = f"{status:.0f}" if status else "never"


_HARMS = {
    f"/{harm.__name__}": harm
    for harm in (
        sleep_in_the_loop,
        wait_in_the_loop,
        spin_in_the_loop,
        compute_in_the_loop,
        lock_twice_in_the_loop,
        lock_twice_in_c,
        collect_in_the_loop,
        crash_in_c,
        leave,
        write_garbage_to_the_channel,
        read_no_channel,
        scribble_on_the_board,
        leak,
        take_descriptors,
        give_descriptors_back,
        leave_orphans,
        leave_lasting_orphans,
        be_unwell,
    )
}


async def _answer(send: Send, status: int, text: str) -> None:
    own = [(b"x-pid", b"%d" % os.getpid())]
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": text.encode()})


def make_app(health: str | None = None) -> Application:
    """Return the application.

    Args:
        health: What health probes are answered in all workers; else it is what each was told.
    """

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path in _HARMS:
            query = dict(parse_qsl(scope["query_string"].decode()))
            _HARMS[path](float(query.get("n", "0")))
            await _answer(send, 200, "harmed")
        elif scope["type"] == "http" and path == "/health":
            status = health or _health
            if status == "never":
                await asyncio.sleep(3600)
            await _answer(send, int(status), status)
        elif scope["type"] == "http" and path == "/slow":
            await asyncio.sleep(float(scope["query_string"]))
            await _answer(send, 200, "slow")
        else:
            await basic(scope, receive, send)

    return application


app = make_app()


def doomed_while(path: str) -> Application:
    """Return an application whose workers exit with 3 soon after they are ready, while a file is there."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        await receive()
        await send({"type": "lifespan.startup.complete"})
        if os.path.exists(path):  # noqa: ASYNC240, PTH110 - once, at the start
            asyncio.get_running_loop().call_later(0.1, os._exit, 3)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    return application
