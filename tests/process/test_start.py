"""Starting in the background, and starting again: what is running afterwards, and what is said of it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import Connection
from tests.support.private import PrivateDirectories
from tests.support.server import ServerProcess
from tests.support.server_waits import PATIENCE, wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
GOOD = """
import os

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    headers = [(b"x-pid", str(os.getpid()).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": os.environ.get("WORD", "good").encode()})
"""
#: Its import goes on for as long as nobody closes the FIFO: it is a start that takes any time.
SLOW = """
import os

with open(os.environ["FIFO"], "w") as fifo:
    fifo.write(f"{os.getppid()}\\n")
    fifo.flush()
    while True:
        os.read(os.open(os.environ["FIFO"] + ".never", os.O_RDONLY), 1)
"""


class Place:
    """A directory with applications, and instances that are nobody else's."""

    def __init__(self, apps: Path, directories: PrivateDirectories) -> None:
        self.apps = apps
        self.directories = directories
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("SRVCTL_")}
        self.environ |= {**directories.environ, "PYTHONDONTWRITEBYTECODE": "1"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "srvctl", *words]

    def srvctl(self, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=cwd or self.apps,
            env=self.environ | env,
        )

    def start(self, *words: str, **env: Any) -> dict[str, Any]:
        done = self.srvctl("start", "--json", *words, **env)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["ok"]
        data: dict[str, Any] = answer["data"]
        return data

    def sockets(self) -> list[Path]:
        return sorted(self.directories.runtime.glob("*.sock"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Leaving it stops what runs, and asserts that nothing does then."""
    directories = PrivateDirectories()
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "slow.py").write_text(SLOW)
    found = Place(tmp_path, directories)
    try:
        yield found
    finally:
        for path in found.sockets():
            found.srvctl("stop", "--now", "--control-socket", str(path))
        left = directories.remove()
    assert not left, f"left behind: {left}"


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def answer_of(started: dict[str, Any]) -> str:
    port = int(started["binds"][0].rpartition(":")[2])
    with Connection(("127.0.0.1", port)) as client:
        return client.get("/").text


def test_it_serves_when_the_command_returns(place: Place) -> None:
    """In a session of its own, with its output in a file, and the same instance is not started twice."""
    done = place.srvctl("start", "good:app", "--port=0", "--workers=2", "--name=shop")
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(
        r"Instance shop \(pid (\d+)\) serves on http://127\.0\.0\.1:(\d+); log: (\S+) \([\d.]+ s\)\.\n",
        done.stdout,
    )
    assert said, done.stdout
    pid, log = int(said[1]), Path(said[3])
    with Connection(("127.0.0.1", int(said[2]))) as client:
        assert client.get("/").text == "good"
    assert log == place.directories.state / "shop.log"
    assert f"Started master process [{pid}]" in log.read_text()
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path(os.devnull)
    assert Path(f"/proc/{pid}/cwd").readlink() == place.apps

    again = place.srvctl("start", "good:app", "--port=0", "--name=shop")
    assert again.returncode == 5
    assert f"instance shop already runs as pid {pid} (control socket " in again.stderr

    assert place.srvctl("reload", "--name=shop").returncode == 0  # nobody hears its notifications any more
    assert "notify" not in log.read_text()
    assert place.srvctl("stop", "--name=shop").returncode == 0
    wait_gone(pid)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("broken:app", "--port=0"), 3, "ZeroDivisionError: division by zero"),
        (("good:app", "--port={taken}"), 3, "is already in use by pid"),
        (("good:app", "--port=0", "--pid-file=nowhere/pid"), 78, "nowhere/pid"),
    ],
    ids=["application", "port", "pid file"],
)
def test_it_says_why_it_does_not_start(place: Place, words: tuple[str, ...], code: int, said: str) -> None:
    """As `run` does, and with its exit code; nothing is left."""
    (place.apps / "broken.py").write_text("1 / 0\n")
    with taken_port() as port:
        done = place.srvctl("start", *(word.format(taken=port) for word in words))
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
    assert not place.sockets()


def test_a_program_is_told_of_a_failure(place: Place) -> None:
    (place.apps / "broken.py").write_text("1 / 0\n")
    done = place.srvctl("start", "broken:app", "--port=0", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"], told["code"]) == (3, False, 3)
    assert "ZeroDivisionError" in told["details"]


@pytest.fixture
def slow(place: Place) -> Iterator[tuple[Path, int]]:
    """The environment of an application that never gets ready, and what it tells its parent through."""
    fifo = place.apps / "fifo"
    os.mkfifo(fifo)
    os.mkfifo(f"{fifo}.never")
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    yield fifo, reader
    os.close(reader)


def wait_booting(reader: int) -> None:
    assert select.select([reader], [], [], PATIENCE)[0], "it never began to import"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_giving_up_leaves_nothing(place: Place, slow: tuple[Path, int], number: signal.Signals) -> None:
    fifo, reader = slow
    with subprocess.Popen(
        place.command("start", "slow:app", "--port=0"),
        cwd=place.apps,
        env=place.environ | {"FIFO": str(fifo)},
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        wait_booting(reader)
        command.send_signal(number)
        _, said = command.communicate(timeout=PATIENCE)
    assert command.returncode == 5
    found = re.search(r"interrupted; pid (\d+), which was not ready yet, was ended", said)
    assert found, said
    wait_gone(int(found[1]))
    assert not place.sockets()


def test_too_late_is_not_started(place: Place, slow: tuple[Path, int]) -> None:
    """Although no limit of its own has passed yet."""
    done = place.srvctl("start", "slow:app", "--port=0", "--timeout=1", FIFO=str(slow[0]))
    assert done.returncode == 3
    found = re.search(r"the workers were not ready in time; pid (\d+) was ended; log: ", done.stderr)
    assert found, done.stderr
    wait_gone(int(found[1]))
    assert not place.sockets()


def test_without_waiting_it_only_starts(place: Place, slow: tuple[Path, int]) -> None:
    fifo, reader = slow
    started = place.start("slow:app", "--port=0", "--no-wait", FIFO=str(fifo))
    assert started["is_ready"] is False
    wait_booting(reader)
    os.kill(started["pid"], signal.SIGQUIT)
    wait_gone(started["pid"])


def test_a_restart_is_the_same_again(place: Place) -> None:
    """The same words in the same directory, wherever the command is given; the environment is new."""
    (place.apps / "shop.toml").write_text('[app]\ntarget = "good:app"\n[server]\nport = 0\n')
    before = place.start("-c", "shop.toml", WORD="before")
    assert answer_of(before) == "before"
    done = place.srvctl("restart", "--name=shop", "--json", cwd=ROOT, WORD="after")
    assert done.returncode == 0, done.stderr
    after = json.loads(done.stdout)["data"]
    wait_gone(before["pid"])
    assert (after["former_pid"], after["name"], after["log"]) == (before["pid"], "shop", before["log"])
    assert answer_of(after) == "after"

    (place.apps / "shop.toml").write_text('[app]\ntarget = "good:app"\n[server]\nport = "x"\n')
    done = place.srvctl("restart")
    assert done.returncode == 5
    assert "shop.toml:4" in done.stderr
    assert f"instance shop (pid {after['pid']}) goes on as it was" in done.stderr
    assert answer_of(after) == "after"

    (place.apps / "shop.toml").write_text('[app]\ntarget = "broken:app"\n[server]\nport = 0\n')
    (place.apps / "broken.py").write_text("1 / 0\n")
    done = place.srvctl("restart")
    assert done.returncode == 3
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.rstrip().endswith("It was stopped before, so it is down now")
    wait_gone(after["pid"])
    assert not place.sockets()


def test_an_instance_in_the_foreground_is_not_restarted(place: Place) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(
            ServerProcess("tests.support.apps.basic:app", env=place.directories.environ)
        )
        done = place.srvctl("restart")
        assert done.returncode == 5
        assert f"(pid {server.pid}) runs in the foreground (srvctl run)" in done.stderr
        assert server.get().status == 200


def test_a_restart_survives_an_upgrade(place: Place) -> None:
    """It is still known how the instance was started."""
    started = place.start("good:app", "--port=0")
    done = place.srvctl("upgrade")
    assert done.returncode == 0, done.stderr
    done = place.srvctl("restart")
    assert done.returncode == 0, done.stderr
    wait_gone(started["pid"])
