"""Boots a machine of its own whose process 1 is systemd, in a container, in a second; it leaves nothing.

It has its own network, processes, cgroups and files; what it writes is in memory and gone with it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.support.machine import Machine
from tests.support.machine_root import NoMachine, layers
from tests.support.server_waits import FACTOR, NeverHappened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PREFIX: Final = "srvctl-machine-"
_PROGRAMS: Final = ("systemd-nspawn", "ip", "nsenter", "unshare", "setpriv")
_BOOT: Final = 60.0 * FACTOR
_NUMBERS: Final = itertools.count(1)
#: What becomes the container: in a cgroup of its own, with all it writes in memory. The mounts are seen by
#: nobody else, and end with it; so does it itself, politely, when the tests are killed (PR_SET_PDEATHSIG).
_SCRIPT: Final = """
    echo $$ >"$1/cgroup.procs"
    mount -t tmpfs -o mode=755 tmpfs "$2"
    mkdir "$2/upper" "$2/work" "$2/root"
    mount -t overlay -o "lowerdir=$3,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
    chmod 755 "$2/upper"
    shift 3
    exec setpriv --pdeathsig TERM systemd-nspawn "$@"
"""


# -- from boot to power-off ------------------------------------------------------------------------------


@contextlib.contextmanager
def booted() -> Iterator[Machine]:
    """Boot one, and switch it off; skip the test, with the reason, where there can be none."""
    with contextlib.ExitStack() as stack:
        try:
            machine = stack.enter_context(_booted())
        except NoMachine as reason:
            pytest.skip(f"no systemd to test on: {reason}")
        yield machine


@contextlib.contextmanager
def _booted() -> Iterator[Machine]:
    if os.geteuid():
        raise NoMachine("only root can boot a container")
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            raise NoMachine(f"{program} is not installed")
    _remove_leftovers()
    with contextlib.ExitStack() as stack:
        below = stack.enter_context(layers())
        # Each has another name: what the kernel has not yet taken away of the last one is in nobody's way.
        name = f"{_PREFIX}{os.getpid()}-{next(_NUMBERS)}"
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix=name))
        group = _cgroups()[0] / name
        stack.callback(_remove_groups, name)
        group.mkdir()
        stack.callback(_ip, "netns", "delete", name, check=False)
        _ip("netns", "add", name)
        _ip("-netns", name, "link", "set", "lo", "up")
        with tempfile.TemporaryFile("w+") as console:
            process = subprocess.Popen(
                _command(name, group, place, below),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                process_group=0,  # a Ctrl-C is obeyed by switching it off
            )
            stack.callback(_power_off, process)
            try:
                machine = Machine(name, _wait_leader(process))
                _wait_booted(machine)
            except NeverHappened as error:
                console.seek(0)
                raise NoMachine(f"{error}: {' | '.join(console.read().splitlines()[-3:])}") from error
            yield machine


def _command(name: str, group: Path, place: str, below: Sequence[Path]) -> list[str]:
    return [
        *("unshare", "--mount", "--propagation", "private", "sh", "-ec", _SCRIPT, "sh"),
        *(str(group), place, ":".join(map(str, below))),
        *("--quiet", f"--directory={place}/root", f"--machine={name}", "--register=no", "--keep-unit"),
        *(f"--network-namespace-path=/run/netns/{name}", "--resolv-conf=off", "--timezone=off"),
        *("--link-journal=no", "--kill-signal=SIGRTMIN+3", "--boot", "systemd.unit=multi-user.target"),
        *("systemd.mask=console-getty.service", "systemd.log_target=journal"),
    ]


def _cgroups() -> list[Path]:
    """Return where cgroups are made (cgroups(7)): of version 2, and of version 1 where systemd has one."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    unified = [Path(place) for _, place, kind, *_ in lines if kind == "cgroup2"]
    if not unified:
        raise NoMachine("there are no cgroups of version 2")
    named = [Path(line[1]) for line in lines if line[2] == "cgroup" and "name=systemd" in line[3].split(",")]
    return [*unified, *named]


def _wait_leader(process: subprocess.Popen[bytes]) -> int:
    """Wait for its process 1, which is two forks below."""
    deadline = time.monotonic() + _BOOT
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            for child in psutil.Process(process.pid).children(recursive=True):
                status = Path(f"/proc/{child.pid}/status").read_text()
                if child.name() == "systemd" and re.search(r"^NSpid:.*\s1$", status, re.MULTILINE):
                    return child.pid
        time.sleep(0.02)
    raise NeverHappened("the container did not start")


def _wait_booted(machine: Machine) -> None:
    deadline = time.monotonic() + _BOOT
    state = ""
    while time.monotonic() < deadline:
        state = machine.try_run("systemctl", "is-system-running", "--wait").stdout.strip()
        if state in {"running", "degraded"}:
            return
        time.sleep(0.05)
    raise NeverHappened(f"the container did not boot (its state is {state!r})")


def _power_off(process: subprocess.Popen[bytes]) -> None:
    """Switch it off by SIGTERM, which systemd-nspawn passes on; pull the plug where it does not obey."""
    process.terminate()
    try:
        process.wait(_BOOT)
    except subprocess.TimeoutExpired:
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
        process.kill()
        process.wait()


def _remove_groups(name: str) -> None:
    for place in _cgroups():
        _remove_folders(place / name)


def _remove_folders(top: Path) -> None:
    for folder, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)


def _remove_leftovers() -> None:
    """Remove what runs have left that were killed; the numbers of their processes are in the names."""
    networks = Path("/run/netns")
    for folder in (*_cgroups(), networks, Path(tempfile.gettempdir())):
        for left in folder.glob(f"{_PREFIX}*"):
            pid = left.name.removeprefix(_PREFIX).partition("-")[0]
            if Path("/proc", pid).exists():
                continue
            if folder == networks:
                _ip("netns", "delete", left.name, check=False)
            else:
                _remove_folders(left)
