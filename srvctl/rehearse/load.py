"""The load as the acts see it: a process, `generator`, that is started, given orders, and ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import srvctl
from srvctl.errors import SrvctlError
from srvctl.rehearse.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from srvctl.rehearse.schedule import LoadPlan

_LOOK: Final = 0.1
_END_SECONDS: Final = 0.5


class LoadError(SrvctlError):
    """The process that makes the load is gone."""


class Load:
    """A running load, until `end`. It begins at once, with the act of number 0: what belongs to none."""

    def __init__(self, plan: LoadPlan) -> None:
        self._acts = 0
        self._told = b""
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            # -P: what lies in the working directory must not stand for modules of Python's.
            [sys.executable, "-P", "-m", "srvctl.rehearse.generator", json.dumps(asdict(plan))],
            env={**os.environ, "PYTHONPATH": str(Path(srvctl.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # what a terminal sends is for who started it
        )

    def __repr__(self) -> str:
        return f"<Load acts={self._acts} exit={self._process.poll()}>"

    def begin_act(self) -> int:
        """Have what is due from now on belong to a new act, and return its number."""
        self._order(do="act")
        self._acts += 1
        return self._acts

    def let_leave(self) -> None:
        """Have connections that are refused from now on count as turned away, not as lost."""
        self._order(do="leave")

    def halt(self) -> None:
        """Have no more requests sent."""
        self._order(do="halt")

    def tally(self, act: int, meanwhile: Callable[[], None]) -> Tally:
        """Return what became of the requests of an act that is over, once that is known of all.

        Args:
            act: Its number.
            meanwhile: Is called now and then.

        Raises:
            LoadError: The process is gone.
        """
        self._order(do="tell", act=act)
        return Tally.from_json(json.loads(self._hear(meanwhile))["tally"])

    def wait_begun(self, meanwhile: Callable[[], None]) -> None:
        """Wait until requests are sent: on a busy machine an act could be over by then.

        Raises:
            LoadError: The process is gone.
        """
        self._hear(meanwhile)

    def end(self) -> None:
        """End it; a second time does nothing."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:  # an order that it did not read
                    continue
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hear(self, meanwhile: Callable[[], None]) -> bytes:
        """Return the next line that it says."""
        stdout = self._process.stdout
        if stdout is None:
            raise AssertionError("it has a pipe")
        while b"\n" not in self._told:
            if select.select([stdout], [], [], _LOOK)[0]:
                data = os.read(stdout.fileno(), 65536)
                if not data:
                    raise self._gone()
                self._told += data
            meanwhile()
        line, _, self._told = self._told.partition(b"\n")
        return line

    def _order(self, **values: Any) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise AssertionError("it has a pipe")
        try:
            stdin.write(json.dumps(values).encode() + b"\n")
            stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._gone() from None

    def _gone(self) -> LoadError:
        return LoadError(f"the process that makes the load ended with code {self._process.poll()}")
