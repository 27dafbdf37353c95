"""`srvctl.run` in scripts: as a program that a user starts, and that somebody stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from tests.support.client import Connection
from tests.support.private import PrivateDirectories
from tests.support.server_waits import Lines, wait_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parents[2]
_RUNNING: Final = r"Srvctl running on http://127\.0\.0\.1:(\d+) \(Press CTRL\+C to quit\)"
_APP: Final = """
    import os, sys
    import srvctl

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                step = (await receive())["type"]
                if os.environ.get("FAILS"):
                    await send({"type": f"{step}.failed", "message": "No database."})
                    return
                await send({"type": f"{step}.complete"})
                if step == "lifespan.shutdown":
                    return
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


class Script:
    """A script that runs; leaving the context kills it and asserts that nothing of it is left."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self.stdout, self.stderr = Lines(process.stdout, "stdout"), Lines(process.stderr, "stderr")

    def wait_ready(self) -> int:
        """Wait until it serves; return the port."""
        return int(self.stderr.wait(_RUNNING)[1][1])

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait_exit(self) -> int:
        code = self.process.wait(30)
        self.stdout.wait_end()
        self.stderr.wait_end()
        return code


@contextmanager
def script(
    tmp_path: Path, body: str, *, pass_fds: tuple[int, ...] = (), env: dict[str, str] | None = None
) -> Iterator[Script]:
    """Run a script in another directory than its own."""
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "main.py").write_text(textwrap.dedent(_APP) + textwrap.dedent(body))
    directories = PrivateDirectories()
    process = subprocess.Popen(
        [sys.executable, str(folder / "main.py")],
        cwd=tmp_path,
        env={**os.environ, **directories.environ, "PYTHONPATH": str(_ROOT), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
        pass_fds=pass_fds,
    )
    running = Script(process)
    try:
        yield running
    except BaseException:
        print(running.stderr.text)
        raise
    finally:
        left = running.children() if process.poll() is None else []
        process.kill()
        process.wait()
        for one in left:
            wait_gone(one.pid)
        running.stdout.wait_end()
        running.stderr.wait_end()
        directories.remove()


def ask(port: int) -> int:
    with Connection(("127.0.0.1", port)) as client:
        return int(client.get("/").text)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_worker_serves_in_the_script_and_a_stop_returns_to_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    body = """
        if __name__ == "__main__":
            srvctl.run(app, port=0)
            print("after it")
    """
    with script(tmp_path, body) as running:
        assert ask(running.wait_ready()) == running.process.pid
        assert running.children() == []
        running.process.send_signal(number)
        assert running.wait_exit() == 0
        assert "after it" in running.stdout.text
        lines = re.findall(r"INFO: +(.*)", running.stderr.text)
        assert lines[0] == f"Started server process [{running.process.pid}]"
        assert lines[-4:] == [
            "Shutting down",
            "Waiting for application shutdown.",
            "Application shutdown complete.",
            f"Finished server process [{running.process.pid}]",
        ]


def test_workers_are_processes_and_a_stop_returns_to_the_script(tmp_path: Path) -> None:
    body = """
        if __name__ == "__main__":
            srvctl.run("main:app", port=0, workers=2, headers=[("x-a", "-b")], log_config=dict(srvctl_log))
            print("after it")
    """
    log = "from srvctl.config import LOGGING_CONFIG as srvctl_log\n"
    with script(tmp_path, textwrap.dedent(body).replace("if __name__", f"{log}if __name__", 1)) as running:
        port = running.wait_ready()
        assert ask(port) in {child.pid for child in running.children()}
        running.process.send_signal(signal.SIGHUP)
        running.stderr.wait(r"Reload.*(done|complete)")
        running.process.send_signal(signal.SIGTERM)
        assert running.wait_exit() == 0
        assert "after it" in running.stdout.text


def test_a_reload_brings_what_is_in_the_file_of_variables(tmp_path: Path) -> None:
    """Also with a program around it that has read the file itself, as uvicorn's `Config` does."""
    body = """
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": os.environ["SITE_NUMBER"].encode()})

        if __name__ == "__main__":
            srvctl.run("main:app", port=0, workers=2, lifespan="off", env_file="site.env")
    """
    file = tmp_path / "site.env"
    file.write_text("SITE_NUMBER=1\n")
    with script(tmp_path, body) as running:
        port = running.wait_ready()
        assert ask(port) == 1
        file.write_text("SITE_NUMBER=2\n")
        running.process.send_signal(signal.SIGHUP)
        running.stderr.wait(r"Reload done")
        running.stderr.wait(r"Finished worker process", count=2)  # until then the old ones may answer
        assert ask(port) == 2
        running.process.send_signal(signal.SIGTERM)
        assert running.wait_exit() == 0


def test_a_killed_script_takes_its_workers_along(tmp_path: Path) -> None:
    body = """
        if __name__ == "__main__":
            srvctl.run("main:app", port=0, workers=2)
    """
    with script(tmp_path, body) as running:
        running.wait_ready()
        running.process.send_signal(signal.SIGUSR2)  # the upgraded master has to do so as well
        running.stderr.wait("Upgraded")
        children = running.children()
        assert len(children) >= 3
        running.process.kill()
        for child in children:
            wait_gone(child.pid)


def test_an_inherited_socket_reaches_the_workers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        body = f"""
            if __name__ == "__main__":
                srvctl.run("main:app", fd={sock.fileno()}, workers=2)
        """
        with script(tmp_path, body, pass_fds=(sock.fileno(),)) as running:
            assert running.wait_ready() == sock.getsockname()[1]
            ask(sock.getsockname()[1])
            running.process.send_signal(signal.SIGTERM)
            assert running.wait_exit() == 0


@pytest.mark.parametrize(
    ("call", "code", "line"),
    [
        ("srvctl.run(app, port=0)", 3, r"ERROR: +Application startup failed"),
        ('srvctl.run("main:app", port=0, workers=2)', 3, r"ERROR: .*Application startup failed"),
        ('srvctl.run("main:nothing", port=0)', 3, r'ERROR: .*Attribute "nothing" not found in module "main"'),
        ("srvctl.run(app, workers=2)", 2, "srvctl: error: app: is an object"),
        ("srvctl.run(app, port=70000)", 2, r"srvctl: error: port: server\.port: .*70000"),
        ("srvctl.run(app, port=int(os.environ['TAKEN']))", 3, r"ERROR: .*in use"),
        (
            "srvctl.run('main:app', port=int(os.environ['TAKEN']), workers=2)",
            3,
            r"srvctl: error: .*in use",
        ),
    ],
)
def test_what_never_serves_has_its_exit_code(tmp_path: Path, call: str, code: int, line: str) -> None:
    body = f"""
        if __name__ == "__main__":
            {call}
            print("after it")
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = {"TAKEN": str(taken.getsockname()[1])}
        if "TAKEN" not in call:
            env["FAILS"] = "1"
        with script(tmp_path, body, env=env) as running:
            assert running.wait_exit() == code
            assert re.search(line, running.stderr.text)
            assert "after it" not in running.stdout.text
            assert "Traceback" not in running.stderr.text


def test_a_call_without_a_guard_is_refused(tmp_path: Path) -> None:
    with script(tmp_path, 'srvctl.run("main:app", port=0)') as running:
        assert running.wait_exit() == 3
        assert 'put the call under if __name__ == "__main__":' in running.stderr.text
