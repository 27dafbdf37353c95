"""Every command against instances that cannot be asked, or refuse: a sentence, an exit code, a reason."""

from __future__ import annotations

import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from srvctl import __version__
from srvctl.cli import instances, pid_files
from srvctl.cli.places import every_socket, sockets_of
from srvctl.cli.quick import COMMANDS, invoke
from srvctl.ipc import control_client
from srvctl.ipc.control import Command, Done
from srvctl.ipc.control_refusals import explained, reason_of
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: One that asks for each of `COMMANDS`, but for that which lists all there are.
ASKING = [
    *(name.split() for name in COMMANDS if name not in {"ls", "scale"}),
    ["scale", "2"],
    ["worker", "kill", "slot:0"],
]
#: Those that ask for something at once that a master of before does not know.
SIMPLE = [
    ["reload"],
    ["scale", "2"],
    ["logs"],
    ["events"],
    ["upgrade"],
    ["status"],
    ["worker", "dump", "slot:0"],
]


def line(**values: Any) -> bytes:
    return json.dumps({"type": "done", "ok": False, "code": 5, "details": "", **values}).encode() + b"\n"


REFUSALS: dict[str, tuple[bytes, int, str]] = {
    "ended": (b"", 4, "ended before it answered"),
    "stranger": (b"HTTP/1.1 400 Bad Request\r\n\r\n", 4, "does not speak the control protocol"),
    "not_allowed": (
        line(message="user 7 may not command this instance", data={"reason": "not_allowed"}),
        5,
        "refuses: user 7 may not command this instance",
    ),
    "busy": (line(message="too many others", data={"reason": "busy"}), 5, "refuses: too many others"),
    "older": (line(message="no", data={"v": 0, "version": "0.0.1"}), 5, "is an older srvctl (0.0.1, "),
    "newer": (line(message="no", data={"v": 2, "version": "99.0"}), 5, "is a newer srvctl (99.0, "),
}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever answers do so, however slow this machine is."""
    monkeypatch.setattr(instances, "_TO_IDENTIFY", PATIENCE)


@contextmanager
def master(path: Path, answer: Callable[[dict[str, Any]], bytes]) -> Iterator[None]:
    """Somebody who answers one connection after the other, and each request on it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as sock, suppress(OSError), sock.makefile("rb") as file:
                        for request in file:
                            reply = answer(json.loads(request))
                            sock.sendall(reply)
                            if not reply.endswith(b"}\n"):
                                break

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def told(
    argv: list[str], path: Path, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, dict[str, Any], str]:
    """Exit code, object and what people are told."""
    code = int(invoke([*argv, "--control-socket", str(path), "--json", *more]))
    out, err = capsys.readouterr()
    answer: dict[str, Any] = json.loads(out)
    assert answer["code"] == code
    assert not answer["ok"]
    return code, answer, err


@pytest.mark.parametrize("argv", ASKING, ids=" ".join)
def test_nobody_who_can_be_asked(
    argv: list[str], short_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = short_path / "web.sock"
    code, answer, err = told(argv, path, capsys)
    assert (code, answer["reason"]) == (4, "not_running")
    assert f"there is no control socket {path}" in err
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    code, answer, err = told(argv, path, capsys)
    assert (code, answer["reason"]) == (4, "stale_socket")
    assert f"nobody listens on the control socket {path}" in err
    path.unlink()
    path.write_text("precious")
    code, answer, err = told(argv, path, capsys)
    assert (code, answer["reason"]) == (4, "stranger")
    assert f"{path} is not a control socket" in err
    path.unlink()
    monkeypatch.setattr(instances, "_TO_IDENTIFY", 0.01)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        code, answer, err = told(argv, path, capsys)
    assert (code, answer["reason"]) == (4, "unresponsive")
    assert "does not answer: it is stopped or blocked" in err


@pytest.mark.parametrize("argv", ASKING, ids=" ".join)
@pytest.mark.parametrize("reason", REFUSALS)
def test_somebody_who_does_not_serve(
    reason: str, argv: list[str], short_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reply, expected, why = REFUSALS[reason]
    with master(short_path / "web.sock", lambda _: reply):
        code, answer, err = told(argv, short_path / "web.sock", capsys)
    assert (code, answer["reason"]) == (expected, reason)
    assert why in err
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", SIMPLE, ids=" ".join)
def test_an_older_master_that_does_not_know_the_command(
    argv: list[str], short_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: dict[str, Any]) -> bytes:
        if request["command"] == "identify":
            return line(message="", data={"name": "web", "pid": 1}).replace(b"false", b"true")
        about = {"v": 1, "version": "0.0.1", "pid": 1}
        return line(message=f"there is no command {request['command']!r} here", data=about)

    with master(short_path / "web.sock", answer):
        code, told_of, err = told(argv, short_path / "web.sock", capsys)
    assert (code, told_of["reason"]) == (5, "unknown_command")
    assert "the instance runs srvctl 0.0.1, which has no command" in err
    assert ("a restart brings it" if argv == ["upgrade"] else "`srvctl upgrade` brings it") in err


def test_a_command_that_takes_too_long(short_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released = threading.Event()

    def answer(request: dict[str, Any]) -> bytes:
        if request["command"] != "identify":
            released.wait(PATIENCE)
        return line(message="", data={"name": "web", "pid": 1}).replace(b"false", b"true")

    with master(short_path / "web.sock", answer):
        code, told_of, err = told(["reload"], short_path / "web.sock", capsys, "--timeout", "50ms")
        released.set()
    assert (code, told_of["reason"]) == (5, "timeout")
    assert "has not finished in time; it goes on" in err


@pytest.mark.parametrize(
    ("done", "reason", "words"),
    [
        (Done(ok=True), "", ""),
        (Done(ok=False, message="no", data={"reason": "failed"}), "failed", "no"),
        (Done(ok=False, message="no"), "failed", "no"),
        (Done(ok=False, message="64 other commands are waiting"), "busy", "64 other"),
        (
            Done(ok=False, message="scale takes no argument 'count'", data={"v": 1, "version": "0.0.1"}),
            "bad_request",
            f"scale takes no argument 'count' (the instance runs srvctl 0.0.1, this is {__version__})",
        ),
        (
            Done(ok=False, message="", data={"reason": "unknown_command", "version": "99.1"}),
            "unknown_command",
            "use the srvctl that it was started with",
        ),
        (Done(ok=False, data={"reason": "what\x1b"}), "what\\x1b", ""),
    ],
)
def test_why_a_master_refuses(done: Done, reason: str, words: str) -> None:
    assert reason_of(done) == reason
    assert words in explained(done, Command.SCALE).message


def test_a_stopped_master_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not control_client.is_stopped(os.getpid())
    assert not control_client.is_stopped(2**22 + 1)


# -- by a file of settings -----------------------------------------------------------------------------------


@pytest.fixture
def nowhere(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of which a file of settings may speak; no other instance can be seen."""
    empty = short_path / "empty"
    empty.mkdir()
    monkeypatch.delenv("SRVCTL_CONFIG", raising=False)
    monkeypatch.setattr("srvctl.cli.places.runtime_directories", lambda *_: (empty,))
    monkeypatch.setattr("srvctl.cli.places.SYSTEM_RUNTIME", empty / "services")
    return short_path


@pytest.mark.parametrize("socket_setting", ["auto", "none", "/nowhere/web.sock"])
def test_a_pid_file_tells_of_an_instance_that_was_killed(
    nowhere: Path, socket_setting: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config, pid_file = nowhere / "shop.toml", nowhere / "shop.pid"
    config.write_text(
        f'[server]\npid_file = "{pid_file}"\n[control]\nsocket = "{socket_setting}"\n[app]\ntarget = "a:b"\n'
    )
    pid_file.write_text(f"{2**22 + 1}\n")
    assert invoke(["status", "-c", str(config), "--json"]) == 4
    out, err = capsys.readouterr()
    assert json.loads(out)["reason"] == "stale_pid_file"
    assert err.endswith(f"pid {2**22 + 1} of the pid file {pid_file} is gone, so it was killed\n")
    pid_file.unlink()
    assert invoke(["status", "-c", str(config), "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    assert answer["reason"] == ("no_socket" if socket_setting == "none" else "not_running")


def test_a_pid_file_in_use_tells_of_an_instance_without_a_socket(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, pid_file = nowhere / "shop.toml", nowhere / "shop.pid"
    config.write_text(f'[server]\npid_file = "{pid_file}"\n[app]\ntarget = "a:b"\n')
    with pid_file.open("w") as file:
        file.write(f"{os.getpid()}\n")
        file.flush()
        assert pid_files.read_pid_file(pid_file) == pid_files.Written(os.getpid(), lives=True)
        assert invoke(["status", "-c", str(config), "--json"]) == 4
    out, err = capsys.readouterr()
    assert json.loads(out)["reason"] == "no_socket"
    assert f"pid {os.getpid()} runs with {config}" in err
    # Another process has the number by now: this one, which does not have the file.
    assert pid_files.read_pid_file(pid_file) == pid_files.Written(os.getpid(), lives=False)


@pytest.mark.parametrize("content", ["", "x\n", "-1\n", "0\n"])
def test_a_pid_file_may_say_nothing(short_path: Path, content: str) -> None:
    (short_path / "x.pid").write_text(content)
    written = pid_files.read_pid_file(short_path / "x.pid")
    assert written is None or not written.lives
    assert pid_files.read_pid_file(short_path / "none.pid") is None


def test_a_socket_beside_the_file_is_found_with_the_file(nowhere: Path) -> None:
    """Where a master puts it if no other place can be used."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(nowhere / "shop.sock"))
        assert sockets_of("shop", {}, nowhere / "shop.toml").paths == (nowhere / "shop.sock",)
        assert sockets_of("shop", {}).paths == every_socket({}).paths == ()


def test_usage_and_settings_have_reasons_too(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = nowhere / "shop.toml"
    config.write_text("[control\n")
    assert invoke(["status", "-c", str(config), "--json"]) == 78
    assert json.loads(capsys.readouterr().out)["reason"] == "config"
