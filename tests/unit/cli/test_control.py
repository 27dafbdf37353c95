"""The commands for an instance that runs, against an admin in a thread of the test."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from srvctl.cli import app, instances, places
from srvctl.cli.quick import COMMANDS, invoke
from srvctl.errors import ExitCode
from srvctl.ipc.control_client import Connection
from srvctl.supervisor.events import RecycleAsked, ReloadAsked, StatusAsked, StopAsked, UpgradeAsked
from tests.support.admin import opened, running
from tests.support.server_waits import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from srvctl.supervisor.admin import Admin
    from srvctl.supervisor.events import Event

CHANGING = {
    "reload",
    "stop",
    "upgrade",
    "recycle",
    "scale",
    "worker",
    "program",
}  #: and may be only asked for
#: How long something took, or has been there: anything below a minute.
SECONDS = r"\d+\.\d s"
#: What the fleet says in a status; no process has this pid, as Linux has no more than 2**22.
STATUS: dict[str, Any] = {
    "state": "running",
    "generation": 3,
    "reload": {"state": "idle", "generation": None, "error": ""},
    "workers": [
        {"slot": 0, "pid": 2**22 + 7, "generation": 3, "state": "ready", "uptime": 61.0, "rss": 2**26}
    ],
}


@pytest.fixture(autouse=True)
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only directory in which instances are looked for."""
    for name in ("RUNTIME_DIRECTORY", "SRVCTL_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(instances, "_TO_IDENTIFY", PATIENCE)
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        monkeypatch.setenv("RUNTIME_DIRECTORY", path)
        monkeypatch.setattr(places, "runtime_directories", lambda _environ, _uid: (Path(path),))
        monkeypatch.setattr(places, "SYSTEM_RUNTIME", Path(path, "services"))
        yield Path(path)


class Told:
    """What a command printed, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def __call__(self, *argv: str) -> ExitCode:
        code = invoke(argv)
        self.out, self.err = self._capsys.readouterr()
        return code


@pytest.fixture
def srvctl(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


@pytest.fixture
def instance(directory: Path) -> Iterator[Callable[..., list[Event]]]:
    """Starts an instance; returns what it is asked."""
    with ExitStack() as stack:

        def start(
            obey: Callable[[Admin, Event], Any] = lambda *_: None, name: str = "web", config: str = ""
        ) -> list[Event]:
            (directory / "services").mkdir(exist_ok=True)
            return stack.enter_context(running(opened(directory, name, config), obey))

        yield start


def by_name(admin: Admin, event: Event) -> None:
    """Do what the fleet does, where all goes well."""
    match event:
        case ReloadAsked(client=int(client)):
            admin.progress(client, "Generation 3: 1 of 4 workers.\x1b[2J")
            admin.reply(
                client, ok=True, message="Reload done: generation 3 runs in 4 workers.", data={"g": 3}
            )
        case StatusAsked(client=client):
            admin.reply(client, ok=True, message="", data=STATUS)
        case UpgradeAsked(client=int(client)) | RecycleAsked(client=int(client)):
            admin.reply(client, ok=True, message="Done.")


# -- what they do --------------------------------------------------------------------------------------------


def test_reload_tells_how_it_goes_and_how_it_ended(
    srvctl: Told, instance: Callable[..., list[Event]]
) -> None:
    instance(by_name)
    assert srvctl("reload") is ExitCode.OK
    assert srvctl.err == "Generation 3: 1 of 4 workers.\\x1b[2J\n"
    assert re.fullmatch(rf"Reload done: generation 3 runs in 4 workers \({SECONDS}\)\.\n", srvctl.out)
    assert srvctl("reload", "--json") is ExitCode.OK
    answer = json.loads(srvctl.out)
    assert (answer["ok"], answer["code"], answer["data"]) == (True, 0, {"g": 3})
    assert answer["seconds"] >= 0
    assert srvctl.err == ""


def test_a_reload_that_fails_shows_why(srvctl: Told, instance: Callable[..., list[Event]]) -> None:
    def refuse(admin: Admin, event: Event) -> None:
        assert isinstance(event, ReloadAsked)
        assert event.client is not None
        admin.reply(event.client, False, "Reload failed: no module 'x'.", "Traceback\n  line\x07\n")

    instance(refuse)
    assert srvctl("reload") is ExitCode.REFUSED
    assert srvctl.out == ""
    assert srvctl.err == "Traceback\n  line\\x07\nsrvctl: error: Reload failed: no module 'x'.\n"
    assert srvctl("reload", "--json") is ExitCode.REFUSED
    answer = json.loads(srvctl.out)
    assert (answer["ok"], answer["code"], answer["details"]) == (False, 5, "Traceback\n  line\x07\n")


@pytest.mark.parametrize(
    ("argv", "kind", "fields"),
    [
        (("upgrade",), UpgradeAsked, {}),
        (("recycle",), RecycleAsked, {"target": "all"}),
        (("recycle", "slot:2"), RecycleAsked, {"target": "slot:2"}),
        (("recycle", "pid:77"), RecycleAsked, {"target": "pid:77"}),
    ],
)
def test_what_is_asked(
    argv: tuple[str, ...],
    kind: type,
    fields: dict[str, object],
    srvctl: Told,
    instance: Callable[..., list[Event]],
) -> None:
    asked = instance(by_name)
    assert srvctl(*argv) is ExitCode.OK
    (event,) = asked
    assert isinstance(event, kind)
    assert {name: getattr(event, name) for name in fields} == fields
    assert re.fullmatch(rf"Done \({SECONDS}\)\.\n", srvctl.out)


def test_without_waiting_it_only_asks(srvctl: Told, instance: Callable[..., list[Event]]) -> None:
    heard = threading.Event()
    instance(lambda *_: heard.set())
    assert srvctl("reload", "--no-wait") is ExitCode.OK
    assert srvctl.out == f"Asked instance web (pid {os.getpid()}) to reload.\n"
    assert heard.wait(PATIENCE)
    assert srvctl("stop", "--no-wait", "--json") is ExitCode.OK
    assert json.loads(srvctl.out)["ok"] is True


def test_status_for_people_and_for_programs(srvctl: Told, instance: Callable[..., list[Event]]) -> None:
    instance(by_name)
    assert srvctl("status") is ExitCode.OK
    first = f"web (shop:app): running, pid {os.getpid()}, generation 3, up "
    assert re.match(re.escape(first) + SECONDS, srvctl.out)
    row = " ".join(srvctl.out.splitlines()[-1].split())
    assert row == "0 4194311 ready 3 1m01s 0% 64M 0 0 0 0 0.0ms"
    assert srvctl("status", "--json") is ExitCode.OK
    workers = [{**worker, "pss": None} for worker in STATUS["workers"]]
    expected = {**STATUS, "workers": workers, "name": "web", "pid": os.getpid()}
    assert json.loads(srvctl.out).items() >= expected.items()


def test_stop_waits_for_the_end_of_the_process(srvctl: Told, directory: Path) -> None:
    """A master of its own, as it is to end."""
    program = f"""
import os, sys
from pathlib import Path
from tests.support.admin import opened
admin = opened(Path({str(directory)!r}))
print(flush=True)
while True:
    for event in admin._poller.turn(None):
        admin.progress(event.client, "Draining.")
        admin.reply(event.client, True, "Stopping.")
        assert not event.immediately
        admin.close()
        os.close(1)
        sys.stdin.read()
        sys.exit()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert srvctl("stop", "--timeout", "300ms") is ExitCode.REFUSED
        assert f"pid {process.pid} " in srvctl.err
        process.stdout.read()  # it has closed its socket and still runs
        process.stdin.close()
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert srvctl("stop") is ExitCode.OK
        assert srvctl.err == "Draining.\n"
        assert srvctl.out.startswith(f"Instance web (pid {process.pid}) has stopped (")
        with pytest.raises(ChildProcessError if process.poll() is not None else AssertionError):
            assert os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def test_stop_may_be_immediate(srvctl: Told, instance: Callable[..., list[Event]]) -> None:
    asked = instance(lambda admin, event: admin.reply(event.client, False, "Refused."))
    assert srvctl("stop", "--now") is ExitCode.REFUSED
    (event,) = asked
    assert isinstance(event, StopAsked)
    assert event.immediately


def test_a_master_that_ends_meanwhile(srvctl: Told, instance: Callable[..., list[Event]]) -> None:
    instance(lambda admin, _: admin.close())
    assert srvctl("reload") is ExitCode.REFUSED
    assert f"instance web (pid {os.getpid()}) ended the connection before it answered" in srvctl.err


def test_what_takes_too_long(srvctl: Told, instance: Callable[..., list[Event]]) -> None:
    instance()
    assert srvctl("reload", "--timeout", "100ms", "--json") is ExitCode.REFUSED
    assert f"pid {os.getpid()} has not finished in time; it goes on" in srvctl.err
    assert json.loads(srvctl.out)["message"] in srvctl.err


def test_an_interrupted_command_ends_with_a_line(
    srvctl: Told, instance: Callable[..., list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    instance()
    monkeypatch.setattr(Connection, "replies", interrupt)
    assert srvctl("reload", "--name", "web") is ExitCode.REFUSED
    assert srvctl.err == "srvctl: error: interrupted; what was asked before goes on\n"


def test_what_a_terminal_cannot_show_is_escaped(
    instance: Callable[..., list[Event]], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance(lambda admin, event: admin.reply(event.client, True, "Größe \udcff."))
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert invoke(["reload"]) is ExitCode.OK
    assert stdout.buffer.getvalue().startswith(b"Gr\\xf6\\xdfe \\udcff (")


@pytest.mark.parametrize("argv", [("reload", "--timeout", "soon"), ("recycle", "some"), ("status", "--what")])
def test_a_command_line_that_makes_no_sense(argv: tuple[str, ...], srvctl: Told) -> None:
    assert srvctl(*argv) is ExitCode.USAGE
    assert srvctl.err.startswith("srvctl: error: ")


def test_help_names_the_flags(srvctl: Told) -> None:
    for name in COMMANDS:
        assert srvctl(name, "--help") is ExitCode.OK
        assert f"usage: srvctl {name} " in srvctl.out
        assert ("--no-wait" in srvctl.out) == (name in CHANGING)
        assert ("--now" in srvctl.out) == (name in {"stop", "restart"})


def test_they_are_listed_among_all_commands_and_work_there(
    instance: Callable[..., list[Event]], capsys: pytest.CaptureFixture[str]
) -> None:
    instance(by_name)
    assert app.invoke(["--help"]) is ExitCode.OK
    shown = capsys.readouterr().out
    assert all(f" {name} " in shown for name in COMMANDS)
    assert app.invoke(["status", "--name", "web", "--json"]) is ExitCode.OK
    assert json.loads(capsys.readouterr().out)["name"] == "web"
    assert app.invoke(["reload", "--name", "none"]) is ExitCode.NO_INSTANCE


# -- which instance ------------------------------------------------------------------------------------------


def test_none_is_there(srvctl: Told, directory: Path) -> None:
    assert srvctl("status") is ExitCode.NO_INSTANCE
    assert f"no instance runs: there is no control socket in {directory}, {directory}/services" in srvctl.err
    assert srvctl("status", "--json") is ExitCode.NO_INSTANCE
    assert json.loads(srvctl.out).items() >= {"ok": False, "code": 4}.items()
    assert srvctl("status", "--name", "web") is ExitCode.NO_INSTANCE
    assert "no instance is called web; none runs that can be seen from here" in srvctl.err
    assert srvctl("status", "--control-socket", str(directory / "x.sock")) is ExitCode.NO_INSTANCE
    assert f"there is no control socket {directory}/x.sock" in srvctl.err


def test_several_are_there(srvctl: Told, instance: Callable[..., list[Event]], directory: Path) -> None:
    me = os.getpid()
    for name in ("web", "api"):
        instance(by_name, name)
    assert srvctl("status") is ExitCode.USAGE
    assert srvctl.err == (
        f"srvctl: error: several instances run: api (pid {me}), web (pid {me}); say which with --name, -c or "
        "--control-socket\n"
    )
    assert srvctl("status", "--name", "api") is ExitCode.OK
    assert srvctl.out.startswith("api (")
    assert srvctl("status", "--control-socket", str(directory / "web.sock")) is ExitCode.OK
    assert srvctl.out.startswith("web (")
    assert srvctl("status", "--name", "shop") is ExitCode.NO_INSTANCE
    assert f"no instance is called shop; these run: api (pid {me}), web (pid {me})" in srvctl.err


def test_one_is_found_by_its_file(
    srvctl: Told, instance: Callable[..., list[Event]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also among others whose files are called the same, and by a link."""
    files = [tmp_path / name / "web.toml" for name in ("a", "b", "c")]
    for number, file in enumerate(files, 1):
        file.parent.mkdir()
        file.write_text('[app]\ntarget = "shop:app"\n')
        if number < 3:
            instance(by_name, "web" if number == 1 else f"web-{number}", str(file))
    (tmp_path / "web.toml").symlink_to(files[1])
    for file, name in ((files[0], "web"), (files[1], "web-2"), (tmp_path / "web.toml", "web-2")):
        assert srvctl("status", "-c", str(file)) is ExitCode.OK
        assert srvctl.out.startswith(f"{name} (")
    assert srvctl("status", "-c", str(files[2])) is ExitCode.NO_INSTANCE
    assert f"no instance runs with {files[2]}; these run: web (pid" in srvctl.err
    monkeypatch.setenv("SRVCTL_CONFIG", str(files[0]))
    assert srvctl("status") is ExitCode.OK


def test_a_file_may_name_the_instance_or_its_socket(
    srvctl: Told, instance: Callable[..., list[Event]], tmp_path: Path, directory: Path
) -> None:
    instance(by_name, "shop")
    file = tmp_path / "web.toml"
    for text in ('[server]\nname = "shop"\n', f'[control]\nsocket = "{directory}/shop.sock"\n'):
        file.write_text(text)
        assert srvctl("status", "-c", str(file)) is ExitCode.OK
    file.write_text('[control]\nsocket = "none"\n')
    assert srvctl("status", "-c", str(file)) is ExitCode.NO_INSTANCE
    assert "opens no control socket; use signals" in srvctl.err
    file.write_text("[control\n")
    assert srvctl("status", "-c", str(file)) is ExitCode.CONFIG


def test_those_of_services_are_found(
    srvctl: Told, instance: Callable[..., list[Event]], directory: Path
) -> None:
    """``RuntimeDirectory=srvctl/web`` of a unit."""
    instance(by_name)
    (directory / "services" / "web").mkdir()
    (directory / "web.sock").rename(directory / "services" / "web" / "web.sock")
    assert srvctl("status") is ExitCode.OK
    assert srvctl("status", "--name", "web") is ExitCode.OK
    (directory / "services" / "web" / "web.sock").unlink()


# -- sockets that are of no use ------------------------------------------------------------------------------


def test_a_socket_that_was_left_behind(srvctl: Told, directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "web.sock"))
    for argv in ((), ("--name", "web"), ("--control-socket", str(directory / "web.sock"))):
        assert srvctl("status", *argv) is ExitCode.NO_INSTANCE
        assert f"nobody listens on the control socket {directory}/web.sock" in srvctl.err


def test_a_socket_that_is_left_behind_beside_a_live_one(
    srvctl: Told, instance: Callable[..., list[Event]], directory: Path
) -> None:
    instance(by_name)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / "old.sock"))
    assert srvctl("status") is ExitCode.OK


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EACCES, "permission denied for the control socket"),
        (errno.EAGAIN, "does not take connections"),
        (errno.ENOTSOCK, "is not a control socket"),
        (errno.EIO, "cannot be used: Input/output error"),
    ],
)
def test_why_a_socket_cannot_be_used(
    number: int, why: str, srvctl: Told, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(socket.socket):
        def connect(self, address: object) -> None:
            raise OSError(number, os.strerror(number))

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(directory / "web.sock"))
    monkeypatch.setattr(socket, "socket", Refusing)
    assert srvctl("status") is ExitCode.NO_INSTANCE
    assert why in srvctl.err


@pytest.mark.parametrize(
    ("answer", "why", "code", "reason"),
    [
        (b"", "ended before it answered", 4, "ended"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "does not speak the control protocol of srvctl",
            4,
            "stranger",
        ),
        (b"x" * 1_100_000, "does not speak the control protocol of srvctl", 4, "stranger"),
        (
            b'{"type":"done","ok":false,"code":5,"message":"no","details":"","data":{"v":2,"version":"9.9"}}\n',
            "is a newer srvctl (9.9, control protocol 2) than this one",
            5,
            "newer",
        ),
        (
            b'{"type":"done","ok":false,"code":5,"message":"no","details":"","data":{"v":0}}\n',
            "is an older srvctl (?, control protocol 0) than this one",
            5,
            "older",
        ),
        (
            (
                b'{"type":"done","ok":false,"code":5,"message":"user 7 may not command this instance",'
                b'"details":"","data":{}}\n'
            ),
            "refuses: user 7 may not",
            5,
            "not_allowed",
        ),
    ],
)
def test_who_answers_something_else(
    answer: bytes, why: str, code: int, reason: str, srvctl: Told, directory: Path
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "web.sock"))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.recv(65536)
                with suppress(BrokenPipeError):
                    sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        ended = srvctl("status", "--json", "--control-socket", str(directory / "web.sock"))
        thread.join()
    assert ended == code
    assert why in srvctl.err
    assert json.loads(srvctl.out)["reason"] == reason


def test_a_master_that_is_stopped(srvctl: Told, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "_TO_IDENTIFY", 0.05)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "web.sock"))
        listener.listen()
        assert srvctl("status") is ExitCode.NO_INSTANCE
    assert (
        f"pid {os.getpid()} behind {directory}/web.sock does not answer: it is stopped or blocked"
        in srvctl.err
    )


# -- how fast they start -------------------------------------------------------------------------------------


def test_they_load_neither_settings_nor_what_parses_them() -> None:
    program = (
        "import sys; from srvctl.cli.quick import invoke; invoke(['status', '--name', 'none']);"
        "heavy = ['typer', 'pydantic', 'yaml', 'psutil', 'asyncio', 'srvctl.settings.load'];"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
