"""srvctl as the entrypoint of a container: the image of ``configs/docker``, run by a real OCI runtime.

Without one, `test_as_init` has at least srvctl as the first process of a PID namespace.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
import pytest
import yaml

from tests.support.client import Connection, ConnectionEnded
from tests.support.client_load import PATIENT, Load
from tests.support.commands import srvctl
from tests.support.container import PORT
from tests.support.podman import podman
from tests.support.supervised import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.container import Container
    from tests.support.podman import Podman

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]  # the first time, Debian is fetched

ROOT: Final = Path(__file__).parents[2]
SHOP: Final = "localhost/shop"
AILING: Final = ("tests.support.apps.ailing:app", f"--bind=:{PORT}")
SHELL: Final = r"A shell \((.*)\) is process 1 of this container and passes no signal on"
CUT: Final = (ConnectionError, ConnectionEnded)  #: what the client of a worker sees that dies
#: A user that no file of the image knows, who may write nowhere, and do nothing that takes a right.
NOBODY: Final = (
    *("--user=23456:23456", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all"),
    "--security-opt=no-new-privileges",
)


@pytest.fixture(scope="module")
def runtime() -> Iterator[Podman]:
    with podman() as found:
        yield found


@pytest.fixture(scope="module")
def shop(runtime: Podman, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Build the image of ``configs/docker``, of an example and what tests serve."""
    context = tmp_path_factory.mktemp("shop")
    shutil.copytree(ROOT / "configs/docker", context, dirs_exist_ok=True)
    shutil.copy(ROOT / "examples/fastapi_hello.py", context / "main.py")
    shutil.copytree(ROOT / "tests/support/apps", context / "tests/support/apps")
    (context / "requirements.txt").write_text("fastapi\n")
    (context / ".env").write_text("SECRET=1\n")
    runtime.build(context, SHOP)
    return SHOP


def pids(container: Container) -> list[int]:
    """The workers that are ready, as they are numbered in it."""
    return [worker["pid"] for worker in container.status()["workers"] if worker["state"] == "ready"]


class TestImage:
    def test_it_says_what_it_is(self, runtime: Podman, shop: str) -> None:
        found = runtime.inspect(shop)
        config = found["Config"]
        assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
        assert (config["Entrypoint"], config["Cmd"][0]) == (["srvctl", "run"], "main:app")
        assert config["ExposedPorts"] == {"8000/tcp": {}}
        assert found["Healthcheck"]["Test"] == ["CMD", "srvctl", "healthcheck"]
        assert config["Labels"]["org.opencontainers.image.title"] == "shop"

    def test_its_command_is_srvctl_run(self, runtime: Podman, shop: str) -> None:
        said = runtime.run("run", "--rm", "--network=none", shop, "--help")
        assert re.search(r"usage: srvctl run", said, re.IGNORECASE)

    def test_it_has_what_runs_and_no_more(self, runtime: Podman, shop: str) -> None:
        """No compiler, no secret beside the code, nothing that the user may change, all compiled."""
        look = "command -v cc gcc make; ls -a /app; test -w /app || echo locked; ls /app/__pycache__; id -u"
        inside = ("run", "--rm", "--network=none", "--entrypoint=sh", shop, "-c", look)
        found = runtime.run(*inside).split()
        assert any(re.fullmatch(r"main\.cpython-\d+\.pyc", name) for name in found)
        assert {"main.py", "locked", "10001"} <= set(found)
        assert not {".env", "Dockerfile", "compose.yaml", "/usr/bin/gcc", "/usr/bin/make"} & set(found)


def test_it_serves_is_healthy_reloads_and_stops(runtime: Podman, shop: str) -> None:
    """As the image says: no flag but those of ``docker run``, and its own command."""
    with runtime.container(shop) as container:
        container.wait_ready()
        container.wait_line(r"Started master process \[1\]")
        assert "Hello from srvctl" in container.get().text
        wait_until(container.is_healthy, "it is healthy")
        container.signal("HUP")
        container.wait_line("Reload done: generation 2")
        assert container.status()["generation"] == 2
        assert container.execute("srvctl", "doctor", "main:app").count("process 1 is srvctl") == 1
        assert container.stop() == 0
        assert container.lines("Finished master process")
        assert not container.lines("ERROR|WARNING")


def test_no_request_is_lost_by_a_stop_under_load(runtime: Podman, shop: str) -> None:
    """Nor by a reload; orphans are reaped; each worker is asked to stop once, and nobody else is."""
    with runtime.container(shop, *AILING, "--workers=2", *PATIENT) as container:
        container.wait_ready()
        wait_until(lambda: len(pids(container)) == 2, "both workers are ready")
        master = psutil.Process(container.pid)
        usual = len(master.children())
        with contextlib.ExitStack() as stack:
            with container.network():
                load = stack.enter_context(Load(("127.0.0.1", PORT)))
            load.wait_answered(50)
            container.signal("HUP")
            container.wait_line("Reload done: generation 2")
            wait_until(lambda: len(master.children()) == usual, "the old ones are reaped")
            family = set(master.children())
            assert container.get("/leave_lasting_orphans?n=20").text == "harmed"
            orphans = set(master.children()) - family
            assert len(orphans) == 20
            for orphan in orphans:
                orphan.kill()
            wait_until(lambda: set(master.children()) == family, "all others are reaped")
            load.wait_answered(50)
            assert container.stop() == 0
        # Who comes when all has ended is refused, as by every server that is not there.
        assert {lost.how for lost in load.lost} <= {"refused"}, str(load)
        assert len(container.lines(r"event=worker_died .* asked_by=stop ")) == 2
        assert container.lines(r"Stopped: served \d+, cut 0\.")


def test_nothing_can_be_written_and_nobody_knows_the_user(runtime: Podman, shop: str) -> None:
    """It starts without a word; commands find it, the health check too; a death is explained."""
    with runtime.container(shop, *AILING, "--workers=auto", flags=(*NOBODY, "--cpus=1")) as container:
        container.wait_ready()
        container.wait_line(r"Workers: 1(?! of 1)")
        assert not container.lines("WARNING|ERROR")
        wait_until(container.is_healthy, "it is healthy")
        assert "tests.support.apps.ailing:app" in container.execute("srvctl", "ls")
        [worker] = pids(container)
        with pytest.raises(CUT):
            container.get("/leave?n=7")
        container.wait_line(f"event=worker_died worker=1 pid={worker} ")
        [death] = json.loads(container.execute("srvctl", "why", "--json"))
        assert (death["pid"], death["cause"]) == (worker, "exit code 7")
        wait_until(lambda: len(pids(container)) == 1, "it is replaced")
        assert container.stop() == 0


def test_without_any_place_at_all_it_serves_and_says_what_is_missing(runtime: Podman, shop: str) -> None:
    """Not even /dev/shm is there."""
    with runtime.container(shop, flags=(*NOBODY, "--ipc=none")) as container:
        container.wait_ready()
        said = container.lines("WARNING")
        assert [line.partition(":  ")[2].partition(",")[0][:30] for line in said] == [
            "No control socket",
            "Deaths of workers are kept in ",
        ]
        assert container.get().status == 200
        assert container.stop() == 0


def test_a_worker_that_takes_all_memory_is_named_and_replaced(runtime: Podman, shop: str) -> None:
    flags = ("--memory=160m", "--memory-swap=160m")
    with runtime.container(shop, *AILING, "--workers=auto", flags=flags) as container:
        container.wait_ready()
        container.wait_line(r"Workers: 1 by cgroup memory\.\S+: 160 MiB, at 128 MiB a worker")
        [worker] = pids(container)
        with pytest.raises(CUT):
            container.get("/leak?n=400")
        container.wait_line(rf"event=worker_died worker=1 pid={worker} .* oom=yes ")
        [death] = json.loads(container.execute("srvctl", "why", "--json"))
        assert (death["pid"], death["oom"], death["cause"]) == (worker, True, "killed by SIGKILL")
        assert "killed by the kernel's OOM killer" in container.execute("srvctl", "why")
        wait_until(lambda: len(pids(container)) == 1, "it is replaced")
        assert container.get().status == 200
        assert container.status()["pid"] == 1
        assert container.stop() == 0


@pytest.mark.parametrize(
    ("flags", "words", "signal", "warned"),
    [
        (("--entrypoint=/bin/sh",), ("-c", "srvctl run main:app; true"), "", "/bin/sh -c"),
        (("--entrypoint=/bin/sh",), ("-c", "true; exec srvctl run main:app"), "INT", ""),
        (("--init",), ("main:app",), "TERM", ""),
    ],
    ids=["shell", "exec", "init"],
)
def test_a_shell_that_keeps_signals_to_itself_is_told_of(
    runtime: Podman, shop: str, flags: tuple[str, ...], words: tuple[str, ...], signal: str, warned: str
) -> None:
    """And no other way to start it is; all of those end in order."""
    with runtime.container(shop, *words, flags=flags) as container:
        container.wait_ready()
        assert re.findall(SHELL, container.stderr.text) == ([warned] if warned else [])
        wait_until(container.is_healthy, "it is healthy")
        if signal:
            container.signal(signal)
            assert container.wait_exit() == 0
            assert container.lines("Finished master process")


def test_quit_ends_it_at_once(runtime: Podman, shop: str) -> None:
    with runtime.container(shop, *AILING) as container:
        container.wait_ready()
        with container.network(), Connection(("127.0.0.1", PORT)) as client:
            client.send_get("/slow?600")
            wait_until(lambda: container.status()["workers"][0]["in_flight"] == 1, "the request is there")
            container.signal("QUIT")
            container.wait_exit()
        assert container.lines("Finished master process")


def test_what_init_writes_is_built_and_runs_as_compose_says(
    runtime: Podman, shop: str, tmp_path: Path
) -> None:
    """With every restriction of the service, of which each is known here."""
    shutil.copy(ROOT / "examples/fastapi_hello.py", tmp_path / "main.py")
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    for kind, file in (("docker", "Dockerfile"), ("compose", "compose.yaml")):
        words = ("init", kind, "main:app", "--name", "mine", "--workers", "auto", "--port", "80")
        done = srvctl(*words, "-o", str(tmp_path / file))
        assert done.returncode == 0, done.stderr
    [(name, service)] = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"].items()
    runtime.build(tmp_path, f"localhost/{name}")
    with runtime.container(f"localhost/{service['image']}", flags=flags_of(service)) as container:
        container.wait_ready()
        container.wait_line("Workers: 2 ")
        assert not container.lines("WARNING|ERROR")
        assert container.get().status == 200
        wait_until(container.is_healthy, "it is healthy")
        assert container.execute("ls", "/var/lib/srvctl").split() == ["mine.ledger"]
        assert container.stop() == 0


def flags_of(service: dict[str, Any]) -> list[str]:
    """Translate a service of Compose into flags of ``podman run``; refuse what is not known."""
    given = dict(service)
    assert given.pop("build") == "."
    assert given.pop("restart") == "unless-stopped"
    assert all(re.fullmatch(r"\d+:\d+", port) for port in given.pop("ports"))  # there is no network here
    health = given.pop("healthcheck")
    assert health.pop("test") == ["CMD", "srvctl", "healthcheck"]
    flags = [f"--health-{name.replace('_', '-')}={value}" for name, value in health.items()]
    flags += [f"--stop-timeout={given.pop('stop_grace_period').removesuffix('s')}"]
    assert given.pop("read_only")
    flags += ["--read-only", "--read-only-tmpfs=false"]
    one = {"cpus": "cpus", "mem_limit": "memory", "memswap_limit": "memory-swap", "pids_limit": "pids-limit"}
    many = {"tmpfs": "tmpfs", "volumes": "volume", "cap_drop": "cap-drop", "security_opt": "security-opt"}
    flags += [f"--{flag}={given.pop(name)}" for name, flag in one.items()]
    flags += [f"--{flag}={value}" for name, flag in many.items() for value in given.pop(name)]
    assert set(given) == {"image"}
    return [flag.replace("no-new-privileges:true", "no-new-privileges") for flag in flags]
