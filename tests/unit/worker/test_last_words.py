"""The stacks on a board; more of them is tested with real processes, in test_vitals."""

from __future__ import annotations

import signal
import subprocess
import sys

from srvctl.ipc.scoreboard import DUMP_SIGNAL


def test_the_signal_is_nobody_elses() -> None:
    """Of the real-time signals, and not one that another part of the system has taken."""
    assert signal.SIGRTMIN + 4 < DUMP_SIGNAL < signal.SIGRTMAX
    assert DUMP_SIGNAL not in {int(number) for number in signal.Signals}


def test_a_system_without_real_time_signals_still_has_crashes(tmp_path: object) -> None:
    """In a process of its own, whose handlers may be changed."""
    code = (
        "import faulthandler, os, signal, tempfile\n"
        "signal.valid_signals = lambda: {signal.SIGTERM}\n"
        "from srvctl.worker.last_words import takes_dumps\n"
        "with tempfile.TemporaryFile() as file:\n"
        "    assert not takes_dumps(file.fileno())\n"
        "    assert faulthandler.is_enabled()\n"
        "    faulthandler.disable()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
