"""One server under test with the code it serves: started, signalled, watched, and gone without a trace."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.apps.lifecycle import STATE_VARIABLE
from benchmarks.errors import BenchmarkError, NotStartedError
from benchmarks.lifecycle.code import APP, Code, CodeDirectory, State
from benchmarks.lifecycle.servers import Ability
from benchmarks.processes import ROOT, ServerProcess, free_port, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psutil

    from benchmarks.lifecycle.servers import Contestant

_STEP_SECONDS: Final = 0.02
#: A path as a log names it.
_PATH: Final = re.compile(r"/[\w./-]+[\w]")
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 10.0


def until(condition: Callable[[], bool], seconds: float, step: float = _STEP_SECONDS) -> bool:
    """Look again and again, and return whether a condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True


class Service:
    """A started server, until `close`.

    Attributes:
        workers: How many were asked for.
        code: The directory with its code.
        begun: When it was started, monotonic.
    """

    def __init__(self, contestant: Contestant, workers: int, told: Mapping[Ability, str], code: Code) -> None:
        self.workers = workers
        self._contestant = contestant
        self.code = CodeDirectory()
        self.begun = time.monotonic()
        try:
            self.code.write(code)
            self.port = free_port()
            command = contestant.command(APP, self.port, workers, told)
            self._process = ServerProcess(command, self.port, variables=self.code.variables)
        except BaseException:
            self.code.close()
            raise

    def __repr__(self) -> str:
        return f"<Service {self._process!r} workers={self.workers} {self.code!r}>"

    @property
    def root(self) -> psutil.Process:
        """The process that was started: the master."""
        return self._process.root

    @property
    def output(self) -> str:
        """All that it has printed so far."""
        return self._process.output()

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until all workers have finished their startup.

        Raises:
            NotStartedError: The server exited, or they have not after so many seconds.
        """
        self._process.wait_until_listening(seconds)
        deadline = time.monotonic() + seconds
        while len(self.ready()) < self.workers:
            self._process.raise_if_gone()
            if time.monotonic() > deadline:
                raise NotStartedError(f"{len(self.ready())} of {self.workers} workers after {seconds:g} s.")
            time.sleep(_STEP_SECONDS)

    def ready(self) -> dict[int, State]:
        """Return the living workers that have finished their startup."""
        return {
            worker: state
            for worker, state in self.code.states().items()
            if state.ready is not None and is_alive(worker)
        }

    def has_exited(self) -> bool:
        """Return whether the master is gone."""
        return bool(self._process.exit_reason())

    def exit_reason(self) -> str:
        """Return why, or nothing while it is there."""
        return self._process.exit_reason()

    def signal(self, number: signal.Signals) -> float:
        """Signal the master, and return when; nothing happens when it is gone."""
        now = time.monotonic()
        if not self.has_exited():
            os.kill(self.root.pid, number)
        return now

    def reload_by_command(self, seconds: float) -> tuple[int, str] | None:
        """Ask for a reload as an operator does; return exit code and output, None if there is no command.

        Raises:
            BenchmarkError: It has not ended in time.
        """
        words = self._contestant.abilities.get(Ability.COMMAND)
        if words is None:
            return None
        command = [sys.executable, "-m", *(word.format(self.code.control) for word in words)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"{' '.join(words[:2])} has not ended after {seconds:g} s.") from error
        return done.returncode, done.stdout + done.stderr

    def shows(self, words: str) -> bool:
        """Return whether the server has printed something, or has named a file that holds it."""
        output = self.output
        return words in output or any(words in _text(path) for path in set(_PATH.findall(output)))

    def members(self) -> set[int]:
        """Return the process ids of master, workers and whatever else it started."""
        return {process.pid for process in usage.tree(self.root)}

    def close(self) -> None:
        """End it and all its processes, whatever state it is in."""
        with uninterrupted():
            self._process.stop(STOP_SECONDS)
            self._kill_strays()
            self.code.close()

    def _kill_strays(self) -> None:
        """Kill workers that have left both the process group and the tree of their master."""
        for worker in self.code.states():
            if is_alive(worker) and self._is_ours(worker):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        """Return whether a process has our environment, and is no stranger under a reused id."""
        ours = f"{STATE_VARIABLE}={self.code.variables[STATE_VARIABLE]}".encode()
        with suppress(OSError):
            return ours in Path(f"/proc/{pid}/environ").read_bytes()
        return False


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Return whether a process runs; zombies do not."""
    with suppress(OSError):
        # The name may contain anything, so what follows it is looked for from the end (proc(5)).
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1] not in "ZX"
    return False
