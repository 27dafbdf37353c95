"""The shipped units on a real systemd, with fewer rights: hardened, with a dynamic user, of a user."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.machine_root import DEMO, VENV
from tests.support.machine_service import PATIENT, SRVCTL, UNITS, exposure, running, stop

if TYPE_CHECKING:
    from tests.support.machine import Machine
    from tests.support.machine_service import Instance

# The first of these tests may have to build the machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

HARDENED = UNITS / "srvctl@.service.d" / "hardened.conf"
FASTAPI = "examples.fastapi_app:app"
#: With more that needs rights, or looks where others are.
SETTINGS = f"""{PATIENT}
console.bind = "127.0.0.1:9101"
console.hosts = ["test"]
workers.loop = "uvloop"
workers.nice = 3
workers.max_memory = "1GB"
"""
THRESHOLD = 2.0


def everything_works(blog: Instance) -> None:
    """Reload, replace a worker, write down its death, look at everything, upgrade."""
    machine = blog.machine
    with blog.connect() as client:
        assert json.loads(client.get("/hello/you").body)["name"] == "you"
    cursor = machine.cursor()
    assert blog.systemctl("reload").returncode == 0
    old, *_ = blog.workers()
    blog.kill("KILL", old)

    def are_two_others() -> bool:
        """Whether two serve, and none that was before is still there."""
        found = blog.status()["workers"]
        pids = [worker["pid"] for worker in found]
        return [worker["state"] for worker in found] == ["ready", "ready"] and old not in pids

    machine.wait_until(are_two_others, "the worker is replaced")
    machine.wait_until(
        lambda: f"{old}" in machine.try_run(SRVCTL, "why", "--name", blog.name).stdout, "its death is told"
    )
    machine.wait_until(
        lambda: all(one["rss"] > 2**20 and one["cpu_seconds"] > 0 for one in blog.status()["workers"]),
        "what each worker uses is told",
    )
    with machine.connect(("127.0.0.1", 9101)) as client:
        assert client.get("/readyz", "Connection: close").status == 200
    with machine.connect(("127.0.0.1", 9101)) as client:
        metrics = client.get("/metrics", "Connection: close").text
        shares = re.findall(r"^srvctl_pss_bytes\{.*\} (\S+)$", metrics, re.MULTILINE)
        assert [float(share) > 2**20 for share in shares] == [True, True]
    machine.run(SRVCTL, "upgrade", "--name", blog.name)
    machine.wait_until(lambda: len(blog.workers()) == 2, "all workers serve")
    assert blog.show("NRestarts") == "0"
    said = blog.journal(cursor).lower()
    assert [line for line in said.splitlines() if "not permitted" in line or "denied" in line] == []


def test_the_hardened_unit_serves_a_fastapi_application(machine: Machine) -> None:
    machine.write("/etc/systemd/system/srvctl@hard.service.d/hardened.conf", HARDENED.read_text())
    with running(machine, "hard", 8002, target=FASTAPI, settings=SETTINGS) as hard:
        everything_works(hard)
        assert exposure(machine, hard.unit) <= THRESHOLD
        status = machine.path(f"/proc/{hard.master}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "CapBnd:\t0000000000000000" in status


def test_the_unit_as_it_is_does_not_pass_for_hardened(machine: Machine) -> None:
    """Else the test above would say nothing of the drop-in."""
    with running(machine, "blog", 8001) as blog:
        assert exposure(machine, blog.unit) > THRESHOLD


def test_a_dynamic_user(machine: Machine) -> None:
    """Has its directories, its control socket and its ledger like any other."""
    options = {"unit": "DynamicUser=yes\nUser=\nGroup=", "target": FASTAPI, "settings": SETTINGS}
    with running(machine, "dyn", 8003, **options) as dyn:
        everything_works(dyn)
        assert machine.path("/var/lib/private/srvctl/dyn/dyn.ledger").exists()


def test_a_unit_of_a_user(machine: Machine) -> None:
    """It is started by the user's own systemd, with the user's file of settings and program."""
    machine.run("useradd", "--create-home", "--shell", "/bin/sh", "ada")
    uid = machine.run("id", "-u", "ada").strip()
    folders = ("", "/.local", "/.local/bin", "/.config", "/.config/srvctl")
    machine.run("install", "-d", "-o", "ada", *(f"/home/ada{folder}" for folder in folders))
    machine.run("ln", "-s", f"{VENV}/bin/srvctl", "/home/ada/.local/bin/srvctl")
    settings = f"app.target = {FASTAPI!r}\napp.dir = {DEMO!r}\nserver.bind = ['127.0.0.1:8004']\n"
    machine.write("/home/ada/.config/srvctl/blog.toml", settings)
    as_ada = ("runuser", "-u", "ada", "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}")
    systemctl = (*as_ada, "systemctl", "--user")
    machine.run("systemctl", "start", f"user@{uid}.service")
    try:
        started = machine.try_run(*systemctl, "start", "srvctl@blog.service")
        assert started.returncode == 0, machine.journal(f"user@{uid}.service")
        with machine.connect(("127.0.0.1", 8004)) as client:
            assert client.get("/", "Connection: close").status == 200
        machine.run(*systemctl, "reload", "srvctl@blog.service")
        assert machine.run(*systemctl, "is-active", "srvctl@blog.service").strip() == "active"
        machine.wait_until(
            lambda: "generation 2" in machine.run(*systemctl, "status", "srvctl@blog.service"),
            "the status has the generation",
        )
        assert json.loads(machine.run(*as_ada, SRVCTL, "status", "--json"))["name"] == "blog"
        assert machine.path(f"/run/user/{uid}/srvctl/blog.sock").is_socket()
        assert machine.path("/home/ada/.local/state/srvctl/blog.ledger").exists()
        machine.run(*systemctl, "stop", "srvctl@blog.service")
    finally:
        stop(machine, f"user@{uid}.service")
