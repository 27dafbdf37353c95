"""Reading the settings in a child: what comes back, what the parent never loads, and how it is stopped."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from srvctl.cli import running
from srvctl.cli.resolver import resolve
from srvctl.errors import ExitCode
from srvctl.settings.groups import Settings
from srvctl.settings.instance import Instance
from srvctl.settings.load import load
from srvctl.settings.service import Service

if TYPE_CHECKING:
    from pathlib import Path

SERVICE = Service(Settings(), Instance("shop"))
_HEAVY = ("pydantic", "pydantic_core", "pydantic_settings", "typer", "click", "rich", "yaml", "asyncio")


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_settings_come_back_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[server]\nbind = [":80"]\n[timeouts]\nboot = "2m"\n', encoding="utf-8")
    argv = ["run", "a:b", "-c", str(file), "--workers", "auto"]
    expected = load({"app.target": "a:b", "workers.count": "auto"}, os.environ, file).settings
    assert resolve(argv).settings == expected


def test_the_parent_loads_nothing_that_only_parsing_needs() -> None:
    done = in_a_process(
        "import sys\n"
        "from srvctl.cli.resolver import resolve\n"
        "import srvctl.__main__\n"
        "settings = resolve(['run', 'a:b']).settings\n"
        f"print(settings.app.target, [name for name in {_HEAVY} if name in sys.modules])"
    )
    assert (done.stdout, done.stderr) == ("a:b []\n", "")


@pytest.mark.parametrize(
    ("argv", "code", "out", "err"),
    [
        (["run", "--help"], 0, "Usage: srvctl run", ""),
        (["run"], 2, "", "srvctl: error: nothing to serve"),
        (["run", "a:b", "--port", "x"], 2, "", "srvctl: error: --port: "),
        (["run", "-c", "/nowhere.toml"], 78, "", "srvctl: error: /nowhere.toml: cannot be read"),
    ],
)
def test_the_parent_exits_with_the_code_of_the_child(
    argv: list[str], code: int, out: str, err: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        resolve(argv)
    assert caught.value.code == code
    printed = capfd.readouterr()
    assert out in printed.out
    assert printed.err.startswith(err)
    assert "Traceback" not in printed.err


def test_a_stop_waits_for_who_has_handlers() -> None:
    """Between two of them there is nobody, and a process 1 would ignore it; a child of before has no part."""
    done = in_a_process(
        "import os, signal\n"
        "from srvctl.cli.resolver import resolve\n"
        "from srvctl.supervisor.signals import SignalInbox\n"
        "stops = {signal.SIGTERM, signal.SIGINT}\n"
        "masks = []\n"
        "look = lambda _: masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & stops)\n"
        "resolve(['run', 'a:b'], look, holds_stops_back=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "inbox = SignalInbox()\n"
        "assert inbox.take_nowait() == []\n"
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, stops)\n"
        "print(masks, inbox.take_nowait() == [signal.SIGTERM])\n"
    )
    assert (done.stdout, done.stderr) == ("[set()] True\n", "")


def test_what_was_printed_before_is_printed_once() -> None:
    done = in_a_process(
        "import sys; from srvctl.cli.resolver import resolve; print('<first>'); resolve(['run', '--help'])"
    )
    assert done.stdout.count("<first>") == 1


def test_a_reader_of_the_help_may_leave_early() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "srvctl", "run", "--help"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_an_unexpected_exception_ends_only_the_child(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_argv: object) -> Service:
        raise ZeroDivisionError

    monkeypatch.setattr(running, "invoke", fail)
    with pytest.raises(SystemExit) as caught:
        resolve(["run"])
    assert caught.value.code == ExitCode.INTERNAL
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_child_killed_from_outside_is_reported(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "invoke", lambda _argv: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(SystemExit) as caught:
        resolve(["run"])
    assert caught.value.code == ExitCode.INTERNAL
    assert "was killed by signal 9" in capfd.readouterr().err


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_ends_both_at_once(signum: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child, which would wait for ever, asks for its parent to be stopped."""
    parent = os.getpid()

    def ask_and_wait(_argv: object) -> Service:
        os.kill(parent, signum)
        signal.pause()
        raise AssertionError("nothing wakes the child")

    monkeypatch.setattr(running, "invoke", ask_and_wait)
    before = signal.signal(signum, signal.SIG_DFL)  # the tests themselves may run in the background
    try:
        with pytest.raises(SystemExit) as caught:
            resolve(["run"])
        assert caught.value.code == ExitCode.OK
        assert signal.getsignal(signum) is signal.SIG_DFL
    finally:
        signal.signal(signum, before)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_an_ignored_interrupt_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under nohup, or in the background of a shell script."""
    parent = os.getpid()

    def interrupt(_argv: object) -> Service:
        for pid in (parent, os.getpid()):
            os.kill(pid, signal.SIGINT)
        return SERVICE

    monkeypatch.setattr(running, "invoke", interrupt)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert resolve(["run"]) == SERVICE
    finally:
        signal.signal(signal.SIGINT, before)


def test_children_that_are_reaped_by_nobody_are_waited_for_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A parent that ignores SIGCHLD hands that down, and the kernel then forgets exit codes."""
    monkeypatch.setattr(running, "invoke", lambda _argv: ExitCode.CONFIG)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as caught:
            resolve(["run"])
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert caught.value.code == ExitCode.CONFIG


def test_no_descriptor_is_left_open() -> None:
    before = open_descriptors()
    resolve(["run", "a:b"])
    with pytest.raises(SystemExit):
        resolve(["version"])
    assert open_descriptors() == before


def open_descriptors() -> set[int]:
    return {fd for fd in range(256) if is_open(fd)}


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_settings_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Settings())) == Settings()
