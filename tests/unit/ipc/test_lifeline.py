"""Whoever holds the lifeline dies with the process at its other end, blocked or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from srvctl.ipc.lifeline import Lifeline, hold
from tests.support.server_waits import PATIENCE

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="F_SETSIG is Linux's")

_HOLDER = """
import os, signal, sys
from srvctl.ipc.lifeline import hold
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
hold(int(sys.argv[1]))
if len(sys.argv) > 2:
    os.setuid(int(sys.argv[2]))
print("held", flush=True)
signal.sigwait({signal.SIGUSR1})
"""


def _start(line: Lifeline, *args: str) -> subprocess.Popen[str]:
    """Start a process that holds on, and is deaf to everything."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(line.end), *args],
        pass_fds=[line.end],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_process_that_is_deaf_to_all_signals_ends_with_the_master() -> None:
    line = Lifeline()
    with _start(line) as one, _start(line) as other:
        assert (one.poll(), other.poll()) == (None, None)
        line.let_go()
        assert one.wait(PATIENCE) == other.wait(PATIENCE) == -signal.SIGKILL
    os.close(line.end)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_change_of_user_does_not_free_it() -> None:
    """PR_SET_PDEATHSIG is cleared by that; this is what the lifeline is for."""
    line = Lifeline()
    with _start(line, "65534") as process:
        line.let_go()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    os.close(line.end)


def test_a_master_that_is_gone_already_takes_the_child_along() -> None:
    line = Lifeline()
    line.let_go()
    pid = os.fork()
    if pid == 0:
        hold(line.end)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) != 0
    os.close(line.end)


def test_it_can_be_taken_over_by_another_program_of_the_process() -> None:
    line = Lifeline()
    same = Lifeline.inherit(line.end, line.held)
    assert not os.get_inheritable(same.held)
    with _start(same) as process:
        same.let_go()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    os.close(line.end)
