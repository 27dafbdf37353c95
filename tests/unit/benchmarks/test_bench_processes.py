"""Starting, measuring and stopping, on small real children."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from benchmarks import usage
from benchmarks.errors import NotStartedError, ServerGoneError
from benchmarks.processes import ServerProcess, pinned, uninterrupted
from tests.support.server_waits import PATIENCE

Start = Callable[[str], ServerProcess]

#: The root burns nothing; its living child burns 0.3 s of CPU, an earlier one burnt 0.2 s and was reaped.
BURNING_TREE = """
import subprocess, sys
burn = "import time, sys\\nwhile time.process_time() < {}: pass\\nprint('burnt', flush=True)\\n"
subprocess.run([sys.executable, "-c", burn.format(0.2)], check=True)
subprocess.run([sys.executable, "-c", burn.format(0.3) + "sys.stdin.read()"], check=True)
"""

#: Listens, as every server here, on a port that the test holds, so that nobody else can have it meanwhile.
LISTENING = "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])), reuse_port=True)\n"

#: Listens on the port given, and starts a child that ignores SIGTERM in a process group of its own.
LISTENING_TREE = f"""
import socket, subprocess, sys, time
stubborn = "import os, signal, time; os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN)\\n"
stubborn += "print('up', flush=True)\\nwhile True: time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
child.stdout.readline()
{LISTENING}
while True: time.sleep(60)
"""


@pytest.fixture
def started() -> Iterator[Start]:
    """Start a Python program as a server; whatever happens, it is gone after the test."""
    running: list[ServerProcess] = []
    held: list[socket.socket] = []

    def start(source: str) -> ServerProcess:
        held.append(socket.socket())
        held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held[-1].bind(("127.0.0.1", 0))
        port = held[-1].getsockname()[1]
        process = ServerProcess([sys.executable, "-c", source, str(port)], port)
        running.append(process)
        return process

    yield start
    for process in running:
        process.stop()
    for sock in held:
        sock.close()


def test_cpu_of_a_tree_includes_living_and_reaped_children() -> None:
    """Each once: it is less than the kernel says of the whole tree when that has ended."""

    def all_ended() -> float:
        found = resource.getrusage(resource.RUSAGE_CHILDREN)
        return found.ru_utime + found.ru_stime

    before = all_ended()
    with subprocess.Popen(
        [sys.executable, "-c", BURNING_TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"burnt\n"  # the one that is reaped
        assert process.stdout.readline() == b"burnt\n"  # the one that lives on
        root = psutil.Process(process.pid)
        own = root.cpu_times()
        total = usage.cpu_seconds(root)
        process.stdin.close()
    assert own.user + own.system + 0.45 < total < all_ended() - before + 0.1


def test_run_time_of_a_process_that_works_grows() -> None:
    me = [psutil.Process()]
    before = usage.run_seconds(me)
    if before is None:
        pytest.skip("this kernel keeps no schedstat")
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    after = usage.run_seconds(me)
    assert after is not None
    assert after - before >= 0.04


def test_memory_alone_is_at_least_the_shared_one() -> None:
    me = [psutil.Process()]
    assert 1_000_000 < usage.pss_bytes(me) <= usage.alone_bytes(me) <= me[0].memory_info().rss * 1.05


def test_a_process_that_is_gone_uses_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        root = psutil.Process(process.pid)
    assert usage.tree(root) == []
    assert usage.cpu_seconds(root) == 0
    assert usage.pss_bytes([root]) == 0
    assert usage.alone_bytes([root]) == 0


def test_stop_leaves_no_process_of_the_tree(started: Start) -> None:
    process = started(LISTENING_TREE)
    process.wait_until_listening()
    members = usage.tree(process.root)
    assert len(members) == 2
    assert process.stop() is True
    _, alive = psutil.wait_procs(members, timeout=PATIENCE)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_server_deaf_to_sigterm_is_killed(started: Start) -> None:
    process = started(
        "import signal, socket, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"{LISTENING}while True: time.sleep(60)"
    )
    process.wait_until_listening()
    assert process.stop(seconds=0.1) is False
    assert not process.root.is_running()


def test_a_server_that_exits_says_its_code_and_last_line(started: Start) -> None:
    process = started("import sys; print('first'); print('no such application'); print(); sys.exit(3)")
    with pytest.raises(NotStartedError, match=r"exited with code 3\. no such application$"):
        process.wait_until_listening()
    with pytest.raises(ServerGoneError, match="exited with code 3"):
        process.raise_if_gone()


def test_a_server_that_never_listens_is_given_up(started: Start) -> None:
    process = started("import time\nwhile True: time.sleep(60)")
    with pytest.raises(NotStartedError, match=r"does not listen after 0\.2 s"):
        process.wait_until_listening(seconds=0.2)


def test_settings_in_the_environment_do_not_reach_the_server(
    started: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "7")
    process = started("import os, sys; sys.exit(4 if 'WEB_CONCURRENCY' in os.environ else 5)")
    with pytest.raises(NotStartedError, match="code 5"):
        process.wait_until_listening()


def test_servers_do_not_share_the_terminals_process_group(started: Start) -> None:
    process = started("import time\nwhile True: time.sleep(60)")
    assert os.getpgid(process.root.pid) == process.root.pid != os.getpgrp()


def test_pinned_is_undone() -> None:
    before = os.sched_getaffinity(0)
    with pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_interrupts_are_ignored_only_meanwhile() -> None:
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
