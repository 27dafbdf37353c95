"""The commands for an instance that runs, with real masters: what they do, and whom they find."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.cli.quick import invoke
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


def test_a_master_that_cannot_answer_and_one_that_was_killed(directory: Path, tmp_path: Path) -> None:
    """Each is told apart from one that never ran."""
    file, pid_file = tmp_path / "shop.toml", tmp_path / "shop.pid"
    file.write_text(f'[app]\ntarget = "{BASIC}"\n[server]\npid_file = "{pid_file}"\n')
    environ = {"RUNTIME_DIRECTORY": str(directory)}

    def reason(*argv: str) -> tuple[int, str, str]:
        done = srvctl("status", "-c", str(file), "--json", *argv, env=environ)
        return done.returncode, json.loads(done.stdout).get("reason", ""), done.stderr

    assert reason()[:2] == (4, "not_running")
    with server(directory, "-c", str(file)) as shop:
        assert reason()[:2] == (0, "")
        os.kill(shop.pid, SIGSTOP)
        code, why, text = reason()
        assert (code, why) == (4, "unresponsive")
        assert f"it is stopped, and `kill -CONT {shop.pid}` lets it go on" in text
        os.kill(shop.pid, SIGCONT)
        assert reason()[:2] == (0, "")
        os.kill(shop.pid, SIGKILL)
        shop.wait_exit()
        code, why, text = reason()
        assert (code, why) == (4, "stale_pid_file")
        assert f"pid {shop.pid} of the pid file {pid_file} is gone, so it was killed" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_instance(directory: Path) -> None:
    """Whom its file keeps out, whom the master turns away, and who may look."""

    def as_other(*argv: str, groups: tuple[int, ...] = ()) -> tuple[int, str]:
        """In a child, as nobody gets root back, and as the interpreter's files may be for root only."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.dup2(writer, 1)
                sys.stdout = os.fdopen(1, "w")
                os.setgroups(groups)
                os.setgid(65534)
                os.setuid(65534)
                code = int(invoke(argv))
                sys.stdout.flush()
            finally:
                os._exit(code)
        os.close(writer)
        with os.fdopen(reader) as said:
            reason = json.loads(said.read()).get("reason", "")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), reason

    for name in ("status", "reload"):
        invoke([name, "--control-socket", str(directory / "none.sock"), "--json"])  # loads what it needs
    directory.chmod(0o700)
    path = directory / "web.sock"
    flags = ("--name", "web", "--control-group", "54321")
    with server(directory, *flags):
        for name in ("status", "reload"):
            assert as_other(name, "--json", "--control-socket", str(path)) == (4, "no_permission")
        assert as_other("status", "--json", "--control-socket", str(path), groups=(54321,)) == (0, "")
        at = ("reload", "--json", "--control-socket", str(path))
        assert as_other(*at, groups=(54321,)) == (5, "not_allowed")
        path.chmod(0o666)
        assert as_other(*at) == (5, "not_allowed")


def test_a_directory_that_cannot_be_used_costs_one_line(directory: Path) -> None:
    with server(directory, "--control-socket", str(directory / "none" / "web.sock")) as web:
        assert len(web.lines("No control socket, so srvctl reload and the like cannot reach")) == 1
        assert web.get().status == 200
