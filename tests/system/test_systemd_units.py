"""What is shipped for systemd, and what `srvctl init systemd` makes, taken by a real systemd of today."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.machine_root import DEMO
from tests.support.machine_service import SRVCTL, exposure, stop

if TYPE_CHECKING:
    from tests.support.machine import Machine

# The first of these tests may have to build the machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

SYSTEM = "/etc/systemd/system"
SHIPPED = ("srvctl@.service", "srvctl@.socket", "srvctl-console@.socket")


def test_the_shipped_units_are_without_fault(machine: Machine) -> None:
    """There is the program that they name, and the user."""
    assert machine.run("systemd-analyze", "verify", *(f"{SYSTEM}/{name}" for name in SHIPPED)) == ""
    done = machine.try_run("systemd-analyze", "--user", "verify", "/etc/systemd/user/srvctl@.socket")
    assert [line for line in done.stderr.splitlines() if "srvctl" in line] == []


def test_the_shipped_files_make_the_user_and_the_directories(machine: Machine) -> None:
    user = machine.run("getent", "passwd", "srvctl").strip().split(":")
    assert user[-1].endswith("nologin")
    places = ("/etc/srvctl", "/run/srvctl", "/var/lib/srvctl")
    made = machine.run("stat", "--format", "%A %U:%G", *places).splitlines()
    assert made == ["drwxr-x--- root:srvctl", "drwxr-xr-x root:root", "drwxr-xr-x root:root"]


def test_units_of_init_run_as_they_are(machine: Machine) -> None:
    """Written, checked, and started by the command that it says comes next."""
    flags = ("--bind", "systemd:web", "--console", "systemd:console", "--hardened", "--name", "shop")
    words = ("init", "systemd", "examples.fastapi_app:app", *flags, "--workers", "2", "-o", SYSTEM)
    said = machine.run("env", f"--chdir={DEMO}", SRVCTL, *words).splitlines()
    units = ("shop.service", "shop.socket", "shop-console.socket")
    assert said[:3] == [f"Wrote {SYSTEM}/{unit}." for unit in units]
    assert said[3] == "systemd-analyze verify finds no fault."
    assert "Type=notify-reload\n" in machine.path(f"{SYSTEM}/shop.service").read_text()
    try:
        machine.run("sh", "-c", said[4].removeprefix("Next: "))
        with machine.connect(("127.0.0.1", 8000)) as client:
            assert json.loads(client.get("/hello/you", "Connection: close").body)["name"] == "you"
        with machine.connect(("127.0.0.1", 9100)) as client:
            client.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.read_response().status == 200
        machine.run("systemctl", "reload", "shop.service")
        assert machine.show("shop.service", "ActiveState") == "active"
        assert exposure(machine, "shop.service") <= 2.0

        def states() -> list[str]:
            status = json.loads(machine.run(SRVCTL, "status", "--name", "shop", "--json"))
            return [worker["state"] for worker in status["workers"]]

        machine.wait_until(lambda: states() == ["ready", "ready"], "the new workers serve, the old are gone")
    finally:
        stop(machine, *units)


def test_a_unit_of_init_opens_a_low_port_without_being_root(machine: Machine) -> None:
    words = ("init", "systemd", "examples.fastapi_app:app", "--bind", ":80", "--hardened", "--name", "low")
    said = machine.run("env", f"--chdir={DEMO}", SRVCTL, *words, "-o", SYSTEM).splitlines()
    try:
        machine.run("sh", "-c", said[-1].removeprefix("Next: "))
        with machine.connect(("127.0.0.1", 80)) as client:
            assert client.get("/", "Connection: close").status == 200
        status = machine.path(f"/proc/{machine.show('low.service', 'MainPID')}/status").read_text()
        assert re.findall(r"^Uid:\s+(\d+)", status, re.MULTILINE) != ["0"]
    finally:
        stop(machine, "low.service")


def test_init_says_what_systemd_finds(machine: Machine) -> None:
    """A program that is not there, say: the unit is made beside a Python that has no srvctl."""
    machine.run("mkdir", "-p", "/tmp/broken")
    code = "import srvctl.__main__, sys; sys.executable = '/missing/python'; sys.exit(srvctl.__main__.main())"
    python = Path(SRVCTL).with_name("python")
    words = ("-c", code, "init", "systemd", "examples.fastapi_app:app", "-o", "/tmp/broken/shop.service")
    done = machine.try_run("env", f"--chdir={DEMO}", str(python), *words)
    assert done.returncode == 5, done
    assert "systemd-analyze verify: shop.service: Command /missing/srvctl is not executable" in done.stdout
    assert "systemd finds fault with /tmp/broken/shop.service" in done.stderr
