"""One srvctl that is measured: started, asked through its control socket, and gone without a trace."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final, Self

from benchmarks.errors import BenchmarkError, NotStartedError
from benchmarks.lifecycle.code import APP, Code, CodeDirectory
from benchmarks.processes import ROOT, ServerProcess, free_port, uninterrupted
from srvctl.ipc.control import Command, Request
from srvctl.ipc.control_client import Connection, ControlFailedError

if TYPE_CHECKING:
    from types import TracebackType

    import psutil

_RUNNING: Final = "Srvctl running on"  #: printed once every slot is served
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 60.0
_PATIENCE: Final = 120.0
_STEP: Final = 0.005
_VARIABLES: Final = {"SRVCTL_LEDGER__FILE": "none", "SRVCTL_RELOAD__BAKE": "0"}


class Instance:
    """A started srvctl with a tiny application.

    Args:
        workers: How many.
        flags: Further flags.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        code: The directory with its code.
        start_seconds: From the command until every slot was served.
    """

    def __init__(self, workers: int, *flags: str) -> None:
        self.workers = workers
        self.port = free_port()
        self.code = CodeDirectory()
        self.code.write(Code())
        bind = (f"--bind=127.0.0.1:{self.port}", f"--workers={workers}", "--no-access-log")
        command = [sys.executable, "-m", "srvctl", "run", APP, *bind, *flags]
        begun = time.monotonic()
        self._process = ServerProcess(command, self.port, {**self.code.variables, **_VARIABLES})
        try:
            self._wait_until_served(begun + _START_SECONDS)
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.monotonic() - begun

    def __repr__(self) -> str:
        return f"<Instance workers={self.workers} {self._process!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_served(self, deadline: float) -> None:
        while _RUNNING not in self._process.output():
            self._process.raise_if_gone()
            if time.monotonic() > deadline:
                raise NotStartedError(f"{self.workers} workers were not there in {_START_SECONDS:g} s.")
            time.sleep(_STEP)

    @property
    def root(self) -> psutil.Process:
        """The master."""
        return self._process.root

    def ask(self, command: Command) -> dict[str, Any]:
        """Ask the master, and return what it says.

        Raises:
            BenchmarkError: It refuses, or does not answer.
        """
        try:
            with Connection(self.code.control, _PATIENCE) as connection:
                done = connection.ask(Request(command))
        except ControlFailedError as error:
            raise BenchmarkError(f"{command}: {error}") from error
        if not done.ok:
            raise BenchmarkError(f"{command}: {done.message}")
        return dict(done.data)

    def reload(self) -> float:
        """Bring new code, and return after how many seconds all workers serve it."""
        self.code.write(Code())
        begun = time.monotonic()
        self.ask(Command.RELOAD)
        return time.monotonic() - begun

    def command_seconds(self, *words: str) -> float:
        """Return how long a command takes as operators run it, the start of its interpreter included.

        Raises:
            BenchmarkError: It fails.
        """
        command = [sys.executable, "-m", "srvctl", *words, "--control-socket", str(self.code.control)]
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise BenchmarkError(f"srvctl {' '.join(words)}: {done.stderr}")
        return time.monotonic() - begun

    def pids(self) -> set[int]:
        """Return the workers that are there."""
        return {worker["pid"] for worker in self.ask(Command.STATUS)["workers"]}

    def close(self) -> None:
        """End it."""
        with uninterrupted():
            self._process.stop(_STOP_SECONDS)
            self.code.close()
