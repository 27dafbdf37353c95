"""How a micro-benchmark measures: µs of CPU for each operation, and instructions, which no noise reaches.

A stage is a factory of something that does its operation a number of times. Instructions are counted by
callgrind (``apt install valgrind``) in two runs of different size, whose difference leaves out the start of
the interpreter and the first sights.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from time import process_time_ns
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COLLECTED: Final = re.compile(r"Collected\s*:\s*(\d+)")
_CALLGRIND_SECONDS: Final = 300.0
_FEW: Final = 1000  #: operations of the smaller run that is counted; the larger one does twice as many
_WARM_UP: Final = 200


@dataclass(frozen=True, slots=True)
class Stage:
    """One operation.

    Attributes:
        name: What the table and ``--only`` call it.
        make: Returns what does it a number of times, with everything it needs at hand.
    """

    name: str
    make: Callable[[], Callable[[int], object]]


def microseconds(stages: Sequence[Stage], *, rounds: int, operations: int) -> dict[str, float]:
    """Return the CPU time of one operation of each stage, in the best of the rounds."""
    runs = {stage.name: stage.make() for stage in stages}
    for run in runs.values():
        run(_WARM_UP)
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(rounds):  # stages take turns, so that what else the machine does hits them alike
        for name, run in runs.items():
            start = process_time_ns()
            run(operations)
            best[name] = min(best[name], (process_time_ns() - start) / operations / 1000)
    return best


def instructions(module: str, stage: str) -> float:
    """Return the instructions of one operation: the difference of two runs in processes of their own.

    Raises:
        OSError: valgrind failed.
    """
    return (_count(module, stage, 2 * _FEW) - _count(module, stage, _FEW)) / _FEW


def _count(module: str, stage: str, operations: int) -> int:
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    work = [sys.executable, "-m", module, "--only", stage, "--operations", str(operations), "--once"]
    # Equal hashes make equal dictionaries: runs then differ by their size alone.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [*valgrind, *work],
        capture_output=True,
        text=True,
        check=False,
        timeout=_CALLGRIND_SECONDS,
        env=environment,
    )
    found = _COLLECTED.search(done.stderr)
    if done.returncode != 0 or found is None:
        raise OSError(f"valgrind exited with code {done.returncode}: {done.stderr.strip()[-500:]}")
    return int(found[1])


def main(module: str, stages: Sequence[Stage], arguments: Sequence[str] | None = None) -> int:
    """Print a line for each stage and return the exit code: 2 when valgrind is asked for and missing."""
    options = _parser(module, stages).parse_args(arguments)
    chosen = [stage for stage in stages if options.only in {None, stage.name}]
    if options.once:
        for stage in chosen:
            stage.make()(_WARM_UP + options.operations)
        return 0
    if options.instructions and shutil.which("valgrind") is None:
        print("valgrind is not installed; install the package 'valgrind'.", file=sys.stderr)
        return 2
    times = microseconds(chosen, rounds=options.rounds, operations=options.operations)
    print(f"{'':24}{'µs':>10}" + (f"{'instructions':>16}" if options.instructions else ""))
    for name, time in times.items():
        counted = f"{instructions(module, name):16,.0f}" if options.instructions else ""
        print(f"{name:24}{time:10.2f}{counted}", flush=True)
    return 0


def _parser(module: str, stages: Sequence[Stage]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description="Measure one stage of a request."
    )
    parser.add_argument("--only", choices=[stage.name for stage in stages], help="measure this one alone")
    parser.add_argument("--rounds", type=int, default=30, help="take the best of this many (default 30)")
    parser.add_argument("--operations", type=int, default=1000, help="in each round (default 1000)")
    parser.add_argument("--instructions", action="store_true", help="count them too; needs valgrind")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)  # what valgrind counts
    return parser
