"""A machine whose process 1 is systemd, as a test sees it: commands, files, units, ports.

Commands run in it with the container's rights and no more: bare nsenter(1) would take along all of root's,
with which the machine around it can be changed from there (its clock, say).
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.client import Connection
from tests.support.in_network import in_network
from tests.support.server_waits import PATIENCE, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.support.client import Address

_CAPABILITIES: Final = 41
_ENVIRON: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}


class Machine:
    """Such a machine, while it runs.

    Args:
        name: What its network and its cgroup are called.
        leader: Its process 1, as it is seen from outside.
    """

    def __init__(self, name: str, leader: int) -> None:
        self._name = name
        self._leader = leader
        status = Path(f"/proc/{leader}/status").read_text()
        [left] = [int(bits, 16) for bits in re.findall(r"^CapBnd:\s*(\w+)", status, re.MULTILINE)]
        dropped = ",".join(f"-cap_{number}" for number in range(_CAPABILITIES) if not left >> number & 1)
        self._enter = [
            *("nsenter", "--target", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"),
            *("setpriv", "--bounding-set", dropped, "--inh-caps", dropped, "--"),
            *("env", "-i", *(f"{name}={value}" for name, value in _ENVIRON.items())),
        ]

    # -- commands --------------------------------------------------------------------------------------

    def try_run(self, *words: str, timeout: float = 3 * PATIENCE) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end."""
        command = [*self._enter, *words]
        return subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def run(self, *words: str, timeout: float = 3 * PATIENCE) -> str:
        """Run a command in it that has to succeed, and return what it printed."""
        done = self.try_run(*words, timeout=timeout)
        assert done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a command in it, which the caller waits for."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self._enter, *words], stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    # -- files -----------------------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """Return where a file of it is found from outside."""
        return Path(f"/proc/{self._leader}/root", inside.lstrip("/"))

    def write(self, inside: str, text: str, mode: int = 0o644) -> None:
        """Write one of its files."""
        place = self.path(inside)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    # -- units -----------------------------------------------------------------------------------------

    def show(self, unit: str, name: str) -> str:
        """Return what systemd says of a unit under a property's name."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def wait_show(self, unit: str, name: str, wanted: str | Callable[[str], bool]) -> str:
        """Wait until a property has this value, or one that is right; return it."""
        is_right = wanted.__eq__ if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + PATIENCE
        while not is_right(value := self.show(unit, name)):
            if time.monotonic() > deadline:
                raise NeverHappened(f"{name} of {unit} stays {value!r}\n{self.journal(unit)}")
            time.sleep(0.05)
        return value

    def wait_until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so that only asking again tells."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            if time.monotonic() > deadline:
                raise NeverHappened(what)
            time.sleep(0.05)

    def pids(self, unit: str) -> list[int]:
        """Return the processes of a unit, by its own numbers of processes."""
        group = self.show(unit, "ControlGroup")
        if not group:
            return []
        words = ("find", f"/sys/fs/cgroup{group}", "-name", "cgroup.procs", "-exec", "cat", "{}", "+")
        return [int(pid) for pid in self.try_run(*words).stdout.split()]  # it may be gone meanwhile

    def journal(self, unit: str, since: str = "") -> str:
        """Return what a unit, and systemd about it, has written; with a cursor, since then."""
        self.run("journalctl", "--sync")
        after = ["--after-cursor", since] if since else []
        return self.run("journalctl", "--output", "cat", "--unit", unit, *after)

    def cursor(self) -> str:
        """Return a place in the journal."""
        self.run("journalctl", "--sync")
        [line] = self.run("journalctl", "--lines", "1", "--output", "json").splitlines()
        return str(json.loads(line)["__CURSOR"])

    def wait_journal(self, unit: str, text: str, since: str = "") -> str:
        """Wait until a text is in there, and return all of it."""
        deadline = time.monotonic() + PATIENCE
        while text not in (found := self.journal(unit, since)):
            if time.monotonic() > deadline:
                raise NeverHappened(f"{text!r} is not in the journal of {unit}:\n{found}")
            time.sleep(0.05)
        return found

    # -- network ---------------------------------------------------------------------------------------

    def network(self) -> AbstractContextManager[None]:
        """Have the sockets that this thread makes be in its network."""
        return in_network(self._leader)

    def connect(self, address: Address) -> Connection:
        """Connect to one of its ports."""
        with self.network():
            return Connection(address)
