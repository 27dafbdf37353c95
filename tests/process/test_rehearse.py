"""``srvctl rehearse``, with real instances: good ones pass, bad ones are caught, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from srvctl.errors import ExitCode
from tests.support.client_load import PATIENT
from tests.support.server_waits import PATIENCE, Lines, wait_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[..., subprocess.Popen[bytes]]

ROOT = Path(__file__).parents[2]
APP = """
import asyncio
import os

from srvctl.hooks import HookContext

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    await asyncio.sleep(0.05)
    status = 500 if scope["path"] == "/broken" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

def make():
    return app

def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

async def ready(context):
    print("their hook was called", flush=True)

def leave(context):
    os._exit(0)
"""
#: A whole rehearsal is the longest that anything of srvctl's takes.
LONG = 4 * PATIENCE
_SHORT = ("--duration", "0.5", "--reload-bake", "0.1")
_SETTINGS = ("SRVCTL_", "UVICORN_", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS")


@pytest.fixture
def project() -> Iterator[Path]:
    """A directory with an application; temporary files go there as well."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        Path(path, "shop.py").write_text(APP)
        Path(path, "ill.py").write_text("raise RuntimeError('no database')\n")
        yield Path(path)
        assert not list(Path(path).glob("srvctl-r-*"))


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Begins rehearsals; those that a failure leaves behind are ended."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    begun: list[subprocess.Popen[bytes]] = []

    def begin(*argv: str) -> subprocess.Popen[bytes]:
        begun.append(
            subprocess.Popen(
                [sys.executable, "-m", "srvctl", "rehearse", *_SHORT, *argv],
                cwd=project,
                env={**environ, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(project)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,  # as from a shell; and not in the group of the tests
            )
        )
        return begun[-1]

    yield begin
    for process in begun:
        process.terminate()
        process.communicate()


def end_of(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LONG)
    return process.returncode, out.decode(), err.decode()


def acts_of(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {act["act"]: act for act in told["acts"]}


def test_a_good_application_passes_every_act(start: Start) -> None:
    """Weighing a worker takes long, so that goes on beside the others; two rehearsals do not meet."""
    flags = ("--factory", "--workers", "2", "--preload", "off", "--act", "memory", *PATIENT)
    heavy = start("shop:make", *flags)
    flags = ("--workers", "2", "--skip", "memory", "--hang-timeout", "1s", "--json", *PATIENT)
    rest = start("shop:app", *flags)
    code, out, err = end_of(rest)
    assert code == ExitCode.OK, f"{out}{err}"
    told = json.loads(out)
    acts = acts_of(told)
    assert told["ok"]
    assert list(acts) == ["steady", "reload", "bad-reload", "recycle", "scale", "kill", "hang", "stop"]
    for name, act in acts.items():
        assert act["tried"], name
        assert act["answered"] > 0
        assert act["lost"] == act["excused"], name
        assert act["answered"] + act["lost"] == act["requests"], name
        assert (act["back"] is None) is (name in {"steady", "bad-reload"}), name
    assert all(acts[name]["excused"] == 0 for name in acts if name not in {"kill", "hang"})
    code, out, err = end_of(heavy)
    assert code == ExitCode.OK, f"{out}{err}"
    assert "with workers.max_memory" in out


def test_what_is_wrong_is_told(start: Start) -> None:
    """Requests that are not waited for, a limit of the user's own, no application, and none that comes up."""
    hooks = ("--hook-on-drain", "shop:leave", "--hook-on-ready", "shop:ready")
    acts = ("--act", "steady", "--act", "reload", "--act", "stop", "--rate", "200", "--json")
    careless = start("shop:app", "--workers", "2", *hooks, *acts)
    paths = ("--path", "/", "--path", "/broken")
    slow = start("shop:app", *paths, "--act", "steady", "--max-p99", "1ms")
    wsgi = start("shop:wsgi", "--act", "steady", "--act", "kill", *PATIENT)
    ill, none = start("ill:app"), start()

    code, out, err = end_of(careless)
    assert code == ExitCode.REFUSED, f"{out}{err}"
    told = json.loads(out)
    assert acts_of(told)["steady"]["lost"] == 0
    assert acts_of(told)["reload"]["lost"] > 0
    assert any(sentence.startswith("reload: ") for sentence in told["broken"])
    assert any("their hook was called" in line for line in told["log"])

    code, out, err = end_of(slow)
    assert code == ExitCode.REFUSED, f"{out}{err}"
    assert "Fails by itself: /broken" in out
    assert "p99 in seconds, and 0.001 allowed" in out

    code, out, err = end_of(wsgi)
    assert code == ExitCode.OK, f"{out}{err}"
    assert "with one worker" in err
    assert "Good: no limit was broken in 2 acts." in out

    code, out, err = end_of(ill)
    assert (code, out) == (ExitCode.NEVER_UP, ""), err
    assert "RuntimeError: no database" in err
    assert "never came up" in err

    code, out, err = end_of(none)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith("srvctl: error: nothing to rehearse")


def test_a_signal_ends_it_and_leaves_nothing(start: Start) -> None:
    given = ("shop:app", "--workers", "2", "--act", "steady", "--duration", "1h")
    numbers = (signal.SIGINT, signal.SIGTERM)
    rehearsals = [start(*given) for _ in numbers]
    for process, number in zip(rehearsals, numbers, strict=True):
        with process:
            assert process.stderr is not None
            said = Lines(process.stderr, "stderr")
            said.wait("up with 2 workers")
            started = psutil.Process(process.pid).children(recursive=True)
            assert len(started) >= 3, "the master and its workers; the load comes a moment later"
            process.send_signal(number)
            assert process.wait(PATIENCE) == -number
            for each in started:
                wait_gone(each.pid)
            said.wait("interrupted; everything that was started has been ended")
            said.wait_end()
