"""Rehearsals in real children, and what happens when the installed program cannot even be run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.supervisor.events import TimePassed, UpgradeRefused
from srvctl.supervisor.handover import Program
from srvctl.supervisor.poller import Poller
from srvctl.supervisor.upgrading import Upgrading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from srvctl.supervisor.events import Event

READS = """
import json, os, sys
task, fd = os.environ["SRVCTL_HANDOVER"].split(":")
state = json.loads(os.pread(int(fd), 65536, 0))
"""
AGREES = READS + "assert task == 'rehearse'\nos.fstat(state['held'])\nos.write(state['answer'], b'yes')"


class Inbox:
    """One that always says that a child may have ended."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()

    def fileno(self) -> int:
        return self.reader

    def take_nowait(self) -> list[signal.Signals]:
        return [signal.SIGCHLD]

    def send_again(self) -> None:
        """Keep nothing."""

    def close(self) -> None:
        os.close(self.reader)
        os.close(self._writer)


class World:
    """An `Upgrading` with a real poller."""

    def __init__(self) -> None:
        inbox: Any = Inbox()
        self.inbox = inbox
        self.poller = Poller(inbox)
        self.held, self._other = os.pipe()
        self.state: dict[str, Any] = {"held": self.held, "descriptors": [self.held]}

    def upgrading(self, code: str, executable: str = sys.executable, patience: float = 60.0) -> Upgrading:
        program = Program(executable, (sys.executable, "-c", code))
        return Upgrading(program, self.poller, self.inbox, lambda: dict(self.state), lambda: patience)

    def wait(self, upgrading: Upgrading) -> list[Event]:
        """Wait until the rehearsal has ended; return what is told of it."""
        while upgrading._rehearsal is not None:
            told = [event for event in self.poller.wait(time.monotonic() + 0.05) if event != TimePassed()]
            if told:
                return told
        return []

    def close(self) -> None:
        self.poller.close()
        os.close(self.held)
        os.close(self._other)


def opened() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def world() -> Iterator[World]:
    before = opened()
    world = World()
    yield world
    world.close()
    assert opened() <= before


def test_a_program_that_agrees_may_take_over(world: World) -> None:
    """It has what it is left, by the same number; the answer is kept until it is used or not wanted."""
    upgrading = world.upgrading(AGREES)
    assert upgrading.begin() is None
    assert upgrading.next_deadline() is not None
    assert world.wait(upgrading) == []
    assert upgrading.is_due
    assert upgrading.next_deadline() is None
    assert not os.get_inheritable(world.held)
    upgrading.give_up()
    assert not upgrading.is_due


@pytest.mark.parametrize(
    ("code", "reason", "details"),
    [
        ("raise KeyError('x')", "the installed srvctl cannot take over: KeyError: 'x'", "Traceback"),
        ("print('a' * 100_000 + '!'); exit(3)", "the installed srvctl cannot take over: aaaa", "aaaa"),
        ("exit(3)", "the installed srvctl cannot take over: exit code 3", ""),
        (
            "import os; os.kill(os.getpid(), 11)",
            "the installed srvctl cannot take over: killed by SIGSEGV",
            "",
        ),
        ("", "the installed program does not know how to take over", ""),
    ],
)
def test_a_program_that_does_not_is_refused(world: World, code: str, reason: str, details: str) -> None:
    upgrading = world.upgrading(code)
    assert upgrading.begin() is None
    (refused,) = world.wait(upgrading)
    assert isinstance(refused, UpgradeRefused)
    assert refused.reason.startswith(reason)
    assert refused.details.startswith(details)
    assert len(refused.details) <= 16 * 1024
    assert not upgrading.is_due


def test_a_program_that_says_nothing_is_ended(world: World) -> None:
    """In time, and without anybody waiting for it."""
    upgrading = world.upgrading("import time; time.sleep(600)", patience=0.2)
    assert upgrading.begin() is None
    (refused,) = world.wait(upgrading)
    assert refused == UpgradeRefused(
        "the installed srvctl did not say within 0.2 s (timeouts.boot) that it can take over"
    )


def test_a_rehearsal_that_is_not_wanted_any_more_ends_in_silence(world: World) -> None:
    upgrading = world.upgrading("import time; time.sleep(600)")
    upgrading.begin()
    rehearsal = upgrading._rehearsal
    assert rehearsal is not None
    upgrading.give_up()
    while rehearsal in world.poller._children:
        assert list(world.poller.wait(time.monotonic() + 0.01)) == [TimePassed()]


def test_a_program_that_is_gone_is_refused(world: World, tmp_path: Path) -> None:
    """Before the rehearsal, and after it: signals come again, and nothing is inherited by others."""
    program = tmp_path / "python"
    program.symlink_to(sys.executable)
    upgrading = world.upgrading(AGREES, str(program))
    upgrading.begin()
    world.wait(upgrading)
    program.unlink()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    refused = upgrading.make_way()
    assert refused == UpgradeRefused(f"{program} cannot be run: No such file or directory")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert not os.get_inheritable(world.held)
    assert not upgrading.is_due
    upgrading.begin()
    (refused,) = world.wait(upgrading)
    assert isinstance(refused, UpgradeRefused)
    assert refused.reason.endswith(f"{program} cannot be run: No such file or directory")


def test_what_cannot_be_written_down_is_refused(world: World) -> None:
    """A mistake of ours must not end the service."""
    upgrading = world.upgrading(AGREES)
    upgrading.begin()
    world.wait(upgrading)
    world.state["odd"] = object()
    refused = upgrading.make_way()
    assert isinstance(refused, UpgradeRefused)
    assert refused.reason.startswith("what there is cannot be handed over: TypeError")
    again = upgrading.begin()
    assert isinstance(again, UpgradeRefused)
    assert "Traceback" in again.details


def test_signals_that_came_wait_for_the_next_program() -> None:
    """Those that were not taken yet are pending while they are blocked, also after execve(2)."""
    script = """
import os, signal, sys
from srvctl.supervisor.signals import SignalInbox
inbox = SignalInbox()
for number in (signal.SIGTERM, signal.SIGHUP):
    os.kill(os.getpid(), number)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
inbox.send_again()
assert inbox.take_nowait() == []
code = "import signal; print(*sorted(number.name for number in signal.sigpending()))"
os.execv(sys.executable, [sys.executable, "-c", code])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "SIGHUP SIGTERM\n"
