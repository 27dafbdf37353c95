"""What is printed fits the terminal, and what it cannot show does no harm."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import termios

import pytest

from srvctl.cli.printing import terminal_width


@pytest.mark.parametrize("columns", ["", "0", "-3", "wide", "57"])
def test_the_width_is_what_the_standard_library_says(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal_width() == shutil.get_terminal_size().columns


@pytest.mark.parametrize("width", [0, 123])
def test_the_width_of_a_real_terminal(width: int) -> None:
    """One that does not know its own width has 80."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))  # ioctl_tty(2)
    code = (
        "import sys; from srvctl.cli.printing import terminal_width; print(terminal_width(), file=sys.stderr)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=theirs,
        stderr=subprocess.PIPE,
        check=True,
        env=environ,
    )
    os.close(ours)
    os.close(theirs)
    assert int(done.stderr) == (width or 80)
