"""The load as the scenarios see it: a process, ``generator.py``, that is started, looked at, and stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from benchmarks.errors import BenchmarkError
from benchmarks.lifecycle.tally import Tally
from benchmarks.processes import ROOT

if TYPE_CHECKING:
    from benchmarks.lifecycle.clients import LoadPlan

_GENERATOR: Final = "benchmarks.lifecycle.generator"
#: Beyond the time that answers have.
_STOP_SECONDS: Final = 10.0


class Load:
    """A running load, until `stop` or `kill`."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self._process = subprocess.Popen(
            [sys.executable, "-m", _GENERATOR, json.dumps(asdict(plan))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._result: Tally | None = None

    def __repr__(self) -> str:
        return f"<Load {self.plan} exit={self._process.poll()}>"

    def look(self) -> Tally:
        """Return the tally so far, without single requests.

        Raises:
            BenchmarkError: The load is gone.
        """
        self._tell("look")
        return self._hear()

    def mark(self) -> None:
        """Have the first goodbye looked for from now on."""
        self._tell("mark")

    def stop(self) -> Tally:
        """End the load, wait for what is under way, and return the whole tally; the same one if called again.

        Raises:
            BenchmarkError: The load is gone.
        """
        if self._result is None:
            self._tell("stop")
            self._result = self._hear()
            self._process.wait(_STOP_SECONDS)
            self.kill()
        return self._result

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:  # what it was told and did not hear
                    continue

    def _tell(self, word: str) -> None:
        if self._process.stdin is None:
            raise AssertionError("The load has no input.")
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise BenchmarkError(f"The load ended with code {self._process.poll()}.") from error

    def _hear(self) -> Tally:
        line = "" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"The load ended with code {self._process.wait()}.")
        return Tally.from_json(json.loads(line))
