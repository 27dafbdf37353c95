"""Carries out what pages tell a reader to do, block by block, and checks that what they show is what comes.

A block whose title is the name of a file is saved. In one of ``console`` each line that begins with ``$`` is
typed, and what follows has to be printed. What ``srvctl run`` prints has to come, in order; it goes on in the
background. A block that begins with ``^C`` presses that key, and one of ``text`` shows more lines of what
runs. A block that the page says is not run is left out.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from tests.support.pages import blocks_of
from tests.support.private import PrivateDirectories
from tests.support.server import _SETTINGS
from tests.support.server_waits import PATIENCE, Lines, NeverHappened
from tests.support.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from tests.support.pages import Block

#: What may be asked again until it is as shown: it changes nothing, and a reader is slower than a worker.
_LOOKING: Final = re.compile(r"srvctl (status|why|events|logs)\b|curl ")
_ENDED: Final = "\x1e"
#: Instances of others may run on this machine, and srvctl would find them.
_PROGRAM: Final = """\
#!/bin/sh
name=$1
shift
case $name in
    run | start) set -- "$@" --port {port} ;;
    why) set -- "$@" --ledger-file "$(ls -t "$STATE_DIRECTORY"/*.ledger | head -n 1)" ;;
    status | reload | stop | events | logs | scale)
        set -- "$@" --control-socket "$RUNTIME_DIRECTORY"/*.sock ;;
esac
exec {python} -m srvctl "$name" "$@"
"""


class Walk:
    """A reader in a directory of their own.

    Args:
        directory: Where.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._shown = Shown(_free_port())
        self._server: subprocess.Popen[bytes] | None = None
        self._printed: Lines | None = None
        self._at = 0  #: lines of what runs that were compared

    def __enter__(self) -> Self:
        self._private = PrivateDirectories()
        programs = self._directory / "bin"
        programs.mkdir()
        program = programs / "srvctl"
        program.write_text(_PROGRAM.format(python=sys.executable, port=self._shown.port), encoding="utf-8")
        program.chmod(0o755)
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        self._env |= {
            **self._private.environ,
            "PATH": f"{programs}:{self._env['PATH']}",
            "HOME": str(self._directory),
            "LC_ALL": "C.UTF-8",
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for path in self._private.runtime.glob("*.sock"):
            self._bash(f"srvctl stop --now --control-socket {path}")
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGKILL)
            if self._printed is not None and kind is not None:
                print(f"--- what ran has printed:\n{self._printed.text}")
            self._forget_server()
        left = self._private.remove()
        assert kind is not None or not left, f"left behind: {left}"

    def follow(self, page: Path) -> int:
        """Carry out the blocks of a page.

        Returns:
            How many there were.
        """
        blocks = [block for block in blocks_of(page) if not block.reason]
        for block in blocks:
            try:
                self._carry_out(block)
            except AssertionError as error:
                raise AssertionError(f"{block.name}: {error}") from None
        return len(blocks)

    def _carry_out(self, block: Block) -> None:
        lines = block.text.splitlines()
        if block.language == "console" and lines[0] == "^C":
            assert self._server is not None, "nothing runs"
            os.killpg(self._server.pid, signal.SIGINT)  # as a terminal does
            self._expect(lines[1:])
            assert self._server.wait(PATIENCE) == 0
            self._forget_server()
        elif block.language == "console" and lines[0].startswith("$ srvctl run "):
            self._run(lines[0].removeprefix("$ "))
            self._expect(lines[1:])
        elif block.language == "console":
            self._type(lines)
        elif block.language == "text":
            self._expect(lines)
        else:
            assert "." in block.title, f"a block of {block.language} needs a file's name as its title"
            (self._directory / block.title).write_text(self._shown.real(block.text), encoding="utf-8")

    # -- what runs in the first terminal ---------------------------------------------------------------

    def _run(self, command: str) -> None:
        if self._server is not None:  # a page has stopped it in another way than with ^C
            self._forget_server()
        self._server = subprocess.Popen(
            f"exec {command}",
            shell=True,
            cwd=self._directory,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        assert self._server.stdout is not None
        self._printed, self._at = Lines(self._server.stdout, command), 0

    def _expect(self, lines: Sequence[str]) -> None:
        """Wait for lines of what runs, in order; others may come between them."""
        assert self._printed is not None, "nothing runs"
        deadline = time.monotonic() + PATIENCE
        for line in lines:
            while not self._advance(line):
                if time.monotonic() > deadline:
                    raise NeverHappened(f"what runs did not print: {line}")
                with contextlib.suppress(NeverHappened):
                    self._printed.wait("", count=len(self._printed.all) + 1, patience=0.2)

    def _advance(self, line: str) -> bool:
        assert self._printed is not None
        for at, printed in enumerate(self._printed.all[self._at :], self._at):
            if self._shown.matches(line, printed.text):
                self._at = at + 1
                return True
        return False

    def _forget_server(self) -> None:
        assert self._server is not None
        assert self._printed is not None
        self._server.wait(PATIENCE)
        self._printed.wait_end()
        self._server, self._printed = None, None

    # -- what is typed in the second one ---------------------------------------------------------------

    def _type(self, lines: Sequence[str]) -> None:
        commands: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith("$ "):
                commands.append((line.removeprefix("$ "), []))
            else:
                commands[-1][1].append(line)
        deadline = time.monotonic() + PATIENCE
        while (problem := self._differs(commands)) is not None:
            if time.monotonic() > deadline or not all(_LOOKING.match(command) for command, _ in commands):
                raise AssertionError(problem)

    def _differs(self, commands: Sequence[tuple[str, list[str]]]) -> str | None:
        """Type commands one after the other into one shell; say what is other than shown."""
        real = [self._shown.real(command) for command, _ in commands]
        # Each is followed by a mark with its exit code, which it also leaves for the next one.
        script = "".join(
            f"{command}\n{{ code=$?; printf '{_ENDED}%s{_ENDED}' $code; (exit $code); }}\n"
            for command in real
        )
        printed = self._bash(script).split(_ENDED)
        for at, (command, shown) in enumerate(commands):
            text, code = printed[2 * at], printed[2 * at + 1]
            if not self._shown.all_match(shown, text.splitlines()):
                wanted = "\n".join(shown)
                return f"$ {command}\nprinted:\n{text}\nand not:\n{wanted}"
            is_told = any(line.startswith("srvctl: error: ") for line in shown)
            if (code == "0") is is_told:
                return f"$ {command}\nended with exit code {code}"
        return None

    def _bash(self, script: str) -> str:
        bash = shutil.which("bash")
        assert bash is not None
        done = subprocess.run(
            [bash, "-c", script],
            cwd=self._directory,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=3 * PATIENCE,
            check=False,
        )
        return done.stdout.decode("utf-8", "replace")


def _free_port() -> int:
    """Return a port that is free, of those that the kernel gives to nobody by itself (ip(7))."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
