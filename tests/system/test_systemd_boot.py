"""The shipped units on a real systemd: start, failures, stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.machine_service import SRVCTL, Instance, running, stop
from tests.support.server_waits import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machine import Machine

# The first of these tests may have to build the machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

WHY = (SRVCTL, "why")
#: An application that waits on import.
HELD = "from tests.support.apps.basic import gate, make_app\n\ngate({version})\napp = make_app('held')\n"


@pytest.fixture
def gate(machine: Machine) -> Iterator[Gate]:
    """A gate in the machine."""
    with machine.network():
        gate = Gate()
    with gate:
        yield gate


def test_a_start_returns_when_the_workers_serve(machine: Machine, gate: Gate) -> None:
    """Not before: what holds up the application holds up `systemctl start`."""
    blog = Instance(machine, "blog", 8001)
    blog.deploy(str(gate.port), HELD)
    start = machine.begin("systemctl", "start", blog.unit)
    with start:
        try:
            visitor = gate.wait_visitor()
            assert (blog.state, start.poll()) == ("activating", None)
            visitor.let_pass()
            assert start.wait() == 0
            assert blog.state == "active"
            assert blog.get() == "held"
            assert len(blog.workers()) == 2
        finally:
            stop(machine, blog.unit)


def test_what_it_keeps_is_in_directories_of_its_own(machine: Machine) -> None:
    """Two instances of two users share none."""
    with running(machine, "blog", 8001) as blog:
        [worker, _] = blog.workers()
        blog.kill("KILL", worker)
        machine.wait_journal(blog.unit, f"{worker}")
        folder = machine.path("/var/lib/srvctl")
        assert [str(path.relative_to(folder)) for path in folder.rglob("*.ledger")] == ["blog/blog.ledger"]
        assert [path.name for path in machine.path("/run/srvctl/blog").glob("*.sock")] == ["blog.sock"]
        machine.wait_until(lambda: str(worker) in machine.run(*WHY, "--name", "blog"), "its death is told")
    assert str(worker) in machine.run(*WHY, "--name", "blog")
    assert str(worker) in machine.run(*WHY)


def test_an_application_that_fails_is_tried_again(machine: Machine) -> None:
    """The command says that it failed; systemd has seen exit status 3."""
    blog = Instance(machine, "blog", 8001)
    blog.deploy("", "raise RuntimeError('no database')\n")
    try:
        assert blog.systemctl("start").returncode == 1
        machine.wait_show(blog.unit, "ExecMainStatus", "3")
        assert "no database" in blog.journal()
        # Empty while systemd has the next one started.
        machine.wait_show(blog.unit, "StatusText", lambda text: "RuntimeError" in text)
        machine.wait_show(blog.unit, "NRestarts", lambda count: int(count) >= 2)
        blog.deploy("2")
        machine.wait_show(blog.unit, "ActiveState", "active")
        assert blog.get() == "2"
    finally:
        stop(machine, blog.unit)


def test_a_wrong_file_of_settings_is_not_tried_again(machine: Machine) -> None:
    """Until somebody edits it."""
    blog = Instance(machine, "blog", 8001)
    blog.configure("server.bakclog = 3")
    try:
        assert blog.systemctl("start").returncode == 1
        assert blog.state == "failed"
        assert (blog.show("ExecMainStatus"), blog.show("NRestarts")) == ("78", "0")
        assert "server.bakclog" in blog.journal()
        assert "The configuration is wrong" in blog.show("StatusText")
    finally:
        stop(machine, blog.unit)


def test_a_unit_for_an_older_systemd_reloads(machine: Machine) -> None:
    """As its comments say: the command returns at once, and the state says how far it is."""
    unit = "Type=notify\nExecReload=/bin/kill -HUP $MAINPID\nRestartSec=2"
    with running(machine, "blog", 8001, unit=unit) as blog:
        blog.deploy("2")
        assert blog.systemctl("reload").returncode == 0
        machine.wait_until(lambda: blog.get() == "2", "the new code serves")
        machine.wait_show(blog.unit, "ActiveState", "active")


def test_a_stop_waits_for_requests_and_leaves_nothing(machine: Machine, gate: Gate) -> None:
    with running(machine, "blog", 8001) as blog, blog.connect() as client:
        client.send_get(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        since = machine.cursor()
        ending = machine.begin("systemctl", "stop", blog.unit)
        with ending:
            machine.wait_show(blog.unit, "ActiveState", "deactivating")
            visitor.let_pass()
            assert client.read_response().text == "held"
            assert ending.wait() == 0
        assert (blog.state, blog.show("Result")) == ("inactive", "success")
        assert machine.pids(blog.unit) == []
        said = blog.journal(since)
        assert "Stopped: served 1, cut 0." in said
        assert "Deactivated successfully" in said
        assert "Killing process" not in said


def test_a_drain_may_be_longer_than_the_unit_says(machine: Machine, gate: Gate) -> None:
    """srvctl asks for the time that it needs, for as long as it waits for a request."""
    unit = "TimeoutStopSec=8"
    with running(machine, "blog", 8001, unit=unit) as blog, blog.connect() as client:
        client.send_get(f"/hold?gate={gate.port}")
        visitor = gate.wait_visitor()
        ending = machine.begin("systemctl", "stop", blog.unit)
        with ending:
            opening = threading.Timer(16.0, visitor.let_pass)  # twice as long as the unit says
            opening.start()
            assert client.read_response().text == "held"
            opening.join()
            assert ending.wait() == 0
        assert (blog.state, blog.show("Result")) == ("inactive", "success")
