"""Instances of the shipped unit templates on a machine: each has a file of settings, and an application."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.client_load import Load
from tests.support.machine_root import DEMO, VENV
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client import Address, Connection
    from tests.support.machine import Machine

UNITS: Final = Path(__file__).parents[2] / "systemd"
SRVCTL: Final = f"{VENV}/bin/srvctl"
_SYSTEM: Final = "/etc/systemd/system"
#: Where each shipped file goes, as docs/how-to/systemd.md says.
_PLACES: Final = {
    "srvctl@.service": _SYSTEM,
    "srvctl@.socket": _SYSTEM,
    "srvctl-console@.socket": _SYSTEM,
    "user/srvctl@.service": "/etc/systemd/user",
    "user/srvctl@.socket": "/etc/systemd/user",
}
_RENAMED: Final = {
    "srvctl.sysusers.conf": "/etc/sysusers.d/srvctl.conf",
    "srvctl.tmpfiles.conf": "/etc/tmpfiles.d/srvctl.conf",
}
_ENVIRON: Final = "PYTHONDONTWRITEBYTECODE=1\nPYTHONUNBUFFERED=1\n"
#: Nothing but an event ends a connection, however slow the machine is.
PATIENT: Final = """
timeouts.drain_idle = 600
timeouts.keep_alive = 600
timeouts.request_head = 600
"""
APP: Final = "from tests.support.apps.basic import make_app\n\napp = make_app({version!r})\n"


def install(machine: Machine) -> None:
    """Install the shipped files, as the documentation tells."""
    for name, folder in _PLACES.items():
        machine.write(f"{folder}/{Path(name).name}", (UNITS / name).read_text())
    for name, path in _RENAMED.items():
        machine.write(path, (UNITS / name).read_text())
    machine.run("systemd-sysusers")
    machine.run("systemd-tmpfiles", "--create", "srvctl.conf")
    machine.run("systemctl", "daemon-reload")


class Instance:
    """One instance of the templates, with an application that says its version.

    Args:
        machine: Where.
        name: Its name.
        port: Its port.
        bind: What its file says it listens on; its port, if nothing else.
        settings: Further TOML, of dotted keys.
        unit: Further lines for [Service].
        target: Its application; one of its own, of version 1, if none is named.
        workers: How many it has.
    """

    def __init__(
        self,
        machine: Machine,
        name: str,
        port: int,
        *,
        bind: str = "",
        settings: str = PATIENT,
        unit: str = "",
        target: str = "",
        workers: int = 2,
    ) -> None:
        self.machine, self.name, self.port = machine, name, port
        self.unit = f"srvctl@{name}.service"
        self.bind = bind or f"127.0.0.1:{port}"
        self._target = target or f"app_{name}:app"
        self._settings = f"workers.count = {workers}\n{settings}\n"
        self.deploy("1")
        self.configure()
        lines = f"[Service]\nWorkingDirectory={DEMO}\n{unit}\n"
        machine.write(f"{_SYSTEM}/{self.unit}.d/test.conf", lines)
        machine.write(f"/etc/srvctl/{name}.env", _ENVIRON)
        machine.run("systemctl", "daemon-reload")

    # -- what it is made of ----------------------------------------------------------------------------

    def deploy(self, version: str, code: str = APP) -> None:
        """Write its application."""
        self.machine.write(f"{DEMO}/app_{self.name}.py", code.format(version=version))

    def configure(self, further: str = "") -> None:
        """Write its file of settings."""
        text = f"app.target = {self._target!r}\nserver.bind = [{self.bind!r}]\n{further}\n"
        self.machine.write(f"/etc/srvctl/{self.name}.toml", text + self._settings)

    def socket(self, template: str, address: str) -> str:
        """Have systemd listen; return the unit, which is yet to be started."""
        unit = template.replace("@", f"@{self.name}")
        text = f"[Socket]\nListenStream=\nListenStream={address}\n"
        self.machine.write(f"{_SYSTEM}/{unit}.d/test.conf", text)
        self.machine.run("systemctl", "daemon-reload")
        return unit

    # -- its life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, which returns when it serves."""
        done = self.systemctl("start")
        assert done.returncode == 0, f"{done.stderr}\n{self.journal()}"

    def systemctl(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Ask systemd something of it, and wait for the answer."""
        return self.machine.try_run("systemctl", verb, self.unit)

    def show(self, name: str) -> str:
        """Return one of its properties."""
        return self.machine.show(self.unit, name)

    @property
    def master(self) -> int:
        """Its main process."""
        return int(self.show("MainPID"))

    @property
    def state(self) -> str:
        """What systemd thinks of it."""
        return self.show("ActiveState")

    def kill(self, signal: str, *pids: int) -> None:
        """Signal processes of it, by their numbers in the machine."""
        self.machine.run("kill", f"-{signal}", *map(str, pids))

    def status(self) -> dict[str, Any]:
        """Return what it says of itself to operators."""
        return dict(json.loads(self.machine.run(SRVCTL, "status", "--name", self.name, "--json")))

    def workers(self) -> list[int]:
        """Return its workers that serve."""
        return [worker["pid"] for worker in self.status()["workers"] if worker["state"] == "ready"]

    def journal(self, since: str = "") -> str:
        """Return what was logged by it and of it."""
        return self.machine.journal(self.unit, since)

    # -- its clients -----------------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """Where it listens."""
        if self.bind.startswith("unix:"):
            return str(self.machine.path(self.bind.removeprefix("unix:").partition("?")[0]))
        return ("127.0.0.1", self.port)

    def connect(self) -> Connection:
        """Connect to it."""
        return self.machine.connect(self.address)

    def get(self, target: str = "/") -> str:
        """Ask it for a page."""
        with self.connect() as connection:
            return connection.get(target, "Connection: close").text

    def load(self, *, keeping: int = 2, renewing: int = 2) -> Load:
        """Have clients ask it all the time."""
        return Load(self.address, keeping=keeping, renewing=renewing, connect=self.machine.connect)


@contextlib.contextmanager
def running(machine: Machine, name: str, port: int, **options: Any) -> Iterator[Instance]:
    """Start an instance, and stop it; nothing of it is left then."""
    instance = Instance(machine, name, port, **options)
    try:
        instance.start()
        yield instance
    finally:
        stop(machine, instance.unit)


def stop(machine: Machine, *units: str) -> None:
    """Stop units, by force where they do not obey; nothing of them is left then."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        machine.try_run("systemctl", "stop", *units, timeout=PATIENCE)
    machine.try_run("systemctl", "kill", "--signal=KILL", *units)
    machine.try_run("systemctl", "stop", *units)
    machine.try_run("systemctl", "reset-failed", *units)
    assert [pid for unit in units for pid in machine.pids(unit)] == []


def exposure(machine: Machine, unit: str) -> float:
    """Return what `systemd-analyze security` finds: 0 for what may do nothing, 10 for what may do all."""
    said = machine.run("systemd-analyze", "security", "--no-pager", unit)
    [number] = re.findall(r"Overall exposure level for .*: (\d+\.\d)", said)
    return float(number)
