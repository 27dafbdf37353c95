"""The commands for an instance that runs, with real masters: what they do, and whom they find."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import srvctl
from tests.support.server import BASIC, ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

GOOD = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-pid", b"0")]})
    await send({"type": "http.response.body", "body": b"good"})
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """For sockets: of these tests alone, and short."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


def server(directory: Path, *flags: str, target: str = BASIC, **options: Any) -> ServerProcess:
    return ServerProcess(target, *flags, env={"RUNTIME_DIRECTORY": str(directory)}, **options)


def status(directory: Path, name: str = "web") -> dict[str, Any]:
    done = srvctl("status", "--json", "--control-socket", str(directory / f"{name}.sock"))
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_commands_act_and_wait_for_the_end(directory: Path) -> None:
    """Also while more clients than there is room for say nothing, or nonsense."""
    at = ("--control-socket", str(directory / "web.sock"))
    with server(directory, "--name", "web", "--workers", "2") as web, ExitStack() as hostile:
        for number in range(80):
            sock = hostile.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(at[1])
            sock.sendall(b"{" * number * 10)
        before = status(directory)
        assert (before["name"], before["pid"], before["generation"]) == ("web", web.pid, 1)
        assert before["binds"] == [web.url]
        assert {worker["pid"] for worker in before["workers"]} <= set(web.workers())

        done = srvctl("reload", *at)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Reload done: generation 2 runs in 2 workers (")
        assert len(done.stdout.splitlines()) == 1
        after = status(directory)
        assert after["generation"] == 2
        assert {worker["generation"] for worker in after["workers"] if worker["state"] == "ready"} == {2}

        done = srvctl("recycle", "slot:1", *at)
        assert done.returncode == 0, done.stderr
        ready = {w["slot"]: w["pid"] for w in status(directory)["workers"] if w["state"] == "ready"}
        old = {w["slot"]: w["pid"] for w in after["workers"] if w["state"] == "ready"}
        assert ready[0] == old[0]
        assert ready[1] != old[1]

        done = srvctl("stop", *at)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"Instance web (pid {web.pid}) has stopped (")
        assert web._process.poll() == 0  # without waiting
    assert list(directory.iterdir()) == []
    done = srvctl("status", *at)
    assert (done.returncode, done.stdout) == (4, "")
    assert "there is no control socket" in done.stderr


def test_a_reload_of_broken_code_fails_with_its_traceback(directory: Path, tmp_path: Path) -> None:
    code = tmp_path / "broken_later.py"
    code.write_text(GOOD)
    with server(directory, "--name", "web", target="broken_later:app", cwd=tmp_path) as web:
        code.write_text("raise RuntimeError('no database')\n")
        done = srvctl("reload", "--control-socket", str(directory / "web.sock"))
        assert done.returncode == 5
        assert done.stdout == ""
        assert "Traceback" in done.stderr
        assert "RuntimeError: no database" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("srvctl: error: ")
        assert web.get().text == "good"


def test_a_name_is_had_by_one_master_at_a_time(directory: Path, tmp_path: Path) -> None:
    """Whether it was given, or comes from a file of settings; one made from an application is numbered."""
    file = tmp_path / "shop.toml"
    file.write_text(f'[app]\ntarget = "{BASIC}"\n[server]\nbind = ["127.0.0.1:0"]\n')
    with server(directory, "-c", str(file), bind=None) as shop:
        with server(directory, "--name", "shop", is_ready=False) as second:
            assert second.wait_exit() == 5
            assert second.lines(f"instance shop already runs as pid {shop.pid} .*--name")
        with server(directory, "-c", str(file), bind=None, is_ready=False) as third:
            assert third.wait_exit() == 5
            assert third.lines(f"instance shop already runs as pid {shop.pid} ")
        environ = {"RUNTIME_DIRECTORY": str(directory)}
        with server(directory) as made, server(directory) as again:
            names = {status(directory, path.stem)["pid"]: path.stem for path in directory.glob("*.sock")}
            assert names == {
                shop.pid: "shop",
                made.pid: "tests.support.apps.basic",
                again.pid: "tests.support.apps.basic-2",
            }
            done = srvctl("status", "-c", str(file), "--json", env=environ)
            assert json.loads(done.stdout)["pid"] == shop.pid
            done = srvctl("stop", "--name", "tests.support.apps.basic-2", env=environ)
            assert done.returncode == 0, done.stderr
            assert again.wait_exit() == 0


def test_a_killed_master_leaves_a_socket_that_is_told_apart_and_replaced(directory: Path) -> None:
    at = ("--control-socket", str(directory / "web.sock"))
    with server(directory, "--name", "web") as web:
        os.kill(web.pid, SIGKILL)
        web.wait_exit()
        done = srvctl("status", *at)
        assert done.returncode == 4
        assert "nobody listens on the control socket" in done.stderr
    with server(directory, "--name", "web") as web:
        assert status(directory)["pid"] == web.pid


def test_a_directory_that_cannot_be_used_costs_one_line(directory: Path) -> None:
    with server(directory, "--control-socket", str(directory / "none" / "web.sock")) as web:
        assert len(web.lines("No control socket, so srvctl reload and the like cannot reach")) == 1
        assert web.get().status == 200
