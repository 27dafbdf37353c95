"""A worker whose loop was held up does not blame its clients for what it has not read yet."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from signal import SIGCONT, SIGHUP, SIGSTOP

import psutil
import pytest

from tests.support.proxy_header import MIRROR
from tests.support.punctual import begins_anew, within
from tests.support.server import ServerProcess
from tests.support.server_waits import FACTOR, PATIENCE, NeverHappened

#: Seconds after which a connection without a request is closed.
IDLE = {"serving": 0.5 * FACTOR, "draining": 5.0 * FACTOR}
CLIENTS = 5


def wait_not_listening(pid: int) -> None:
    """Wait until a worker drains."""
    deadline = time.monotonic() + PATIENCE
    while any(each.status == psutil.CONN_LISTEN for each in psutil.Process(pid).net_connections("tcp")):
        if time.monotonic() > deadline:
            raise NeverHappened("the worker still listens")
        time.sleep(0.01)


def stop(pid: int) -> None:
    """Stop a process, and wait until it is."""
    os.kill(pid, SIGSTOP)
    deadline = time.monotonic() + PATIENCE
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        if time.monotonic() > deadline:
            raise NeverHappened("the worker goes on")
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("state", "loop"), [("serving", "uvloop"), ("serving", "asyncio"), ("draining", "uvloop")]
)
@begins_anew
def test_a_request_that_came_in_time_is_answered(state: str, loop: str) -> None:
    """It came over a kept connection before the end of the idle time, and is read behind it."""
    flag = {"serving": "--timeout-keep-alive", "draining": "--timeout-drain-idle"}[state]
    with ServerProcess(MIRROR, "--loop", loop, flag, f"{IDLE[state]:g}") as server:
        [worker] = server.workers()
        clients = [server.connect() for _ in range(CLIENTS)]
        try:
            try:
                with within(IDLE[state]):  # so that no connection has idled for too long
                    assert {client.get().status for client in clients} == {200}
                    if state == "draining":
                        server.signal(SIGHUP)
                        wait_not_listening(worker)
                    stop(worker)
                    for client in clients:
                        client.send_get()
                threading.Event().wait(IDLE[state] + 1.5)  # deadlines are looked at twice a second
            finally:
                with contextlib.suppress(ProcessLookupError):  # it left before it could be stopped
                    os.kill(worker, SIGCONT)
            assert {client.read_response().status for client in clients} == {200}
        finally:
            for client in clients:
                client.socket.close()
