"""Parts that are programs of their own: what they print is what they found."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Final

from benchmarks.errors import BenchmarkError
from benchmarks.processes import ROOT, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

#: They stop their servers within this time when they are told to end.
_STOP_SECONDS: Final = 60.0


def output_of(module: str, arguments: Sequence[str]) -> str:
    """Run a module with this interpreter and return what it printed; its progress goes to our own.

    Whatever ends us ends it, too, and is not over before it has stopped its servers.

    Raises:
        BenchmarkError: It ended with another exit code than 0, or 1 for a mark that was missed.
    """
    command = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryFile() as printed:
        # A session of its own: Ctrl-C reaches us alone, and it hears of it once.
        with subprocess.Popen(command, cwd=ROOT, stdout=printed, start_new_session=True) as process:
            try:
                code = process.wait()
            except BaseException:
                with uninterrupted():
                    process.terminate()
                    _wait(process)
                raise
        printed.seek(0)
        text = printed.read().decode(errors="replace").strip("\n")
    if code not in {0, 1} or not text:
        raise BenchmarkError(f"python -m {module} ended with exit code {code}; what it said is above.")
    return text


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
