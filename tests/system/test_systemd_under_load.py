"""The shipped units on a real systemd, while clients ask all the time: what reloads and crashes cost them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.machine_service import PATIENT, SRVCTL, Instance, running, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.client_load import Load
    from tests.support.machine import Machine

# The first of these tests may have to build the machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture
def blog(machine: Machine) -> Iterator[Instance]:
    """An instance that opens its port itself."""
    with running(machine, "blog", 8001) as blog:
        yield blog


@pytest.fixture
def local(machine: Machine) -> Iterator[Instance]:
    """An instance that makes a Unix socket, which is also a file, in the directory that systemd gives it."""
    bind = "unix:/run/srvctl/local/web.sock?mode=666"
    with running(machine, "local", 0, bind=bind) as local:
        yield local


@pytest.fixture
def activated(machine: Machine) -> Iterator[Instance]:
    """An instance to which systemd passes its port."""
    shop = Instance(machine, "shop", 8002, bind="systemd:web")
    unit = shop.socket("srvctl@.socket", "127.0.0.1:8002")
    machine.run("systemctl", "start", unit)
    try:
        shop.start()
        yield shop
    finally:
        stop(machine, unit, shop.unit)


def refused(load: Load) -> list[object]:
    """Return the requests that nobody has listened to."""
    return [lost for lost in load.lost if lost.how in {"refused", "late", "wrong"}]


def test_a_reload_loses_no_request(blog: Instance) -> None:
    """And the command returns when the new workers serve."""
    with blog.load() as load:
        load.wait_answered(20, "1")
        blog.deploy("2")
        assert blog.systemctl("reload").returncode == 0
        assert blog.get() == "2"
        assert blog.state == "active"
        load.wait_answered(20, "2")
    assert load.lost == []


def test_a_reload_that_fails_changes_nothing(blog: Instance) -> None:
    """The line of the status has the reason, and the old workers serve."""
    master, workers = blog.master, blog.workers()
    with blog.load() as load:
        load.wait_answered(20, "1")
        blog.deploy("", "raise RuntimeError('a typo')\n")
        # Type=notify-reload knows no reload that fails: this one has ended.
        assert blog.systemctl("reload").returncode == 0
        assert blog.machine.try_run(SRVCTL, "reload", "--name", "blog").returncode == 5
        # The command is answered by srvctl, and systemd hears of it in its own time.
        blog.machine.wait_show(blog.unit, "SubState", "running")
        assert blog.state == "active"
        blog.machine.wait_show(blog.unit, "StatusText", lambda text: "Reload failed" in text)
        assert "raised RuntimeError" in blog.show("StatusText")
        load.wait_answered(20, "1")
    assert load.lost == []
    assert (blog.master, sorted(blog.workers())) == (master, sorted(workers))


@pytest.mark.parametrize("name", ["blog", "local", "activated"])
def test_a_restart_refuses_nobody(request: pytest.FixtureRequest, name: str) -> None:
    """Clients wait in the queue, which systemd keeps: by the .socket unit, or in its store of descriptors."""
    instance: Instance = request.getfixturevalue(name)
    old = instance.master
    with instance.load() as load:
        load.wait_answered(20)
        assert instance.systemctl("restart").returncode == 0
        load.wait_answered(20)
    assert instance.master != old
    assert load.lost == []


@pytest.mark.parametrize("name", ["blog", "local", "activated"])
def test_a_killed_master_is_started_again_and_refuses_nobody(
    request: pytest.FixtureRequest, name: str
) -> None:
    """What its workers were answering is lost with them; who connects meanwhile waits in the queue."""
    instance: Instance = request.getfixturevalue(name)
    old, workers = instance.master, set(instance.workers())
    with instance.load(keeping=0, renewing=4) as load:
        load.wait_answered(20)
        instance.kill("KILL", old)
        instance.machine.wait_show(instance.unit, "NRestarts", "1")
        instance.machine.wait_show(instance.unit, "ActiveState", "active")
        load.wait_answered(20)
    assert refused(load) == []
    assert instance.master != old
    assert not workers & set(instance.machine.pids(instance.unit))


def test_the_first_request_starts_the_service(machine: Machine) -> None:
    """Two sockets of two units, which srvctl tells apart by their names."""
    settings = f'{PATIENT}\nconsole.bind = "systemd:console"\n'
    shop = Instance(machine, "shop", 8002, bind="systemd:web", settings=settings)
    sockets = [
        shop.socket("srvctl@.socket", "127.0.0.1:8002"),
        shop.socket("srvctl-console@.socket", "127.0.0.1:9102"),
    ]
    machine.run("systemctl", "start", *sockets)
    try:
        assert shop.state == "inactive"
        assert shop.get() == "1"
        machine.wait_show(shop.unit, "ActiveState", "active")
        with machine.connect(("127.0.0.1", 9102)) as client:
            assert client.get("/livez").status == 200
        assert "which no bind names" not in shop.journal()
    finally:
        stop(machine, *sockets, shop.unit)


def test_an_upgrade_is_the_same_service(blog: Instance) -> None:
    """The main process stays what it is to systemd, and nobody is refused."""
    old, workers = blog.master, blog.workers()
    with blog.load() as load:
        load.wait_answered(20)
        blog.machine.run(SRVCTL, "upgrade", "--name", "blog")
        load.wait_answered(20)
    assert load.lost == []
    blog.machine.wait_show(blog.unit, "ActiveState", "active")  # it may hear of the end after the command
    assert (blog.master, blog.show("NRestarts")) == (old, "0")
    assert sorted(workers) == sorted(blog.workers())
    assert blog.systemctl("reload").returncode == 0
